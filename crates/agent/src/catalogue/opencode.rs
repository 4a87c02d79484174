//! OpenCode: the default agent. One native program; configured by a JSON text in the environment.

use super::setup::{KEY, SCRIPTED_MODEL};
use super::{Agent, Launch, Machine, ModelProtocol, Models, Package, Quirks, Setup, Start};
use serde_json::{Map, Value, json};

pub(super) fn agent() -> Agent {
    Agent {
        name: super::DEFAULT_AGENT.to_owned(),
        title: "OpenCode".to_owned(),
        packages: vec![
            Package { name: "opencode-linux-x64", version: "1.18.33", machine: Machine::X64 },
            Package { name: "opencode-linux-arm64", version: "1.18.18", machine: Machine::Arm64 },
        ],
        needs_node: false,
        speaks: &[
            ModelProtocol::AnthropicMessages,
            ModelProtocol::OpenAiResponses,
            ModelProtocol::OpenAiChat,
            ModelProtocol::Gemini,
        ],
        // Allows everything by its configuration; its modes are kinds of work, not of permission.
        mode: None,
        quirks: Quirks { exits_at_end_of_input: true, names_upstream: true },
        start: Start::Known(launch),
    }
}

fn launch(setup: &Setup) -> Launch {
    let machine = Machine::here().unwrap_or(Machine::X64).npm();
    let program = setup.package_file("opencode", &format!("opencode-linux-{machine}"), "bin/opencode");
    let mut launch = setup.launch([program, "acp".to_owned()]);
    launch.set("OPENCODE_CONFIG_CONTENT", &configuration(setup).to_string());
    launch.set("OPENCODE_DISABLE_MODELS_FETCH", "1");
    launch.set("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1");
    launch.set("OPENCODE_PURE", "1");
    // The repository's own opencode.json is the work of strangers.
    launch.set("OPENCODE_DISABLE_PROJECT_CONFIG", "1");
    // It serves an HTTP interface on the sandbox's loopback, and leaves it open without this.
    launch.set("OPENCODE_SERVER_PASSWORD", KEY);
    launch
}

fn configuration(setup: &Setup) -> Value {
    let mut configuration = json!({
        "autoupdate": false,
        "share": "disabled",
        // Its second repository for undo; every turn is a commit here.
        "snapshot": false,
        // The two that it would ask about: it waits without end for an answer.
        "permission": { "*": "allow", "doom_loop": "allow", "external_directory": "allow" },
    });
    let mut providers = Map::new();
    match setup.models {
        Models::Scripted => {
            providers.insert("scripted".to_owned(), scripted(setup));
            configuration["model"] = format!("scripted/{SCRIPTED_MODEL}").into();
            configuration["small_model"] = format!("scripted/{SCRIPTED_MODEL}").into();
        }
        Models::Keys { openai, anthropic, gemini } => {
            if anthropic {
                let base = format!("{}/v1", setup.anthropic_base());
                providers
                    .insert("anthropic".to_owned(), json!({ "options": { "baseURL": base, "apiKey": KEY } }));
            }
            if openai {
                let base = setup.vendors_openai_base();
                providers
                    .insert("openai".to_owned(), json!({ "options": { "baseURL": base, "apiKey": KEY } }));
            }
            if gemini {
                let base = format!("{}/v1beta", setup.gemini_base());
                providers
                    .insert("google".to_owned(), json!({ "options": { "baseURL": base, "apiKey": KEY } }));
            }
        }
    }
    let model = match (&setup.compatible, &setup.model) {
        (Some(upstream), Some(model)) => {
            providers.insert(upstream.clone(), compatible(setup, upstream, model));
            Some(format!("{upstream}/{model}"))
        }
        (Some(_) | None, model) => model.clone(),
    };
    if let Some(model) = model {
        configuration["model"] = model.into();
    }
    configuration["enabled_providers"] = providers.keys().cloned().collect();
    configuration["provider"] = Value::Object(providers);
    configuration
}

/// It asks nobody which models there are, so it is told of the one that was chosen; any other is chosen elsewhere.
fn compatible(setup: &Setup, upstream: &str, model: &str) -> Value {
    json!({
        "npm": "@ai-sdk/openai-compatible",
        "name": upstream,
        "options": { "baseURL": setup.openai_base(), "apiKey": KEY },
        "models": { model: { "name": model, "tool_call": true } },
    })
}

fn scripted(setup: &Setup) -> Value {
    json!({
        "npm": "@ai-sdk/openai-compatible",
        "name": "Scripted",
        "options": { "baseURL": setup.vendors_openai_base(), "apiKey": KEY },
        "models": { SCRIPTED_MODEL: {
            "name": "Scripted model",
            "tool_call": true,
            "reasoning": true,
            "limit": { "context": 200_000, "output": 32_000 },
        } },
    })
}
