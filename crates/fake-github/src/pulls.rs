//! Pull requests. Whether there is something to review, the repository itself says.

use crate::content::{moment, person};
use crate::rest::Caller;
use crate::{FakeGitHub, Shared, invalid, now_s, problem};
use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::path::Path;
use tokio::process::Command;

#[derive(Debug)]
pub(crate) struct Pull {
    pub(crate) number: u64,
    pub(crate) body: String,
    repository: String,
    title: String,
    head: String,
    base: String,
    user: String,
    state: String,
    draft: bool,
    merged: bool,
    /// Where its branch is; it may be a fork.
    of: String,
    created_s: u64,
    pub(crate) updated_s: u64,
}

impl Pull {
    /// Every pull request is an issue as well.
    pub(crate) fn told_as_issue(&self) -> Value {
        let address = format!("https://github.example/{}/pull/{}", self.repository, self.number);
        json!({
            "id": 3_000_000 + self.number,
            "number": self.number,
            "html_url": address,
            "title": self.title,
            "body": self.body,
            "state": self.state,
            "user": person(&self.user),
            "labels": [],
            "assignees": [],
            "created_at": moment(self.created_s),
            "updated_at": moment(self.updated_s),
            "pull_request": { "html_url": address },
        })
    }

    fn node_id(&self) -> String {
        format!("PR_{}_{}", self.repository.replace('/', "_"), self.number)
    }

    pub(crate) fn told(&self) -> Value {
        let owner = self.of.split('/').next();
        json!({
            "number": self.number,
            "node_id": self.node_id(),
            "merged": self.merged,
            "html_url": format!("https://github.example/{}/pull/{}", self.repository, self.number),
            "state": self.state,
            "title": self.title,
            "body": self.body,
            "draft": self.draft,
            "user": person(&self.user),
            "head": {
                "ref": self.head,
                "label": format!("{}:{}", owner.unwrap_or_default(), self.head),
                "repo": { "full_name": self.of },
            },
            "base": { "ref": self.base },
            "created_at": moment(self.created_s),
            "updated_at": moment(self.updated_s),
        })
    }
}

/// Source: "Create a pull request", parameters of the body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    title: String,
    head: String,
    base: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    draft: bool,
}

/// Source: "Update a pull request". `draft` is not among them: GitHub takes it, and it changes nothing.
#[derive(Deserialize)]
struct Change {
    title: Option<String>,
    body: Option<String>,
    state: Option<String>,
    base: Option<String>,
}

pub(crate) fn list(shared: &Shared, repository: &str, query: Option<&str>) -> Response {
    let of = |name: &str| parameter(query, name);
    let (head, wanted) = (of("head"), of("state").unwrap_or_else(|| "open".to_owned()));
    if !["open", "closed", "all"].contains(&wanted.as_str()) {
        return invalid("PullRequest", "state", "invalid");
    }
    let state = shared.state();
    // A head without an owner before it is no filter, as on GitHub.
    let head = head.filter(|head| head.contains(':') && !state.without_filters);
    let all = state.pulls.get(repository).into_iter().flatten().rev().map(Pull::told);
    let those = all.filter(|pull| {
        (wanted == "all" || pull["state"] == wanted.as_str())
            && head.as_ref().is_none_or(|head| pull["head"]["label"] == head.as_str())
    });
    let mut those: Vec<_> = those.collect();
    if of("sort").as_deref() == Some("updated") {
        those.sort_by_key(|pull| Reverse(pull["updated_at"].as_str().unwrap_or_default().to_owned()));
    }
    if of("direction").as_deref() == Some("asc") {
        those.reverse();
    }
    page(those, query)
}

impl FakeGitHub {
    /// A person opens one; its number. What is opened from another repository than this is of a fork.
    pub async fn open_pull(
        &self,
        repository: &str,
        login: &str,
        (of, head, base): (&str, &str, &str),
        title: &str,
        body: &str,
    ) -> u64 {
        let (number, told) = {
            let mut state = self.shared.state();
            let pull = Pull {
                number: state.next_number(repository),
                repository: repository.to_owned(),
                body: body.to_owned(),
                title: title.to_owned(),
                head: head.to_owned(),
                base: base.to_owned(),
                user: login.to_owned(),
                state: "open".to_owned(),
                draft: false,
                merged: false,
                of: of.to_owned(),
                created_s: now_s(),
                updated_s: now_s(),
            };
            let (number, told) = (pull.number, pull.told());
            state.pulls.entry(repository.to_owned()).or_default().push(pull);
            (number, told)
        };
        let more = json!({ "pull_request": told, "number": number, "sender": person(login) });
        self.shared.tell("pull_request", "opened", repository, None, more).await;
        number
    }

