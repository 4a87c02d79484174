//! Signing in by it: its page where somebody says who they are, and the tokens of people that come of it. It refuses what GitHub
//! refuses, and also sign-ins without a challenge and a state, which GitHub takes.
//!
//! Sources: docs.github.com, "Authorizing OAuth apps", "Generating a user access token for a GitHub App", "Refreshing user access
//! tokens", "Delete an app token".

use crate::content::person;
use crate::pulls::parameter;
use crate::{FakeGitHub, Shared, now_s, problem};
use axum::Json;
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Of a token of a GitHub App.
const TOKEN_S: u64 = 8 * 60 * 60;
/// Of what it is refreshed by.
const REFRESH_S: u64 = 184 * 24 * 60 * 60;

/// Somebody has said yes, and nobody has asked for a token yet.
#[derive(Debug)]
pub(crate) struct Code {
    code: String,
    login: String,
    client_id: String,
    redirect: String,
    challenge: String,
    scope: String,
}

/// What an application may ask by in somebody's name.
#[derive(Debug, Clone)]
pub(crate) struct UserToken {
    pub(crate) token: String,
    pub(crate) login: String,
    client_id: String,
    /// Empty of a GitHub App's, which may what the App and the person may.
    scope: String,
    refresh: String,
    /// `u64::MAX` of an OAuth app's.
    pub(crate) until_s: u64,
}

impl UserToken {
    pub(crate) fn is_of_app(&self) -> bool {
        self.client_id == FakeGitHub::APP_CLIENT_ID
    }

    pub(crate) fn may(&self, scope: &str) -> bool {
        self.is_of_app() || self.scope.split(' ').any(|given| given == scope)
    }

    fn told(&self) -> Value {
        let mut told = json!({ "access_token": self.token, "token_type": "bearer", "scope": self.scope.replace(' ', ",") });
        if self.is_of_app() {
            told["expires_in"] = TOKEN_S.into();
            told["refresh_token"] = self.refresh.as_str().into();
            told["refresh_token_expires_in"] = REFRESH_S.into();
        }
        told
    }
}

impl FakeGitHub {
    /// Of an OAuth app that people sign in by.
    pub const CLIENT_ID: &str = "Ov23fakegithub";
    /// Of a GitHub App that they sign in by.
    pub const APP_CLIENT_ID: &str = "Iv23fakegithub";
    /// Of both.
    pub const CLIENT_SECRET: &str = "client-secret-canary-0123456789";

    /// Somebody belongs to an organisation.
    pub fn join(&self, login: &str, organisation: &str) {
        self.shared.state().members.push((login.to_owned(), organisation.to_owned()));
    }

    /// Whose tokens there are that are still good, each once for each.
    pub fn user_tokens(&self) -> Vec<String> {
        let state = self.shared.state();
        state.users.iter().filter(|user| user.until_s > now_s()).map(|user| user.login.clone()).collect()
    }

    /// The time of all tokens of people is over; they can be refreshed.
    pub fn expire_user_tokens(&self) {
        self.shared.state().users.iter_mut().for_each(|user| user.until_s = 0);
    }

    /// Somebody has taken back in their settings what they had said yes to.
    pub fn revoke_user_tokens(&self, login: &str) {
        self.shared.state().users.retain(|user| user.login != login);
    }
}

/// Its pages.
pub(crate) fn answer(shared: &Shared, head: &Parts, body: &Bytes) -> Response {
    let form = std::str::from_utf8(body).ok();
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/login/oauth/authorize") => ask(shared, head.uri.query()),
        (&Method::POST, "/login/oauth/authorize") => authorize(shared, form),
        (&Method::POST, "/login/oauth/access_token") => exchange(shared, head, form),
        _ => problem(StatusCode::NOT_FOUND, "Not Found"),
    }
}

fn is_known(client_id: &str) -> bool {
    [FakeGitHub::CLIENT_ID, FakeGitHub::APP_CLIENT_ID].contains(&client_id)
}

/// `None` where it is no question that is answered.
fn refused(query: Option<&str>) -> Option<Response> {
    let of = |name| parameter(query, name).unwrap_or_default();
    if !is_known(&of("client_id")) {
        return Some((StatusCode::NOT_FOUND, "Not Found").into_response());
    }
    if of("code_challenge_method") != "S256" || of("code_challenge").len() != 43 || of("state").is_empty() {
        return Some((StatusCode::BAD_REQUEST, "a challenge and a state are wanted here").into_response());
    }
    None
}

/// Who is it? A button for everybody with an account.
fn ask(shared: &Shared, query: Option<&str>) -> Response {
    if let Some(refused) = refused(query) {
        return refused;
    }
    let mut fields = String::new();
    for name in ["client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method"] {
        let value = parameter(query, name).unwrap_or_default();
        let value = value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
        let _ = write!(fields, "<input type=hidden name={name} value=\"{value}\">");
    }
    let state = shared.state();
    let buttons: String = state
        .permissions
        .keys()
        .map(|login| format!("<button name=login value={login}>Authorize as {login}</button>"))
        .collect();
    let page = format!(
        "<!doctype html><html lang=en><title>Authorize</title><form method=post action=/login/oauth/authorize>{fields}{buttons}\
         <button name=login value=\"\">Cancel</button></form>"
    );
    Html(page).into_response()
}

