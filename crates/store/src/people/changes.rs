//! What changes, within the writer's transaction. Whatever may stand against it is looked at before anything is written.

use super::{Credential, Identity, PeopleChange, PeopleOutcome, PersonRow, SecretHash, own_secret};
use crate::secrets;
use crate::sql::{Connection, Result, params};
use lamplight_domain::{Role, Timestamp};

pub(crate) fn change(connection: &Connection, change: &PeopleChange) -> Result<PeopleOutcome> {
    match change {
        PeopleChange::Enter { once, now, person, identity, credential, token } => {
            let allowed = match once {
                Some(hash) => is_there(connection, hash, *now)?,
                None => true,
            };
            if !allowed {
                return Ok(PeopleOutcome::NotFound);
            }
            if let Some(person) = person
                && !add_person(connection, person)?
            {
                return Ok(PeopleOutcome::NameTaken);
            }
            if let Some(hash) = once {
                connection.execute("DELETE FROM credentials WHERE hash = ?1", params![hash])?;
            }
            if let Some(identity) = identity {
                identify(connection, identity)?;
            }
            add(connection, credential)?;
            if let Some(token) = token {
                secrets::set(connection, token)?;
            }
            forget_expired(connection, *now)?;
            Ok(PeopleOutcome::Done)
        }
        PeopleChange::KeepToken { former, token } => {
            found(usize::from(secrets::replace(connection, former, token)?))
        }
        PeopleChange::DropToken { name, nonce } => {
            found(usize::from(secrets::drop_one(connection, name, nonce)?))
        }
        PeopleChange::SetRole { person, role } => {
            if *role != Role::Owner && is_last_owner(connection, person)? {
                return Ok(PeopleOutcome::LastOwner);
            }
            let text = "UPDATE people SET role = ?2 WHERE id = ?1 AND removed_at IS NULL";
            found(connection.execute(text, params![person, role.as_str()])?)
        }
        PeopleChange::Remove { person, at } => {
            if is_last_owner(connection, person)? {
                return Ok(PeopleOutcome::LastOwner);
            }
            connection.execute("DELETE FROM credentials WHERE person = ?1", params![person])?;
            connection.execute("DELETE FROM identities WHERE person = ?1", params![person])?;
            secrets::remove(connection, &own_secret(person))?;
            let text = "UPDATE people SET removed_at = ?2 WHERE id = ?1 AND removed_at IS NULL";
            found(connection.execute(text, params![person, at.0])?)
        }
        PeopleChange::Add(credential) => add(connection, credential).map(|()| PeopleOutcome::Done),
        PeopleChange::AddOnly(credential) => {
            let text = "DELETE FROM credentials WHERE kind = ?1";
            connection.execute(text, params![credential.kind.word()])?;
            add(connection, credential).map(|()| PeopleOutcome::Done)
        }
        PeopleChange::Forget { id, person } => {
            let text = "DELETE FROM credentials WHERE id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR person = ?2)";
            found(connection.execute(text, params![id, person])?)
        }
        PeopleChange::ForgetBrowsers { person } => {
            let text = "DELETE FROM credentials WHERE person = ?1 AND kind = 'browser'";
            connection.execute(text, params![person])?;
            secrets::remove(connection, &own_secret(person))?;
            Ok(PeopleOutcome::Done)
        }
        PeopleChange::Used { id, at } => {
            let text = "UPDATE credentials SET used_at = ?2 WHERE id = ?1";
            found(connection.execute(text, params![id, at.0])?)
        }
        PeopleChange::Renew { id, former, hash, kind, former_until } => {
            // Two requests with one secret at once: the second one finds it renewed.
            let text = "UPDATE credentials SET former = hash, former_until = ?4, hash = ?3, body = ?5
                 WHERE id = ?1 AND hash = ?2";
            let body = serde_json::to_string(kind).expect("a credential is words and numbers");
            found(connection.execute(text, params![id, former, hash, former_until.0, body])?)
        }
    }
}

fn found(rows: usize) -> Result<PeopleOutcome> {
    Ok(if rows > 0 { PeopleOutcome::Done } else { PeopleOutcome::NotFound })
}

fn is_there(connection: &Connection, hash: &SecretHash, now: Timestamp) -> Result<bool> {
    let text = "SELECT 1 FROM credentials WHERE hash = ?1 AND (expires_at IS NULL OR expires_at > ?2)";
    connection.exists(text, params![hash, now.0])
}

/// Nobody without an owner could ever make one.
fn is_last_owner(connection: &Connection, person: &str) -> Result<bool> {
    let text = "SELECT 1 FROM people WHERE id = ?1 AND role = 'owner' AND removed_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM people WHERE role = 'owner' AND removed_at IS NULL AND id <> ?1
        )";
    connection.exists(text, params![person])
}

/// Whether the name was free.
fn add_person(connection: &Connection, person: &PersonRow) -> Result<bool> {
    let text =
        "INSERT INTO people (id, name, name_key, email, role, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (name_key) DO NOTHING";
    let (key, role) = (person.name.to_lowercase(), person.role.as_str());
    let values = params![person.id, person.name, key, person.email, role, person.created_at.0];
    Ok(connection.execute(text, values)? > 0)
}

fn identify(connection: &Connection, identity: &Identity) -> Result<()> {
    let text = "INSERT INTO identities (issuer, subject, person, login) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (issuer, subject) DO UPDATE SET person = excluded.person, login = excluded.login";
    let values = params![identity.issuer, identity.subject, identity.person, identity.login];
    connection.execute(text, values)?;
    Ok(())
}

fn add(connection: &Connection, credential: &Credential) -> Result<()> {
    let text = "INSERT INTO credentials (id, hash, person, kind, body, created_at, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let body = serde_json::to_string(&credential.kind).expect("a credential is words and numbers");
    connection.execute(
        text,
        params![
            credential.id,
            credential.hash,
            credential.kind.person(),
            credential.kind.word(),
            body,
            credential.created_at.0,
            credential.expires_at.map(|at| at.0),
        ],
    )?;
    Ok(())
}

/// Whenever somebody enters, so that they do not gather.
fn forget_expired(connection: &Connection, now: Timestamp) -> Result<()> {
    connection.execute("DELETE FROM credentials WHERE expires_at <= ?1", params![now.0])?;
    Ok(())
}
