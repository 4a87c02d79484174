//! Who there is, and whom a secret lets in.

use super::{Credential, CredentialKind, Identity, PersonRow, SecretHash};
use crate::sql::{Connection, Error, Result, Row, params};
use lamplight_domain::{Role, Timestamp};

/// More are not listed.
const LISTED: usize = 1_000;

const CREDENTIAL: &str = "id, hash, body, created_at, expires_at, used_at";
const PERSON: &str = "id, name, email, role, created_at, removed_at";

/// What this is the hash of, if it counts at `now`.
pub(crate) fn credential(
    connection: &Connection,
    hash: &SecretHash,
    now: Timestamp,
) -> Result<Option<Credential>> {
    let text = format!(
        "SELECT {CREDENTIAL} FROM credentials
         WHERE (hash = ?1 OR (former = ?1 AND former_until > ?2)) AND (expires_at IS NULL OR expires_at > ?2)"
    );
    connection.row(&text, params![hash, now.0], read_credential)
}

/// A credential that counts at `now`, by its id, and whose it is.
pub(crate) fn known(
    connection: &Connection,
    id: &str,
    now: Timestamp,
) -> Result<Option<(Credential, PersonRow)>> {
    let text = format!(
        "SELECT {CREDENTIAL} FROM credentials WHERE id = ?1 AND (expires_at IS NULL OR expires_at > ?2)"
    );
    let found = connection.row(&text, params![id, now.0], read_credential)?;
    let Some(credential) = found else { return Ok(None) };
    let person = person_of(connection, &credential)?;
    Ok(person.map(|person| (credential, person)))
}

/// Whom it lets in.
pub(crate) fn person_of(connection: &Connection, credential: &Credential) -> Result<Option<PersonRow>> {
    let Some(id) = credential.kind.person() else { return Ok(None) };
    let text = format!("SELECT {PERSON} FROM people WHERE id = ?1 AND removed_at IS NULL");
    connection.row(&text, params![id], read_person)
}

/// Everybody who was not removed, the oldest first.
pub(crate) fn people(connection: &Connection) -> Result<Vec<PersonRow>> {
    let text = format!(
        "SELECT {PERSON} FROM people WHERE removed_at IS NULL ORDER BY created_at, id LIMIT {LISTED}"
    );
    connection.rows(&text, &[], read_person)
}

/// Who has this name, or had it.
pub(crate) fn person_named(connection: &Connection, name: &str) -> Result<Option<PersonRow>> {
    let text = format!("SELECT {PERSON} FROM people WHERE name_key = ?1");
    connection.row(&text, params![name.to_lowercase()], read_person)
}

/// What lets this person in, the oldest first; without one, invitations.
pub(crate) fn credentials(
    connection: &Connection,
    person: Option<&str>,
    now: Timestamp,
) -> Result<Vec<Credential>> {
    let text = format!(
        "SELECT {CREDENTIAL} FROM credentials WHERE person IS NOT DISTINCT FROM ?1 AND (expires_at IS NULL OR expires_at > ?2)
         ORDER BY created_at, id LIMIT {LISTED}"
    );
    connection.rows(&text, params![person, now.0], read_credential)
}

/// All of this issuer, or all of this person.
pub(crate) fn identities(
    connection: &Connection,
    issuer: Option<&str>,
    subject: Option<&str>,
    person: Option<&str>,
) -> Result<Vec<Identity>> {
    let text = format!(
        "SELECT issuer, subject, person, login FROM identities
         WHERE (CAST(?1 AS TEXT) IS NULL OR issuer = ?1) AND (CAST(?2 AS TEXT) IS NULL OR subject = ?2)
         AND (CAST(?3 AS TEXT) IS NULL OR person = ?3)
         LIMIT {LISTED}"
    );
    connection.rows(&text, params![issuer, subject, person], |row| {
        Ok(Identity { issuer: row.get(0)?, subject: row.get(1)?, person: row.get(2)?, login: row.get(3)? })
    })
}

fn read_credential(row: &Row<'_>) -> Result<Credential> {
    let body: String = row.get(2)?;
    let kind: CredentialKind =
        serde_json::from_str(&body).map_err(|error| Error::Damaged(format!("a credential: {error}")))?;
    let hash: Vec<u8> = row.get(1)?;
    let hash =
        hash.try_into().map_err(|_| Error::Damaged("a credential: its hash has another length".into()))?;
    Ok(Credential {
        id: row.get(0)?,
        hash,
        kind,
        created_at: Timestamp(row.get(3)?),
        expires_at: row.get::<Option<i64>>(4)?.map(Timestamp),
        used_at: row.get::<Option<i64>>(5)?.map(Timestamp),
    })
}

fn read_person(row: &Row<'_>) -> Result<PersonRow> {
    let role: String = row.get(3)?;
    let role: Role = role.parse().map_err(|_| Error::Damaged(format!("{role:?} is no role")))?;
    Ok(PersonRow {
        id: row.get(0)?,
        name: row.get(1)?,
        email: row.get(2)?,
        role,
        created_at: Timestamp(row.get(4)?),
        removed_at: row.get::<Option<i64>>(5)?.map(Timestamp),
    })
}
