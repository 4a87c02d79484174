//! Qwen Code.

use super::setup::{KEY, SCRIPTED_MODEL};
use super::{Agent, Launch, Machine, ModelProtocol, Models, Package, Quirks, Setup, Start};
use serde_json::json;

const PACKAGE: &str = "@qwen-code/qwen-code";
/// It wants a model named; this is used when nobody does.
const OPENAI_MODEL: &str = "gpt-5.1";

pub(super) fn agent() -> Agent {
    Agent {
        name: "qwen".to_owned(),
        title: "Qwen Code".to_owned(),
        packages: vec![Package { name: PACKAGE, version: "0.24.4", machine: Machine::Any }],
        needs_node: true,
        speaks: &[ModelProtocol::OpenAiChat],
        mode: None,
        quirks: Quirks { exits_at_end_of_input: false, names_upstream: false },
        start: Start::Known(launch),
    }
}

fn launch(setup: &Setup) -> Launch {
    let script = setup.package_file("qwen", PACKAGE, "cli.js");
    let mut launch = setup.launch_on_node(script, &["--acp", "--approval-mode", "yolo"]);
    let model = if setup.models == Models::Scripted { SCRIPTED_MODEL } else { OPENAI_MODEL };
    launch.set("OPENAI_API_KEY", KEY);
    launch.set("OPENAI_BASE_URL", &setup.openai_base());
    // Its own ids, such as `$runtime|openai|name(openai)`, are chosen in the conversation and are no names of models.
    let name = setup.model.as_deref().filter(|id| !id.contains('|'));
    launch.set("OPENAI_MODEL", name.unwrap_or(model));
    let settings = json!({
        "privacy": { "usageStatisticsEnabled": false },
        "general": { "enableAutoUpdate": false },
    });
    launch.home_files.push((".qwen/settings.json".to_owned(), settings.to_string()));
    launch
}
