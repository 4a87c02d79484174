//! The connection that writes, and the lock that makes it the only one.
//!
//! The database gives the lock to one connection and takes it back when that connection ends. Whoever writes does so over the connection that
//! has it, so that a server that has lost it can write nothing, whatever it believes.

use super::address::PostgresAddress;
use super::schema;
use super::session::Session;
use crate::StoreError;
use crate::sql::{Error, Result};
use anyhow::Context as _;
use std::thread;
use std::time::Duration;

/// The lock, among the advisory locks of the database.
const LOCK: (i32, i32) = (0x6c61_6d70, 1);
/// How often it is asked for, and how long apart: a server that has just died may still have it for a moment.
const TRIES: u32 = 30;
const BETWEEN: Duration = Duration::from_millis(100);

/// Connects, claims the database, and brings it to the schema of this version.
pub(crate) fn open(address: &PostgresAddress) -> Result<Session, StoreError> {
    let place = address.to_string();
    let failed = |cause: anyhow::Error| StoreError::Failed { dir: place.clone(), cause };
    let session = Session::open(address).context("connect").map_err(failed)?;
    let examined = schema::examine(&session).context("look at its settings").map_err(failed)?;
    if !examined.problems.is_empty() {
        return Err(StoreError::Unfit { place, why: examined.problems.join("; ") });
    }
    if !is_claimed(&session).context("claim it").map_err(failed)? {
        return Err(StoreError::InUse { dir: place });
    }
    let (found, known) =
        (schema::version(&session).context("read the schema").map_err(failed)?, schema::known());
    if found > known {
        return Err(StoreError::TooNew { dir: place, found, known });
    }
    schema::migrate(&session, found)
        .with_context(|| format!("bring its schema from {found} to {known}"))
        .map_err(failed)?;
    Ok(session)
}

/// Connects again, to a database that was opened before.
pub(super) fn again(address: &PostgresAddress) -> Result<Session> {
    let session = Session::open(address)?;
    match is_claimed(&session)? {
        true => Ok(session),
        false => Err(Error::Lost("another Lamplight server is using it".into())),
    }
}

/// Gives the lock back at once, which the end of the connection would do a moment later.
pub(crate) fn give_up(session: Session) {
    let (class, object) = LOCK;
    // If it fails the connection is gone, and the lock with it.
    let _ = session.batch(&format!("SELECT pg_advisory_unlock({class}, {object})"));
}

fn is_claimed(session: &Session) -> Result<bool> {
    let (class, object) = LOCK;
    let text = "SELECT pg_try_advisory_lock($1, $2)";
    for n in 0..TRIES {
        if n > 0 {
            thread::sleep(BETWEEN);
        }
        let rows = session.query_of(text, &[&class, &object])?;
        if rows.first().and_then(|row| row.try_get(0).ok()) == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}
