//! The gateway over TCP, by what `lamplight gateway` prints.

use crate::support::{Place, Server};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::process::Command;

/// The server that is started here listens for the gateway, too; its model refuses every key.
fn place(gateway: &str) -> Place {
    let place = Place::new();
    let config = std::fs::read_to_string(place.path("lamplight.toml")).unwrap();
    let more = format!("[gateway]\nlisten = '{gateway}'\n[sandbox]\nallow_private = ['127.0.0.1']\n");
    std::fs::write(place.path("lamplight.toml"), config + &more).unwrap();
    place
}

async fn token(server: &Server, id: &str) -> (String, String) {
    let (status, token) = server.post(&format!("/sessions/{id}/gateway-token"), Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{token}");
    let text = |name: &str| token[name].as_str().unwrap().to_owned();
    (text("url"), text("token"))
}

/// The status with which a request for models with that token is answered.
async fn asked(url: &str, token: &str) -> u16 {
    let asked = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("{url}/openai/v1/models"));
    asked.bearer_auth(token).send().await.unwrap().status().as_u16()
}

/// Runs a script with what the command prints.
fn shell(server: &Server, id: &str, script: &str) -> (bool, String) {
    let exports = server.place.say(&["gateway", id]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{exports}\n{script}")]).current_dir(server.place.path("home"));
    shell.env("HOME", server.place.path("home")).env("GIT_TERMINAL_PROMPT", "0");
    let output = shell.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[tokio::test]
async fn a_token_is_the_sessions_until_it_ends_and_across_a_restart() {
    let server = Server::start_in(place("127.0.0.1:0"));
    let id = server.create("!write new.txt hello").await;
    server.until(&id, "work_committed", 1).await;
    let (url, first) = token(&server, &id).await;
    // No model is configured, which only those hear who were let in.
    assert_eq!((asked(&url, &first).await, asked(&url, &first.to_lowercase()).await), (403, 401));
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    let script = format!(
        "git clone --quiet --branch {branch} $LAMPLIGHT_GIT clone && cd clone && git -c user.name=A -c user.email=a@example.org \\
         commit --quiet --allow-empty -m Outside && git push --quiet origin {branch} && ! git push --quiet origin {branch}:main"
    );
    let (success, said) = shell(&server, &id, &script);
    assert!(success && said.contains("main"), "{said}");
    assert!(server.place.git(&["log", "-1", "--format=%s", &branch]).contains("Outside"));
    let proxied = format!(
        "curl -sS -o /dev/null -w '%{{http_code}}' --proxytunnel --noproxy '' {}/healthz",
        server.base
    );
    assert_eq!(shell(&server, &id, &proxied), (true, "200".to_owned()));

    server.signal("KILL");
    let server = Server::start_in(server.ended().1);
    server.view(&id).await;
    let (url, again) = token(&server, &id).await;
    assert_eq!(again, first);
    let other = server.create("!say hello").await;
    server.until(&other, "work_committed", 1).await;
    assert_ne!(token(&server, &other).await.1, first);
    assert_eq!(asked(&url, &again).await, 403);
    let database = std::fs::read(server.place.path("data/lamplight.db")).unwrap();
    let code = first.rsplit_once('_').unwrap().1;
    assert!(!database.windows(code.len()).any(|window| window == code.as_bytes()), "the token is kept");
    server.clear().await;
    assert_eq!(asked(&url, &again).await, 401);
}

#[tokio::test]
async fn where_it_is_not_served_it_is_said_what_to_do() {
    let server = Server::start();
    let id = server.create("!say hello").await;
    let (status, problem) = server.post(&format!("/sessions/{id}/gateway-token"), json!(null)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("gateway_not_served")));
    server.clear().await;
}
