//! Who acts is who signed in, on repositories that they may use.

use super::Door;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn a_member_works_in_their_own_name_on_what_they_may_use() {
    let door = Door::open("[[repositories]]\npath = '{repository}'\npeople = ['mia@example.org']\n").await;
    let (mia, moe) = (door.person("Mia", "member").await, door.person("Moe", "member").await);
    let repository = door.server.place.repository();
    let new = json!({ "repository": repository, "prompt": "write a.txt: hello" });
    let (status, problem) = door.ask(&moe, Method::POST, "/sessions", new.clone()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("repository_not_allowed")));
    let nowhere = json!({ "repository": "/nowhere", "prompt": "x" });
    let (status, problem) = door.ask(&mia, Method::POST, "/sessions", nowhere.clone()).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (403, &json!("repository_not_allowed")),
        "nor what there is"
    );
    let (_, problem) = door.ask(&door.owner, Method::POST, "/sessions", nowhere).await;
    assert_eq!(problem["code"], "repository_not_found");

    let (status, view) = door.ask(&mia, Method::POST, "/sessions", new).await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    assert_eq!(view["person"], json!({ "name": "Mia", "email": "mia@example.org" }));
    let id = view["id"].as_str().unwrap();
    let prompts = format!("/sessions/{id}/prompts");
    let (status, _) = door.ask(&moe, Method::POST, &prompts, json!({ "text": "x" })).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    // Whose fork it is, is judged by the session that it goes on from.
    let fork = json!({ "repository": "", "prompt": "x", "fork": { "session": id } });
    let (status, _) = door.ask(&moe, Method::POST, "/sessions", fork).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = door.ask(&door.owner, Method::POST, &prompts, json!({ "text": "say more" })).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let (_, log) = door.get(&moe, &format!("/sessions/{id}/log?after=0")).await;
    let entries = log["entries"].as_array().or_else(|| log["items"].as_array()).unwrap();
    let by: Vec<&Value> = entries
        .iter()
        .filter(|entry| entry["event"]["type"] == "prompt_queued")
        .map(|entry| &entry["event"]["by"])
        .collect();
    assert_eq!(by, ["Mia", "Olga"], "{log}");
    let (_, audit) = door.get(&door.owner, "/audit").await;
    let entries = audit["items"].as_array().unwrap().iter();
    let told: Vec<[&str; 3]> = entries
        .map(|entry| ["person", "action", "outcome"].map(|name| entry[name].as_str().unwrap_or_default()))
        .collect();
    for expected in [
        ["Mia", "create_session", "done"],
        ["Moe", "create_session", "refused"],
        ["Olga", "prompt_session", "done"],
        ["Olga", "sign_in", "done"],
    ] {
        assert!(told.contains(&expected), "{expected:?}: {told:?}");
    }
    door.end(id).await;
}

#[tokio::test]
async fn two_people_with_one_idempotency_key_have_two_sessions() {
    let door = Door::open("").await;
    let ann = door.person("Ann", "admin").await;
    let mut ids = Vec::new();
    for token in [&door.owner, &ann, &ann] {
        let new = json!({ "repository": door.server.place.repository(), "prompt": "say hello" });
        let request = door.server.request(Method::POST, "/api/v1/sessions").bearer_auth(token);
        let request = request.header("idempotency-key", "one").json(&new);
        let (_, view) = crate::support::answer(request).await;
        ids.push(view["id"].as_str().unwrap().to_owned());
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[1], ids[2]);
    for id in &ids[..2] {
        door.end(id).await;
    }
}
