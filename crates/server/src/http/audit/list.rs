//! `GET /audit`

use super::AuditOutcome;
use crate::clock;
use crate::http::App;
use crate::http::extract::Query;
use crate::http::problem::Problem;
use crate::http::resources::Moment;
use crate::http::usage::since;
use axum::Json;
use axum::extract::State;
use lamplight_engine::{AuditQuery, AuditRow, PAGE_AUDIT};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Entries on a page when nobody says how many.
const DEFAULT_LIMIT: usize = 100;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// At most 500; 100 by default.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<i64>,
    /// A day such as `2026-01-31` (in UTC), a moment in RFC 3339, or so many days ago such as `30d`.
    since: Option<String>,
    /// The name of who asked.
    person: Option<String>,
    /// Such as `stop_session`: what this document calls the operation.
    action: Option<String>,
    /// What it is about, such as a session's id.
    subject: Option<String>,
    outcome: Option<AuditOutcome>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditList {
    pub items: Vec<AuditItem>,
    /// `null` on the last page.
    pub next_cursor: Option<i64>,
}

/// Something that somebody asked for and that could change something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditItem {
    /// Later ones have larger ones.
    pub id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Moment,
    /// `null` where nobody knows who asked.
    pub person: Option<String>,
    #[schema(example = "stop_session")]
    pub action: String,
    /// What it is about: a session's id, the name of a key.
    pub subject: Option<String>,
    /// What more there is to say, such as the budget that was set.
    pub detail: Option<String>,
    /// From where: an IP address.
    pub address: Option<String>,
    pub outcome: AuditOutcome,
    /// Why it was refused or failed, as the answer said.
    pub code: Option<String>,
}

/// What people and programs asked for that could change something, the newest first; also what was refused.
#[utoipa::path(get, path = "/audit", operation_id = "list_audit", tag = "server", params(Params),
    responses((status = 200, body = AuditList), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Query(params): Query<Params>,
) -> Result<Json<AuditList>, Problem> {
    let since = params.since.as_deref().map(|text| since(Some(text), clock::now())).transpose()?;
    let query = AuditQuery {
        since,
        person: params.person,
        action: params.action,
        subject: params.subject,
        outcome: params.outcome.map(|outcome| outcome.as_str().to_owned()),
        before: params.cursor,
        limit: params.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, PAGE_AUDIT),
    };
    let page = app.engine.audited(query).await?;
    let next_cursor = page.items.last().filter(|_| !page.is_last).map(|row| row.id);
    Ok(Json(AuditList { items: page.items.into_iter().map(AuditItem::from).collect(), next_cursor }))
}

impl From<AuditRow> for AuditItem {
    fn from(row: AuditRow) -> Self {
        let AuditRow { id, entry } = row;
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        let outcome = match entry.outcome.as_str() {
            "done" => AuditOutcome::Done,
            "refused" => AuditOutcome::Refused,
            "unanswered" => AuditOutcome::Unanswered,
            // Also what a later version calls by a word of its own.
            _ => AuditOutcome::Failed,
        };
        Self {
            id,
            at: Moment(entry.at),
            person: known(entry.person),
            action: entry.action,
            subject: known(entry.subject),
            detail: known(entry.detail),
            address: known(entry.address),
            outcome,
            code: known(entry.code),
        }
    }
}
