//! Several people, limits, and those who may not.

use super::raw::{Cloud, KEY};
use super::{Place, Server, cloud};
use crate::people::Door;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

fn base() -> Value {
    json!({"templateID": "base"})
}

#[tokio::test]
async fn what_is_lent_is_counted_told_and_written_down() {
    let cloud = Cloud::of(Server::start_in(Place::with("[e2b]\nenabled = true\n[queue]\nsandboxes = 2\n")));
    let (one, two) = (cloud.create(base()).await, cloud.create(base()).await);
    let (status, refused) = cloud.control(Method::POST, "/v2/sandboxes", base()).await;
    assert_eq!((status, &refused["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!(429)), "{refused}");
    // A session waits for a place as behind any other.
    let session = cloud.server.create("!say done").await;
    cloud.server.until(&session, "sandbox_queued", 1).await;
    let pause = format!("/sandboxes/{}/pause", one.id);
    let away = cloud.control(Method::POST, &pause, json!({"memory": false})).await;
    assert_eq!(away.0, StatusCode::NO_CONTENT, "without its memory it has no place");
    cloud.server.until(&session, "work_committed", 1).await;
    let (_, list) = cloud.server.get("/sandboxes").await;
    let lent: Vec<&Value> =
        list["items"].as_array().unwrap().iter().filter(|one| !one["lent"].is_null()).collect();
    assert_eq!(lent.len(), 1, "{list}");
    assert_eq!((&lent[0]["person"], &lent[0]["state"]), (&json!("Ada"), &json!("running")));
    assert_eq!(lent[0]["session"].as_str().unwrap().to_lowercase(), two.id);
    cloud.server.clear().await;
    for sandbox in [&one, &two] {
        assert_eq!(cloud.kill(sandbox).await, StatusCode::NO_CONTENT);
    }
    let (_, log) = cloud.server.get("/audit?limit=50").await;
    let entries: Vec<(&str, &str, &str)> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default();
            (text("action"), text("subject"), text("outcome"))
        })
        .collect();
    assert!(entries.contains(&("POST /v2/sandboxes", &one.id, "done")), "{entries:?}");
    assert!(entries.contains(&("take_back_sandbox", &two.id, "done")), "{entries:?}");
    assert!(entries.contains(&("POST /v2/sandboxes", "", "refused")), "{entries:?}");
    cloud.nothing_is_left().await;
}

#[tokio::test]
async fn nobody_reaches_the_sandboxes_of_somebody_else() {
    let door = Door::open("[e2b]\nenabled = true\n").await;
    let member = door.person("Mia", "member").await;
    let (other, viewer) = (door.person("Omar", "member").await, door.person("Vera", "viewer").await);
    let reading = door.token(&member, "read").await;
    // As older SDKs want keys to begin.
    let mut cloud = Cloud { key: member.replace("lmp_", "e2b_"), server: door.server };
    let sandbox = cloud.create(base()).await;
    let of = |what: &str| format!("/sandboxes/{}{what}", sandbox.id);
    assert_eq!(cloud.control(Method::GET, &of(""), Value::Null).await.0, StatusCode::OK);
    cloud.key = other.clone();
    for (method, path) in [
        (Method::GET, of("")),
        (Method::DELETE, of("")),
        (Method::POST, of("/pause")),
        (Method::POST, of("/connect")),
        (Method::GET, of("/metrics")),
    ] {
        let (status, refused) = cloud.control(method, &path, Value::Null).await;
        assert_eq!((status, &refused["code"]), (StatusCode::NOT_FOUND, &json!(404)), "{path}");
    }
    assert_eq!(cloud.control(Method::GET, "/v2/sandboxes", Value::Null).await.1, json!([]));
    for (token, status) in [
        (KEY.to_owned(), StatusCode::UNAUTHORIZED),
        ("lms_00".into(), StatusCode::UNAUTHORIZED),
        (String::new(), StatusCode::UNAUTHORIZED),
        (viewer, StatusCode::FORBIDDEN),
        (reading, StatusCode::FORBIDDEN),
    ] {
        cloud.key = token;
        let (seen, refused) = cloud.control(Method::POST, "/v2/sandboxes", base()).await;
        assert_eq!((seen, &refused["code"]), (status, &json!(status.as_u16())), "{}: {refused}", cloud.key);
    }
    cloud.key = member.clone();
    assert_eq!(cloud.kill(&sandbox).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn who_comes_from_elsewhere_or_asks_nonsense_is_refused() {
    let cloud = cloud();
    let sandbox = cloud.create(base()).await;
    let ask = async |name: &str, value: &str| {
        let request = cloud.inside(&sandbox, Method::GET, "/health").header(name, value);
        request.send().await.unwrap().status()
    };
    assert_eq!(ask("host", "evil.example").await, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(ask("origin", "http://evil.example").await, StatusCode::FORBIDDEN);
    assert_eq!(ask("sec-fetch-site", "cross-site").await, StatusCode::FORBIDDEN);
    assert_eq!(ask("x", "y").await, StatusCode::NO_CONTENT);
    for (method, path, body, status) in [
        (Method::POST, "/v2/sandboxes", json!([1]), 400),
        (Method::POST, "/v2/sandboxes", json!({"templateID": "../etc"}), 404),
        (Method::POST, "/v2/sandboxes", json!({"templateID": "base", "timeout": 0}), 400),
        (Method::POST, "/v2/sandboxes", json!({"templateID": "base", "autoPauseMemory": false}), 400),
        (Method::POST, "/v2/sandboxes", json!({"templateID": "base", "mcp": {"x": {}}}), 400),
        (
            Method::POST,
            "/v2/sandboxes",
            json!({"templateID": "base", "network": {"allowOut": ["a.example"]}}),
            400,
        ),
        (Method::GET, "/v2/sandboxes?nextToken=zzz", Value::Null, 400),
        (Method::GET, "/sandboxes/..%2f..%2fetc", Value::Null, 404),
        (Method::POST, "/v3/templates", json!({"name": "a b"}), 400),
        (
            Method::POST,
            "/v3/templates",
            json!({"name": "a", "tags": (0..101).map(|tag| format!("v{tag}")).collect::<Vec<_>>()}),
            400,
        ),
        (Method::POST, "/volumes", json!({}), 501),
        (Method::PATCH, "/sandboxes", Value::Null, 405),
    ] {
        let (seen, said) = cloud.control(method.clone(), path, body.clone()).await;
        assert_eq!(seen.as_u16(), status, "{method} {path} {body}: {said}");
        assert!(said["code"] == json!(status), "{said}");
    }
    // Of a file that breaks off half-way nothing is there.
    assert_eq!(cloud.write(&sandbox, "whole", b"before".to_vec()).await, StatusCode::OK);
    let pieces = futures::stream::iter([Ok(b"half".to_vec()), Err(std::io::Error::other("the client dies"))]);
    let request = cloud.inside(&sandbox, Method::POST, "/files?path=whole");
    let request = request.header("Content-Type", "application/octet-stream");
    assert!(request.body(reqwest::Body::wrap_stream(pieces)).send().await.is_err());
    assert_eq!(cloud.read(&sandbox, "whole").await, (StatusCode::OK, "before".into()));
    assert_eq!(cloud.say(&sandbox, "ls -A | grep -c lamplight || true").await.unwrap(), "0\n");
    // A thousand names in one folder are told in their order.
    cloud.say(&sandbox, "mkdir many; cd many; seq -w 1000 | xargs touch").await.unwrap();
    let list = cloud.inside(&sandbox, Method::POST, "/filesystem.Filesystem/ListDir");
    let list: Value =
        list.json(&json!({"path": "many", "depth": 1})).send().await.unwrap().json().await.unwrap();
    let names: Vec<&str> =
        list["entries"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.len() == 1000 && names.is_sorted(), "{} names", names.len());
    assert_eq!(cloud.kill(&sandbox).await, StatusCode::NO_CONTENT);
    cloud.nothing_is_left().await;
}
