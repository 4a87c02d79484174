//! Who comes to a sandbox, and whether it is there for them.

use super::super::answer::Refused;
use super::super::ids::name_of;
use super::super::target::Place;
use crate::http::App;
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lamplight_e2b::BASE_TEMPLATE;
use lamplight_e2b::control;
use lamplight_engine::{LentSandbox, LentState, LentUser};
use std::collections::BTreeMap;

const TOKEN: &str = "x-access-token";

/// What is said where a sandbox cannot be reached. Clients look for these words.
pub(in crate::e2b) struct Unreachable {
    name: String,
    port: Option<u16>,
}

impl Unreachable {
    pub(in crate::e2b) fn no_sandbox(name: &str) -> Self {
        Self { name: name.to_owned(), port: None }
    }

    pub(in crate::e2b) fn nobody_listens(name: &str, port: u16) -> Self {
        Self { name: name.to_owned(), port: Some(port) }
    }
}

impl IntoResponse for Unreachable {
    fn into_response(self) -> Response {
        let message = match self.port {
            Some(_) => "The sandbox is running but port is not open",
            None => "The sandbox was not found",
        };
        let code = StatusCode::BAD_GATEWAY;
        let said =
            control::Unreachable { sandbox_id: self.name, message, port: self.port, code: code.as_u16() };
        (code, Json(said)).into_response()
    }
}

/// The sandbox, if it runs, or wakes for this.
pub(in crate::e2b) async fn awake(app: &App, place: &Place) -> Result<LentSandbox, Unreachable> {
    let none = || Unreachable::no_sandbox(&place.name);
    let sandbox = place.id.as_ref().and_then(|id| app.engine.lent_sandbox(id)).ok_or_else(none)?;
    if sandbox.state == LentState::Running {
        return Ok(sandbox);
    }
    if !sandbox.resumes {
        return Err(none());
    }
    match app.engine.resume_lent(&sandbox.id, sandbox.time_ms).await {
        Ok((sandbox, _)) => Ok(sandbox),
        Err(error) => {
            tracing::warn!(sandbox = %sandbox.id, %error, "a sandbox does not wake for who asks for it");
            Err(none())
        }
    }
}

/// A sandbox that runs, whoever asks.
pub(super) struct Reached;

impl FromRequestParts<App> for Reached {
    type Rejection = Unreachable;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Unreachable> {
        awake(app, &place(parts)).await.map(|_| Self)
    }
}

fn place(parts: &Parts) -> Place {
    parts.extensions.get::<Place>().cloned().expect("the router of a sandbox is asked with its place")
}

/// Somebody in a sandbox who has its token.
pub(super) struct Inside {
    pub(super) sandbox: LentSandbox,
    /// As whom; `None` is nobody of that name.
    user: Result<LentUser, String>,
}

impl Inside {
    /// The user, or the name of whom there is not.
    pub(super) fn user(&self) -> Result<LentUser, String> {
        self.user.clone()
    }

    /// What every process in it starts with, beside what the sandbox itself gives it.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let mut all = self.sandbox.begins_with();
        let own = [
            ("E2B_SANDBOX", "true".to_owned()),
            ("E2B_SANDBOX_ID", name_of(&self.sandbox.id)),
            ("E2B_TEMPLATE_ID", template(&self.sandbox)),
        ];
        all.extend(own.map(|(name, value)| (name.to_owned(), value)));
        all
    }
}

fn template(sandbox: &LentSandbox) -> String {
    if sandbox.template.is_empty() { BASE_TEMPLATE.to_owned() } else { sandbox.template.clone() }
}

impl FromRequestParts<App> for Inside {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let sandbox = awake(app, &place(parts)).await.map_err(IntoResponse::into_response)?;
        if !has_token(app, &sandbox, &parts.headers).await.map_err(IntoResponse::into_response)? {
            return Err(unauthorized().into_response());
        }
        let user = named_user(&parts.headers).filter(|name| !name.is_empty());
        let user = user.or_else(|| sandbox.begins.user.clone());
        let user = app.engine.lent_user(user.as_deref()).ok_or_else(|| user.unwrap_or_default());
        Ok(Self { sandbox, user })
    }
}

/// Whether the request shows the sandbox's token, or none is asked for.
pub(super) async fn has_token(
    app: &App,
    sandbox: &LentSandbox,
    headers: &HeaderMap,
) -> Result<bool, Refused> {
    if !sandbox.is_secure {
        return Ok(true);
    }
    let shown = headers.get(TOKEN).map(|shown| shown.as_bytes()).unwrap_or_default();
    let token = app.engine.lent_token(&sandbox.id).await?;
    // In as much time for every wrong one of the right length.
    let differing = token.bytes().zip(shown).fold(0, |sum, (ours, theirs)| sum | (ours ^ theirs));
    Ok(token.len() == shown.len() && differing == 0)
}

pub(super) fn unauthorized() -> Refused {
    Refused::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized access, please provide a valid access token or method signing if supported",
    )
}

/// `Basic` with a name and no password.
fn named_user(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (name, _) = text.split_once(':').unwrap_or((&text, ""));
    Some(name.to_owned())
}