fn authorize(shared: &Shared, form: Option<&str>) -> Response {
    if let Some(refused) = refused(form) {
        return refused;
    }
    let of = |name| parameter(form, name).unwrap_or_default();
    let (login, redirect, given) = (of("login"), of("redirect_uri"), of("state"));
    let mut state = shared.state();
    let to = if login.is_empty() {
        format!("{redirect}?error=access_denied&error_description=The+user+has+denied+access&state={given}")
    } else if state.permissions.contains_key(&login) {
        let code = format!("{:020x}", state.next_id());
        let to = format!("{redirect}?code={code}&state={given}");
        let (client_id, challenge, scope) = (of("client_id"), of("code_challenge"), of("scope"));
        state.codes.push(Code { code, login, client_id, redirect, challenge, scope });
        to
    } else {
        return (StatusCode::UNPROCESSABLE_ENTITY, "nobody is called so").into_response();
    };
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}

/// Refusals come with 200, as GitHub's do.
fn exchange(shared: &Shared, head: &Parts, form: Option<&str>) -> Response {
    let refuse = |error: &str| Json(json!({ "error": error, "error_description": error })).into_response();
    if head.headers.get(header::ACCEPT).is_none_or(|accept| accept != "application/json") {
        return (StatusCode::NOT_ACCEPTABLE, "a form would be answered").into_response();
    }
    let of = |name| parameter(form, name).unwrap_or_default();
    if !is_known(&of("client_id")) || of("client_secret") != FakeGitHub::CLIENT_SECRET {
        return refuse("incorrect_client_credentials");
    }
    let mut state = shared.state();
    let (login, scope) = if of("grant_type") == "refresh_token" {
        let wanted = of("refresh_token");
        let is_it = |user: &UserToken| user.refresh == wanted && user.client_id == of("client_id");
        // It counts once, and the token that it came with does not count any more either.
        let Some(at) = state.users.iter().position(is_it) else { return refuse("bad_refresh_token") };
        let before = state.users.remove(at);
        (before.login, before.scope)
    } else {
        // A code counts once, also where what comes with it is wrong.
        let wanted = of("code");
        let Some(at) = state.codes.iter().position(|code| code.code == wanted) else {
            return refuse("bad_verification_code");
        };
        let code = state.codes.remove(at);
        if code.redirect != of("redirect_uri") {
            return refuse("redirect_uri_mismatch");
        }
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, of("code_verifier").as_bytes()));
        if challenge != code.challenge || code.client_id != of("client_id") {
            return refuse("bad_verification_code");
        }
        (code.login, code.scope)
    };
    let is_app = of("client_id") == FakeGitHub::APP_CLIENT_ID;
    let number = state.next_id();
    let user = UserToken {
        token: format!("{}_canary{number:032}", if is_app { "ghu" } else { "gho" }),
        login,
        client_id: of("client_id"),
        scope: if is_app { String::new() } else { scope },
        refresh: if is_app { format!("ghr_canary{number:070}") } else { String::new() },
        until_s: if is_app { now_s() + TOKEN_S } else { u64::MAX },
    };
    let told = user.told();
    state.users.push(user);
    Json(told).into_response()
}

/// What somebody's token says of them.
pub(crate) fn user(shared: &Shared, user: &UserToken, rest: &[&str]) -> Response {
    let login = &user.login;
    match rest {
        [] => {
            let mut told = person(login);
            let name: String = login.chars().take(1).flat_map(char::to_uppercase).chain(login.chars().skip(1)).collect();
            told["name"] = format!("{name} Example").into();
            told["email"] = Value::Null;
            Json(told).into_response()
        }
        ["emails"] if user.may("user:email") => Json(json!([
            { "email": "old@example.org", "primary": false, "verified": true, "visibility": null },
            { "email": format!("{login}@example.org"), "primary": true, "verified": true, "visibility": "private" },
        ]))
        .into_response(),
        ["memberships", "orgs"] if user.may("read:org") => {
            let told = |state: &str, name: &str| json!({ "state": state, "role": "member", "organization": { "login": name } });
            let state = shared.state();
            let of = state.members.iter().filter(|(member, _)| member == login);
            let active = of.map(|(_, organisation)| told("active", organisation));
            Json(active.chain([told("pending", "Invited")]).collect::<Vec<_>>()).into_response()
        }
        _ => problem(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// An application gives back what it was given.
pub(crate) fn delete(shared: &Shared, head: &Parts, client_id: &str, body: &Bytes) -> Response {
    #[derive(Deserialize)]
    struct Which {
        access_token: String,
    }
    let expected = BASE64_STANDARD.encode(format!("{client_id}:{}", FakeGitHub::CLIENT_SECRET));
    let given = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !is_known(client_id) || given != Some(&format!("Basic {expected}")) {
        return problem(StatusCode::NOT_FOUND, "Not Found");
    }
    let Ok(Which { access_token }) = serde_json::from_slice(body) else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "Invalid request");
    };
    let mut state = shared.state();
    match state.users.iter().position(|user| user.token == access_token && user.client_id == client_id) {
        Some(at) => {
            state.users.remove(at);
            StatusCode::NO_CONTENT.into_response()
        }
        None => problem(StatusCode::NOT_FOUND, "Not Found"),
    }
}
