//! Tokens: what lets a program in, for one person.

pub mod create;
pub mod list;
pub mod revoke;

use super::people::ScopeView;
use super::resources::Moment;
use lamplight_engine::people::{Credential, CredentialKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A token, without its text, which is said once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    pub id: String,
    pub name: String,
    pub scope: ScopeView,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Moment,
    /// `null` counts until it is revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Moment>,
    /// To ten minutes.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_at: Option<Moment>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    pub items: Vec<Token>,
}

impl Token {
    /// `None` of what is no token.
    fn of(credential: Credential) -> Option<Self> {
        match credential.kind {
            CredentialKind::Token { name, scope, .. } => Some(Self {
                id: credential.id,
                name,
                scope: scope.into(),
                created_at: Moment(credential.created_at),
                expires_at: credential.expires_at.map(Moment),
                used_at: credential.used_at.map(Moment),
            }),
            CredentialKind::Browser { .. }
            | CredentialKind::Link { .. }
            | CredentialKind::Invitation { .. }
            | CredentialKind::Setup => None,
        }
    }
}

impl From<Vec<Credential>> for TokenList {
    fn from(all: Vec<Credential>) -> Self {
        Self { items: all.into_iter().filter_map(Token::of).collect() }
    }
}
