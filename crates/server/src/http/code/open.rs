//! `GET /sessions/{id}/code/open`

use crate::http::App;
use crate::http::access::Caller;
use crate::http::extract::Id;
use crate::http::ports::open::lead;
use crate::http::problem::Problem;
use crate::preview::PreviewHost;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use lamplight_engine::{CODE_PORT, CommandError};

/// Leads a browser to VS Code, by an address that lets it in and counts for a minute. It is started by `POST`, never by this.
#[utoipa::path(get, path = "/sessions/{id}/code/open", operation_id = "open_code", tag = "code", params(("id" = String, Path)),
    responses(
        (status = 303, description = "To VS Code, on its own origin"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found, nothing_listens")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
    Id(session): Id,
    headers: HeaderMap,
) -> Result<(StatusCode, [(HeaderName, String); 2]), Problem> {
    if !app.engine.code(&session).await?.running {
        return Err(CommandError::invalid(
            "nothing_listens",
            "VS Code does not run in the session's sandbox",
            "Start it on the session's page, or with `lamplight code`.",
        )
        .into());
    }
    lead(&app, &caller, &PreviewHost { session, port: CODE_PORT }, &headers)
}
