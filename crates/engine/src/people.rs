//! Who may use this server, and what lets them in: tokens, browsers, links, invitations.
//!
//! ```text
//! setup or invitation ─ enter ─▶ a person ─┬─ a browser (its secret is renewed as it is used)
//! link ─ enter ────────────────▶           └─ tokens, of a scope
//! identity of an issuer ─ enter ▶            removed: nothing of theirs counts any more
//! ```
//! What is decided is read from the store at every request, so that what was revoked does not count from that moment on.

mod entering;
mod refusals;
mod secret;

pub use entering::{Entered, Entry};
pub use lamplight_store::{Credential, CredentialKind, Identity, PersonRow};
pub use secret::{Kind as SecretKind, random_text};

use crate::engine::{Engine, Shared};
use crate::error::CommandError;
use crate::{clock, ids};
use anyhow::Context as _;
use lamplight_domain::{Role, Scope, Timestamp};
use lamplight_store::{PeopleChange, PeopleOutcome};
pub(crate) use refusals::{NAME as LONGEST_NAME, clean as clean_name};
use refusals::{NAME, clean, last_owner, no_such_person};
use std::sync::Arc;
use tokio::sync::watch;

/// A browser stays signed in for so long at most, in milliseconds.
pub const BROWSER_MS: u64 = 14 * 24 * 60 * 60 * 1000;
/// The secret of a browser is renewed when it is older.
const RENEW_MS: u64 = 60 * 60 * 1000;
/// Requests that are under way may still come with the former one.
const FORMER_MS: u64 = 60 * 1000;
/// Invitations, links and the setup count for so long.
pub const ONCE_MS: u64 = 24 * 60 * 60 * 1000;
/// When something was used is written down no more often.
const USED_MS: u64 = 10 * 60 * 1000;
/// Tokens of one person.
const TOKENS: usize = 100;

/// Who asks, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub person: PersonRow,
    pub credential: Credential,
}

impl Known {
    /// How much of what the person may do counts here.
    pub fn scope(&self) -> Scope {
        match &self.credential.kind {
            CredentialKind::Token { scope, .. } => *scope,
            CredentialKind::Browser { .. } => Scope::Admin,
            CredentialKind::Link { .. } | CredentialKind::Invitation { .. } | CredentialKind::Setup => {
                Scope::Read
            }
        }
    }
}

/// What they get.
#[derive(Debug, Clone)]
pub enum Wanted {
    Browser,
    Token { name: String, scope: Scope, expires_ms: Option<u64> },
}

impl Engine {
    /// Whom a secret of this kind lets in.
    pub async fn identify(&self, kind: SecretKind, text: &str) -> Result<Option<Known>, CommandError> {
        let (Some(hash), now) = (secret::hash(kind, text), clock::now()) else { return Ok(None) };
        let Some((credential, Some(person))) = self.shared.store.credential(hash, now).await? else {
            return Ok(None);
        };
        let is_it = match credential.kind {
            CredentialKind::Token { .. } => kind == SecretKind::Token,
            CredentialKind::Browser { .. } => kind == SecretKind::Browser,
            CredentialKind::Link { .. } | CredentialKind::Invitation { .. } | CredentialKind::Setup => false,
        };
        if !is_it {
            return Ok(None);
        }
        self.note_use(&credential, now);
        Ok(Some(Known { person, credential }))
    }

    /// The same, later: `None` when it does not count any more.
    pub async fn known(&self, credential: &str) -> Result<Option<Known>, CommandError> {
        let found = self.shared.store.known(credential, clock::now()).await?;
        Ok(found.map(|(credential, person)| Known { person, credential }))
    }

    /// Told whenever something about people or what lets them in has changed.
    pub fn people_changes(&self) -> watch::Receiver<u64> {
        self.shared.people_changes.subscribe()
    }

    /// A new secret for a browser whose secret is old; the one that it has counts for a minute more.
    pub async fn renewed(&self, known: &Known, now: Timestamp) -> Result<Option<String>, CommandError> {
        let CredentialKind::Browser { person, since } = &known.credential.kind else { return Ok(None) };
        if now.since_ms(*since) < RENEW_MS {
            return Ok(None);
        }
        let (text, hash) = fresh(SecretKind::Browser)?;
        let change = PeopleChange::Renew {
            id: known.credential.id.clone(),
            former: known.credential.hash,
            hash,
            kind: CredentialKind::Browser { person: person.clone(), since: now },
            former_until: now.plus_ms(FORMER_MS),
        };
        let renewed = self.shared.store.change_people(change).await?;
        Ok((renewed == PeopleOutcome::Done).then_some(text))
    }

    /// The secret that makes the first owner, in place of the one before.
    pub async fn setup_secret(&self) -> Result<String, CommandError> {
        let (text, credential) = made(SecretKind::Once, CredentialKind::Setup, Some(ONCE_MS))?;
        self.change_people(PeopleChange::AddOnly(credential)).await?;
        Ok(text)
    }

    /// Makes an invitation; its secret, and when it ends.
    pub async fn invite(&self, role: Role, by: String) -> Result<(String, Credential), CommandError> {
        let kind = CredentialKind::Invitation { role, by };
        let (text, credential) = made(SecretKind::Once, kind, Some(ONCE_MS))?;
        self.change_people(PeopleChange::Add(credential.clone())).await?;
        Ok((text, credential))
    }

    /// Makes something that lets a known person in, once.
    pub async fn link(&self, person: &str) -> Result<(String, Credential), CommandError> {
        let person = self.person(person).await?.id;
        let (text, credential) = made(SecretKind::Once, CredentialKind::Link { person }, Some(ONCE_MS))?;
        self.change_people(PeopleChange::Add(credential.clone())).await?;
        Ok((text, credential))
    }

