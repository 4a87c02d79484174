//! What the engine is doing, in short.

use crate::{Engine, Status};

impl Engine {
    pub fn status(&self) -> Status {
        let config = &self.shared.config;
        let upstreams = self.shared.gateway.upstreams();
        Status {
            sessions_awake: self.shared.lock().len(),
            provider: self.shared.provider.name().into(),
            default_agent: config.default_agent.clone(),
            models_configured: upstreams.iter().map(|(name, _)| name.to_string()).collect(),
            scripted_model: config.scripted_model,
        }
    }
}
