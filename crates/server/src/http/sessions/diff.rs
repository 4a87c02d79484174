//! `GET /sessions/{id}/diff`

use crate::http::App;
use crate::http::extract::{Id, Query};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use lamplight_domain::TurnNumber;
use lamplight_engine::review;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// One turn's work; the whole branch against its base when left out.
    turn: Option<u32>,
}

/// What changed between two commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Diff {
    pub base: String,
    pub head: String,
    pub files: Vec<FileDiff>,
    /// There is more than is shown.
    pub truncated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileDiff {
    pub path: String,
    /// Where a renamed file was before.
    pub old_path: Option<String>,
    pub status: FileStatus,
    /// What git calls the file's mode before and now, where that says something: `100644` a file, `100755` one that can be run,
    /// `120000` a symbolic link, `160000` a submodule.
    pub old_mode: Option<String>,
    pub new_mode: Option<String>,
    pub insertions: u32,
    pub deletions: u32,
    pub binary: bool,
    /// Unified hunks, as git writes them; empty for a binary file.
    pub patch: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    Added,
    Modified,
    Deleted,
    Renamed,
}

/// What the session changed.
#[utoipa::path(get, path = "/sessions/{id}/diff", operation_id = "diff_session", tag = "sessions", params(("id" = String, Path), Params),
    responses((status = 200, body = Diff), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
    Query(params): Query<Params>,
) -> Result<Json<Diff>, Problem> {
    Ok(Json(app.engine.diff(&id, params.turn.map(TurnNumber)).await?.into()))
}

impl From<review::Diff> for Diff {
    fn from(diff: review::Diff) -> Self {
        let files = diff.files.into_iter().map(FileDiff::from).collect();
        Self { base: diff.base, head: diff.head, files, truncated: diff.truncated }
    }
}

impl From<review::FileDiff> for FileDiff {
    fn from(file: review::FileDiff) -> Self {
        Self {
            path: file.path,
            old_path: file.old_path,
            status: match file.status {
                review::FileStatus::Added => FileStatus::Added,
                review::FileStatus::Modified => FileStatus::Modified,
                review::FileStatus::Deleted => FileStatus::Deleted,
                review::FileStatus::Renamed => FileStatus::Renamed,
            },
            old_mode: file.old_mode,
            new_mode: file.new_mode,
            insertions: file.insertions,
            deletions: file.deletions,
            binary: file.binary,
            patch: file.patch,
        }
    }
}
