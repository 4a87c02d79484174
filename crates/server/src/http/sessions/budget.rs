//! `POST /sessions/{id}/budget`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::audit::telling;
use crate::http::extract::{self, Id};
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;
use lamplight_domain::session::Dollars;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a session may cost.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetRequest {
    /// All turns together, in millionths of a dollar; 0 is no bound.
    pub budget_micros: u64,
}

/// Sets what all turns of the session together may cost. A turn that comes to it is stopped; what waits goes on when it is raised.
#[utoipa::path(post, path = "/sessions/{id}/budget", operation_id = "set_budget", tag = "sessions", params(("id" = String, Path)),
    request_body = BudgetRequest,
    responses(
        (status = 200, body = SessionView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
    extract::Json(request): extract::Json<BudgetRequest>,
) -> Result<Json<SessionView>, Problem> {
    let by = telling(by, &Dollars(request.budget_micros).to_string());
    Ok(Json(app.engine.set_budget(&id, request.budget_micros, by).await?.into()))
}
