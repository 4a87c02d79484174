//! `GET /sessions/{id}/ports/{port}/open`

use super::list::page_host;
use crate::clock;
use crate::http::App;
use crate::http::access::Caller;
use crate::http::problem::Problem;
use crate::preview::PreviewHost;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use lamplight_domain::SessionId;
use lamplight_engine::CommandError;

/// Leads a browser to the preview of a port, by an address that lets it in and counts for a minute.
#[utoipa::path(get, path = "/sessions/{id}/ports/{port}/open", operation_id = "open_port", tag = "ports",
    params(("id" = String, Path), ("port" = u16, Path)),
    responses(
        (status = 303, description = "To the preview, on its own origin"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found, nothing_listens")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
    Path((id, port)): Path<(String, u16)>,
    headers: HeaderMap,
) -> Result<(StatusCode, [(HeaderName, String); 2]), Problem> {
    let session: SessionId = id.parse().map_err(|_| Problem::session_not_found(&id))?;
    // Only what is listed: the guest's own ports are not for people.
    if !app.engine.ports(&session).await?.contains(&port) {
        return Err(CommandError::invalid(
            "nothing_listens",
            format!("no program in the sandbox listens at port {port}"),
            "Start it, or resume the session, then try again.",
        )
        .into());
    }
    lead(&app, &caller, &PreviewHost { session, port }, &headers)
}

/// By an address that lets a browser in, which counts for a minute.
pub(in crate::http) fn lead(
    app: &App,
    caller: &Caller,
    host: &PreviewHost,
    headers: &HeaderMap,
) -> Result<(StatusCode, [(HeaderName, String); 2]), Problem> {
    let by = caller.known().map(|known| known.credential.id.clone());
    let path = app.previews.entrance(host, by, clock::now());
    let path =
        path.map_err(|error| CommandError::Failed(anyhow::Error::new(error).context("make a pass")))?;
    let authority = host.authority(page_host(headers), app.config.server.preview_domain.as_deref());
    // By the scheme that our own page came by.
    let location = (header::LOCATION, format!("//{authority}{path}"));
    Ok((StatusCode::SEE_OTHER, [location, (header::CACHE_CONTROL, "no-store".to_owned())]))
}
