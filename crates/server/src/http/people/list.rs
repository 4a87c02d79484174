//! `GET /people`

use super::{PersonView, RoleView};
use crate::http::App;
use crate::http::access::Signed;
use crate::http::problem::Problem;
use crate::http::resources::Moment;
use axum::Json;
use axum::extract::State;
use lamplight_engine::people::CredentialKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Everybody, the first one first, and who may still come.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PersonList {
    pub items: Vec<PersonView>,
    pub invitations: Vec<Invitation>,
}

/// An invitation that nobody has used yet.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    pub id: String,
    pub role: RoleView,
    /// The name of who invited.
    pub by: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Moment>,
}

/// Everybody who may use this server.
#[utoipa::path(get, path = "/people", operation_id = "list_people", tag = "people",
    responses((status = 200, body = PersonList), (status = 409, body = Problem, content_type = "application/problem+json", description = "no_sign_in")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Signed(_): Signed,
) -> Result<Json<PersonList>, Problem> {
    let mut items = Vec::new();
    for person in app.engine.people().await? {
        items.push(PersonView::of(&app, person).await?);
    }
    let invitations = app.engine.invitations().await?.into_iter().filter_map(|one| match one.kind {
        CredentialKind::Invitation { role, by } => {
            Some(Invitation { id: one.id, role: role.into(), by, expires_at: one.expires_at.map(Moment) })
        }
        CredentialKind::Setup
        | CredentialKind::Link { .. }
        | CredentialKind::Token { .. }
        | CredentialKind::Browser { .. } => None,
    });
    Ok(Json(PersonList { items, invitations: invitations.collect() }))
}
