//! What the program does with its settings, seen from a shell.

use crate::support::{Place, Server};

fn failure(place: &Place, arguments: &[&str]) -> String {
    let output = place.run(arguments);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_mistake_in_the_file_is_told_with_its_line() {
    let place = Place::new();
    let file = place.path("lamplight.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("[agent]", "[agent]\ndefualt = 'goose'")).unwrap();
    let error = failure(&place, &["serve"]);
    assert!(error.starts_with(&format!("error: {}:4: unknown key `defualt`", file.display())), "{error}");
}

#[test]
fn a_variable_that_nobody_reads_is_refused() {
    let place = Place::new();
    let output = place.command(&["config"]).env("LAMPLIGHT_DATADIR", "/x").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("LAMPLIGHT_DATADIR") && error.contains("did you mean LAMPLIGHT_DATA_DIR?"),
        "{error}"
    );
}

#[test]
fn the_effective_configuration_is_printed_without_secrets() {
    let place = Place::new();
    let mut command = place.command(&["config", "--data-dir", "/somewhere"]);
    let output =
        command.env("OPENAI_API_KEY", "sk-secret").env("LAMPLIGHT_LIMITS_STEPS", "7").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("data_dir = \"/somewhere\"") && text.contains("steps = 7"), "{text}");
    assert!(!text.contains("sk-secret"), "{text}");
}

#[tokio::test]
async fn a_second_server_is_refused_with_the_reason() {
    let server = Server::start();
    let error = failure(&server.place, &["serve"]);
    assert!(error.contains(&format!("cannot listen on {}", server.authority())), "{error}");
    let error = failure(&server.place, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(error.contains("another") || error.contains("already"), "{error}");
}

#[test]
fn doctor_says_what_is_there() {
    let place = Place::new();
    let report: serde_json::Value = serde_json::from_slice(&place.run(&["doctor", "--json"]).stdout).unwrap();
    let state = |name: &str| {
        let findings = report["findings"].as_array().unwrap();
        let finding = findings.iter().find(|finding| finding["name"] == name);
        finding.map(|finding| finding["state"].as_str().unwrap().to_owned())
    };
    assert_eq!(state("git").as_deref(), Some("ok"));
    assert_eq!(state("data directory").as_deref(), Some("ok"));
    // What it can enforce depends on the machine; that a sandbox can be made does not.
    let tier = report["tier"].as_str().unwrap();
    assert!(["isolated", "limited"].contains(&tier), "{tier}");
    assert_ne!(state("sandbox").as_deref(), Some("missing"));
    assert_eq!(state("agents").as_deref(), Some("ok"));
    assert_eq!(state("models").as_deref(), Some("limited"));
    let broken = place.command(&["doctor", "--data-dir", "/proc/nowhere"]).output().unwrap();
    assert_eq!(broken.status.code(), Some(1));
    let text = String::from_utf8(broken.stdout).unwrap();
    assert!(text.contains("missing  data directory") && text.contains("--data-dir"), "{text}");
}

#[tokio::test]
async fn a_repository_has_settings_of_its_own_which_a_session_may_overrule() {
    let place = Place::new();
    let config = std::fs::read_to_string(place.path("lamplight.toml")).unwrap();
    let link = place.path("by-another-name");
    std::os::unix::fs::symlink(place.repository(), &link).unwrap();
    let more = format!(
        "[limits]\nsteps = 40\nidle_ms = 7000000\n[sandbox]\nnetwork = 'open'\n[sandbox.limits]\nprocesses = 600\n\
         [[repositories]]\npath = '/nowhere'\n[[repositories]]\npath = {link:?}\npermissions = 'reject'\n\
         [repositories.limits]\nsteps = 7\nbudget_micros = 1000000\n\
         [repositories.sandbox]\nnetwork = 'allowlist'\nallow = ['example.org']\nlimits.open_files = 2048\n"
    );
    std::fs::write(place.path("lamplight.toml"), config + &more).unwrap();
    let server = Server::start_in(place);
    let spec = async |more: serde_json::Value| {
        let mut request =
            serde_json::json!({"repository": server.place.repository(), "prompt": "!say hello"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, view) = server.post("/sessions", request).await;
        assert_eq!(status, 201, "{view}");
        let log = server.until(view["id"].as_str().unwrap(), "session_created", 1).await;
        log[0]["event"]["spec"].clone()
    };
    let ours = spec(serde_json::json!({})).await;
    let limits =
        |spec: &serde_json::Value| (spec["limits"]["steps"].clone(), spec["limits"]["idle_ms"].clone());
    assert_eq!(limits(&ours), (7.into(), 7_000_000.into()));
    assert_eq!(ours["limits"]["budget_micros"], 1_000_000);
    assert_eq!(ours["network"], serde_json::json!({"policy": "allowlist", "hosts": ["example.org"]}));
    assert_eq!(ours["sandbox"], serde_json::json!({"processes": 600, "open_files": 2048}));
    assert_eq!(ours["permissions"], "reject");

    let asked = serde_json::json!({"limits": {"steps": 9}, "network": {"policy": "none"}, "sandbox": {"open_files": 4096}});
    let asked = spec(asked).await;
    assert_eq!(limits(&asked), (9.into(), 7_000_000.into()));
    assert_eq!(asked["limits"]["budget_micros"], 1_000_000);
    assert_eq!(asked["network"], serde_json::Value::Null, "none");
    assert_eq!(asked["sandbox"], serde_json::json!({"processes": 600, "open_files": 4096}));
    server.clear().await;
}

#[tokio::test]
async fn what_is_configured_for_a_repository_is_told_with_it() {
    let place = Place::new();
    let repository = place.repository();
    let more = format!(
        "[[repositories]]\npath = {repository:?}\npermissions = 'ask'\nbudget_month_micros = 5_000_000\n\
         [repositories.sandbox]\nnetwork = 'none'\n"
    );
    let path = place.path("lamplight.toml");
    let configuration = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{configuration}{more}")).unwrap();
    let server = Server::start_in(place);
    server.create("[]").await;
    let (_, list) = server.get("/repositories").await;
    let configured = &list["items"][0]["configured"];
    assert_eq!(configured["permissions"], "ask", "{list}");
    assert_eq!(configured["network"]["policy"], "none", "{list}");
    assert_eq!(configured["budget_month_micros"], 5_000_000, "{list}");
    assert!(configured["agent"].is_null(), "{list}");
    server.clear().await;
}
