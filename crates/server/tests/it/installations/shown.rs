//! What the API shows of an installation, and whether all of it is still shown.

use crate::support::Server;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};

/// What says how a server is configured, or when it was last asked; not what it keeps.
const PASSING: [&str; 4] = ["base", "variable", "last_used_at", "budgets"];

/// All that is shown, by what was asked for.
pub(super) async fn shown(server: &Server) -> Value {
    let mut shown = Map::new();
    for path in [
        "/sessions?limit=200",
        "/sessions?limit=200&archived=true",
        "/sessions?q=needle",
        "/usage?since=2026-01-01&by=session",
        "/usage?since=2026-01-01&by=day",
        "/usage?since=2026-01-01&by=model",
        "/audit?limit=200",
        "/automations",
        "/hooks",
        "/keys",
        "/repositories",
    ] {
        show(server, &mut shown, path).await;
    }
    let mut sessions = items(&shown["/sessions?limit=200"]);
    sessions.extend(items(&shown["/sessions?limit=200&archived=true"]));
    for session in sessions {
        for more in ["", "/log?after=0&limit=2000", "/artifacts", "/usage", "/diff"] {
            show(server, &mut shown, &format!("/sessions/{session}{more}")).await;
        }
        for file in items(&shown[&format!("/sessions/{session}/artifacts")]) {
            show_file(server, &mut shown, &file).await;
        }
    }
    for automation in items(&shown["/automations"]) {
        show(server, &mut shown, &format!("/automations/{automation}")).await;
    }
    Value::Object(shown)
}

async fn show(server: &Server, shown: &mut Map<String, Value>, path: &str) {
    let (status, mut answer) = server.get(path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    forget_passing(&mut answer);
    shown.insert(path.to_owned(), answer);
}

async fn show_file(server: &Server, shown: &mut Map<String, Value>, id: &str) {
    let path = format!("/attachments/{id}");
    let answer = server.request(Method::GET, &format!("/api/v1{path}")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    shown.insert(path, Value::String(answer.text().await.unwrap()));
}

/// The ids of those in a list.
fn items(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn forget_passing(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, _| !PASSING.contains(&name.as_str()));
            map.values_mut().for_each(forget_passing);
        }
        Value::Array(all) => all.iter_mut().for_each(forget_passing),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What was shown before and is not any more: where, and what. Whatever came to it is fine.
pub(super) fn missed(before: &Value, now: &Value) -> Option<String> {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => before.iter().find_map(|(name, before)| {
            let missed = missed(before, now.get(name).unwrap_or(&Value::Null))?;
            Some(format!("{name}: {missed}"))
        }),
        // In the same order, whatever is between them.
        (Value::Array(before), Value::Array(now)) => {
            let mut rest = now.iter();
            let mut gone = before.iter().filter(|before| !rest.any(|now| missed(before, now).is_none()));
            gone.next().map(|gone| {
                let same = |now: &&Value| !gone["id"].is_null() && now["id"] == gone["id"];
                let changed = now.iter().find(same).and_then(|now| missed(gone, now));
                changed.unwrap_or_else(|| format!("{gone} is not in {now:?}"))
            })
        }
        (before, now) => (before != now).then(|| format!("it was {before} and is {now}")),
    }
}

#[test]
fn what_is_missed_is_told_and_what_came_to_it_is_not() {
    let check = |before: &str, now: &str| {
        missed(&serde_json::from_str(before).unwrap(), &serde_json::from_str(now).unwrap())
    };
    assert_eq!(check(r#"{"a":[1,2]}"#, r#"{"a":[0,1,3,2],"b":1}"#), None);
    assert!(check(r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#).unwrap().starts_with("a: 2 is not in"));
    assert_eq!(check(r#"{"a":{"b":1}}"#, r#"{"a":{}}"#).unwrap(), "a: b: it was 1 and is null");
}
