//! People, and what lets them in. Of a secret there is its hash alone.

mod changes;
mod face;
mod reading;

pub(crate) use changes::change;
pub(crate) use reading::{credential, credentials, identities, known, people, person_of};

use lamplight_domain::{Role, Scope, Timestamp};
use serde::{Deserialize, Serialize};

/// SHA-256 of a secret.
pub type SecretHash = [u8; 32];

/// Somebody who may use this server, or might once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    pub id: String,
    /// Unlike everybody else's, in lower case too, and theirs for good.
    pub name: String,
    pub email: String,
    pub role: Role,
    pub created_at: Timestamp,
    pub removed_at: Option<Timestamp>,
}

/// Whom somebody else knows a person as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub issuer: String,
    /// Never given to anybody else by the issuer.
    pub subject: String,
    pub person: String,
    pub login: String,
}

/// Something that lets somebody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub id: String,
    pub hash: SecretHash,
    pub kind: CredentialKind,
    pub created_at: Timestamp,
    /// `None` counts until it is revoked.
    pub expires_at: Option<Timestamp>,
    pub used_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CredentialKind {
    /// For programs.
    Token { person: String, name: String, scope: Scope },
    /// In a cookie; its secret was made at `since`.
    Browser { person: String, since: Timestamp },
    /// Lets a known person in, once.
    Link { person: String },
    /// Makes somebody a person, once. `by` names who invited.
    Invitation { role: Role, by: String },
    /// Makes somebody an owner, once; one at a time.
    Setup,
}

impl CredentialKind {
    pub fn person(&self) -> Option<&str> {
        match self {
            Self::Token { person, .. } | Self::Browser { person, .. } | Self::Link { person } => Some(person),
            Self::Invitation { .. } | Self::Setup => None,
        }
    }

    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Token { .. } => "token",
            Self::Browser { .. } => "browser",
            Self::Link { .. } => "link",
            Self::Invitation { .. } => "invitation",
            Self::Setup => "setup",
        }
    }
}

/// One thing that is done, whole or not at all.
#[derive(Debug, Clone)]
pub enum PeopleChange {
    /// Uses up an invitation or a link, or nothing where somebody is let in by what the issuer of `identity` says of them.
    Enter {
        once: Option<SecretHash>,
        now: Timestamp,
        /// Who is new.
        person: Option<Box<PersonRow>>,
        identity: Option<Box<Identity>>,
        credential: Credential,
    },
    SetRole {
        person: String,
        role: Role,
    },
    /// With all that lets them in.
    Remove {
        person: String,
        at: Timestamp,
    },
    Add(Credential),
    /// In place of every other of its kind.
    AddOnly(Credential),
    /// `person`: only if it is theirs.
    Forget {
        id: String,
        person: Option<String>,
    },
    /// All browsers of somebody.
    ForgetBrowsers {
        person: String,
    },
    Used {
        id: String,
        at: Timestamp,
    },
    /// Another secret for the same browser; the former counts for requests that are under way.
    Renew {
        id: String,
        former: SecretHash,
        hash: SecretHash,
        kind: CredentialKind,
        former_until: Timestamp,
    },
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeopleOutcome {
    Done,
    /// There is no such person or credential (any more).
    NotFound,
    NameTaken,
    /// There has to be an owner.
    LastOwner,
}

impl PeopleChange {
    /// Bytes that it adds to a transaction, roughly.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Enter { person, .. } => {
                1024 + person.as_ref().map_or(0, |person| person.name.len() + person.email.len())
            }
            Self::Add(_) | Self::AddOnly(_) | Self::Renew { .. } => 1024,
            Self::SetRole { .. }
            | Self::Remove { .. }
            | Self::Forget { .. }
            | Self::ForgetBrowsers { .. }
            | Self::Used { .. } => 256,
        }
    }
}
