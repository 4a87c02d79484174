//! What a session offers as results: taken at the end of a turn, and still there when everything else of it is gone.

use crate::support::Server;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

/// A page, a picture's beginning, and what is not to be taken: links out of the folder, a pipe, a name that is none, too much.
const OFFER: &str = "!run mkdir -p .lamplight/artifacts/pages && cd .lamplight/artifacts \
    && echo '<script>alert(1)</script>' > report.html && printf '\\211PNG\\r\\n\\032\\n' > pages/light.png \
    && ln -s /etc/hostname linked.txt && ln -s / root && mkfifo pipe && touch \"$(printf 'a\\nb')\" \
    && touch \"$(printf 'bad\\377')\" && head -c 11000000 /dev/zero > large.bin && echo mine > ../../kept.txt";

async fn artifacts(server: &Server, id: &str) -> Vec<Value> {
    let (status, list) = server.get(&format!("/sessions/{id}/artifacts")).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    list["items"].as_array().unwrap().clone()
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

async fn prompt(server: &Server, id: &str, text: &str, turn: usize) -> Vec<Value> {
    server.post(&format!("/sessions/{id}/prompts"), json!({"text": text})).await;
    server.until(id, "work_committed", turn).await
}

#[tokio::test]
async fn what_is_offered_is_kept_harmless_and_outlives_the_sandbox() {
    let server = Server::start();
    let id = server.create(OFFER).await;
    let entries = server.until(&id, "work_committed", 1).await;
    let items = artifacts(&server, &id).await;
    assert_eq!(names(&items), ["a_b", "pages/light.png", "report.html"]);
    assert_eq!(
        (&items[1]["media_type"], &items[1]["bytes"], &items[1]["turn"]),
        (&json!("image/png"), &json!(8), &json!(1))
    );
    let notes = entries.iter().filter(|entry| {
        entry["event"]["text"].as_str().is_some_and(|text| text.starts_with("Not every artifact was kept"))
    });
    assert_eq!(notes.count(), 1);
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(server.place.git(&["show", "--format=", "--name-only", &branch]), "kept.txt");

    let told = server.place.say(&["artifacts", &id]);
    assert!(told.contains("report.html (text/plain, turn 1)"), "{told}");
    server.clear().await;
    let saved = server.place.path("saved");
    server.place.say(&["artifacts", &id, "--save", saved.to_str().unwrap()]);
    let report = std::fs::read_to_string(saved.join("report.html")).unwrap();
    assert_eq!(report, "<script>alert(1)</script>\n");
    assert!(saved.join("pages/light.png").exists());
    let again = server.place.run(&["artifacts", &id, "--save", saved.to_str().unwrap()]);
    assert!(!again.status.success(), "nothing is written over");
    // A browser never takes one for a page of ours.
    let content = format!("/api/v1/attachments/{}", items[2]["id"].as_str().unwrap());
    let answer = server.request(Method::GET, &content).send().await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert!(answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("sandbox"));
}

#[tokio::test]
async fn what_is_known_is_not_told_again_after_a_kill_either() {
    let server = Server::start();
    let id = server
        .create(
            "!run mkdir -p .lamplight/artifacts && cd .lamplight/artifacts && echo 1 > log && echo 1 > shot",
        )
        .await;
    server.until(&id, "work_committed", 1).await;
    server.signal("KILL");
    let (_, place) = server.ended();
    let server = Server::start_in(place);
    assert_eq!(names(&artifacts(&server, &id).await), ["log", "shot"]);
    let entries = prompt(&server, &id, "!run echo 2 > .lamplight/artifacts/log", 2).await;
    let kept: Vec<_> = entries.iter().filter(|entry| entry["event"]["type"] == "artifacts_kept").collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(names(kept[1]["event"]["artifacts"].as_array().unwrap()), ["log"]);
    let items = artifacts(&server, &id).await;
    assert_eq!(names(&items), ["shot", "log"]);
    assert_eq!((&items[0]["turn"], &items[1]["turn"]), (&json!(1), &json!(2)));

    // A folder that leads elsewhere is none, and what was offered stays when it is gone.
    let entries =
        prompt(&server, &id, "!run rm -r .lamplight/artifacts && ln -s /etc .lamplight/artifacts", 3).await;
    let kept = entries.iter().filter(|entry| entry["event"]["type"] == "artifacts_kept").count();
    assert_eq!((kept, artifacts(&server, &id).await.len()), (2, 2));
    server.clear().await;
}