    /// A person closes it, merged or not; its branch stays.
    pub fn close_pull(&self, repository: &str, number: u64, merged: bool) {
        let mut state = self.shared.state();
        let pulls = state.pulls.get_mut(repository).expect("there is such a repository with a pull request");
        let pull = pulls.iter_mut().find(|pull| pull.number == number).expect("there is such a pull request");
        (pull.state, pull.merged, pull.updated_s) = ("closed".to_owned(), merged, now_s());
    }
}

pub(crate) async fn open(
    shared: &Shared,
    caller: &Caller,
    repository: &str,
    directory: &Path,
    body: &Bytes,
) -> Response {
    let Ok(new) = serde_json::from_slice::<New>(body) else {
        return problem(StatusCode::BAD_REQUEST, "Problems parsing JSON");
    };
    let (Some(head), Some(base)) = (commit(directory, &new.head).await, commit(directory, &new.base).await)
    else {
        let field = if commit(directory, &new.head).await.is_none() { "head" } else { "base" };
        return invalid("PullRequest", field, "invalid");
    };
    let range = format!("{base}..{head}");
    if git(directory, &["rev-list", "--count", &range]).await.as_deref() == Some("0") {
        return refused(&format!("No commits between {} and {}", new.base, new.head));
    }
    let user = caller.login(shared);
    let mut state = shared.state();
    if new.draft && state.without_drafts {
        let message = "Draft pull requests are not supported in this repository.";
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "message": message }))).into_response();
    }
    let number = state.next_number(repository);
    let pulls = state.pulls.entry(repository.to_owned()).or_default();
    if pulls.iter().any(|pull| pull.state == "open" && pull.head == new.head && pull.base == new.base) {
        let owner = repository.split('/').next().unwrap_or_default();
        return refused(&format!("A pull request already exists for {owner}:{}.", new.head));
    }
    let pull = Pull {
        number,
        repository: repository.to_owned(),
        body: new.body.unwrap_or_default(),
        title: new.title,
        head: new.head,
        base: new.base,
        user,
        state: "open".to_owned(),
        draft: new.draft,
        merged: false,
        of: repository.to_owned(),
        created_s: now_s(),
        updated_s: now_s(),
    };
    let told = pull.told();
    pulls.push(pull);
    (StatusCode::CREATED, Json(told)).into_response()
}

/// Whether it can be merged is found out beside: who asks first for a commit is told nothing of it yet.
pub(crate) async fn show(shared: &Shared, repository: &str, directory: &Path, number: &str) -> Response {
    let found = {
        let state = shared.state();
        let pull = number.parse().ok().and_then(|number| state.pull(repository, number));
        pull.map(|pull| (pull.told(), pull.head.clone(), pull.base.clone()))
    };
    let Some((mut told, head, base)) = found else { return problem(StatusCode::NOT_FOUND, "Not Found") };
    let (Some(head), Some(base)) = (commit(directory, &head).await, commit(directory, &base).await) else {
        return Json(told).into_response();
    };
    let mut merge = Command::new("git");
    merge.arg("-C").arg(directory).args(["merge-tree", "--write-tree", &base, &head]);
    let merges = merge.output().await.is_ok_and(|output| output.status.success());
    let is_known = {
        let mut state = shared.state();
        let pair = format!("{base}..{head}");
        let is_known = state.merges_known.contains(&pair);
        state.merges_known.insert(pair);
        is_known
    };
    told["head"]["sha"] = head.into();
    told["mergeable"] = if is_known { merges.into() } else { Value::Null };
    Json(told).into_response()
}

