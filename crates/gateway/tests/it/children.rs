//! Sessions that are begun from inside: asked for in JSON, by whoever the grant lets, and their branches are read.

use crate::door::{Door, grant};
use crate::repository::{Home, git};
use async_trait::async_trait;
use lamplight_domain::session::Phase;
use lamplight_gateway::{Child, Children, Grant, NewChild, NotServed, Upstreams};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Takes two, and no model but `small`.
#[derive(Debug, Default)]
struct Two(Mutex<Vec<Child>>);

#[async_trait]
impl Children for Two {
    fn branches(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|child| child.branch.clone()).collect()
    }

    async fn begin(&self, new: NewChild) -> Result<Child, NotServed> {
        assert!(new.model.is_none_or(|model| model == "small"), "only what was asked for comes here");
        let mut all = self.0.lock().unwrap();
        let number = all.len() + 1;
        if number > 2 {
            return Err(NotServed::Refused { code: "too_many_children", detail: "Two are enough.".into() });
        }
        all.push(Child {
            id: number.to_string(),
            title: new.title.unwrap_or(new.prompt),
            phase: Phase::Starting,
            reason: None,
            branch: format!("lamplight/child-{number}"),
            commit: None,
            cost_micros: 0,
            ended: false,
            last_message: String::new(),
        });
        Ok(all[number - 1].clone())
    }

    async fn all(&self) -> Result<Vec<Child>, NotServed> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn one(&self, id: &str) -> Result<Child, NotServed> {
        let found = self.0.lock().unwrap().iter().find(|child| child.id == id).cloned();
        found.ok_or_else(|| NotServed::NotFound("There is no such child.".into()))
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let (status, body) = (response.status(), response.bytes().await.unwrap());
    (status, serde_json::from_slice(&body).unwrap())
}

fn post(door: &Door, body: &Value) -> reqwest::RequestBuilder {
    let request = reqwest::Client::new().post(door.url("/sessions"));
    request.header("content-type", "application/json").body(body.to_string())
}

#[tokio::test]
async fn children_are_begun_and_looked_at_from_inside() {
    let home = Home::new().await;
    let repository = home.repository();
    for branch in ["lamplight/child-1", "lamplight/other"] {
        git(&repository, &["branch", branch]).await.expect_success();
    }
    let children: Arc<dyn Children> = Arc::new(Two::default());
    let door =
        Door::open(Grant { children: Some(children), ..grant(&repository) }, Upstreams::default()).await;
    let http = reqwest::Client::new();
    let begin = |body: Value| answer(post(&door, &body));

    let (status, child) = begin(json!({"prompt": "Add a test", "model": "small"})).await;
    assert_eq!(status, StatusCode::CREATED, "{child}");
    assert_eq!((&child["branch"], &child["phase"]), (&json!("lamplight/child-1"), &json!("starting")));
    begin(json!({"prompt": "Add another", "title": "Another"})).await;
    assert_eq!(
        begin(json!({"prompt": "And one more"})).await,
        (StatusCode::CONFLICT, json!({"code": "too_many_children", "detail": "Two are enough."}))
    );
    let (status, problem) = begin(json!({"prompt": "x", "network": "open"})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")), "{problem}");
    assert_eq!(door.refused()[0], "A session was to be begun from inside: Two are enough.");
    let (_, all) = answer(http.get(door.url("/sessions"))).await;
    assert_eq!(all["items"][1]["title"], "Another", "{all}");
    assert_eq!(answer(http.get(door.url("/sessions/1"))).await, (StatusCode::OK, child));
    let (status, _) = answer(http.get(door.url("/sessions/7"))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    // Of other sessions' branches, those of its children are shown.
    let listed = git(&repository, &["ls-remote", &door.git_url()]).await.expect_success();
    assert!(listed.contains("refs/heads/lamplight/child-1"), "{listed}");
    assert!(!listed.contains("lamplight/other"), "{listed}");
}

#[tokio::test]
async fn what_is_no_session_begins_none() {
    let home = Home::new().await;
    let door = Door::open(grant(&home.repository()), Upstreams::default()).await;
    let (status, problem) = answer(post(&door, &json!({"prompt": "x"}))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("session_not_found")), "{problem}");
}
