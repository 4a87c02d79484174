//! Claude Code, through the ACP adapter. The adapter brings its own `claude` program along.

use super::setup::KEY;
use super::{Agent, Launch, Machine, ModelProtocol, Package, Quirks, Setup, Start};

const PACKAGE: &str = "@agentclientprotocol/claude-agent-acp";

pub(super) fn agent() -> Agent {
    Agent {
        name: "claude".to_owned(),
        title: "Claude Code".to_owned(),
        packages: vec![Package { name: PACKAGE, version: "0.100.0", machine: Machine::Any }],
        needs_node: true,
        speaks: &[ModelProtocol::AnthropicMessages],
        mode: Some("bypassPermissions"),
        quirks: Quirks { exits_at_end_of_input: true, names_upstream: false },
        start: Start::Known(launch),
    }
}

fn launch(setup: &Setup) -> Launch {
    let mut launch = setup.launch_on_node(setup.package_file("claude", PACKAGE, "dist/index.js"), &[]);
    launch.set("ANTHROPIC_BASE_URL", &setup.anthropic_base());
    launch.set("ANTHROPIC_API_KEY", KEY);
    // Its own word for no choice is no name of a model.
    if let Some(model) = setup.model.as_ref().filter(|model| *model != "default") {
        launch.set("ANTHROPIC_MODEL", model);
    }
    launch.set("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    // Without it a wrong key is tried for more than a minute before anyone hears of it.
    launch.set("CLAUDE_CODE_MAX_RETRIES", "3");
    // Lets it bypass permissions whoever it runs as.
    launch.set("IS_SANDBOX", "1");
    launch
}
