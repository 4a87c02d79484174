//! `GET /queue`, and where a session stands in it.

use super::App;
use super::access::{Caller, seen};
use super::problem::Problem;
use super::resources::{Moment, Phase, SessionSummary, SessionView};
use axum::Json;
use axum::extract::State;
use lamplight_domain::session;
use lamplight_engine::{PlacesTaken, QueueEntry};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// More of those who wait are not listed.
const MAX_ENTRIES: usize = 200;

/// A session that waits for a sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueuedSession {
    pub id: String,
    pub title: String,
    pub repository: String,
    /// The name of whom it is for.
    pub person: String,
    /// Always `queued`.
    pub status: Phase,
    /// From 1.
    pub queue_position: u32,
    /// By how long places were held of late.
    pub estimated_wait_seconds: u64,
    /// A step up is worth ten minutes of waiting; 0 is usual.
    pub priority: i8,
    #[schema(value_type = String, format = DateTime)]
    pub queued_since: Moment,
    /// What it waits for, in a few words.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueList {
    /// The first is the next; at most 200.
    pub items: Vec<QueuedSession>,
    pub places: QueuePlaces,
}

/// What sandboxes take of what there is for them; no bound is `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueuePlaces {
    /// Those that there are, paused ones and those that are lent too.
    pub sandboxes: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sandboxes: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sandboxes_per_person: Option<u32>,
    /// The sum of their memory limits.
    pub memory_bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_bytes: Option<u64>,
}

impl From<PlacesTaken> for QueuePlaces {
    fn from(taken: PlacesTaken) -> Self {
        let bound = |most: u32| (most > 0).then_some(most);
        Self {
            sandboxes: taken.sandboxes,
            max_sandboxes: bound(taken.of.sandboxes),
            max_sandboxes_per_person: bound(taken.of.sandboxes_per_person),
            memory_bytes: taken.memory_bytes,
            max_memory_bytes: Some(taken.of.memory_bytes).filter(|most| *most > 0),
        }
    }
}

/// Sessions that wait for a sandbox, in their order.
#[utoipa::path(get, path = "/queue", operation_id = "list_queue", tag = "sessions",
    responses((status = 200, body = QueueList)))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<QueueList>, Problem> {
    let mut items = Vec::new();
    for entry in app.engine.queue().into_iter().take(MAX_ENTRIES) {
        let view = app.engine.view(&entry.session).await?;
        items.push(QueuedSession {
            id: view.id.into(),
            title: view.title,
            repository: view.repository,
            person: entry.person,
            status: Phase::Queued,
            queue_position: entry.position,
            estimated_wait_seconds: entry.estimated_wait_ms.div_ceil(1000),
            priority: entry.priority,
            queued_since: Moment(entry.since),
            reason: entry.why,
        });
    }
    let items = seen(&app, &caller, items, |waiting| Some(&waiting.repository)).await;
    Ok(Json(QueueList { items, places: app.engine.places().into() }))
}

/// With its place in the queue, where it has one.
pub(in crate::http) fn shown(app: &App, view: session::SessionView) -> SessionView {
    let entry = (view.phase == session::Phase::Queued).then(|| app.engine.queue_entry(&view.id)).flatten();
    let mut view = SessionView::from(view);
    if let Some(QueueEntry { position, estimated_wait_ms, why, .. }) = entry {
        view.queue_position = Some(position);
        view.estimated_wait_seconds = Some(estimated_wait_ms.div_ceil(1000));
        view.reason = Some(format!("it waits for a free sandbox: {why}"));
    }
    view
}

/// The same of many.
pub(in crate::http) fn listed(app: &App, summaries: Vec<session::SessionSummary>) -> Vec<SessionSummary> {
    let queue = app.engine.queue();
    let shown = |summary: session::SessionSummary| {
        let entry = queue.iter().find(|entry| entry.session == summary.id);
        let (position, wait) =
            entry.map(|entry| (entry.position, entry.estimated_wait_ms.div_ceil(1000))).unzip();
        SessionSummary { queue_position: position, estimated_wait_seconds: wait, ..summary.into() }
    };
    summaries.into_iter().map(shown).collect()
}
