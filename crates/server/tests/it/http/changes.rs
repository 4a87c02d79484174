//! What a session changed, whatever git is configured to and files are called.

use crate::support::Server;
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn a_diff_reads_the_same_under_any_configuration_and_with_any_names() {
    let server = Server::start();
    for (key, value) in [
        ("diff.noprefix", "true"),
        ("diff.context", "0"),
        ("diff.renames", "false"),
        ("diff.relative", "true"),
        ("color.ui", "always"),
        ("core.quotePath", "true"),
    ] {
        server.place.git(&["config", key, value]);
    }
    let id = server
        .create(
            "!run printf 'x' > \"$(printf 'tab\\there')\" && printf y > 'größe' && ln -s /etc/passwd link && printf '\\0' > binary && \
             mkdir -p a/b && git mv readme.txt a/b/moved.txt && printf '#!/bin/sh\\n' > run.sh && chmod +x run.sh",
        )
        .await;
    server.until(&id, "work_committed", 1).await;
    let (status, diff) = server.get(&format!("/sessions/{id}/diff")).await;
    assert_eq!(status, StatusCode::OK, "{diff}");
    let told: Vec<Value> = diff["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| json!([file["path"], file["status"], file["old_path"], file["new_mode"], file["binary"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["a/b/moved.txt", "renamed", "readme.txt", null, false]),
            json!(["binary", "added", null, null, true]),
            json!(["größe", "added", null, null, false]),
            json!(["link", "added", null, "120000", false]),
            json!(["run.sh", "added", null, "100755", false]),
            json!(["tab\there", "added", null, null, false]),
        ],
        "{diff}"
    );
    server.clear().await;
}
