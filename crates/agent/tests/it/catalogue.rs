//! How agents are started: a function of the setup, with nothing of this machine in it.

use lamplight_agent::catalogue::{BadAgent, Configured, DEFAULT_AGENT};
use lamplight_agent::{Agent, Catalogue, Launch, Models, Setup};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn setup(model: Option<&str>, models: Models) -> Setup {
    Setup {
        tools_dir: "/tools".to_owned(),
        home: "/home/agent".to_owned(),
        gateway: "http://127.0.0.1:7411".to_owned(),
        model: model.map(ToOwned::to_owned),
        compatible: None,
        models,
    }
}

/// With a model of an upstream that the configuration calls `local`, beside OpenAI and Anthropic.
fn compatible(agent: &Agent) -> Launch {
    let models = Models::Keys { openai: true, anthropic: true, gemini: false };
    agent.launch(&Setup { compatible: Some("local".to_owned()), ..setup(Some("vendor/m:free"), models) })
}

fn launch(agent: &str, model: Option<&str>, models: Models) -> Launch {
    Catalogue::built_in().get(agent).unwrap().launch(&setup(model, models))
}

fn variable<'a>(launch: &'a Launch, name: &str) -> Option<&'a str> {
    launch.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[test]
fn every_agent_starts_from_the_tools_with_an_environment_of_ours() {
    let catalogue = Catalogue::built_in();
    assert!(catalogue.get(DEFAULT_AGENT).is_some());
    for agent in catalogue.iter() {
        for models in [
            Models::Scripted,
            Models::Keys { openai: true, anthropic: false, gemini: false },
            Models::Keys { openai: false, anthropic: true, gemini: false },
            Models::Keys { openai: false, anthropic: false, gemini: true },
        ] {
            let launch = agent.launch(&setup(Some("a-model"), models));
            assert_eq!(launch, agent.launch(&setup(Some("a-model"), models)));
            let name = &agent.name;
            assert!(launch.argv[0].starts_with("/tools/"), "{name}: {:?}", launch.argv);
            assert_eq!(variable(&launch, "HOME"), Some("/home/agent"));
            assert!(
                variable(&launch, "PATH")
                    .unwrap()
                    .starts_with("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")
            );
            let text = format!("{launch:?}");
            let elsewhere = text.matches("://").count() - text.matches("http://127.0.0.1:7411").count();
            assert_eq!(elsewhere, 0, "{name} is sent somewhere else than the gateway: {text}");
            let mut names: Vec<_> = launch.env.iter().map(|(name, _)| name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), launch.env.len(), "{name} has a variable twice");
            assert!(launch.home_files.iter().all(|(path, _)| !path.starts_with('/') && !path.contains("..")));
            assert!(text.contains("a-model"), "{name} is not told its model");
        }
    }
}

#[test]
fn goose_follows_the_key_that_there_is() {
    let scripted = launch("goose", None, Models::Scripted);
    assert_eq!(variable(&scripted, "GOOSE_PROVIDER"), Some("openai"));
    assert_eq!(variable(&scripted, "OPENAI_HOST"), Some("http://127.0.0.1:7411/openai"));
    assert_eq!(variable(&scripted, "GOOSE_MODEL"), Some("scripted-model"));
    let anthropic = launch("goose", None, Models::Keys { openai: false, anthropic: true, gemini: false });
    assert_eq!(variable(&anthropic, "GOOSE_PROVIDER"), Some("anthropic"));
    assert_eq!(variable(&anthropic, "ANTHROPIC_HOST"), Some("http://127.0.0.1:7411/anthropic"));
    let gemini = launch("goose", None, Models::Keys { openai: false, anthropic: false, gemini: true });
    assert_eq!(variable(&gemini, "GOOSE_PROVIDER"), Some("google"));
    assert_eq!(variable(&gemini, "GOOGLE_HOST"), Some("http://127.0.0.1:7411/gemini"));
    assert_eq!(variable(&gemini, "GOOSE_MODEL"), Some("gemini-2.5-pro"));
}

#[test]
fn opencode_is_offered_only_the_vendors_with_a_key() {
    let configuration = |models| -> Value {
        let launch = launch("opencode", None, models);
        serde_json::from_str(variable(&launch, "OPENCODE_CONFIG_CONTENT").unwrap()).unwrap()
    };
    let providers = |models| configuration(models)["enabled_providers"].clone();
    assert_eq!(providers(Models::Scripted), json!(["scripted"]));
    assert_eq!(providers(Models::Keys { openai: true, anthropic: false, gemini: false }), json!(["openai"]));
    assert_eq!(
        providers(Models::Keys { openai: false, anthropic: true, gemini: false }),
        json!(["anthropic"])
    );
    assert_eq!(providers(Models::Keys { openai: false, anthropic: false, gemini: true }), json!(["google"]));
    assert_eq!(providers(Models::Keys { openai: false, anthropic: false, gemini: false }), json!([]));
    let scripted = configuration(Models::Scripted);
    assert_eq!(scripted["provider"]["scripted"]["options"]["baseURL"], "http://127.0.0.1:7411/openai/v1");
    assert_eq!(scripted["permission"]["external_directory"], "allow");
}

