//! What every route of the API needs: the one place where that is said.

use axum::http::Method;
use lamplight_domain::{Role, Scope};

/// What somebody has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Anybody may; what it does, it judges itself.
    Open,
    /// Everybody who is in.
    Look,
    /// A member, for what they do to their own.
    Start,
    /// A member who may use the repository of the session that `{id}` names.
    Steer,
    /// Everybody, for what lets themselves in.
    Account,
    /// An admin. What only owners may, such as making owners, the handlers of people say.
    Administer,
}

impl Need {
    /// The least role, and the least scope of a token.
    pub fn asks(self) -> (Role, Scope) {
        match self {
            Self::Open | Self::Look => (Role::Viewer, Scope::Read),
            Self::Start | Self::Steer => (Role::Member, Scope::Write),
            Self::Account => (Role::Viewer, Scope::Admin),
            Self::Administer => (Role::Admin, Scope::Admin),
        }
    }
}

/// Where metrics are: not below `/api/v1`.
pub const METRICS: &str = "/metrics";

/// Method, path below `/api/v1`, and what it needs.
pub const TABLE: &[(&str, &str, Need)] = &[
    ("GET", "/sessions", Need::Look),
    ("POST", "/sessions", Need::Start),
    ("POST", "/sessions/ahead", Need::Start),
    ("GET", "/sessions/{id}", Need::Look),
    ("POST", "/sessions/{id}/prompts", Need::Steer),
    ("PUT", "/sessions/{id}/prompts/{prompt}", Need::Steer),
    ("DELETE", "/sessions/{id}/prompts/{prompt}", Need::Steer),
    // Past which guard, their role says.
    ("POST", "/sessions/{id}/continue", Need::Steer),
    ("POST", "/sessions/{id}/stop", Need::Steer),
    ("POST", "/sessions/{id}/retry", Need::Steer),
    ("POST", "/sessions/{id}/pause", Need::Steer),
    ("POST", "/sessions/{id}/resume", Need::Steer),
    ("POST", "/sessions/{id}/release", Need::Steer),
    ("POST", "/sessions/{id}/budget", Need::Administer),
    ("POST", "/sessions/{id}/priority", Need::Steer),
    ("POST", "/sessions/{id}/restore", Need::Steer),
    ("POST", "/sessions/{id}/model", Need::Steer),
    ("POST", "/sessions/{id}/permission", Need::Steer),
    ("POST", "/sessions/{id}/question", Need::Steer),
    ("GET", "/sessions/{id}/diff", Need::Look),
    ("POST", "/sessions/{id}/merge", Need::Steer),
    ("GET", "/sessions/{id}/pull-request", Need::Look),
    ("POST", "/sessions/{id}/pull-request", Need::Steer),
    ("POST", "/sessions/{id}/pull-request/ready", Need::Steer),
    ("POST", "/sessions/{id}/pull-request/close", Need::Steer),
    ("POST", "/sessions/{id}/pull-request/update", Need::Steer),
    ("POST", "/sessions/{id}/gateway-token", Need::Steer),
    ("GET", "/sessions/{id}/attempts", Need::Look),
    ("POST", "/sessions/{id}/take", Need::Steer),
    ("GET", "/sessions/{id}/children", Need::Look),
    ("POST", "/sessions/{id}/end", Need::Steer),
    ("POST", "/sessions/{id}/archive", Need::Steer),
    ("POST", "/sessions/{id}/unarchive", Need::Steer),
    ("POST", "/sessions/{id}/secrets/search", Need::Administer),
    ("GET", "/sessions/{id}/usage", Need::Look),
    ("GET", "/sessions/{id}/files", Need::Look),
    ("GET", "/sessions/{id}/files/content", Need::Look),
    ("PUT", "/sessions/{id}/files/content", Need::Steer),
    ("GET", "/sessions/{id}/artifacts", Need::Look),
    ("GET", "/sessions/{id}/log", Need::Look),
    ("GET", "/sessions/{id}/events", Need::Look),
    ("POST", "/attachments", Need::Start),
    ("GET", "/attachments/{id}", Need::Look),
    ("GET", "/sessions/{id}/terminals", Need::Look),
    ("POST", "/sessions/{id}/terminals", Need::Steer),
    ("DELETE", "/sessions/{id}/terminals/{terminal}", Need::Steer),
    // Who looks at a terminal types at it.
    ("GET", "/sessions/{id}/terminals/{terminal}/stream", Need::Steer),
    ("GET", "/sessions/{id}/code", Need::Look),
    ("POST", "/sessions/{id}/code", Need::Steer),
    ("GET", "/sessions/{id}/code/open", Need::Steer),
    ("GET", "/sessions/{id}/ports", Need::Look),
    // A program inside does what it is asked for.
    ("GET", "/sessions/{id}/ports/{port}/open", Need::Steer),
    ("GET", "/events", Need::Look),
    ("GET", "/agents", Need::Look),
    ("GET", "/audit", Need::Administer),
    ("GET", "/automations", Need::Look),
    ("POST", "/automations", Need::Start),
    ("GET", "/automations/{id}", Need::Look),
    // Whose it is, the handlers judge.
    ("DELETE", "/automations/{id}", Need::Start),
    ("POST", "/automations/{id}/pause", Need::Start),
    ("POST", "/automations/{id}/resume", Need::Start),
    ("POST", "/automations/{id}/run", Need::Start),
    ("GET", "/keys", Need::Administer),
    ("PUT", "/keys/{name}", Need::Administer),
    ("DELETE", "/keys/{name}", Need::Administer),
    ("POST", "/keys/{name}/test", Need::Administer),
    ("GET", "/hooks", Need::Administer),
    ("POST", "/hooks", Need::Administer),
    ("DELETE", "/hooks/{id}", Need::Administer),
    ("POST", "/hooks/{id}/test", Need::Administer),
    ("GET", "/hooks/{id}/deliveries", Need::Administer),
    ("POST", "/hooks/{id}/retry", Need::Administer),
    // Its rules are shown to admins.
    ("GET", "/guards", Need::Look),
    ("GET", "/models", Need::Look),
    ("GET", "/repositories", Need::Look),
    ("GET", "/repositories/offer", Need::Start),
    ("GET", "/sandboxes", Need::Look),
    // Whose it is, the handler judges.
    ("DELETE", "/sandboxes/{id}", Need::Start),
    ("GET", "/templates", Need::Administer),
    ("DELETE", "/templates/{id}", Need::Administer),
    ("GET", "/status", Need::Look),
    ("GET", "/usage", Need::Look),
    ("GET", "/queue", Need::Look),
    ("GET", "/github", Need::Administer),
    ("GET", METRICS, Need::Look),
    ("GET", "/openapi.json", Need::Open),
    ("GET", "/sign-in", Need::Open),
    ("POST", "/sign-in", Need::Open),
    ("POST", "/sign-in/{way}", Need::Open),
    ("GET", "/sign-in/{way}/callback", Need::Open),
    ("POST", "/sign-out", Need::Open),
    ("POST", "/sign-out/everywhere", Need::Account),
    ("GET", "/me", Need::Look),
    ("GET", "/tokens", Need::Look),
    ("POST", "/tokens", Need::Account),
    ("DELETE", "/tokens/{id}", Need::Account),
    ("GET", "/people", Need::Administer),
    ("POST", "/people/invitations", Need::Administer),
    ("DELETE", "/people/invitations/{id}", Need::Administer),
    ("PUT", "/people/{id}/role", Need::Administer),
    ("DELETE", "/people/{id}", Need::Administer),
    ("POST", "/people/{id}/link", Need::Administer),
    ("GET", "/people/{id}/tokens", Need::Administer),
    ("DELETE", "/people/{id}/tokens/{token}", Need::Administer),
];

/// What this route needs; `None` where nobody has said so.
pub(super) fn need(method: &Method, path: &str) -> Option<Need> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    TABLE.iter().find(|(ours, route, _)| *ours == method && *route == path).map(|(_, _, need)| *need)
}

/// Whether any method of this path has a row.
pub(super) fn has(path: &str) -> bool {
    TABLE.iter().any(|(_, route, _)| *route == path)
}
