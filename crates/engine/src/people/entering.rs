//! How somebody comes in: by a secret that counts once, or as an issuer knows them.

use super::refusals::{last_owner, name_taken, not_invited, person_row, used_up};
use super::{SecretKind, Wanted, made, secret};
use crate::clock;
use crate::engine::Engine;
use crate::error::CommandError;
use lamplight_domain::{Role, Timestamp};
use lamplight_integrations::sign_in::PersonToken;
use lamplight_store::{Credential, CredentialKind, Identity, PeopleChange, PeopleOutcome, PersonRow};

/// How somebody comes in.
#[derive(Debug, Clone)]
pub enum Entry {
    /// By the secret of an invitation, a link, or the setup; a name and an address where they are new.
    Once { secret: String, name: Option<String>, email: Option<String> },
    /// As an issuer knows them. Who is new comes in with this role, or by the secret of an invitation.
    Identity {
        issuer: String,
        subject: String,
        login: String,
        name: String,
        email: String,
        role: Option<Role>,
        secret: Option<String>,
        /// What may be done there in their name.
        token: Option<PersonToken>,
    },
}

/// Somebody, and the secret that lets them in from now on, which is said once.
#[derive(Debug, Clone)]
pub struct Entered {
    pub person: PersonRow,
    pub secret: String,
    pub credential: Credential,
}

/// Who comes in, and what is used up by it.
struct Admitted {
    once: Option<[u8; 32]>,
    person: PersonRow,
    identity: Option<Identity>,
    is_new: bool,
}

impl Engine {
    /// Lets somebody in. What they came with for GitHub is given back where they are not.
    pub async fn enter(&self, entry: Entry, wanted: Wanted) -> Result<Entered, CommandError> {
        let fresh = match &entry {
            Entry::Identity { token: Some(token), .. } => Some(token.access.clone()),
            Entry::Identity { token: None, .. } | Entry::Once { .. } => None,
        };
        let entered = self.let_in(entry, wanted).await;
        if entered.is_err() {
            self.shared.end_token(fresh);
        }
        entered
    }

    async fn let_in(&self, entry: Entry, wanted: Wanted) -> Result<Entered, CommandError> {
        let now = clock::now();
        let (issuer, token) = match &entry {
            Entry::Identity { issuer, token, .. } => (issuer.clone(), token.clone()),
            Entry::Once { .. } => (String::new(), None),
        };
        let Admitted { once, person, identity, is_new } = match entry {
            Entry::Once { secret, name, email } => self.by_secret(&secret, name, email, now).await?,
            Entry::Identity { issuer, subject, login, name, email, role, secret, token: _ } => {
                let admitted = match (self.identified(&issuer, &subject).await?, secret, role) {
                    (Some(person), _, _) => Admitted { once: None, person, identity: None, is_new: false },
                    (None, Some(secret), _) => self.by_secret(&secret, Some(name), Some(email), now).await?,
                    (None, None, Some(role)) => {
                        let person = person_row(&name, &email, role, now)?;
                        Admitted { once: None, person, identity: None, is_new: true }
                    }
                    (None, None, None) => return Err(not_invited(&login)),
                };
                let identity = Identity { issuer, subject, person: admitted.person.id.clone(), login };
                Admitted { identity: Some(identity), ..admitted }
            }
        };
        let (kind, secret_kind, expires_ms) = wanted.kind(&person.id)?;
        let (text, credential) = made(secret_kind, kind, expires_ms)?;
        let (former, token) = match token {
            Some(token) => {
                let former = self.shared.token_to_end(&person.id).await;
                (former, self.shared.sealed_token(&person.id, &issuer, token).await)
            }
            None => (None, None),
        };
        // One that cannot be kept takes the place of none.
        let former = former.filter(|_| token.is_some());
        let change = PeopleChange::Enter {
            once,
            now,
            person: is_new.then(|| Box::new(person.clone())),
            identity: identity.map(Box::new),
            credential: credential.clone(),
            token,
        };
        match self.change_people(change).await? {
            PeopleOutcome::Done => {
                self.shared.end_token(former);
                Ok(Entered { person, secret: text, credential })
            }
            PeopleOutcome::NotFound => Err(used_up()),
            PeopleOutcome::NameTaken => Err(name_taken(&person.name)),
            PeopleOutcome::LastOwner => Err(last_owner()),
        }
    }

    async fn identified(&self, issuer: &str, subject: &str) -> Result<Option<PersonRow>, CommandError> {
        let Some(identity) = self.shared.store.identity(issuer, subject).await? else { return Ok(None) };
        Ok(self.people().await?.into_iter().find(|person| person.id == identity.person))
    }

    async fn by_secret(
        &self,
        text: &str,
        name: Option<String>,
        email: Option<String>,
        now: Timestamp,
    ) -> Result<Admitted, CommandError> {
        let hash = secret::hash(SecretKind::Once, text).ok_or_else(used_up)?;
        let (credential, person) = self.shared.store.credential(hash, now).await?.ok_or_else(used_up)?;
        let role = match (&credential.kind, person) {
            (CredentialKind::Link { .. }, Some(person)) => {
                return Ok(Admitted { once: Some(hash), person, identity: None, is_new: false });
            }
            (CredentialKind::Setup, _) => Role::Owner,
            (CredentialKind::Invitation { role, .. }, _) => *role,
            (
                CredentialKind::Link { .. } | CredentialKind::Token { .. } | CredentialKind::Browser { .. },
                _,
            ) => return Err(used_up()),
        };
        let (Some(name), Some(email)) = (name, email) else {
            return Err(CommandError::invalid(
                "name_needed",
                "who comes in for the first time says a name and an e-mail address",
                "Say both; commits are made in this name.",
            ));
        };
        let person = person_row(&name, &email, role, now)?;
        Ok(Admitted { once: Some(hash), person, identity: None, is_new: true })
    }
}
