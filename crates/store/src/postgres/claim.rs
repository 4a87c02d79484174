//! The connection that writes: which server it is of, and the lock that makes it that server's only one.
//!
//! The database gives the lock to one connection and takes it back when that connection ends. Whoever writes does so over the connection that
//! has it: a server that has connected again knows that nothing of the connection before is still under way.

use super::address::PostgresAddress;
use super::schema;
use super::session::Session;
use crate::StoreError;
use crate::servers::LEASE;
use crate::sql::{Error, Result};
use anyhow::Context as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The locks of Lamplight's, among the advisory locks of the database. One is for whoever changes the schema, one for whoever looks before
/// they write; server `n` has `n + 1`.
const LOCKS: i32 = 0x6c61_6d70;
const LOOKING: i32 = 0;
const SCHEMA: i32 = 1;
/// How often a server's own is asked for, and how long apart: a server that has just died may still have it for a moment.
const TRIES: u32 = 30;
const BETWEEN: Duration = Duration::from_millis(100);
/// Servers that start at the same time change the schema one after the other.
const SCHEMA_TRIES: u32 = 300;
/// In the data directory: which server of which database it belongs to.
const FILE: &str = "server";

/// Connects and brings the database to the schema of this version. Nobody else does meanwhile.
pub(crate) fn open(address: &PostgresAddress) -> Result<Session, StoreError> {
    let place = address.to_string();
    let failed = |cause: anyhow::Error| StoreError::Failed { dir: place.clone(), cause };
    let session = Session::open(address).context("connect").map_err(failed)?;
    let examined = schema::examine(&session).context("look at its settings").map_err(failed)?;
    if !examined.problems.is_empty() {
        return Err(StoreError::Unfit { place, why: examined.problems.join("; ") });
    }
    if !is_claimed(&session, SCHEMA, SCHEMA_TRIES).context("claim it").map_err(failed)? {
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

/// Like [`open`], for the server whose data directory is `dir`: gives its number too. It is there from now on.
pub(super) fn open_as(address: &PostgresAddress, dir: &Path) -> Result<(Session, i64), StoreError> {
    let session = open(address)?;
    let place = address.to_string();
    let failed = |cause: anyhow::Error| StoreError::Failed { dir: place.clone(), cause };
    let server = register(&session, dir).context("become one of its servers").map_err(failed)?;
    if !is_claimed(&session, own(server), TRIES).context("claim it").map_err(failed)? {
        return Err(StoreError::InUse { dir: dir.display().to_string() });
    }
    let lease = LEASE.as_millis();
    let text = format!(
        "UPDATE servers SET since = now, expires_at = now + {lease}, address = '', key = '', version = ''
         FROM (SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint AS now) AS clock WHERE number = {server}"
    );
    session.batch(&text).context("begin its lease").map_err(failed)?;
    give_up(&session);
    Ok((session, server))
}

/// The number that the directory has of this database, or a new one.
fn register(session: &Session, dir: &Path) -> anyhow::Result<i64> {
    let file = dir.join(FILE);
    let known = match fs::read_to_string(&file) {
        Ok(text) => text
            .trim()
            .split_once(' ')
            .and_then(|(number, token)| Some((number.parse::<i64>().ok()?, token.to_owned()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    if let Some((number, token)) = known {
        let text = "SELECT 1 FROM servers WHERE number = $1 AND token = $2";
        if !session.query_of(text, &[&number, &token])?.is_empty() {
            return Ok(number);
        }
    }
    let text = "WITH made AS (
            INSERT INTO servers (token, since, expires_at) VALUES (gen_random_uuid()::text, 0, 0) RETURNING number, token
        ), begun AS (INSERT INTO written SELECT number, 0 FROM made)
        SELECT number, token FROM made";
    let rows = session.query_of(text, &[])?;
    let row = rows.first().context("there is no number")?;
    let (number, token): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
    keep(dir, &file, &format!("{number} {token}\n")).with_context(|| format!("write {}", file.display()))?;
    Ok(number)
}

/// Whole or not at all: a server that does not know its number is another one, and what it had is anybody's.
fn keep(dir: &Path, file: &Path, text: &str) -> std::io::Result<()> {
    let new = dir.join(format!("{FILE}.new"));
    let mut writing = fs::File::create(&new)?;
    writing.write_all(text.as_bytes())?;
    writing.sync_all()?;
    fs::rename(&new, file)?;
    fs::File::open(dir)?.sync_all()
}

/// Connects again, to a database that was opened before, as the server that this is.
pub(super) fn again(address: &PostgresAddress, server: i64) -> Result<Session> {
    let session = Session::open(address)?;
    match is_claimed(&session, own(server), TRIES)? {
        true => Ok(session),
        false => Err(Error::Lost("another process has the place of this server".into())),
    }
}

/// Whether any server is there.
pub(crate) fn is_served(session: &Session) -> Result<bool> {
    let text =
        "SELECT 1 FROM servers WHERE expires_at > (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint";
    Ok(!session.query_of(text, &[])?.is_empty())
}

/// Lets the next one change the schema, which the end of the connection would do a moment later.
pub(crate) fn give_up(session: &Session) {
    unlock(session, SCHEMA);
}

/// Hands back what this server has at once, and lets the next process be this server.
pub(super) fn leave(session: &Session, server: i64) {
    // If it fails others wait until the lease has ended.
    let _ = session.batch(&format!("UPDATE servers SET expires_at = 0 WHERE number = {server}"));
    unlock(session, own(server));
}

/// What is looked at from here on, to the end of the transaction, is not being changed by another server that has looked as well.
pub(super) fn look_alone(session: &Session) -> Result<()> {
    session.batch(&format!("SELECT pg_advisory_xact_lock({LOCKS}, {LOOKING})"))
}

fn unlock(session: &Session, lock: i32) {
    // If it fails the connection is gone, and the lock with it.
    let _ = session.batch(&format!("SELECT pg_advisory_unlock({LOCKS}, {lock})"));
}

fn own(server: i64) -> i32 {
    i32::try_from(server).unwrap_or(i32::MAX - SCHEMA) + SCHEMA
}

fn is_claimed(session: &Session, lock: i32, tries: u32) -> Result<bool> {
    let text = "SELECT pg_try_advisory_lock($1, $2)";
    for n in 0..tries {
        if n > 0 {
            thread::sleep(BETWEEN);
        }
        let rows = session.query_of(text, &[&LOCKS, &lock])?;
        if rows.first().and_then(|row| row.try_get(0).ok()) == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}
