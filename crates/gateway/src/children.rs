//! Sessions that a program inside begins for its own one, at `/sessions`: its children. What they are and how many there may be is not known here.
//!
//! ```text
//! POST /sessions       {"prompt": "…"}, and what else is wanted ─▶ 201, the child as it begins
//! GET  /sessions       {"items": […]}, in the order in which they were begun
//! GET  /sessions/{id}  one of them: how it stands, its branch, what its agent said last
//! ```
//! What is refused says why, as a `code` for programs and a sentence, and people read it in the session's log.

use crate::serve::Link;
use async_trait::async_trait;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use lamplight_domain::session::Phase;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;
use std::sync::Arc;

/// More than the longest prompt as JSON, in bytes.
const LONGEST: usize = 1 << 20;

/// Begins them, and looks at them.
#[async_trait]
pub trait Children: Send + Sync + fmt::Debug {
    /// Short names of their branches, which may be read.
    fn branches(&self) -> Vec<String>;
    async fn begin(&self, new: NewChild) -> Result<Child, NotServed>;
    /// In the order in which they were begun.
    async fn all(&self) -> Result<Vec<Child>, NotServed>;
    async fn one(&self, id: &str) -> Result<Child, NotServed>;
}

/// As it is asked for; what is `None` is as its parent has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewChild {
    pub prompt: String,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub agent: Option<String>,
    /// In that agent's words.
    #[serde(default)]
    pub model: Option<String>,
    /// In millionths of a dollar, and never more than what is left to its parent.
    #[serde(default)]
    pub budget_micros: Option<u64>,
}

/// How one stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Child {
    pub id: String,
    pub title: String,
    pub phase: Phase,
    pub reason: Option<String>,
    pub branch: String,
    /// The newest on that branch; `None` before the first.
    pub commit: Option<String>,
    pub cost_micros: u64,
    pub ended: bool,
    /// Empty before its agent said anything.
    pub last_message: String,
}

/// Why not. Each has a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotServed {
    Refused { code: &'static str, detail: String },
    NotFound(String),
    Failed(String),
}

pub(crate) fn routes() -> Router<Link> {
    Router::new()
        .route("/sessions", get(all).post(begin).layer(DefaultBodyLimit::max(LONGEST)))
        .route("/sessions/{id}", get(one))
}

async fn begin(State(link): State<Link>, new: Result<Json<NewChild>, JsonRejection>) -> Response {
    let answer = async {
        let Json(new) = new.map_err(|why| NotServed::Refused {
            code: "invalid_request",
            detail: format!("{}.", why.body_text()),
        })?;
        children(&link)?.begin(new).await
    };
    match answer.await {
        Ok(child) => (StatusCode::CREATED, Json(child)).into_response(),
        Err(why) => {
            if let NotServed::Refused { detail, .. } = &why {
                link.ledger.refused(&format!("A session was to be begun from inside: {detail}")).await;
            }
            why.into_response()
        }
    }
}

async fn all(State(link): State<Link>) -> Response {
    let answer = async { children(&link)?.all().await };
    answer
        .await
        .map_or_else(NotServed::into_response, |items| Json(json!({ "items": items })).into_response())
}

async fn one(State(link): State<Link>, Path(id): Path<String>) -> Response {
    let answer = async { children(&link)?.one(&id).await };
    answer.await.map_or_else(NotServed::into_response, |child| Json(child).into_response())
}

fn children(link: &Link) -> Result<&Arc<dyn Children>, NotServed> {
    let none = || NotServed::NotFound("What runs here has no sessions of its own.".into());
    link.grant.children.as_ref().ok_or_else(none)
}

impl IntoResponse for NotServed {
    fn into_response(self) -> Response {
        let (status, code, detail) = match self {
            Self::Refused { code: code @ "invalid_request", detail } => {
                (StatusCode::BAD_REQUEST, code, detail)
            }
            Self::Refused { code, detail } => (StatusCode::CONFLICT, code, detail),
            Self::NotFound(detail) => (StatusCode::NOT_FOUND, "session_not_found", detail),
            Self::Failed(detail) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail),
        };
        (status, Json(json!({ "code": code, "detail": detail }))).into_response()
    }
}
