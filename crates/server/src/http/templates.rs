//! `GET /templates` and `DELETE /templates/{id}`: what lent sandboxes begin with, of everybody, for admins. People manage their own with
//! E2B's clients.

use super::App;
use super::problem::Problem;
use super::resources::Moment;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use lamplight_engine::{LentTemplate, LentUploads, TemplateState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateList {
    /// The newest first.
    pub items: Vec<TemplateItem>,
    pub uploads: Vec<UploadsItem>,
}

/// A template or a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateItem {
    pub id: String,
    /// The name of whose it is; they may have been removed.
    pub person: String,
    /// `null` where it has none.
    pub name: Option<String>,
    pub tags: Vec<String>,
    pub state: TemplateStateView,
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemplateStateView {
    /// For its recipe.
    Waiting,
    Building,
    Ready,
    Failed,
}

/// All archives that somebody has uploaded for templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadsItem {
    pub id: String,
    /// `null` where nobody here is known who has uploaded them.
    pub person: Option<String>,
    pub files: u64,
    pub bytes: u64,
}

/// The templates, snapshots and uploads of everybody, also of who was removed.
#[utoipa::path(get, path = "/templates", operation_id = "list_templates", tag = "server", responses((status = 200, body = TemplateList)))]
pub(super) async fn list(State(app): State<App>) -> Result<Json<TemplateList>, Problem> {
    let items = app.engine.all_lent_templates().into_iter().map(TemplateItem::from).collect();
    let uploads = app.engine.lent_uploads().await?.into_iter().map(UploadsItem::from).collect();
    Ok(Json(TemplateList { items, uploads }))
}

/// Removes a template, or all that somebody has uploaded. Sandboxes that began with it keep their files.
#[utoipa::path(delete, path = "/templates/{id}", operation_id = "remove_template", tag = "server",
    params(("id" = String, Path, description = "Of a template or of uploads, as the list calls it")),
    responses((status = 204, description = "It is gone"), (status = 404, body = Problem, content_type = "application/problem+json", description = "template_not_found"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "template_building")))]
pub(super) async fn remove(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let removed = match id.to_ascii_uppercase().parse() {
        Ok(template) => app.engine.remove_lent_template(&template).await?,
        Err(_) => app.engine.remove_lent_uploads(&id).await?,
    };
    if removed {
        return Ok(StatusCode::NO_CONTENT);
    }
    let detail = format!("there is no template and are no uploads {id}");
    let what_to_do = "List them: lamplight sandboxes templates.";
    Err(Problem::new(StatusCode::NOT_FOUND, "template_not_found", detail, what_to_do))
}

impl From<LentTemplate> for TemplateItem {
    fn from(one: LentTemplate) -> Self {
        Self {
            id: one.id.to_string(),
            person: one.person,
            name: one.name,
            tags: one.tags,
            state: match one.state {
                TemplateState::Waiting => TemplateStateView::Waiting,
                TemplateState::Building => TemplateStateView::Building,
                TemplateState::Ready => TemplateStateView::Ready,
                TemplateState::Failed { .. } => TemplateStateView::Failed,
            },
            made_at: Moment(one.made_at),
        }
    }
}

impl From<LentUploads> for UploadsItem {
    fn from(LentUploads { id, person, files, bytes }: LentUploads) -> Self {
        Self { id, person, files, bytes }
    }
}
