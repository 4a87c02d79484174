//! The sandboxes that there are now, and what they use.

use crate::support::Server;
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn sandboxes(server: &Server) -> Vec<Value> {
    let (status, list) = server.get("/sandboxes").await;
    assert_eq!(status, StatusCode::OK, "{list}");
    list["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_runs_is_told_with_what_it_uses_and_is_stopped_from_there() {
    let server = Server::start();
    assert_eq!(sandboxes(&server).await, [] as [Value; 0]);
    let id = server.create("Hold 200 MB").await;
    server.until(&id, "work_committed", 1).await;
    let [one] = &sandboxes(&server).await[..] else { panic!("one sandbox runs") };
    assert_eq!(
        (&one["session"], &one["state"], &one["person"]),
        (&json!(id), &json!("running"), &json!("Ada"))
    );
    assert_eq!(one["repository"], server.place.repository().to_str().unwrap());
    for (used, limit) in [("memory_bytes", "memory_limit_bytes"), ("processes", "processes_limit")] {
        let (used, limit) = (one[used].as_u64().unwrap(), one[limit].as_u64().unwrap());
        assert!(0 < used && used < limit, "{one}");
    }
    assert!(one["cpu_ms"].is_u64() && one["age_ms"].as_u64().unwrap() > 0, "{one}");
    let said = server.place.say(&["sandboxes"]);
    assert!(said.contains("Hold 200 MB") && said.contains("processes"), "{said}");

    let said = server.place.say(&["sandboxes", "stop", &id]);
    assert!(said.contains("its files are kept"), "{said}");
    server.until(&id, "sandbox_destroyed", 1).await;
    assert_eq!(sandboxes(&server).await, [] as [Value; 0]);
    let (status, problem) = server.post(&format!("/sessions/{id}/release"), Value::Null).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("no_sandbox")));
    server.post(&format!("/sessions/{id}/prompts"), json!({"text": "more"})).await;
    server.until(&id, "work_committed", 2).await;
    server.clear().await;
}
