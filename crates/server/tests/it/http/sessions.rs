//! `GET /sessions`

use crate::support::Server;
use serde_json::Value;

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
