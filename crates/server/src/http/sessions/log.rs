//! `GET /sessions/{id}/log`

use crate::http::App;
use crate::http::extract::{Id, Query};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use lamplight_domain::{Event, Seq};
use lamplight_engine::{LogPage, LogRange};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Entries on a page when nobody says how many.
const DEFAULT_LIMIT: usize = 500;
/// No page has more entries.
pub const MAX_LIMIT: usize = 2_000;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Entries with a higher `seq`, from the lowest; 0 is the start.
    after: Option<u64>,
    /// The last entries with a lower `seq`, in order.
    before: Option<u64>,
    /// At most 2,000; 500 by default.
    limit: Option<usize>,
}

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogEntries {
    pub entries: Vec<LogEntry>,
    /// The last entry that the log has, on this page or not.
    pub last_seq: u64,
}

/// One entry of a session's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogEntry {
    /// Contiguous from 1.
    pub seq: u64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Bytes of the agent's output that the log accounts for up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<u64>,
    /// The fact, told by its `type`.
    #[schema(value_type = Event, example = json!({"type": "agent_spoke", "turn": 1, "text": "Hello"}))]
    pub event: Value,
}

/// Entries of the log, in order.
#[utoipa::path(get, path = "/sessions/{id}/log", operation_id = "read_log", tag = "sessions", params(("id" = String, Path), Params),
    responses(
        (status = 200, body = LogEntries),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
    Query(params): Query<Params>,
) -> Result<Response, Problem> {
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let range = match (params.after, params.before) {
        (after, None) => LogRange::After { seq: Seq(after.unwrap_or(0)), limit },
        (None, Some(before)) => LogRange::Before { seq: Seq(before), limit },
        (Some(_), Some(_)) => {
            return Err(Problem::invalid_request("`after` and `before` exclude each other"));
        }
    };
    let page = app.engine.log(&id, range).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body(&page)).into_response())
}

/// The entries are JSON already, exactly as the log has them.
fn body(page: &LogPage) -> Vec<u8> {
    let size: usize = page.entries.iter().map(|(_, entry)| entry.len() + 1).sum();
    let mut body = Vec::with_capacity(size + 64);
    body.extend_from_slice(b"{\"entries\":[");
    for (n, (_, entry)) in page.entries.iter().enumerate() {
        if n > 0 {
            body.push(b',');
        }
        body.extend_from_slice(entry);
    }
    body.extend_from_slice(format!("],\"last_seq\":{}}}", page.last_seq).as_bytes());
    body
}
