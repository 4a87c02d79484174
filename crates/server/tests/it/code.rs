//! VS Code in a sandbox, as a browser gets it; in its place is a program that is started as it is and speaks as it does.

use crate::support::{Place, Server, Socket};
use futures::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode, header, redirect};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

const PROGRAM: &str = include_str!("../code-server.py");

/// As installed; Node is an interpreter of another language here.
fn installed() -> Place {
    let place = Place::new();
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let put = |path: String, text: &str, mode: u32| {
        let path = place.path("tools").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let node = format!("node/node_modules/node-linux-{machine}");
    put(format!("{node}/package.json"), r#"{"version": "24.0.0"}"#, 0o644);
    put(format!("{node}/bin/node"), "#!/bin/sh\nexec python3 \"$@\"\n", 0o755);
    let package = "code-server/node_modules/code-server";
    put(format!("{package}/package.json"), r#"{"version": "4.0.0"}"#, 0o644);
    put(format!("{package}/out/node/entry.js"), PROGRAM, 0o644);
    place
}

/// A session that has done its first turn.
async fn session(server: &Server) -> String {
    let id = server.create("!say done").await;
    server.until(&id, "work_committed", 1).await;
    id
}

/// Enters by the way of our page; the host, and the cookie that was given.
async fn enter(server: &Server, session: &str) -> (String, String) {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let http = http.redirect(redirect::Policy::none()).build().unwrap();
    let open = format!("{}/api/v1/sessions/{session}/code/open", server.base);
    let answer = http.get(open).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let location = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let (host, path) = location.strip_prefix("//").unwrap().split_once('/').unwrap();
    let entrance = http.get(format!("{}/{path}", server.base)).header(header::HOST, host);
    let answer = entrance.send().await.unwrap();
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    (host.to_owned(), cookie.split(';').next().unwrap().to_owned())
}

async fn connect(server: &Server, host: &str, cookie: &str) -> Socket {
    let mut request = format!("ws://{host}/stable-0?reconnectionToken=1").into_client_request().unwrap();
    request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
    request.headers_mut().insert(header::ORIGIN, format!("http://{host}").parse().unwrap());
    let stream = tokio::net::TcpStream::connect(server.authority()).await.unwrap();
    let stream = tokio_tungstenite::MaybeTlsStream::Plain(stream);
    Socket(tokio_tungstenite::client_async(request, stream).await.unwrap().0)
}

async fn say(socket: &mut Socket, message: Value) {
    socket.0.send(Message::text(message.to_string())).await.unwrap();
}

#[tokio::test]
async fn it_is_started_when_asked_for_and_what_is_saved_in_it_is_the_sessions() {
    let server = Server::start_in(installed());
    let id = session(&server).await;
    let code = format!("/sessions/{id}/code");
    let port = server.authority().rsplit_once(':').unwrap().1;
    let authority = format!("p7414-{}.localhost:{port}", id.to_lowercase());
    let info = |running: bool| json!({"version": "4.0.0", "running": running, "authority": authority});
    assert_eq!(server.get(&code).await, (StatusCode::OK, info(false)));
    let (status, problem) = server.get(&format!("{code}/open")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("nothing_listens")));

    let told = server.place.say(&["code", &id]);
    assert_eq!(told.trim(), format!("{}/api/v1{code}/open", server.base));
    assert_eq!(server.get(&code).await, (StatusCode::OK, info(true)));
    // Again is the same, and it is no port of a program's.
    assert_eq!(server.post(&code, Value::Null).await, (StatusCode::OK, info(true)));
    assert_eq!(server.get(&format!("/sessions/{id}/ports")).await.1, json!({"items": []}));
    let (status, _) = server.get(&format!("/sessions/{id}/ports/7414/open")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let (host, cookie) = enter(&server, &id).await;
    assert_eq!(host, authority);
    let page = server.request(Method::GET, "/?folder=/workspace");
    let page = page.header(header::HOST, &host).header(header::COOKIE, &cookie);
    assert!(page.send().await.unwrap().text().await.unwrap().contains("Editor of tests"));
    let mut socket = connect(&server, &host, &cookie).await;
    say(&mut socket, json!({"read": "readme.txt"})).await;
    assert_eq!(socket.frame().await.unwrap(), json!({"text": "hello\n"}));
    say(&mut socket, json!({"write": "readme.txt", "text": "by hand\n"})).await;
    assert_eq!(socket.frame().await.unwrap(), json!({"written": "readme.txt"}));

    server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!say more"})).await;
    let entries = server.until(&id, "work_committed", 2).await;
    let notes = entries.iter().filter(|entry| entry["event"]["text"] == "Ada opened VS Code").count();
    assert_eq!(notes, 1);
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(server.place.git(&["show", "--format=", "--name-only", &branch]), "readme.txt");
    assert_eq!(server.place.git(&["show", &format!("{branch}:readme.txt")]), "by hand");
    server.clear().await;
}

#[tokio::test]
async fn it_outlives_the_server_ends_with_a_turn_that_is_stopped_and_keeps_settings() {
    let server = Server::start_in(installed());
    let id = session(&server).await;
    let code = format!("/sessions/{id}/code");
    assert_eq!(server.post(&code, Value::Null).await.0, StatusCode::OK);
    server.signal("KILL");
    let (_, place) = server.ended();
    let server = Server::start_in(place);
    assert_eq!(server.get(&code).await.1["running"], true);

    let settings = "/home/agent/.local/share/code-server/User/settings.json";
    let mine = format!(
        "!run echo '{{\"telemetry.telemetryLevel\": \"off\", \"mine\": 1}}' > {settings}\n!run sleep 600"
    );
    server.post(&format!("/sessions/{id}/prompts"), json!({"text": mine})).await;
    server.until(&id, "tool_called", 2).await;
    server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
    server.until(&id, "turn_ended", 2).await;
    server.until(&id, "work_committed", 2).await;
    assert_eq!(server.get(&code).await.1["running"], false);
    assert_eq!(server.post(&code, Value::Null).await.1["running"], true);
    let content = format!("/api/v1/sessions/{id}/files/content?path={settings}");
    let kept = server.request(Method::GET, &content).send().await.unwrap().text().await.unwrap();
    assert!(kept.contains("mine"), "{kept}");
    server.clear().await;
}

#[tokio::test]
async fn who_is_at_work_in_it_keeps_the_sandbox_and_who_left_it_open_does_not() {
    let mut place = installed();
    place.environment.push(("LAMPLIGHT_LIMITS_PAUSE_MS", "20000"));
    let server = Server::start_in(place);
    let id = session(&server).await;
    server.post(&format!("/sessions/{id}/code"), Value::Null).await;
    let (host, cookie) = enter(&server, &id).await;
    let mut socket = connect(&server, &host, &cookie).await;
    let (mut sink, stream) = (&mut socket.0).split();
    drop(stream);
    let says = async |sink: &mut futures::stream::SplitSink<_, Message>, bytes: usize| loop {
        let text = json!({"typed": "x".repeat(bytes)}).to_string();
        if sink.send(Message::text(text)).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    tokio::select! {
        _ = server.until(&id, "sandbox_used", 1) => {}
        () = says(&mut sink, 300) => {}
    }
    let left_open = tokio::select! {
        entries = server.until(&id, "sandbox_paused", 1) => entries,
        () = says(&mut sink, 1) => unreachable!(),
    };
    let used: Vec<_> = left_open.iter().filter(|entry| entry["event"]["type"] == "sandbox_used").collect();
    assert!(used.len() <= 2 && used[0]["event"]["by"] == "Ada", "{used:?}");
    server.clear().await;
}

#[tokio::test]
async fn what_cannot_be_had_says_what_to_do() {
    let server = Server::start();
    let id = session(&server).await;
    let code = format!("/sessions/{id}/code");
    let (_, info) = server.get(&code).await;
    assert_eq!((&info["version"], &info["running"]), (&Value::Null, &json!(false)));
    let (status, problem) = server.post(&code, Value::Null).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("code_not_installed")));
    assert!(problem["what_to_do"].as_str().unwrap().contains("lamplight tools install code-server"));
    server.clear().await;

    let server = Server::start_in(installed());
    // Something of the agent's has its port.
    let id = server
        .create(
            "!run setsid python3 -m http.server --bind 127.0.0.1 7414 > /tmp/log 2>&1 < /dev/null & \
             until python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 7414))' 2> /dev/null; do :; done\n!say done",
        )
        .await;
    server.until(&id, "work_committed", 1).await;
    let (status, problem) = server.post(&format!("/sessions/{id}/code"), Value::Null).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("code_port_taken")));
    server.clear().await;
}
