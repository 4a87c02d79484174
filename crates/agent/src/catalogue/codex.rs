//! Codex, through the ACP adapter. It speaks the Responses protocol only, and is configured by a JSON text in the
//! environment.

use super::setup::KEY;
use super::{Agent, Launch, Machine, ModelProtocol, Models, Package, Quirks, Setup, Start};
use serde_json::json;

const PACKAGE: &str = "@agentclientprotocol/codex-acp";
/// A model that Codex knows. It warns about others before every turn; the scripted model answers to any name.
const KNOWN_MODEL: &str = "gpt-6.1-sol";
const KEY_VARIABLE: &str = "LAMPLIGHT_MODEL_KEY";

pub(super) fn agent() -> Agent {
    Agent {
        name: "codex".to_owned(),
        title: "Codex".to_owned(),
        packages: vec![
            Package { name: PACKAGE, version: "2.6.0", machine: Machine::Any },
            Package { name: "@openai/codex", version: "0.166.0", machine: Machine::Any },
        ],
        needs_node: true,
        speaks: &[ModelProtocol::OpenAiResponses],
        // Chosen by the environment: its own sandbox does not work inside ours.
        mode: None,
        quirks: Quirks { exits_at_end_of_input: false, names_upstream: false },
        start: Start::Known(launch),
    }
}

fn launch(setup: &Setup) -> Launch {
    let mut launch = setup.launch_on_node(setup.package_file("codex", PACKAGE, "dist/index.js"), &[]);
    let mut configuration = json!({
        "model_provider": "lamplight",
        "model_providers": { "lamplight": {
            "name": "Lamplight",
            "base_url": setup.openai_base(),
            "env_key": KEY_VARIABLE,
            "wire_api": "responses",
        } },
        // Both fetch lists from the network at every start.
        "features": { "plugins": false, "apps": false },
    });
    let scripted = (setup.models == Models::Scripted).then_some(KNOWN_MODEL);
    if let Some(model) = setup.model.as_deref().or(scripted) {
        configuration["model"] = model.into();
    }
    launch.set("CODEX_CONFIG", &configuration.to_string());
    launch.set(KEY_VARIABLE, KEY);
    launch.set("INITIAL_AGENT_MODE", "agent-full-access");
    launch.set("NO_BROWSER", "1");
    launch
}
