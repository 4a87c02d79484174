//! `GET /sessions/{id}/artifacts`

use super::App;
use super::extract::Id;
use super::problem::Problem;
use axum::Json;
use axum::extract::State;
use lamplight_domain::artifact::KeptArtifact;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A file that a session offers as a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Artifact {
    /// Where what is in it is found: under `/attachments/{id}`.
    pub id: String,
    /// A path of plain names, such as `pages/light.png`.
    pub name: String,
    /// As that of an attachment.
    pub media_type: String,
    pub bytes: u64,
    /// At whose end it was found as it is.
    pub turn: u32,
}

/// Each name once; the newest last.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ArtifactList {
    pub items: Vec<Artifact>,
}

impl From<KeptArtifact> for Artifact {
    fn from(kept: KeptArtifact) -> Self {
        let KeptArtifact { turn, artifact } = kept;
        Self {
            id: artifact.blob,
            name: artifact.name,
            media_type: artifact.media_type,
            bytes: artifact.bytes,
            turn: turn.0,
        }
    }
}

/// The files that a session offers as results: what was in `.lamplight/artifacts` at the end of its turns. They outlive its sandbox.
#[utoipa::path(get, path = "/sessions/{id}/artifacts", operation_id = "list_artifacts", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 200, body = ArtifactList),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn handle(State(app): State<App>, Id(id): Id) -> Result<Json<ArtifactList>, Problem> {
    let items = app.engine.artifacts(&id).await?.into_iter().map(Artifact::from).collect();
    Ok(Json(ArtifactList { items }))
}
