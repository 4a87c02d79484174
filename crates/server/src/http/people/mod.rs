//! People: who may use this server, and as what.

pub mod invite;
pub mod link;
pub mod list;
pub mod remove;
pub mod set_role;
pub mod tokens;
pub mod uninvite;

use super::App;
use super::problem::Problem;
use super::resources::Moment;
use axum::http::StatusCode;
use lamplight_domain::{Role, Scope};
use lamplight_engine::people::{Known, PersonRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Each may do what those before may, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleView {
    /// Looks at everything.
    Viewer,
    /// Starts and steers sessions of the repositories that they may use.
    Member,
    /// Keys, budgets, people; any repository.
    Admin,
    /// Also who else is an owner.
    Owner,
}

/// How much of what its owner may do a token may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeView {
    Read,
    Write,
    Admin,
}

/// Somebody who may use this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonView {
    pub id: String,
    /// As commits and logs say it.
    pub name: String,
    pub email: String,
    pub role: RoleView,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Moment,
    /// How others who sign people in know them, such as a name on GitHub.
    pub logins: Vec<String>,
}

/// The secret of an invitation or a link, which is said once: it belongs behind `/sign-in#` of the page's address.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Once {
    pub id: String,
    pub secret: String,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Option<Moment>,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Member => Self::Member,
            Role::Admin => Self::Admin,
            Role::Owner => Self::Owner,
        }
    }
}

impl From<RoleView> for Role {
    fn from(role: RoleView) -> Self {
        match role {
            RoleView::Viewer => Self::Viewer,
            RoleView::Member => Self::Member,
            RoleView::Admin => Self::Admin,
            RoleView::Owner => Self::Owner,
        }
    }
}

impl From<Scope> for ScopeView {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Read => Self::Read,
            Scope::Write => Self::Write,
            Scope::Admin => Self::Admin,
        }
    }
}

impl From<ScopeView> for Scope {
    fn from(scope: ScopeView) -> Self {
        match scope {
            ScopeView::Read => Self::Read,
            ScopeView::Write => Self::Write,
            ScopeView::Admin => Self::Admin,
        }
    }
}

impl PersonView {
    async fn of(app: &App, person: PersonRow) -> Result<Self, Problem> {
        let identities = app.engine.identities(&person.id).await?;
        Ok(Self {
            logins: identities.into_iter().map(|identity| identity.login).collect(),
            id: person.id,
            name: person.name,
            email: person.email,
            role: person.role.into(),
            created_at: Moment(person.created_at),
        })
    }
}

/// Owners, and what makes one, are for owners alone.
fn may_touch(known: &Known, role: Role) -> Result<(), Problem> {
    if role < Role::Owner || known.person.role == Role::Owner {
        return Ok(());
    }
    let detail = "only an owner makes, changes or removes an owner";
    Err(Problem::new(StatusCode::FORBIDDEN, "role_too_low", detail, "Ask an owner of this server."))
}