/// Source: "Get a branch". Its name is one part of the path, so that a slash in it is written as `%2F`.
pub(crate) async fn branch(shared: &Shared, repository: &str, directory: &Path, name: &str) -> Response {
    let name = decoded(&name.replace('+', "%2B"));
    let Some(commit) = commit(directory, &name).await else {
        return problem(StatusCode::NOT_FOUND, "Branch not found");
    };
    let protected = shared.state().protected.contains(&(repository.to_owned(), name.clone()));
    let api = format!("https://api.github.example/repos/{repository}");
    let address = format!("{api}/branches/{name}");
    Json(json!({
        "name": name,
        "commit": { "sha": commit, "url": format!("{api}/commits/{commit}") },
        "_links": { "self": address, "html": format!("https://github.example/{repository}/tree/{name}") },
        "protected": protected,
        "protection": {
            "enabled": protected,
            "required_status_checks": { "enforcement_level": "off", "contexts": [], "checks": [] },
        },
        "protection_url": format!("{address}/protection"),
    }))
    .into_response()
}

/// The one question and the one mutation that there are; what is refused is told with status 200, as on GitHub.
pub(crate) fn graphql(shared: &Shared, may: bool, body: &Bytes) -> Response {
    #[derive(Deserialize)]
    struct Asked {
        query: String,
        #[serde(default)]
        variables: Value,
    }
    let refused = |kind: &str, message: &str| {
        Json(json!({ "data": null, "errors": [{ "type": kind, "message": message }] })).into_response()
    };
    let Ok(Asked { query, variables }) = serde_json::from_slice::<Asked>(body) else {
        return problem(StatusCode::BAD_REQUEST, "Problems parsing JSON");
    };
    shared.state().graphql.push(json!({ "query": query, "variables": variables }));
    if query == "query { __typename }" {
        return Json(json!({ "data": { "__typename": "Query" } })).into_response();
    }
    if !query.contains("markPullRequestReadyForReview(input: { pullRequestId: $id })") {
        return refused("undefinedField", "Field doesn't exist on type 'Mutation'");
    }
    if !may {
        return refused("FORBIDDEN", "Resource not accessible by integration");
    }
    let mut state = shared.state();
    let mut pulls = state.pulls.values_mut().flatten();
    match pulls.find(|pull| variables["id"] == pull.node_id().as_str()) {
        Some(pull) => {
            pull.draft = false;
            let told = json!({ "markPullRequestReadyForReview": { "pullRequest": { "isDraft": false } } });
            Json(json!({ "data": told })).into_response()
        }
        None => refused("NOT_FOUND", "Could not resolve to a node with the global id"),
    }
}

pub(crate) fn change(shared: &Shared, repository: &str, number: &str, body: &Bytes) -> Response {
    let Ok(change) = serde_json::from_slice::<Change>(body) else {
        return problem(StatusCode::BAD_REQUEST, "Problems parsing JSON");
    };
    let mut state = shared.state();
    let pulls = state.pulls.get_mut(repository).into_iter().flatten();
    let Some(pull) = pulls.into_iter().find(|pull| pull.number.to_string() == number) else {
        return problem(StatusCode::NOT_FOUND, "Not Found");
    };
    pull.title = change.title.unwrap_or_else(|| pull.title.clone());
    pull.body = change.body.unwrap_or_else(|| pull.body.clone());
    pull.state = change.state.unwrap_or_else(|| pull.state.clone());
    pull.base = change.base.unwrap_or_else(|| pull.base.clone());
    pull.updated_s = now_s();
    Json(pull.told()).into_response()
}

fn refused(message: &str) -> Response {
    let error = json!({ "resource": "PullRequest", "code": "custom", "message": message });
    let all = json!({ "message": "Validation Failed", "errors": [error] });
    (StatusCode::UNPROCESSABLE_ENTITY, Json(all)).into_response()
}

async fn commit(directory: &Path, branch: &str) -> Option<String> {
    git(directory, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")]).await
}

pub(crate) async fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(directory).args(arguments).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What a query says of this.
pub(crate) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut parts = query.unwrap_or_default().split('&').filter_map(|part| part.split_once('='));
    parts.find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
}

pub(crate) fn page(all: Vec<Value>, query: Option<&str>) -> Response {
    let number = |name: &str, otherwise: usize| {
        parameter(query, name).and_then(|value| value.parse().ok()).unwrap_or(otherwise).max(1)
    };
    let (size, page) = (number("per_page", 30).min(100), number("page", 1));
    let shown: Vec<_> = all.into_iter().skip((page - 1) * size).take(size).collect();
    Json(shown).into_response()
}

fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
