//! People, and what lets them in. Of a secret there is its hash alone.

mod changes;
mod face;
mod reading;

pub(crate) use changes::change;
pub(crate) use reading::{credential, credentials, identities, known, people, person_named, person_of};

use crate::SealedSecret;
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

/// The name of the secret that something may be done elsewhere by in the name of the person with this id. It goes with them.
pub fn own_secret(person: &str) -> String {
    format!("person:{person}")
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
        /// What may be done elsewhere in their name; see [`own_secret`].
        token: Option<Box<SealedSecret>>,
    },
    /// Another in the place of the one with this nonce, if that is still there.
    KeepToken {
        former: Vec<u8>,
        token: SealedSecret,
    },
    /// The one with this nonce does not count any more.
    DropToken {
        name: String,
        nonce: Vec<u8>,
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
    /// All browsers of somebody, and what may be done elsewhere in their name.
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
            Self::Enter { person, token, .. } => {
                let token = token.as_ref().map_or(0, |token| token.ciphertext.len());
                1024 + token + person.as_ref().map_or(0, |person| person.name.len() + person.email.len())
            }
            Self::KeepToken { token, .. } => 256 + token.ciphertext.len(),
            Self::Add(_) | Self::AddOnly(_) | Self::Renew { .. } => 1024,
            Self::DropToken { .. }
            | Self::SetRole { .. }
            | Self::Remove { .. }
            | Self::Forget { .. }
            | Self::ForgetBrowsers { .. }
            | Self::Used { .. } => 256,
        }
    }
}