    /// Makes a token of somebody's.
    pub async fn create_token(
        &self,
        person: &str,
        name: String,
        scope: Scope,
        expires_ms: Option<u64>,
    ) -> Result<(String, Credential), CommandError> {
        let wanted = Wanted::Token { name, scope, expires_ms };
        let (kind, secret_kind, expires_ms) = wanted.kind(person)?;
        if self.tokens(person).await?.len() >= TOKENS {
            let message = format!("there are {TOKENS} tokens already");
            return Err(CommandError::invalid("too_many_tokens", message, "Revoke some of them."));
        }
        let (text, credential) = made(secret_kind, kind, expires_ms)?;
        self.change_people(PeopleChange::Add(credential.clone())).await?;
        Ok((text, credential))
    }

    /// All tokens of somebody that still count.
    pub async fn tokens(&self, person: &str) -> Result<Vec<Credential>, CommandError> {
        let all = self.shared.store.credentials(Some(person), clock::now()).await?;
        Ok(all.into_iter().filter(|one| matches!(one.kind, CredentialKind::Token { .. })).collect())
    }

    /// Revokes a token, a browser or an invitation; with `person`, only theirs.
    pub async fn revoke(&self, id: &str, person: Option<&str>) -> Result<(), CommandError> {
        let change = PeopleChange::Forget { id: id.to_owned(), person: person.map(str::to_owned) };
        match self.change_people(change).await? {
            PeopleOutcome::Done => Ok(()),
            PeopleOutcome::NotFound | PeopleOutcome::NameTaken | PeopleOutcome::LastOwner => {
                Err(CommandError::invalid(
                    "credential_not_found",
                    "there is no such token, browser or invitation",
                    "List them and take an id from there; it may be revoked already.",
                ))
            }
        }
    }

    /// Everybody, the first one first.
    pub async fn people(&self) -> Result<Vec<PersonRow>, CommandError> {
        Ok(self.shared.store.people().await?)
    }

    /// Somebody by id.
    pub async fn person(&self, id: &str) -> Result<PersonRow, CommandError> {
        self.people().await?.into_iter().find(|person| person.id == id).ok_or_else(no_such_person)
    }

    /// As whom others know somebody.
    pub async fn identities(&self, person: &str) -> Result<Vec<Identity>, CommandError> {
        Ok(self.shared.store.identities(person).await?)
    }

    /// Invitations that nobody has used yet.
    pub async fn invitations(&self) -> Result<Vec<Credential>, CommandError> {
        Ok(self.shared.store.credentials(None, clock::now()).await?)
    }

    pub async fn set_role(&self, person: &str, role: Role) -> Result<PersonRow, CommandError> {
        let change = PeopleChange::SetRole { person: person.to_owned(), role };
        self.changed_person(change).await?;
        self.person(person).await
    }

    /// Lets somebody in no more; what they did stays theirs.
    pub async fn remove_person(&self, person: &str) -> Result<(), CommandError> {
        let token = self.shared.token_to_end(person).await;
        self.changed_person(PeopleChange::Remove { person: person.to_owned(), at: clock::now() }).await?;
        self.shared.end_token(token);
        Ok(())
    }

    async fn changed_person(&self, change: PeopleChange) -> Result<(), CommandError> {
        match self.change_people(change).await? {
            PeopleOutcome::Done => Ok(()),
            PeopleOutcome::LastOwner => Err(last_owner()),
            PeopleOutcome::NotFound | PeopleOutcome::NameTaken => Err(no_such_person()),
        }
    }

    /// To its end, though whoever asked may leave, and told to all who follow something.
    pub(crate) async fn change_people(&self, change: PeopleChange) -> Result<PeopleOutcome, CommandError> {
        let shared = self.shared.clone();
        let changing = async move {
            let outcome = shared.store.change_people(change).await?;
            shared.people_changes.send_modify(|times| *times += 1);
            Ok(outcome)
        };
        self.shared.tasks.spawn(changing).await.context("change people")?
    }

    fn note_use(&self, credential: &Credential, now: Timestamp) {
        if credential.used_at.is_some_and(|at| now.since_ms(at) < USED_MS) {
            return;
        }
        let (shared, id): (Arc<Shared>, String) = (self.shared.clone(), credential.id.clone());
        self.shared.tasks.spawn(async move {
            if let Err(error) = shared.store.change_people(PeopleChange::Used { id, at: now }).await {
                tracing::debug!(%error, "when a token was used is not written down");
            }
        });
    }
}

impl Wanted {
    fn kind(self, person: &str) -> Result<(CredentialKind, SecretKind, Option<u64>), CommandError> {
        let person = person.to_owned();
        Ok(match self {
            Self::Browser => {
                let kind = CredentialKind::Browser { person, since: clock::now() };
                (kind, SecretKind::Browser, Some(BROWSER_MS))
            }
            Self::Token { name, scope, expires_ms } => {
                let name = clean(&name, NAME, "a token's name")?;
                (CredentialKind::Token { person, name, scope }, SecretKind::Token, expires_ms)
            }
        })
    }
}

fn fresh(kind: SecretKind) -> Result<(String, [u8; 32]), CommandError> {
    Ok(secret::make(kind).context("draw a secret")?)
}

fn made(
    secret_kind: SecretKind,
    kind: CredentialKind,
    expires_ms: Option<u64>,
) -> Result<(String, Credential), CommandError> {
    let (text, hash) = fresh(secret_kind)?;
    let created_at = clock::now();
    let expires_at = expires_ms.map(|ms| created_at.plus_ms(ms));
    let id = ids::credential_id();
    Ok((text, Credential { id, hash, kind, created_at, expires_at, used_at: None }))
}
