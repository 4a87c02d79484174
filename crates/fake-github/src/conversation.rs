//! Issues, what is said below them and below pull requests, and by whom.

use crate::content::{Comment, Content, Permission, moment, person};
use crate::pulls::{page, parameter};
use crate::rest::Caller;
use crate::{Shared, invalid, now_s, problem};
use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// Source: docs.github.com, "Create reaction for an issue".
const REACTIONS: [&str; 8] = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];
/// Characters of a comment.
const LONGEST: usize = 65_536;

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    body: String,
}

pub(crate) fn permission(shared: &Shared, repository: &str, login: &str) -> Response {
    let state = shared.state();
    match state.permissions.get(login) {
        Some(_) => {
            let (old, new) = state.permission(repository, login).map_or(("none", "none"), Permission::told);
            Json(json!({ "permission": old, "role_name": new, "user": person(login) })).into_response()
        }
        None => problem(StatusCode::NOT_FOUND, &format!("{login} is not a user")),
    }
}

pub(crate) fn issue(shared: &Shared, repository: &str, number: &str) -> Response {
    let told = number.parse().ok().and_then(|number| shared.state().told_issue(repository, number));
    told.map_or_else(not_found, |told| Json(told).into_response())
}

pub(crate) fn issues(shared: &Shared, repository: &str, query: Option<&str>) -> Response {
    let state = shared.state();
    let issues = state.issues.get(repository).into_iter().flatten().map(|issue| issue.told());
    let pulls = state.pulls.get(repository).into_iter().flatten().map(|pull| pull.told_as_issue());
    listed(issues.chain(pulls).collect(), query)
}

pub(crate) fn all_comments(shared: &Shared, repository: &str, query: Option<&str>) -> Response {
    let state = shared.state();
    let comments = state.comments.iter().filter(|comment| comment.repository == repository);
    listed(comments.map(Comment::told).collect(), query)
}

/// The newest first, whatever is asked for.
pub(crate) fn events(shared: &Shared, repository: &str, query: Option<&str>) -> Response {
    let state = shared.state();
    let events = state.events.iter().rev().filter(|event| event.repository == repository);
    let told = events.map(|event| {
        let (name, value) = match event.event {
            "labeled" => ("label", json!({ "name": event.about, "color": "ededed" })),
            _ => ("assignee", person(&event.about)),
        };
        json!({
            "id": event.id, "event": event.event, "actor": person(&event.actor), name: value,
            "created_at": moment(event.at_s), "issue": state.told_issue(repository, event.number),
        })
    });
    page(told.collect(), query)
}

pub(crate) fn comments(shared: &Shared, repository: &str, number: &str, query: Option<&str>) -> Response {
    let state = shared.state();
    let number = number.parse().unwrap_or(0);
    if state.told_issue(repository, number).is_none() {
        return not_found();
    }
    let is_of = |comment: &&Comment| comment.repository == repository && comment.number == number;
    page(state.comments.iter().filter(is_of).map(Comment::told).collect(), query)
}

pub(crate) async fn comment(
    shared: &Shared,
    caller: &Caller,
    repository: &str,
    number: &str,
    body: &Bytes,
) -> Response {
    let text = match text(body) {
        Ok(text) => text,
        Err(refused) => return *refused,
    };
    let login = caller.login(shared);
    let added =
        number.parse().ok().and_then(|number| add(&mut shared.state(), repository, number, &login, text));
    let Some(comment) = added else { return not_found() };
    shared.tell_of_comment(&comment).await;
    (StatusCode::CREATED, Json(comment.told())).into_response()
}

/// `None` where there is nothing that could be commented on.
pub(crate) fn add(
    state: &mut Content,
    repository: &str,
    number: u64,
    login: &str,
    body: String,
) -> Option<Comment> {
    state.told_issue(repository, number)?;
    let comment = Comment {
        id: state.next_id(),
        repository: repository.to_owned(),
        number,
        is_on_pull: state.pull(repository, number).is_some(),
        body,
        user: login.to_owned(),
        created_s: now_s(),
        updated_s: now_s(),
    };
    state.comments.push(comment.clone());
    state.touch(repository, number);
    Some(comment)
}

pub(crate) fn show(shared: &Shared, repository: &str, id: &str) -> Response {
    let state = shared.state();
    let is_it = |comment: &&Comment| comment.repository == repository && comment.id.to_string() == id;
    state.comments.iter().find(is_it).map_or_else(not_found, |comment| Json(comment.told()).into_response())
}

pub(crate) fn edit(shared: &Shared, repository: &str, id: &str, body: &Bytes) -> Response {
    let text = match text(body) {
        Ok(text) => text,
        Err(refused) => return *refused,
    };
    let mut state = shared.state();
    let is_it = |comment: &&mut Comment| comment.repository == repository && comment.id.to_string() == id;
    let Some(comment) = state.comments.iter_mut().find(is_it) else { return not_found() };
    (comment.body, comment.updated_s) = (text, now_s());
    Json(comment.told()).into_response()
}

/// 201 for a new one, 200 for one that is there.
pub(crate) fn react(shared: &Shared, caller: &Caller, place: &str, body: &Bytes) -> Response {
    #[derive(Deserialize)]
    struct Asked {
        content: String,
    }
    let Ok(Asked { content }) = serde_json::from_slice::<Asked>(body) else {
        return problem(StatusCode::BAD_REQUEST, "Problems parsing JSON");
    };
    if !REACTIONS.contains(&content.as_str()) {
        return invalid("Reaction", "content", "invalid");
    }
    let login = caller.login(shared);
    let mut state = shared.state();
    let is_there = match place.rsplit_once('/') {
        Some((rest, id)) if rest.ends_with("/remarks") => state.has_remark(id),
        Some((rest, id)) if rest.ends_with("/comments") => {
            state.comments.iter().any(|comment| comment.id.to_string() == id)
        }
        Some((rest, number)) => {
            let repository = rest.trim_end_matches("/issues");
            number.parse().is_ok_and(|number| state.told_issue(repository, number).is_some())
        }
        None => false,
    };
    if !is_there {
        return not_found();
    }
    let reaction = (place.to_owned(), content.clone(), login.clone());
    let status = if state.reactions.contains(&reaction) { StatusCode::OK } else { StatusCode::CREATED };
    if status == StatusCode::CREATED {
        state.reactions.push(reaction);
    }
    (status, Json(json!({ "id": 1, "content": content, "user": person(&login) }))).into_response()
}

fn text(body: &Bytes) -> Result<String, Box<Response>> {
    let Ok(Text { body }) = serde_json::from_slice::<Text>(body) else {
        return Err(Box::new(problem(StatusCode::BAD_REQUEST, "Problems parsing JSON")));
    };
    if body.trim().is_empty() {
        return Err(Box::new(invalid("IssueComment", "body", "missing_field")));
    }
    if body.chars().count() > LONGEST {
        return Err(Box::new(invalid("IssueComment", "body", "too_long")));
    }
    Ok(body)
}

/// `since`, `sort`, `direction` as issues and comments take them.
pub(crate) fn listed(mut all: Vec<Value>, query: Option<&str>) -> Response {
    let since = parameter(query, "since").unwrap_or_default();
    let key =
        if parameter(query, "sort").as_deref() == Some("updated") { "updated_at" } else { "created_at" };
    let of = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    all.retain(|value| of(value, "updated_at") >= since);
    all.sort_by_key(|value| (of(value, key), value["id"].as_u64()));
    if parameter(query, "direction").as_deref() != Some("asc") {
        all.reverse();
    }
    page(all, query)
}

fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "Not Found")
}
