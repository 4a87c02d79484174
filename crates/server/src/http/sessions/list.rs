//! `GET /sessions`

use crate::http::App;
use crate::http::access::{Caller, seen};
use crate::http::all_servers::Asking;
use crate::http::extract::Query;
use crate::http::problem::Problem;
use crate::http::queue;
use crate::http::resources::{Phase, SessionSummary};
use axum::Json;
use axum::extract::State;
use lamplight_engine::SessionQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Sessions on a page when nobody says how many.
const DEFAULT_LIMIT: usize = 50;
/// No page has more sessions.
pub const MAX_LIMIT: usize = 200;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// At most 200; 50 by default.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    phase: Option<Phase>,
    /// Absolute path on the server's machine.
    repository: Option<String>,
    /// The name of whom they are for.
    person: Option<String>,
    /// Those that are archived, instead of those that are not.
    archived: bool,
    /// Only those whose last turn is a dead letter: it failed although neither who asked nor the agent was at fault, and can be tried again.
    dead: bool,
    /// Words to look for.
    q: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    pub items: Vec<SessionSummary>,
    /// `null` on the last page.
    pub next_cursor: Option<String>,
}

/// Sessions, the newest first; without those that are archived, unless such are asked for, and those that one may not see: a page
/// may have fewer than were asked for.
#[utoipa::path(get, path = "/sessions", operation_id = "list_sessions", tag = "sessions", params(Params),
    responses((status = 200, body = SessionList), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
    asking: Asking,
    Query(params): Query<Params>,
) -> Result<Json<SessionList>, Problem> {
    let query = SessionQuery {
        text: params.q.filter(|text| !text.trim().is_empty()),
        phase: params.phase.map(|phase| phase.as_str().to_owned()),
        repository: params.repository,
        person: params.person,
        archived: params.archived,
        dead: params.dead,
        cursor: params.cursor,
        limit: params.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT),
    };
    let page = app.engine.sessions(query).await?;
    let items = seen(&app, &caller, page.items, |summary| Some(&summary.repository)).await;
    let items = queue::listed(&app, &caller, &asking, items).await?;
    Ok(Json(SessionList { items, next_cursor: page.next_cursor }))
}
