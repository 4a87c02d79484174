//! Archives that are uploaded for templates.

use super::{Place, Server, cloud};
use crate::support::PATIENCE;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

#[tokio::test]
async fn old_uploads_go_though_nobody_uploads_any_more() {
    let place = Place::with("[e2b]\nenabled = true\n");
    let old = place.path("data/lent").join("a".repeat(64));
    std::fs::create_dir_all(&old).unwrap();
    let old = old.join("b".repeat(64));
    let file = std::fs::File::create(&old).unwrap();
    file.set_modified(file.metadata().unwrap().modified().unwrap() - Duration::from_secs(8 * 86_400))
        .unwrap();
    let _server = Server::start_in(place);
    let begun = Instant::now();
    while old.exists() {
        assert!(begun.elapsed() < PATIENCE, "an old upload is there still");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// SDKs send all that a template needs at once, and do not try again.
#[tokio::test]
async fn a_fourth_upload_of_one_person_waits() {
    let cloud = cloud();
    let begun = Instant::now();
    let (template, _) = cloud.new_build("built").await;
    let under_way = || {
        // Until the first one comes, none of these folders is there.
        let people = std::fs::read_dir(cloud.server.place.path("data/lent")).into_iter().flatten().flatten();
        let files =
            people.flat_map(|person| std::fs::read_dir(person.path()).into_iter().flatten().flatten());
        files.filter(|file| file.path().extension().is_some()).count()
    };
    let (mut uploads, mut answers) = (Vec::new(), JoinSet::new());
    for digit in ["1", "2", "3", "4"] {
        let files = format!("/templates/{template}/files/{}", digit.repeat(64));
        let (_, told) = cloud.control(Method::GET, &files, Value::Null).await;
        let path = told["url"].as_str().unwrap().split_once("/templates").unwrap().1.to_owned();
        let (sender, pieces) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
        sender.send(Ok(b"a part".to_vec())).await.unwrap();
        let pieces = futures::stream::unfold(pieces, async |mut pieces| Some((pieces.recv().await?, pieces)));
        let request = cloud.server.request(Method::PUT, &format!("/templates{path}"));
        let request = request.body(reqwest::Body::wrap_stream(pieces)).send();
        answers.spawn(request);
        uploads.push(sender);
    }
    while under_way() < 3 {
        assert!(begun.elapsed() < PATIENCE, "{} are under way", under_way());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(under_way(), 3, "the fourth waits");
    }
    drop(uploads);
    while let Some(answer) = answers.join_next().await {
        assert_eq!(answer.unwrap().unwrap().status(), StatusCode::OK);
    }
}
