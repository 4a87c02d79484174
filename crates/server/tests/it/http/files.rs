//! The files of a sandbox through the API: what is there is told as what it is, and nothing of the host is reached.

use crate::support::Server;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

/// What a hostile repository has: names of every kind, links out, pipes.
const HOSTILE: &str = r#"!run cd /workspace && printf 'a secret' > "$(printf 'new\nline')" && printf x > '<img src=x onerror=alert(1)>' && printf x > "$(printf 'bad\377utf8')" && ln -s ../../../../../etc out && ln -s /proc/1/root root && ln -s nowhere broken && ln -s loop loop && mkfifo pipe && mkdir closed && printf hidden > closed/x && chmod 0 closed && head -c 300000 /dev/zero > zeros && printf '<script>alert(1)</script>' > page.html"#;

fn query(pairs: &[(&str, &str)]) -> String {
    let mut url = reqwest::Url::parse("http://server/").unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap().to_owned()
}

async fn list(server: &Server, id: &str, path: &str) -> (StatusCode, Value) {
    server.get(&format!("/sessions/{id}/files?{}", query(&[("path", path)]))).await
}

async fn content(server: &Server, id: &str, pairs: &[(&str, &str)]) -> reqwest::Response {
    let path = format!("/api/v1/sessions/{id}/files/content?{}", query(pairs));
    server.request(Method::GET, &path).send().await.unwrap()
}

