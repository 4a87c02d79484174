//! goose: one native program; the lightest of them all. Its package's number is not its own: 0.20.1 holds goose 1.34.0.

use super::setup::{KEY, SCRIPTED_MODEL};
use super::{Agent, Launch, Machine, ModelProtocol, Models, Package, Quirks, Setup, Start};

const PACKAGE: &str = "@aaif/goose-binary-linux-x64";
/// goose wants a model named; these are used when nobody does.
const OPENAI_MODEL: &str = "gpt-5.1";
const ANTHROPIC_MODEL: &str = "claude-sonnet-4-5";
const GEMINI_MODEL: &str = "gemini-2.5-pro";

pub(super) fn agent() -> Agent {
    Agent {
        name: "goose".to_owned(),
        title: "goose".to_owned(),
        packages: vec![Package { name: PACKAGE, version: "0.20.1", machine: Machine::X64 }],
        needs_node: false,
        speaks: &[ModelProtocol::OpenAiChat, ModelProtocol::AnthropicMessages, ModelProtocol::Gemini],
        mode: None,
        quirks: Quirks { exits_at_end_of_input: false, names_upstream: false },
        start: Start::Known(launch),
    }
}

fn launch(setup: &Setup) -> Launch {
    let program = setup.package_file("goose", PACKAGE, "bin/goose");
    let mut launch =
        setup.launch([program, "acp".to_owned(), "--with-builtin".to_owned(), "developer".to_owned()]);
    let model = if setup.has_openai() {
        launch.set("GOOSE_PROVIDER", "openai");
        // goose appends `v1/chat/completions` itself.
        launch.set("OPENAI_HOST", &setup.openai_host());
        launch.set("OPENAI_API_KEY", KEY);
        if setup.models == Models::Scripted { SCRIPTED_MODEL } else { OPENAI_MODEL }
    } else if matches!(setup.models, Models::Keys { anthropic: false, gemini: true, .. }) {
        launch.set("GOOSE_PROVIDER", "google");
        launch.set("GOOGLE_HOST", &setup.gemini_base());
        launch.set("GOOGLE_API_KEY", KEY);
        GEMINI_MODEL
    } else {
        launch.set("GOOSE_PROVIDER", "anthropic");
        launch.set("ANTHROPIC_HOST", &setup.anthropic_base());
        launch.set("ANTHROPIC_API_KEY", KEY);
        ANTHROPIC_MODEL
    };
    launch.set("GOOSE_MODEL", setup.model.as_deref().unwrap_or(model));
    launch.set("GOOSE_MODE", "auto");
    launch.set("GOOSE_DISABLE_KEYRING", "1");
    launch.set("GOOSE_TELEMETRY_ENABLED", "false");
    launch
}
