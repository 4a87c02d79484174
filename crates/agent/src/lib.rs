//! ACP: what agents say and are told, the agent catalogue, installing agents
