//! `GET /guards`: the policy of guards, and what it says of one session.

use super::App;
use super::access::{Caller, may_begin};
use super::extract::Query;
use super::people::RoleView;
use super::problem::Problem;
use super::resources::GuardLimit;
use axum::Json;
use axum::extract::State;
use lamplight_domain::{GuardRule, Role};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What holds of a new session that asks for nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardsReport {
    /// `null` is any that no rule names.
    pub repository: Option<String>,
    pub role: RoleView,
    /// The rule that counts, from 1; `null` where none fits.
    pub rule: Option<usize>,
    pub guards: Vec<GuardLimit>,
    /// The whole policy, in its order; empty for whoever is no admin.
    pub rules: Vec<GuardRuleView>,
}

/// A rule of the policy. The first that fits counts; what it says nothing of is as for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardRuleView {
    /// From 1.
    pub rule: usize,
    /// The path of a repository, where `*` stands for anything within a name and `**` for anything; `null` is any.
    pub repository: Option<String>,
    /// `null` is any.
    pub role: Option<RoleView>,
    /// What it says itself; a limit of 0 is no bound.
    pub guards: Vec<GuardLimit>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Absolute path, on the server's machine.
    repository: Option<String>,
    /// Of whoever would begin the session; who asks, if it is not said.
    role: Option<RoleView>,
}

/// What the policy of guards says of a session on this repository that somebody with this role begins.
#[utoipa::path(get, path = "/guards", operation_id = "show_guards", tag = "server", params(Asked),
    responses(
        (status = 200, body = GuardsReport),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, repository_not_found"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "repository_not_allowed")))]
pub(super) async fn handle(
    State(app): State<App>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Json<GuardsReport>, Problem> {
    let repository = match asked.repository {
        Some(path) => {
            may_begin(&app, &caller, &path).await?;
            Some(app.engine.repository_at(&path).await?.to_string_lossy().into_owned())
        }
        None => None,
    };
    let role = asked.role.map_or_else(|| caller.role(), Role::from);
    let (policy, path) = (app.engine.guard_policy(), repository.as_deref().unwrap_or_default());
    let rule = policy.rule(path, role).map(|rule| rule + 1);
    let guards = GuardLimit::all(&app.engine.limits_for(path, role));
    let rules = match caller.is_admin() {
        true => policy.rules.iter().zip(1..).map(|(rule, n)| GuardRuleView::of(n, rule)).collect(),
        false => Vec::new(),
    };
    Ok(Json(GuardsReport { repository, role: role.into(), rule, guards, rules }))
}

impl GuardRuleView {
    fn of(rule: usize, of: &GuardRule) -> Self {
        Self {
            rule,
            repository: of.repository.as_ref().map(|pattern| pattern.as_str().to_owned()),
            role: of.role.map(RoleView::from),
            guards: GuardLimit::said(&of.limits),
        }
    }
}
