//! `GET /sessions/{id}/ports`

use crate::http::App;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::preview::PreviewHost;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A port at which a program in the sandbox listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Port {
    pub port: u16,
    /// Host and port of its preview, to which `…/ports/{port}/open` leads a browser.
    #[schema(example = "p3000-01jd5zk8w3q4r6t7v8x9y0z1a2.localhost:7410")]
    pub authority: String,
}

/// In order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PortList {
    pub items: Vec<Port>,
}

/// The ports at which programs listen, in order; none while no sandbox runs.
#[utoipa::path(get, path = "/sessions/{id}/ports", operation_id = "list_ports", tag = "ports", params(("id" = String, Path)),
    responses(
        (status = 200, body = PortList),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "sandbox_too_old")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Json<PortList>, Problem> {
    let page = page_host(&headers);
    let domain = app.config.server.preview_domain.as_deref();
    let port = |port| {
        let host = PreviewHost { session: id.clone(), port };
        Port { port, authority: host.authority(page, domain) }
    };
    let items = app.engine.ports(&id).await?.into_iter().map(port).collect();
    Ok(Json(PortList { items }))
}

/// Under which name our page is seen.
pub(in crate::http) fn page_host(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}
