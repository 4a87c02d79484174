//! `GET /status`

use super::App;
use super::access::Who;
use super::resources::Person;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The server itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    pub version: String,
    pub uptime_ms: u64,
    /// Sessions that are in memory now.
    pub sessions_awake: u64,
    #[schema(example = "local")]
    pub provider: String,
    pub default_agent: String,
    /// Model protocols that have an upstream: `openai`, `anthropic`, `gemini`.
    pub models_configured: Vec<String>,
    /// The models are a script, not real ones.
    pub scripted_model: bool,
    /// Who asks.
    pub person: Person,
}

/// What this server is and can do.
#[utoipa::path(get, path = "/status", operation_id = "show_status", tag = "server", responses((status = 200, body = Status)))]
pub(super) async fn handle(State(app): State<App>, Who(person): Who) -> Json<Status> {
    let engine = app.engine.status();
    Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_ms: u64::try_from(app.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        sessions_awake: u64::try_from(engine.sessions_awake).unwrap_or(u64::MAX),
        provider: engine.provider,
        default_agent: engine.default_agent,
        models_configured: engine.models_configured,
        scripted_model: app.config.models.scripted,
        person: person.into(),
    })
}
