//! `POST /automations`

use super::{Automation, AutomationTrigger};
use crate::http::access::{Caller, may_begin, may_use};
use crate::http::problem::Problem;
use crate::http::resources::Network;
use crate::http::{App, extract};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lamplight_engine::automations::{NewAutomation, Owner, Task};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new automation; what is left out is as configured, each time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAutomationRequest {
    /// Unlike every other's; at most 80 characters.
    pub name: String,
    /// Absolute path of a git repository on the server's machine. Where it waits for what happens on GitHub it is a clone of one there, and
    /// sessions begin with what is there.
    pub repository: String,
    /// What each session is asked for. What happened on GitHub is told after it, quoted.
    pub text: String,
    pub trigger: AutomationTrigger,
    /// The branch to start from; left out, the one that is checked out, or what the trigger is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The agent's own id of a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Of each session, in millionths of a dollar; 0 is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_micros: Option<u64>,
}

/// Makes an automation. Its sessions are those of whoever makes it, with their rights and budgets.
#[utoipa::path(post, path = "/automations", operation_id = "create_automation", tag = "automations", request_body = NewAutomationRequest,
    responses(
        (status = 201, body = Automation, headers(("Location", description = "Path of the automation"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, cron_invalid, cron_never, timezone_unknown, repository_not_found, agent_unknown, agent_not_installed"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "repository_not_allowed"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "automation_name_taken, too_many_automations, no_forge, no_webhook, repository_not_listed")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
    extract::Json(request): extract::Json<NewAutomationRequest>,
) -> Result<Response, Problem> {
    may_begin(&app, &caller, &request.repository).await?;
    let trigger = request.trigger.into();
    let works_in = app.engine.new_automation_works_in(&request.repository, &trigger).await?;
    may_use(&app, &caller, &works_in).await?;
    let network = request.network.map(lamplight_domain::Network::try_from).transpose();
    let network = network.map_err(|error| Problem::invalid_request(error.to_string()))?;
    let owner = Owner {
        id: caller.known().map(|known| known.person.id.clone()),
        name: caller.person(&app).await?.name,
    };
    let task = Task {
        text: request.text,
        base: request.base,
        agent: request.agent,
        model: request.model,
        network,
        budget_micros: request.budget_micros,
    };
    let (name, repository) = (request.name, request.repository);
    let made = app.engine.add_automation(NewAutomation { name, owner, repository, task, trigger }).await?;
    let location = format!("/api/v1/automations/{}", made.id);
    let automation = Automation::of(made, &caller);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(automation)).into_response())
}
