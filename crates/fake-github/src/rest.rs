//! The REST interface: who asks, may they, and which answer is theirs already.

use crate::apps::{self, INSTALLATION, Minted};
use crate::content::Permission;
use crate::sign_in::{self, UserToken};
use crate::{Shared, conversation, now_s, problem, pulls, reviews};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::hash::{DefaultHasher, Hash, Hasher};

/// No answer that gets a tag is larger.
const LONGEST_TAGGED: usize = 16 << 20;

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// Somebody who may do everything.
    Person,
    App(Minted),
    /// An application, in somebody's name.
    User(UserToken),
}

impl Caller {
    /// Under whose name they write.
    pub(crate) fn login(&self, shared: &Shared) -> String {
        let state = shared.state();
        match (self, &state.app) {
            (Self::App(_), Some(app)) => format!("{}[bot]", app.slug),
            (Self::User(user), _) => user.login.clone(),
            (Self::App(_), None) | (Self::Person, _) => "ada".to_owned(),
        }
    }
}

pub(crate) async fn answer(shared: &Shared, head: &Parts, body: &Bytes) -> Response {
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if head.uri.path() == "/settings/apps/new" && head.method == Method::POST {
        return apps::order(shared, head.uri.query(), body).await;
    }
    if text(header::USER_AGENT).is_empty() {
        return problem(StatusCode::FORBIDDEN, "Request forbidden by administrative rules.");
    }
    let token = text(header::AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
    let parts: Vec<&str> = head.uri.path().trim_start_matches('/').split('/').collect();
    match (&head.method, &parts[..]) {
        (&Method::POST, ["app", "installations", id, "access_tokens"]) => match apps::is_app(shared, token) {
            Ok(()) if *id == INSTALLATION.to_string() => apps::mint(shared, body),
            Ok(()) => problem(StatusCode::NOT_FOUND, "Not Found"),
            Err(refused) => *refused,
        },
        (&Method::POST, ["app-manifests", code, "conversions"]) => apps::convert(shared, code),
        (&Method::GET, ["app"]) => match apps::is_app(shared, token) {
            Ok(()) => apps::show(shared),
            Err(refused) => *refused,
        },
        (&Method::GET, ["app", "hook", "deliveries"]) => match apps::is_app(shared, token) {
            Ok(()) => apps::deliveries(shared, head.uri.query()),
            Err(refused) => *refused,
        },
        (&Method::GET, ["app", "hook", "config"]) => match apps::is_app(shared, token) {
            Ok(()) => apps::hook_config(shared),
            Err(refused) => *refused,
        },
        // For everybody.
        (&Method::GET, ["meta"]) => {
            Json(json!({ "verifiable_password_authentication": false })).into_response()
        }
        (&Method::POST, ["app", "hook", "deliveries", id, "attempts"]) => match apps::is_app(shared, token) {
            Ok(()) => match crate::hooks::attempt(shared, id).await {
                Some(()) => (StatusCode::ACCEPTED, Json(json!({}))).into_response(),
                None => problem(StatusCode::NOT_FOUND, "Not Found"),
            },
            Err(refused) => *refused,
        },
        (&Method::DELETE, ["applications", client_id, "token"]) => {
            sign_in::delete(shared, head, client_id, body)
        }
        (&Method::GET, ["rate_limit"]) => match caller(shared, token) {
            Ok(_) => {
                let core =
                    json!({ "limit": 5_000, "used": 289, "remaining": 4_711, "reset": now_s() + 1_800 });
                Json(json!({ "resources": { "core": core }, "rate": core })).into_response()
            }
            Err(refused) => *refused,
        },
        (&Method::GET, ["user", rest @ ..]) => match caller(shared, token) {
            Ok(Caller::User(user)) => sign_in::user(shared, &user, rest),
            Ok(Caller::Person) => Json(crate::content::person("ada")).into_response(),
            Ok(Caller::App(_)) => problem(StatusCode::FORBIDDEN, "Resource not accessible by integration"),
            Err(refused) => *refused,
        },
        (&Method::GET, ["repos", owner, name, "installation"]) => match apps::is_app(shared, token) {
            Ok(()) if shared.directory(owner, name).is_some() => {
                Json(json!({ "id": INSTALLATION })).into_response()
            }
            Ok(()) => problem(StatusCode::NOT_FOUND, "Not Found"),
            Err(refused) => *refused,
        },
        (&Method::POST, ["graphql"]) => match caller(shared, token) {
            Ok(Caller::Person) => pulls::graphql(shared, true, body),
            Ok(Caller::App(minted)) => {
                let may = minted.may("pull_requests", "write") && minted.may("contents", "write");
                pulls::graphql(shared, may, body)
            }
            Ok(Caller::User(user)) => pulls::graphql(shared, user.may("repo"), body),
            Err(refused) => *refused,
        },
        (_, ["repos", owner, name, rest @ ..]) => {
            let caller = match caller(shared, token) {
                Ok(caller) => caller,
                Err(refused) => return *refused,
            };
            let repository = format!("{owner}/{name}");
            let is_seen = match &caller {
                Caller::Person => true,
                Caller::App(minted) => minted.is_for(&repository),
                Caller::User(user) => {
                    user.may("repo") && shared.state().permission(&repository, &user.login).is_some()
                }
            };
            if shared.directory(owner, name).is_none() || !is_seen {
                return problem(StatusCode::NOT_FOUND, "Not Found");
            }
            if !may(shared, &caller, &repository, &head.method, rest) {
                return problem(StatusCode::FORBIDDEN, "Resource not accessible by integration");
            }
            let answer = of_repository(shared, &caller, head, &repository, rest, body).await;
            if head.method == Method::GET { tagged(answer, head, token).await } else { answer }
        }
        _ => problem(StatusCode::NOT_FOUND, "Not Found"),
    }
}

fn caller(shared: &Shared, token: &str) -> Result<Caller, Box<Response>> {
    if token == shared.token {
        return Ok(Caller::Person);
    }
    let state = shared.state();
    if let Some(user) = state.users.iter().find(|user| user.token == token && user.until_s > now_s()) {
        return Ok(Caller::User(user.clone()));
    }
    let found = state.minted.iter().find(|minted| minted.token == token && minted.until_s > now_s());
    found
        .cloned()
        .map(Caller::App)
        .ok_or_else(|| Box::new(problem(StatusCode::UNAUTHORIZED, "Bad credentials")))
}

/// Source: docs.github.com, "Permissions required for GitHub Apps".
fn may(shared: &Shared, caller: &Caller, repository: &str, method: &Method, rest: &[&str]) -> bool {
    let minted = match caller {
        Caller::Person => return true,
        Caller::User(user) => {
            // Comments are for everybody who sees it.
            let least = match (method, rest) {
                (&Method::GET, _) | (_, ["issues", ..]) => Permission::Read,
                _ => Permission::Write,
            };
            let state = shared.state();
            let person_may = state.permission(repository, &user.login).is_some_and(|given| given >= least);
            // Of a GitHub App's token both count.
            let level = if method == Method::GET { "read" } else { "write" };
            let app_may = match (&state.app, rest) {
                (Some(app), ["pulls", ..]) if user.is_of_app() => app
                    .permissions
                    .get("pull_requests")
                    .is_some_and(|given| given == level || given == "write"),
                _ => true,
            };
            return person_may && app_may;
        }
        Caller::App(minted) => minted,
    };
    let level = if method == Method::GET { "read" } else { "write" };
    match rest {
        [] | ["collaborators", ..] => minted.may("metadata", "read"),
        ["pulls", ..] => minted.may("pull_requests", level),
        // Comments and reactions on pull requests are taken with either of the two.
        ["issues", ..] => minted.may("issues", level) || minted.may("pull_requests", level),
        ["commits", _, "check-runs"] => minted.may("checks", "read"),
        ["branches", _] => minted.may("contents", level),
        _ => false,
    }
}

async fn of_repository(
    shared: &Shared,
    caller: &Caller,
    head: &Parts,
    repository: &str,
    rest: &[&str],
    body: &Bytes,
) -> Response {
    let query = head.uri.query();
    let directory = repository.split_once('/').and_then(|(owner, name)| shared.directory(owner, name));
    match (&head.method, rest) {
        (&Method::GET, []) => {
            let directory = directory.unwrap_or_default();
            let branch = pulls::git(&directory, &["symbolic-ref", "--short", "HEAD"]).await;
            Json(json!({ "full_name": repository, "default_branch": branch, "archived": false, "permissions": { "push": true } }))
                .into_response()
        }
        (&Method::GET, ["branches", name]) => {
            pulls::branch(shared, repository, &directory.unwrap_or_default(), name).await
        }
        (&Method::GET, ["pulls"]) => pulls::list(shared, repository, query),
        (&Method::POST, ["pulls"]) => {
            pulls::open(shared, caller, repository, &directory.unwrap_or_default(), body).await
        }
        (&Method::GET, ["pulls", "comments"]) => reviews::all_comments(shared, repository, query),
        (&Method::POST, ["pulls", "comments", id, "reactions"]) => {
            conversation::react(shared, caller, &format!("{repository}/remarks/{id}"), body)
        }
        (&Method::GET, ["pulls", number]) => {
            pulls::show(shared, repository, &directory.unwrap_or_default(), number).await
        }
        (&Method::GET, ["pulls", number, "reviews"]) => reviews::reviews(shared, repository, number, query),
        (&Method::GET, ["pulls", number, "comments"]) => reviews::comments(shared, repository, number, query),
        (&Method::POST, ["pulls", _, "comments", id, "replies"]) => {
            reviews::reply(shared, caller, repository, id, body)
        }
        (&Method::GET, ["commits", commit, "check-runs"]) => reviews::check_runs(shared, repository, commit),
        (&Method::PATCH, ["pulls", number]) => pulls::change(shared, repository, number, body),
        (&Method::GET, ["collaborators", login, "permission"]) => {
            conversation::permission(shared, repository, login)
        }
        (&Method::GET, ["issues"]) => conversation::issues(shared, repository, query),
        (&Method::GET, ["issues", "comments"]) => conversation::all_comments(shared, repository, query),
        (&Method::GET, ["issues", "events"]) => conversation::events(shared, repository, query),
        (&Method::GET, ["issues", "comments", id]) => conversation::show(shared, repository, id),
        (&Method::PATCH, ["issues", "comments", id]) => conversation::edit(shared, repository, id, body),
        (&Method::POST, ["issues", "comments", id, "reactions"]) => {
            conversation::react(shared, caller, &format!("{repository}/comments/{id}"), body)
        }
        (&Method::GET, ["issues", number]) => conversation::issue(shared, repository, number),
        (&Method::GET, ["issues", number, "comments"]) => {
            conversation::comments(shared, repository, number, query)
        }
        (&Method::POST, ["issues", number, "comments"]) => {
            conversation::comment(shared, caller, repository, number, body).await
        }
        (&Method::POST, ["issues", number, "reactions"]) => {
            conversation::react(shared, caller, &format!("{repository}/issues/{number}"), body)
        }
        _ => problem(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// The tag is of what is said, and of whom it is said to. Source: docs.github.com, "Best practices", "Use conditional requests".
async fn tagged(answer: Response, head: &Parts, token: &str) -> Response {
    if answer.status() != StatusCode::OK {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, LONGEST_TAGGED).await.unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    (&body, token).hash(&mut hasher);
    let tag = format!("W/\"{:016x}\"", hasher.finish());
    let is_known =
        head.headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    if let Ok(tag) = HeaderValue::try_from(tag) {
        parts.headers.insert(header::ETAG, tag);
    }
    if is_known {
        parts.status = StatusCode::NOT_MODIFIED;
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(body))
}
