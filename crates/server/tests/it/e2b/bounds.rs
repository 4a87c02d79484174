//! What is very large: it is taken as far as there is room for it, and then refused, and the sandbox goes on.

use super::{cloud, cloud_with};
use bytes::Bytes;
use futures::stream;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const GIB: usize = 1 << 30;
/// Of an upload that there is no room for.
const UPLOAD: usize = 10 * GIB;
/// For the sandbox, in bytes; what it takes beyond it before it is stopped is less than as much again.
const ROOM: usize = 192 << 20;

const FILES: usize = 100_000;

#[tokio::test]
async fn an_upload_of_ten_gigabytes_is_taken_as_far_as_there_is_room() {
    let cloud = cloud_with(&format!("[sandbox.limits]\ndisk_bytes = {ROOM}\n"));
    let sandbox = cloud.create(json!({"templateID": "base"})).await;
    cloud.write(&sandbox, "before", b"kept".to_vec()).await;
    let piece = Bytes::from(vec![7; 1 << 20]);
    let pieces = (0..UPLOAD >> 20).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
    let request = cloud.inside(&sandbox, Method::POST, "/files?path=large");
    let request = request.header("Content-Type", "application/octet-stream");
    let answer = request.body(reqwest::Body::wrap_stream(stream::iter(pieces))).send().await;
    // Who is still sending may not hear why.
    assert!(answer.as_ref().map_or(true, |answer| !answer.status().is_success()), "{answer:?}");
    let used = cloud.say(&sandbox, "du -sm . | cut -f1").await.unwrap();
    assert!(used.trim().parse::<usize>().unwrap() < 2 * (ROOM >> 20), "{used} MiB are used");
    assert_eq!(cloud.read(&sandbox, "before").await, (StatusCode::OK, "kept".into()));
    assert_eq!(cloud.read(&sandbox, "large").await.0, StatusCode::NOT_FOUND, "half of it is nothing");
    assert_eq!(cloud.kill(&sandbox).await, StatusCode::NO_CONTENT);
    cloud.nothing_is_left().await;
}

#[tokio::test]
async fn a_hundred_thousand_files_in_one_folder_are_told_and_more_are_refused() {
    let cloud = cloud();
    let sandbox = cloud.create(json!({"templateID": "base"})).await;
    cloud.say(&sandbox, &format!("mkdir many; cd many; seq -w {FILES} | xargs touch")).await.unwrap();
    let list = async || {
        let request = cloud.inside(&sandbox, Method::POST, "/filesystem.Filesystem/ListDir");
        let answer = request.json(&json!({"path": "many", "depth": 1})).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let (status, all) = list().await;
    assert_eq!(status, StatusCode::OK, "{}", all["message"]);
    let names: Vec<&str> =
        all["entries"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.len() == FILES && names.is_sorted(), "{} names", names.len());
    cloud.say(&sandbox, "touch many/one-more").await.unwrap();
    let (status, refused) = list().await;
    assert_eq!(
        (status, &refused["code"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!("resource_exhausted")),
        "{refused}"
    );
    assert_eq!(cloud.say(&sandbox, "ls many | wc -l").await.unwrap(), format!("{}\n", FILES + 1));
    // What is kept with files counts too.
    let keep = "import os\nfor n in range(1500): os.mknod(f'many/{n:04}'); os.setxattr(f'many/{n:04}', 'user.e2b.k', b'x' * 3000)";
    cloud.say(&sandbox, &format!("rm -r many; mkdir many; python3 -c \"{keep}\"")).await.unwrap();
    assert_eq!(list().await.0, StatusCode::TOO_MANY_REQUESTS);
    cloud.say(&sandbox, "rm many/1*").await.unwrap();
    let (status, all) = list().await;
    assert_eq!(status, StatusCode::OK, "{}", all["message"]);
    let kept: Vec<usize> = all["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["metadata"]["k"].as_str().unwrap().len())
        .collect();
    assert_eq!(kept, [3000; 1000]);
    assert_eq!(cloud.kill(&sandbox).await, StatusCode::NO_CONTENT);
}
