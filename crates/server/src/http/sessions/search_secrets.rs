//! `POST /sessions/{id}/secrets/search`

use crate::http::App;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use lamplight_engine::Searched;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where secrets of the server were looked for in a session, and found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretSearch {
    /// How many were looked for, each in every form.
    pub secrets: u64,
    pub processes: u64,
    pub files: u64,
    /// Of files and memory together.
    pub bytes: u64,
    /// At most a hundred; none is how it should be.
    pub found: Vec<FoundSecret>,
    /// What could not be read, and why; at most a hundred.
    pub unread: Vec<String>,
    /// Whether the time was enough for everything.
    pub complete: bool,
}

/// A secret where none should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundSecret {
    #[schema(example = "openai key")]
    pub name: String,
    /// In words.
    pub place: String,
}

/// Looks for every secret that the server knows in the session's files, and in the command lines, environments and memory of its
/// processes. Nothing inside is asked. Takes 45 s at most.
#[utoipa::path(post, path = "/sessions/{id}/secrets/search", operation_id = "search_secrets", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = SecretSearch), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
) -> Result<Json<SecretSearch>, Problem> {
    let (secrets, searched) = app.engine.search_secrets(&id).await?;
    let Searched { processes, files, bytes, found, unread, is_complete } = searched;
    let found = found.into_iter().map(|found| FoundSecret { name: found.name, place: found.place });
    let secrets = u64::try_from(secrets).unwrap_or(u64::MAX);
    Ok(Json(SecretSearch {
        secrets,
        processes,
        files,
        bytes,
        found: found.collect(),
        unread,
        complete: is_complete,
    }))
}
