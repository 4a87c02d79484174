//! What the engine is doing, in short.

use crate::{Engine, Status};
use lamplight_gateway::UpstreamName;

impl Engine {
    pub fn status(&self) -> Status {
        let config = &self.shared.config;
        let upstreams = self.shared.gateway.upstreams();
        let configured = UpstreamName::ALL.into_iter().filter(|name| upstreams.get(*name).is_some());
        Status {
            sessions_awake: self.shared.lock().len(),
            provider: self.shared.provider.name().into(),
            default_agent: config.default_agent.clone(),
            models_configured: configured.map(|name| name.to_string()).collect(),
            scripted_model: config.scripted_model,
        }
    }
}
