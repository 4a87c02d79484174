//! `GET /me`

use super::App;
use super::access::Caller;
use super::people::{RoleView, ScopeView};
use super::problem::Problem;
use axum::Json;
use axum::extract::State;
use lamplight_domain::{Role, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who asks, and what they may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// `null` where there is no sign-in.
    pub id: Option<String>,
    pub name: String,
    pub email: String,
    pub role: RoleView,
    /// What of the role counts for this request: all of it in a browser, less with a token of a smaller scope.
    pub scope: ScopeView,
    /// Whether this server has a sign-in; without one, whoever is on its machine may do everything.
    pub signs_in: bool,
}

/// Who asks, and what they may.
#[utoipa::path(get, path = "/me", operation_id = "show_me", tag = "people",
    responses((status = 200, body = Me), (status = 401, body = Problem, content_type = "application/problem+json", description = "sign_in_required")))]
pub(super) async fn handle(State(app): State<App>, caller: Caller) -> Result<Json<Me>, Problem> {
    let person = caller.person(&app).await?;
    let known = caller.known();
    Ok(Json(Me {
        id: known.map(|known| known.person.id.clone()),
        name: person.name,
        email: person.email,
        role: known.map_or(Role::Owner, |known| known.person.role).into(),
        scope: known.map_or(Scope::Admin, |known| known.scope()).into(),
        signs_in: app.config.auth.required,
    }))
}
