//! The server that is simulated: one agent, bounds that are short, nothing outside.

use lamplight_agent::catalogue::Configured;
use lamplight_domain::permission::Policy;
use lamplight_domain::{CheckPolicy, ChildBounds, ImageChoice, Limits, Network, Redaction};
use lamplight_engine::{
    ChildrenConfig, Config, HooksConfig, ModelsConfig, Outside, QueueConfig, SealingSource,
};
use std::path::Path;

pub(crate) const AGENT: &str = "simulated";

pub(crate) fn config(dir: &Path, sandboxes: u32) -> Config {
    Config {
        data_dir: dir.join("data"),
        database: None,
        bucket: None,
        servers_address: None,
        tools_dir: dir.join("tools"),
        default_agent: AGENT.to_owned(),
        default_model: None,
        agents: vec![Configured {
            name: AGENT.to_owned(),
            title: None,
            command: "/opt/agent".to_owned(),
            arguments: Vec::new(),
            environment: Default::default(),
        }],
        models: ModelsConfig::default(),
        github: None,
        forge: None,
        github_stored: Default::default(),
        rights: None,
        on_behalf: None,
        sealing: SealingSource::File(dir.join("secrets.key")),
        redaction: Redaction::default(),
        scripted_model: false,
        limits: limits(),
        guards: Default::default(),
        budgets: Default::default(),
        queue: QueueConfig { sandboxes, sandboxes_per_person: 0, memory_bytes: 0 },
        attempts: 0,
        children: ChildrenConfig { bounds: ChildBounds { depth: 0, number: 0 }, by_agents: false },
        archive: Default::default(),
        permissions: Policy::Allow,
        signing_key: None,
        checks: CheckPolicy::Never,
        person: None,
        sandbox: Default::default(),
        network: Network::None,
        image: ImageChoice::default(),
        outside: Outside::default(),
        hooks: HooksConfig { allow_private: Vec::new(), address: "http://127.0.0.1".to_owned() },
        traces: None,
        registries: Vec::new(),
        repositories: Vec::new(),
    }
}

fn limits() -> Limits {
    Limits {
        silence_ms: 40_000,
        wall_clock_ms: 180_000,
        permission_ms: 20_000,
        start_ms: 30_000,
        paused_ms: 60_000,
        pause_ms: 8_000,
        idle_ms: 20_000,
        idle_warning_ms: 5_000,
        checkpoint_ms: 0,
        ..Limits::default()
    }
}
