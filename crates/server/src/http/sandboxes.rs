//! `GET /sandboxes`

use super::App;
use super::problem::Problem;
use super::resources::{Phase, SandboxState};
use axum::Json;
use axum::extract::State;
use lamplight_domain::sandbox::Wall;
use lamplight_engine::SandboxInfo;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxList {
    pub items: Vec<SandboxItem>,
}

/// A sandbox that runs or stands still, with what it uses now. `null` is what is not known; of a limit, that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxItem {
    /// Whose it is. Where there is no `title`, a repository's setup runs in it, for sessions to come.
    pub session: String,
    /// Which of the session's sandboxes, from 1.
    pub generation: u32,
    pub title: Option<String>,
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

/// The sandboxes that there are now, each with what it uses of what it may.
#[utoipa::path(get, path = "/sandboxes", operation_id = "list_sandboxes", tag = "server", responses((status = 200, body = SandboxList)))]
pub(super) async fn handle(State(app): State<App>) -> Result<Json<SandboxList>, Problem> {
    let items = app.engine.sandboxes().await?.into_iter().map(SandboxItem::from);
    Ok(Json(SandboxList { items: items.collect() }))
}

impl From<SandboxInfo> for SandboxItem {
    fn from(info: SandboxInfo) -> Self {
        let SandboxInfo { session, generation, used, view } = info;
        let limit = |wall: Wall| {
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
            state: view.as_ref().map_or(SandboxState::Running, |view| view.sandbox_state.into()),
            phase: view.as_ref().map(|view| view.phase.into()),
            age_ms: used.age_ms,
            memory_bytes: used.memory_bytes,
            processes: used.processes,
            cpu_ms: used.cpu_ms,
            disk_bytes: used.disk_bytes,
            person: view.as_ref().map(|view| view.person.name.clone()),
            repository: view.as_ref().map(|view| view.repository.clone()),
            title: view.map(|view| view.title),
        }
    }
}
