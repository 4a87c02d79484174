//! What the store is asked about people.

use super::{Credential, Identity, PeopleChange, PeopleOutcome, PersonRow, SecretHash};
use crate::jobs::{Job, Record};
use crate::{ReadError, Store, WriteError, people};
use lamplight_domain::Timestamp;

impl Store {
    /// One change of people, or of what lets them in; see [`PeopleChange`].
    pub async fn change_people(&self, change: PeopleChange) -> Result<PeopleOutcome, WriteError> {
        self.ask(|reply| Job::Record(Record::People { change: Box::new(change), reply })).await
    }

    /// What a secret with this hash lets in, and whom, if it counts at `now`.
    pub async fn credential(
        &self,
        hash: SecretHash,
        now: Timestamp,
    ) -> Result<Option<(Credential, Option<PersonRow>)>, ReadError> {
        self.read_rows(move |connection| {
            let Some(credential) = people::credential(connection, &hash, now)? else { return Ok(None) };
            let person = people::person_of(connection, &credential)?;
            Ok(Some((credential, person)))
        })
        .await
    }

    /// A credential by its id, and whose it is, if it counts at `now`.
    pub async fn known(
        &self,
        credential: &str,
        now: Timestamp,
    ) -> Result<Option<(Credential, PersonRow)>, ReadError> {
        let id = credential.to_owned();
        self.read_rows(move |connection| people::known(connection, &id, now)).await
    }

    /// Everybody who was not removed.
    pub async fn people(&self) -> Result<Vec<PersonRow>, ReadError> {
        self.read_rows(people::people).await
    }

    /// Who has this name, or had it: it is one person's for good.
    pub async fn person_named(&self, name: &str) -> Result<Option<PersonRow>, ReadError> {
        let name = name.to_owned();
        self.read_rows(move |connection| people::person_named(connection, &name)).await
    }

    /// What lets this person in; without one, invitations.
    pub async fn credentials(
        &self,
        person: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Credential>, ReadError> {
        let person = person.map(str::to_owned);
        self.read_rows(move |connection| people::credentials(connection, person.as_deref(), now)).await
    }

    /// Whom an issuer knows as `subject`.
    pub async fn identity(&self, issuer: &str, subject: &str) -> Result<Option<Identity>, ReadError> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        self.read_rows(move |connection| {
            Ok(people::identities(connection, Some(&issuer), Some(&subject), None)?.pop())
        })
        .await
    }

    /// As whom others know somebody.
    pub async fn identities(&self, person: &str) -> Result<Vec<Identity>, ReadError> {
        let person = person.to_owned();
        self.read_rows(move |connection| people::identities(connection, None, None, Some(&person))).await
    }
}
