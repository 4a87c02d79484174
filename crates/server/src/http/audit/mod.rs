//! Who asked for what to be changed, from where, and what came of it: every such request has an entry, also one that was refused.
//! It is begun here and nowhere else, and written before the answer is given, so that what was answered is in it after any crash. Where
//! all that a request does is one append to a session's log, the entry goes along: neither is there without the other, and both wait
//! for the disk once.

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
use lamplight_engine::{AskedBy, AuditEntry, Auditing};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::LazyLock;
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

/// On a request: its entry, if it has one. Who asks is found out after this has begun, where people sign in.
#[derive(Debug, Clone)]
pub(crate) struct Asker(Option<Auditing>);

impl Asker {
    /// Whoever was there first stays.
    pub(crate) fn is(&self, name: &str) {
        let unless_known = |entry: &mut AuditEntry| {
            if entry.person.is_empty() {
                name.clone_into(&mut entry.person);
            }
        };
        self.0.iter().for_each(|auditing| auditing.amend(unless_known));
    }

    /// Somebody of this name, whose request is written down with what it changes.
    pub(in crate::http) fn named(&self, name: String) -> AskedBy {
        AskedBy { name, auditing: self.0.clone() }
    }
}

/// Says more of what somebody asks for, before it is done. Never a secret.
pub(in crate::http) fn telling(by: AskedBy, detail: &str) -> AskedBy {
    by.auditing.iter().for_each(|auditing| auditing.amend(|entry| tell(entry, detail)));
    by
}

fn tell(entry: &mut AuditEntry, detail: &str) {
    let more = if entry.detail.is_empty() { "" } else { " " };
    entry.detail = format!("{}{more}{}", entry.detail, cut(detail));
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
    let unwritten = unwritten(pending).await;
    write(&app, unwritten.and_then(|entry| answered(&app, entry, &response))).await;
    response
}

/// Before a request is answered; there is nothing to write of one that changes nothing.
pub(super) async fn begin(app: &App, request: Request) -> (Option<Pending>, Request) {
    let (mut parts, body) = request.into_parts();
    let auditing = known(app, &mut parts).await.map(Auditing::new);
    parts.extensions.insert(Asker(auditing.clone()));
    let pending = auditing.map(|auditing| Pending { app: app.clone(), auditing: Some(auditing) });
    (pending, Request::from_parts(parts, body))
}

/// What is still to be written of a request that is about to be answered; `None` where it was written with what was changed.
pub(super) async fn unwritten(pending: Option<Pending>) -> Option<AuditEntry> {
    let mut pending = pending?;
    let entry = pending.auditing.as_ref()?.unwritten().await;
    pending.auditing = None;
    entry
}

/// The entry with what came of the request, if it is to be written.
pub(super) fn answered(app: &App, mut entry: AuditEntry, response: &Response) -> Option<AuditEntry> {
    let told = response.extensions();
    entry.outcome = AuditOutcome::of(response).as_str().to_owned();
    entry.code = told.get::<Code>().map(|code| code.0.clone().into_owned()).unwrap_or_default();
    if let Some(Told(detail)) = told.get() {
        tell(&mut entry, detail);
    }
    // What was made has its name only now.
    let made = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
    if let Some((_, name)) = made.filter(|_| entry.subject.is_empty()).and_then(|made| made.rsplit_once('/'))
    {
        entry.subject = name.to_owned();
    }
    if told.get::<Stranger>().is_some() {
        let unwritten = app.strangers.admit(Instant::now())?;
        entry.person.clear();
        if unwritten > 0 {
            entry.detail = format!("after {unwritten} others that are not written down");
        }
    }
    Some(entry)
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
        outcome: AuditOutcome::Done.as_str().to_owned(),
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
    auditing: Option<Auditing>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(auditing) = self.auditing.take() else { return };
        let app = self.app.clone();
        self.app.streams.spawn(async move {
            let Some(mut entry) = auditing.unwritten().await else { return };
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
