//! `GET /sessions`

use crate::support::Server;
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn sessions_are_listed_page_by_page_the_newest_first() {
    let server = Server::start();
    let mut made = Vec::new();
    for prompt in ["paint the fence", "mend the roof", "sweep the yard"] {
        made.push(server.create(prompt).await);
    }
    made.reverse();
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = server.get(&format!("/sessions?limit=2{cursor}")).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        listed.extend(items.iter().map(|session| session["id"].as_str().unwrap().to_owned()));
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => break,
        }
    }
    assert_eq!(listed, made);
    let (_, found) = server.get("/sessions?q=roof").await;
    let found: Vec<_> = found["items"].as_array().unwrap().iter().map(|session| &session["title"]).collect();
    assert_eq!(found, ["mend the roof"]);
    server.clear().await;
}

#[tokio::test]
async fn what_is_put_aside_is_listed_apart_until_somebody_wants_it_again() {
    let server = Server::start();
    let (fence, roof) = (server.create("paint the fence").await, server.create("mend the roof").await);
    let repository = server.view(&roof).await["repository"].as_str().unwrap().to_owned();
    let listed = async |query: &str| {
        let (_, page) = server.get(&format!("/sessions?{query}")).await;
        let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}")).iter();
        items.map(|session| session["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for id in [&fence, &roof] {
        server.until(id, "checkpoint_kept", 1).await;
    }
    let (status, view) = server.post(&format!("/sessions/{fence}/archive"), Value::Null).await;
    assert_eq!((status, &view["archived"]), (StatusCode::OK, &json!(true)));
    let (_, again) = server.post(&format!("/sessions/{fence}/archive"), Value::Null).await;
    assert_eq!(again["last_seq"], view["last_seq"], "asking again changes nothing");
    assert_eq!(listed("").await, std::slice::from_ref(&roof));
    assert_eq!(listed("archived=true").await, std::slice::from_ref(&fence));
    let (_, _) = server.post(&format!("/sessions/{fence}/unarchive"), Value::Null).await;
    assert_eq!(listed("").await, [roof.clone(), fence.clone()]);

    // One that has ended is put aside like any other; one that is prompted comes back by itself.
    server.post(&format!("/sessions/{roof}/end"), Value::Null).await;
    server.post(&format!("/sessions/{roof}/archive"), Value::Null).await;
    server.post(&format!("/sessions/{fence}/archive"), Value::Null).await;
    assert_eq!(listed("archived=true").await, [roof.clone(), fence.clone()]);
    server.post(&format!("/sessions/{fence}/prompts"), json!({"text": "and the gate"})).await;
    assert_eq!((listed("").await, listed("archived=true").await), (vec![fence.clone()], vec![roof]));

    assert_eq!(listed("person=Ada").await, std::slice::from_ref(&fence));
    assert_eq!(listed("person=Grace").await, Vec::<String>::new());
    assert_eq!(listed(&format!("repository={repository}")).await, [fence]);
    assert_eq!(listed("repository=/elsewhere").await, Vec::<String>::new());
    server.clear().await;
}

#[tokio::test]
async fn a_repository_offers_what_a_task_for_it_begins_with() {
    let server = Server::start();
    let repository = server.place.repository();
    let offer = async |path: &str| server.get(&format!("/repositories/offer?path={path}")).await;
    let path = repository.to_str().unwrap();
    assert_eq!(offer(path).await, (StatusCode::OK, json!({"template": null})));
    std::fs::write(repository.join(".lamplight.toml"), "[task]\ntemplate = \"What is wrong: \"\n").unwrap();
    assert_eq!(offer(path).await.1["template"], Value::Null, "what is not committed counts for nobody");
    server.place.git(&["add", "--all"]);
    server.place.git(&["commit", "--quiet", "--message", "Offer a template"]);
    assert_eq!(offer(path).await.1, json!({"template": "What is wrong: "}));
    assert_eq!(offer("/not/there").await, (StatusCode::OK, json!({"template": null})));
    assert_eq!(offer("relative").await.0, StatusCode::BAD_REQUEST);
}
