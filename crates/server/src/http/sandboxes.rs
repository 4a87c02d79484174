//! `GET /sandboxes`

use super::App;
use super::access::{Caller, seen};
use super::all_servers::{Among, Asking, Told};
use super::problem::Problem;
use super::resources::{Moment, Phase, SandboxState};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use lamplight_domain::sandbox::Wall;
use lamplight_engine::{LentState, SandboxInfo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where this is, for other servers.
const PATH: &str = "/api/v1/sandboxes";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxList {
    pub items: Vec<SandboxItem>,
    /// Of several servers, those that did not answer in time: their sandboxes are missing.
    #[serde(default)]
    pub not_answering: Vec<String>,
}

/// A sandbox that runs or stands still, with what it uses now. `null` is what is not known; of a limit, that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxItem {
    /// Whose it is. Where there is neither `title` nor `lent`, a repository's setup runs in it, for sessions to come.
    pub session: String,
    /// Which of the session's sandboxes, from 1.
    pub generation: u32,
    /// On whose machine it is, if there are several servers.
    #[serde(default)]
    pub server: Option<String>,
    pub title: Option<String>,
    /// It is no session's, but lent to a program of the person's; `session` is its own id then.
    pub lent: Option<Lent>,
    pub repository: Option<String>,
    /// The name of whom it is for.
    pub person: Option<String>,
    /// Of the session.
    pub phase: Option<Phase>,
    pub state: SandboxState,
    pub age_ms: Option<u64>,
    /// Without what the kernel keeps of files and gives back as soon as somebody needs it.
    pub memory_bytes: Option<u64>,
    pub memory_limit_bytes: Option<u64>,
    /// With threads.
    pub processes: Option<u64>,
    pub processes_limit: Option<u64>,
    /// Processor time since it was made.
    pub cpu_ms: Option<u64>,
    /// In thousandths of one processor.
    pub cpu_limit_thousandths: Option<u64>,
    /// All files of the session, as they were within the last minute.
    pub disk_bytes: Option<u64>,
    pub disk_limit_bytes: Option<u64>,
}

/// A sandbox that is lent, as E2B's clients have one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lent {
    /// What it began with.
    pub template: String,
    /// When it is taken back or paused; of one that is paused, since when it is.
    #[schema(value_type = String, format = DateTime)]
    pub until: Moment,
}

/// The sandboxes that there are now, each with what it uses of what it may; of several servers, those of all.
#[utoipa::path(get, path = "/sandboxes", operation_id = "list_sandboxes", tag = "server", responses((status = 200, body = SandboxList)))]
pub(super) async fn handle(
    State(app): State<App>,
    caller: Caller,
    asking: Asking,
) -> Result<Json<SandboxList>, Problem> {
    let items = app.engine.sandboxes().await?.into_iter().map(SandboxItem::from).collect();
    let items = seen(&app, &caller, items, |item: &SandboxItem| item.repository.as_deref()).await;
    let ours = SandboxList { items, not_answering: Vec::new() };
    Ok(Json(match asking.all(&app, PATH, ours).await? {
        Told::Alone(ours) => ours,
        Told::Among(among) => together(among),
    }))
}

fn together(Among { ours, others, not_answering }: Among<SandboxList>) -> SandboxList {
    let at = |(server, list): (String, SandboxList)| {
        let at = move |item| SandboxItem { server: Some(server.clone()), ..item };
        list.items.into_iter().map(at)
    };
    let mut items: Vec<_> = std::iter::once(ours).chain(others).flat_map(at).collect();
    // Whichever is asked tells them in one order.
    items.sort_by(|a, b| (&a.server, &a.session, a.generation).cmp(&(&b.server, &b.session, b.generation)));
    SandboxList { items, not_answering }
}

/// Takes back a sandbox that is lent, by whoever has it or an admin: nothing of it is left. A session's is stopped by the session.
#[utoipa::path(delete, path = "/sandboxes/{id}", operation_id = "take_back_sandbox", tag = "server",
    params(("id" = String, Path, description = "As the list calls it")),
    responses((status = 204, description = "It is gone"), (status = 404, body = Problem)))]
pub(super) async fn take_back(
    State(app): State<App>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let person = caller.person(&app).await?;
    let lent = id.to_ascii_uppercase().parse().ok().and_then(|id| app.engine.lent_sandbox(&id));
    let theirs = lent.filter(|lent| caller.is_admin() || lent.person == person.name);
    if let Some(lent) = theirs
        && app.engine.take_back(&lent.id).await?
    {
        return Ok(StatusCode::NO_CONTENT);
    }
    let detail = format!("no sandbox {id} is lent to you");
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        "sandbox_not_lent",
        detail,
        "List the sandboxes: lamplight sandboxes.",
    ))
}

impl From<SandboxInfo> for SandboxItem {
    fn from(info: SandboxInfo) -> Self {
        let SandboxInfo { session, generation, used, view, lent } = info;
        let limit = |wall: Wall| {
            if let Some(lent) = &lent {
                return lent.limit(wall);
            }
            let rows = view.as_ref().and_then(|view| view.enforced.as_ref()).map(|enforced| &enforced.0);
            rows.into_iter().flatten().find(|row| row.wall == wall).and_then(|row| row.limit)
        };
        Self {
            memory_limit_bytes: limit(Wall::Memory),
            processes_limit: limit(Wall::Processes),
            cpu_limit_thousandths: limit(Wall::Cpu),
            disk_limit_bytes: limit(Wall::Disk),
            session: session.to_string(),
            generation: generation.0,
            server: None,
            state: match (&view, &lent) {
                (Some(view), _) => view.sandbox_state.into(),
                (None, Some(lent)) if lent.state != LentState::Running => SandboxState::Paused,
                (None, _) => SandboxState::Running,
            },
            phase: view.as_ref().map(|view| view.phase.into()),
            age_ms: used.age_ms,
            memory_bytes: used.memory_bytes,
            processes: used.processes,
            cpu_ms: used.cpu_ms,
            disk_bytes: used.disk_bytes,
            person: match (&view, &lent) {
                (Some(view), _) => Some(view.person.name.clone()),
                (None, lent) => lent.as_ref().map(|lent| lent.person.clone()),
            },
            lent: lent.map(|lent| Lent { template: lent.template, until: Moment(lent.ends_at) }),
            repository: view.as_ref().map(|view| view.repository.clone()),
            title: view.map(|view| view.title),
        }
    }
}
