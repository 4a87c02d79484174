//! `GET /agents`

use super::App;
use axum::Json;
use axum::extract::State;
use lamplight_engine::AgentInfo;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentList {
    pub items: Vec<Agent>,
}

/// An agent that a session can be given to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    #[schema(example = "opencode")]
    pub name: String,
    pub title: String,
    pub installed: bool,
    pub version: Option<String>,
    /// The one that a session gets when it names none.
    pub default: bool,
    /// Upstreams whose models it can have, in the order of preference, those of the configuration last; empty where that is not known.
    pub upstreams: Vec<String>,
    /// Its models are named with their upstream in front, such as `openai/gpt-5.1`.
    pub names_upstream: bool,
}

/// The agents of the catalogue and of the configuration.
#[utoipa::path(get, path = "/agents", operation_id = "list_agents", tag = "server", responses((status = 200, body = AgentList)))]
pub(super) async fn handle(State(app): State<App>) -> Json<AgentList> {
    Json(AgentList { items: app.engine.agents().into_iter().map(Agent::from).collect() })
}

impl From<AgentInfo> for Agent {
    fn from(agent: AgentInfo) -> Self {
        Self {
            name: agent.name,
            title: agent.title,
            installed: agent.installed.is_some(),
            version: agent.installed,
            default: agent.default,
            upstreams: agent.upstreams,
            names_upstream: agent.names_upstream,
        }
    }
}
