//! `GET /queue`, and where a session stands in it.

use super::App;
use super::access::{Caller, seen};
use super::all_servers::{Among, Asking, Told};
use super::problem::Problem;
use super::resources::{Moment, Phase, SessionSummary, SessionView};
use axum::Json;
use axum::extract::State;
use lamplight_domain::session;
use lamplight_engine::{PlacesTaken, QueueEntry, ServerInfo};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;

/// Where this is, for other servers.
const PATH: &str = "/api/v1/queue";
/// More of those who wait at one server are not listed.
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
    /// Where it waits, if there are several servers: it comes in there.
    #[serde(default)]
    pub server: Option<String>,
    /// From 1, at its server.
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
    /// The first is the next; of several servers, who is next at each comes before who is not. At most 200 of each.
    pub items: Vec<QueuedSession>,
    /// How many wait, those too that are not listed.
    #[serde(default)]
    pub waiting: u64,
    /// Of all servers together.
    pub places: QueuePlaces,
    /// The places of each, where there are several servers: those of one are memory of its machine.
    #[serde(default)]
    pub servers: Vec<ServerPlaces>,
    /// Servers that did not answer in time; what waits there, and their places, are missing.
    #[serde(default)]
    pub not_answering: Vec<String>,
}

/// One of several servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerPlaces {
    #[schema(example = "http://10.0.0.7:7410")]
    pub server: String,
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
    /// Whether one more sandbox of the usual size would have a place at once, of a person who has none.
    #[serde(default)]
    pub has_place: bool,
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
            has_place: taken.has_place,
        }
    }
}

impl QueuePlaces {
    /// What is taken at both, of what there is; no bound, where one has none.
    fn and(self, other: Self) -> Self {
        let both = |one: Option<u32>, other: Option<u32>| Some(one?.saturating_add(other?));
        let bytes = self.max_memory_bytes.zip(other.max_memory_bytes);
        Self {
            sandboxes: self.sandboxes.saturating_add(other.sandboxes),
            max_sandboxes: both(self.max_sandboxes, other.max_sandboxes),
            max_sandboxes_per_person: both(self.max_sandboxes_per_person, other.max_sandboxes_per_person),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            max_memory_bytes: bytes.map(|(one, other)| one.saturating_add(other)),
            has_place: self.has_place || other.has_place,
        }
    }
}

/// Sessions that wait for a sandbox, in their order; of several servers, those of all.
#[utoipa::path(get, path = "/queue", operation_id = "list_queue", tag = "sessions",
    responses((status = 200, body = QueueList)))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
    asking: Asking,
) -> Result<Json<QueueList>, Problem> {
    all(&app, &caller, &asking).await.map(Json)
}

/// Another server that has a place for a new session, the one with the fewest sandboxes; `None` if none has.
pub(in crate::http) async fn with_place(app: &App, asking: &Asking) -> Option<ServerInfo> {
    let parts = asking.others::<QueueList>(app, PATH).await.ok()?;
    let places = parts.into_iter().filter_map(|(server, list)| Some((list?.places, server)));
    let free = places.filter(|(places, _)| places.has_place);
    free.min_by_key(|(places, _)| places.sandboxes).map(|(_, server)| server)
}

async fn all(app: &App, caller: &Caller, asking: &Asking) -> Result<QueueList, Problem> {
    let ours = here(app, caller).await?;
    Ok(match asking.all(app, PATH, ours).await? {
        Told::Alone(ours) => ours,
        Told::Among(among) => together(among),
    })
}

async fn here(app: &App, caller: &Caller) -> Result<QueueList, Problem> {
    let (mut items, queue) = (Vec::new(), app.engine.queue());
    let waiting = queue.len() as u64;
    for entry in queue.into_iter().take(MAX_ENTRIES) {
        let view = app.engine.view(&entry.session).await?;
        items.push(QueuedSession {
            id: view.id.into(),
            title: view.title,
            repository: view.repository,
            person: entry.person,
            status: Phase::Queued,
            server: None,
            queue_position: entry.position,
            estimated_wait_seconds: entry.estimated_wait_ms.div_ceil(1000),
            priority: entry.priority,
            queued_since: Moment(entry.since),
            reason: entry.why,
        });
    }
    let items = seen(app, caller, items, |waiting| Some(&waiting.repository)).await;
    let places = app.engine.places().into();
    Ok(QueueList { items, waiting, places, servers: Vec::new(), not_answering: Vec::new() })
}

/// Who is next at each server, then who comes after them.
fn together(Among { ours, others, not_answering }: Among<QueueList>) -> QueueList {
    let places = others.iter().fold(ours.1.places, |all, (_, list)| all.and(list.places));
    let (mut items, mut servers, mut waiting) = (Vec::new(), Vec::new(), 0);
    for (server, list) in std::iter::once(ours).chain(others) {
        waiting += list.waiting;
        let at = |waiting| QueuedSession { server: Some(server.clone()), ..waiting };
        items.extend(list.items.into_iter().map(at));
        servers.push(ServerPlaces { server, places: list.places });
    }
    items.sort_by_key(|waiting| (waiting.queue_position, waiting.queued_since.0));
    servers.sort_by(|a, b| a.server.cmp(&b.server));
    QueueList { items, waiting, places, servers, not_answering }
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

/// The same of many, each as its own server has it.
pub(in crate::http) async fn listed(
    app: &App,
    caller: &Caller,
    asking: &Asking,
    summaries: Vec<session::SessionSummary>,
) -> Result<Vec<SessionSummary>, Problem> {
    let mut places: HashMap<String, (u32, u64)> = HashMap::new();
    for QueueEntry { session, position, estimated_wait_ms, .. } in app.engine.queue() {
        places.insert(session.to_string(), (position, estimated_wait_ms.div_ceil(1000)));
    }
    let waits_elsewhere = |summary: &session::SessionSummary| {
        summary.phase == session::Phase::Queued && !places.contains_key(summary.id.as_str())
    };
    if summaries.iter().any(waits_elsewhere) {
        for waiting in all(app, caller, asking).await?.items {
            places.insert(waiting.id, (waiting.queue_position, waiting.estimated_wait_seconds));
        }
    }
    let shown = |summary: session::SessionSummary| {
        let (position, wait) = places.get(summary.id.as_str()).copied().unzip();
        SessionSummary { queue_position: position, estimated_wait_seconds: wait, ..summary.into() }
    };
    Ok(summaries.into_iter().map(shown).collect())
}
