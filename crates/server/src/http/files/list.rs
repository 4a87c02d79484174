//! `GET /sessions/{id}/files`

use super::Place;
use crate::http::App;
use crate::http::extract::{Id, Query};
use crate::http::problem::Problem;
use crate::http::resources::Moment;
use axum::Json;
use axum::extract::State;
use lamplight_domain::Timestamp;
use lamplight_engine::{FileKind as Kind, FolderEntry as Entry};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FolderListing {
    /// Absolute, in the sandbox.
    pub path: String,
    /// In the order of the names; at most 2000.
    pub entries: Vec<FolderEntry>,
    /// There is more than is told.
    pub truncated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FolderEntry {
    /// What is no UTF-8 in it is U+FFFD, and such a thing cannot be asked for.
    pub name: String,
    pub kind: FileKind,
    pub bytes: u64,
    #[schema(value_type = String, format = DateTime)]
    pub modified_at: Moment,
    /// The permission bits.
    pub mode: u32,
    /// Of a link: where it says that it leads.
    pub target: Option<String>,
    /// Of a link: what is there; `null` when nothing is.
    pub leads_to: Option<FileKind>,
}

/// `other` is a device, a pipe or a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    File,
    Folder,
    Link,
    Other,
}

/// What is in a folder of the session's sandbox, which has to run. Links are told, not followed.
#[utoipa::path(get, path = "/sessions/{id}/files", operation_id = "list_files", tag = "sessions", params(("id" = String, Path), Place),
    responses(
        (status = 200, body = FolderListing),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "file_denied"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found, file_not_found"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "sandbox_paused, sandbox_starting, no_sandbox, sandbox_lost, sandbox_too_old, file_failed")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
    Query(place): Query<Place>,
) -> Result<Json<FolderListing>, Problem> {
    let (path, folder) = app.engine.folder(&id, &place.path).await?;
    let entries = folder.entries.into_iter().map(FolderEntry::from).collect();
    Ok(Json(FolderListing { path, entries, truncated: folder.more }))
}

impl From<Entry> for FolderEntry {
    fn from(entry: Entry) -> Self {
        Self {
            name: entry.name,
            kind: entry.kind.into(),
            bytes: entry.bytes,
            modified_at: Moment(clamped(entry.modified_ms)),
            mode: entry.mode,
            target: entry.target,
            leads_to: entry.leads_to.map(FileKind::from),
        }
    }
}

/// A file's time is whatever somebody inside says; what is no date of ours is the nearest one.
fn clamped(ms: i64) -> Timestamp {
    /// 9999-12-31.
    const LATEST: i64 = 253_402_214_400_000;
    Timestamp(ms.clamp(0, LATEST))
}

impl From<Kind> for FileKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File,
            Kind::Folder => Self::Folder,
            Kind::Link => Self::Link,
            Kind::Other => Self::Other,
        }
    }
}
