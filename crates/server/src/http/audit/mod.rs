//! Who asked for what to be changed, from where, and what came of it: every such request has an entry, also one that was refused.
//! It is written here and nowhere else, before the answer is given, so that what was answered is in it after any crash.
//!
//! What a session was told is in its log as well, written before it was done.

pub mod list;
mod strangers;

pub(super) use strangers::Strangers;

use super::problem::Code;
use super::{App, github, openapi};
use crate::clock;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::Response;
use lamplight_engine::AuditEntry;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock, OnceLock};
use tokio::time::Instant;
use utoipa::ToSchema;

/// Characters of what a request says of itself that are kept, each.
const KEPT: usize = 300;
/// Changes something although it is asked for by `GET`: somebody comes back from who signs them in.
const CALLBACK: &str = "/api/v1/sign-in/{way}/callback";
/// Sends somebody there; nothing is kept of it here.
const SENT_AWAY: &str = "/api/v1/sign-in/{way}";
/// Where routes of the API are; the document names them without it.
const BASE: &str = "/api/v1";

/// From where a connection was made, on every request of it.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Peer(pub IpAddr);

/// On an answer of ours: what more there is to say of what was done. Never a secret.
#[derive(Debug, Clone)]
pub(in crate::http) struct Told(pub String);

/// On an answer of ours: nobody knows who asked, and whoever it was could ask very often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stranger;

/// On a request: who asks, once that is known. Where people sign in it is found out after this has begun.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asker(Arc<OnceLock<String>>);

impl Asker {
    pub(crate) fn is(&self, name: &str) {
        // Whoever was there first stays.
        let _ = self.0.set(name.to_owned());
    }
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    Done,
    /// `code` says why.
    Refused,
    /// Something went wrong inside the server.
    Failed,
    /// Whoever asked left before the answer; it may be done.
    Unanswered,
}

impl AuditOutcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unanswered => "unanswered",
        }
    }

    fn of(response: &Response) -> Self {
        let status = response.status();
        // Who comes back from elsewhere is led on to the page with what was wrong.
        let is_refused = status.is_client_error() || response.extensions().get::<Code>().is_some();
        match (status.is_server_error(), is_refused) {
            (true, _) => Self::Failed,
            (false, true) => Self::Refused,
            (false, false) => Self::Done,
        }
    }
}

/// Writes an entry for every request that could change something. As a layer, for routers that are not behind ours.
pub(crate) async fn record(State(app): State<App>, request: Request, next: Next) -> Response {
    let (pending, request) = begin(&app, request).await;
    let response = next.run(request).await;
    write(&app, known_now(pending, &response)).await;
    response
}

/// Before a request is answered; there is nothing to write of one that changes nothing.
pub(super) async fn begin(app: &App, request: Request) -> (Option<Pending>, Request) {
    let (mut parts, body) = request.into_parts();
    let asker = Asker::default();
    parts.extensions.insert(asker.clone());
    let entry = known(app, &mut parts).await;
    let pending = entry.map(|entry| Pending { app: app.clone(), entry: Some(entry), asker });
    (pending, Request::from_parts(parts, body))
}

/// What is to be written of a request that is answered.
pub(super) fn known_now(pending: Option<Pending>, response: &Response) -> Option<AuditEntry> {
    pending?.answered(response)
}

/// What is known of a request before it is answered; `None` of one that changes nothing.
async fn known(app: &App, parts: &mut Parts) -> Option<AuditEntry> {
    let route = parts.extensions.get::<MatchedPath>()?.as_str().to_owned();
    let is_change = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS)
        || (parts.method == Method::GET && route == CALLBACK);
    if !is_change || route == SENT_AWAY {
        return None;
    }
    // No person asks; what is signed has a row of its own, and of what is not there may be any number.
    if route == github::ROUTE {
        return None;
    }
    // Asked with every pause in typing, and changes nothing that anybody has.
    if route.ends_with("/sessions/ahead") {
        return None;
    }
    let parameters = RawPathParams::from_request_parts(parts, &()).await.ok();
    let mut named = parameters.iter().flatten().map(|(_, value)| cut(value));
    Some(AuditEntry {
        at: clock::now(),
        person: match app.config.auth.required {
            true => String::new(),
            false => app.person().await.name.clone(),
        },
        action: action(&parts.method, &route),
        subject: named.next().unwrap_or_default(),
        detail: named.collect::<Vec<_>>().join(" "),
        address: parts.extensions.get::<Peer>().map(|peer| peer.0.to_string()).unwrap_or_default(),
        ..AuditEntry::default()
    })
}

/// As the document calls it, such as `stop_session`.
fn action(method: &Method, route: &str) -> String {
    static NAMES: LazyLock<HashMap<(Method, String), String>> = LazyLock::new(openapi::operations);
    let path = route.strip_prefix(BASE).unwrap_or(route).to_owned();
    NAMES.get(&(method.clone(), path)).cloned().unwrap_or_else(|| format!("{method} {route}"))
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(KEPT).collect()
}

/// An entry whose outcome is not known yet. A request whose client leaves is dropped in the middle, and has one all the same.
pub(super) struct Pending {
    app: App,
    entry: Option<AuditEntry>,
    asker: Asker,
}

impl Pending {
    fn taken(&mut self) -> Option<AuditEntry> {
        let mut entry = self.entry.take()?;
        if let Some(name) = self.asker.0.get() {
            entry.person = name.clone();
        }
        Some(entry)
    }

    /// The entry as it is to be written, if it is.
    fn answered(mut self, response: &Response) -> Option<AuditEntry> {
        let mut entry = self.taken()?;
        let told = response.extensions();
        entry.outcome = AuditOutcome::of(response).as_str().to_owned();
        entry.code = told.get::<Code>().map(|code| code.0.clone().into_owned()).unwrap_or_default();
        if let Some(Told(detail)) = told.get() {
            let more = if entry.detail.is_empty() { "" } else { " " };
            entry.detail = format!("{}{more}{}", entry.detail, cut(detail));
        }
        // What was made has its name only now.
        let made = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
        if let Some((_, name)) =
            made.filter(|_| entry.subject.is_empty()).and_then(|made| made.rsplit_once('/'))
        {
            entry.subject = name.to_owned();
        }
        if told.get::<Stranger>().is_some() {
            let unwritten = self.app.strangers.admit(Instant::now())?;
            entry.person.clear();
            if unwritten > 0 {
                entry.detail = format!("after {unwritten} others that are not written down");
            }
        }
        Some(entry)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(mut entry) = self.taken() else { return };
        let app = self.app.clone();
        self.app.streams.spawn(async move {
            entry.outcome = AuditOutcome::Unanswered.as_str().to_owned();
            write(&app, Some(entry)).await;
        });
    }
}

/// Before the answer is given. What is done is done, also where it cannot be written down; somebody has to know.
pub(super) async fn write(app: &App, entry: Option<AuditEntry>) {
    let Some(entry) = entry else { return };
    let (action, outcome) = (entry.action.clone(), entry.outcome.clone());
    if let Err(error) = app.engine.audit(entry).await {
        let error = format!("{error:#}");
        tracing::error!(%action, %outcome, error, "a change is missing in the audit log");
    }
}