async fn put(server: &Server, id: &str, path: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let path = format!("/api/v1/sessions/{id}/files/content?{}", query(&[("path", path)]));
    let answer = server.request(Method::PUT, &path).body(body).send().await.unwrap();
    let status = answer.status();
    (status, answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn everything_is_told_as_what_it_is_and_nothing_of_the_host_is_reached() {
    let server = Server::start();
    let id = server.create(HOSTILE).await;
    server.until(&id, "turn_ended", 1).await;

    let (status, listing) = list(&server, &id, "").await;
    assert_eq!((status, &listing["path"]), (StatusCode::OK, &json!("/workspace")), "{listing}");
    let told = |name: &str| {
        let entries = listing["entries"].as_array().unwrap();
        let entry = entries.iter().find(|entry| entry["name"] == name);
        let entry = entry.unwrap_or_else(|| panic!("{name:?}: {listing}"));
        json!([entry["kind"], entry["target"], entry["leads_to"]])
    };
    assert_eq!(told("new\nline"), json!(["file", null, null]));
    assert_eq!(told("<img src=x onerror=alert(1)>"), json!(["file", null, null]));
    assert_eq!(told("bad\u{fffd}utf8"), json!(["file", null, null]));
    assert_eq!(told("out"), json!(["link", "../../../../../etc", "folder"]));
    assert_eq!(told("broken"), json!(["link", "nowhere", null]));
    assert_eq!(told("loop"), json!(["link", "loop", null]));
    assert_eq!(told("pipe"), json!(["other", null, null]));
    assert_eq!(told("closed"), json!(["folder", null, null]));

    // Links lead to where they lead inside: the host's own directory of this test is not there.
    let secret = server.place.path("host-secret.txt");
    std::fs::write(&secret, "of the host").unwrap();
    let secret = secret.to_str().unwrap();
    let up = format!("out/../{secret}");
    for path in [secret, &up, &format!("root{secret}"), &format!("../../../../../..{secret}")] {
        let answer = content(&server, &id, &[("path", path)]).await;
        assert!(!answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    let name = content(&server, &id, &[("path", "new\nline"), ("download", "true")]).await;
    assert_eq!(name.headers()[header::CONTENT_DISPOSITION], "attachment; filename*=UTF-8''new%0Aline");
    assert_eq!(name.text().await.unwrap(), "a secret");
    let page = content(&server, &id, &[("path", "/workspace/page.html")]).await;
    assert_eq!(page.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert!(page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().ends_with("sandbox"));
    assert_eq!(page.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let zeros = content(&server, &id, &[("path", "zeros")]).await;
    assert_eq!(zeros.headers()[header::CONTENT_TYPE], "application/octet-stream");
    assert_eq!(zeros.bytes().await.unwrap(), vec![0; 300_000]);

    for (path, status, code) in [
        ("nothing", StatusCode::NOT_FOUND, "file_not_found"),
        ("pipe", StatusCode::CONFLICT, "file_unreadable"),
        ("closed/x", StatusCode::FORBIDDEN, "file_denied"),
        ("loop", StatusCode::CONFLICT, "file_failed"),
        ("", StatusCode::CONFLICT, "file_unreadable"),
        ("a\0b", StatusCode::BAD_REQUEST, "file_path"),
    ] {
        let answer = content(&server, &id, &[("path", path)]).await;
        let found = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!((found.0, &found.1["code"]), (status, &json!(code)), "{path:?}: {}", found.1);
    }
    assert_eq!(list(&server, &id, "closed").await.0, StatusCode::FORBIDDEN);
    assert_eq!(list(&server, &id, "page.html").await.0, StatusCode::CONFLICT);
    server.clear().await;
}

#[tokio::test]
async fn what_is_uploaded_is_there_whole_and_is_part_of_the_work() {
    let server = Server::start();
    let id = server.create("!run mkdir folder; ln -s /etc/hostname link; true").await;
    server.until(&id, "checkpoint_kept", 1).await;
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    assert_eq!(put(&server, &id, "new/deep/large.bin", large.clone()).await.0, StatusCode::NO_CONTENT);
    let back = content(&server, &id, &[("path", "new/deep/large.bin")]).await;
    assert!(back.bytes().await.unwrap() == large);
    // A link is replaced, not followed.
    assert_eq!(put(&server, &id, "link", b"mine".to_vec()).await.0, StatusCode::NO_CONTENT);
    let (_, listing) = list(&server, &id, "").await;
    let link = listing["entries"].as_array().unwrap().iter().find(|entry| entry["name"] == "link").unwrap();
    assert_eq!((&link["kind"], &link["bytes"]), (&json!("file"), &json!(4)));
    for (path, status) in [
        ("folder", StatusCode::CONFLICT),
        ("link/below", StatusCode::CONFLICT),
        ("/proc/nobody", StatusCode::NOT_FOUND),
        ("/", StatusCode::CONFLICT),
    ] {
        let (found, problem) = put(&server, &id, path, b"x".to_vec()).await;
        assert_eq!(found, status, "{path}: {problem}");
    }
    server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!say nothing"})).await;
    let log = server.until(&id, "work_committed", 2).await;
    assert_eq!(log.last().unwrap()["event"]["commit"]["files"], 2, "{log:?}");
    let noted = log.iter().filter(|entry| entry["event"]["type"] == "noted");
    let noted: Vec<_> = noted.map(|entry| &entry["event"]["text"]).collect();
    assert_eq!(noted, ["Ada uploaded /workspace/new/deep/large.bin", "Ada uploaded /workspace/link"]);
    server.clear().await;
}

#[tokio::test]
async fn without_a_sandbox_that_runs_it_says_what_can_be_done() {
    let server = Server::start();
    let id = server.create("!say done").await;
    server.until(&id, "checkpoint_kept", 1).await;
    server.post(&format!("/sessions/{id}/pause"), Value::Null).await;
    server.until(&id, "sandbox_paused", 1).await;
    let (status, problem) = list(&server, &id, "").await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("sandbox_paused")), "{problem}");
    server.post(&format!("/sessions/{id}/resume"), Value::Null).await;
    server.until(&id, "sandbox_resumed", 1).await;
    assert_eq!(list(&server, &id, "").await.0, StatusCode::OK);
    server.clear().await;
    for answer in [list(&server, &id, "").await, put(&server, &id, "x", b"x".to_vec()).await] {
        assert_eq!(
            (answer.0, &answer.1["code"]),
            (StatusCode::CONFLICT, &json!("no_sandbox")),
            "{}",
            answer.1
        );
    }
    let (status, _) = list(&server, "01JD0000000000000000000000", "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