#[test]
fn whoever_speaks_openais_protocol_is_sent_to_the_upstream_of_its_model() {
    let catalogue = Catalogue::built_in();
    let takes: Vec<_> = catalogue.iter().filter(|agent| agent.takes_compatible()).collect();
    let names: Vec<_> = takes.iter().map(|agent| agent.name.as_str()).collect();
    assert_eq!(names, ["opencode", "codex", "goose", "qwen"]);
    for agent in takes {
        let text = format!("{:?}", compatible(agent));
        assert!(text.contains("http://127.0.0.1:7411/compatible/local"), "{}: {text}", agent.name);
        assert!(text.contains("vendor/m:free"), "{}: {text}", agent.name);
    }
    let goose = compatible(catalogue.get("goose").unwrap());
    assert_eq!(variable(&goose, "OPENAI_HOST"), Some("http://127.0.0.1:7411/compatible/local"));
    assert_eq!(variable(&goose, "GOOSE_MODEL"), Some("vendor/m:free"));
    let opencode = compatible(catalogue.get("opencode").unwrap());
    let configuration: Value =
        serde_json::from_str(variable(&opencode, "OPENCODE_CONFIG_CONTENT").unwrap()).unwrap();
    assert_eq!(configuration["model"], "local/vendor/m:free");
    assert_eq!(configuration["enabled_providers"], json!(["anthropic", "openai", "local"]));
    let base = |provider: &str| configuration["provider"][provider]["options"]["baseURL"].clone();
    assert_eq!(base("openai"), "http://127.0.0.1:7411/openai/v1");
    assert_eq!(base("local"), "http://127.0.0.1:7411/compatible/local/v1");
    assert!(configuration["provider"]["local"]["models"]["vendor/m:free"].is_object());
}

#[test]
fn an_agent_of_the_configuration_is_sent_there_where_it_says_so() {
    let mut catalogue = Catalogue::built_in();
    let follows = BTreeMap::from([("BASE".to_owned(), "{openai}/v1".to_owned())]);
    catalogue.add(Configured { environment: follows, ..configured("mine", "/x") }).unwrap();
    catalogue.add(configured("other", "/x")).unwrap();
    let mine = catalogue.get("mine").unwrap();
    assert!(mine.takes_compatible() && !catalogue.get("other").unwrap().takes_compatible());
    let sent = compatible(mine);
    assert_eq!(variable(&sent, "BASE"), Some("http://127.0.0.1:7411/compatible/local/v1"));
    assert_eq!(sent.argv, ["/x", "--home=/home/agent", "vendor/m:free"]);
    let vendors = mine.launch(&setup(Some("m"), Models::Scripted));
    assert_eq!(variable(&vendors, "BASE"), Some("http://127.0.0.1:7411/openai/v1"));
}

fn configured(name: &str, command: &str) -> Configured {
    Configured {
        name: name.to_owned(),
        title: None,
        command: command.to_owned(),
        arguments: vec!["--home={home}".to_owned(), "{model}".to_owned()],
        environment: BTreeMap::from([("BASE".to_owned(), "{gateway}/openai/v1".to_owned())]),
    }
}

#[test]
fn an_agent_of_the_configuration_is_one_like_the_others() {
    let mut catalogue = Catalogue::built_in();
    catalogue.add(configured("mine", "{tools}/mine/agent")).unwrap();
    let agent = catalogue.get("mine").unwrap();
    assert_eq!((agent.title.as_str(), agent.mode), ("mine", None));
    let launch = agent.launch(&setup(None, Models::Scripted));
    assert_eq!(launch.argv, ["/tools/mine/agent", "--home=/home/agent", ""]);
    assert_eq!(variable(&launch, "BASE"), Some("http://127.0.0.1:7411/openai/v1"));
    assert_eq!(variable(&launch, "HOME"), Some("/home/agent"));
}

#[test]
fn bad_agents_of_the_configuration_are_refused_by_name() {
    let add = |name: &str, command: &str| Catalogue::built_in().add(configured(name, command)).unwrap_err();
    assert_eq!(add("goose", "/x"), BadAgent::Twice { name: "goose".to_owned() });
    assert_eq!(add("x", ""), BadAgent::NoCommand { name: "x".to_owned() });
    for name in ["", "Mine", "../x", "9x", "a b"] {
        assert_eq!(add(name, "/x"), BadAgent::Name { name: name.to_owned() });
    }
}
