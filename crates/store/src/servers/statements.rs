//! What is asked of PostgreSQL about servers, and of SQLite where a simulation has several on it.

use super::{Announced, LEASE, Owner, ServerChange, ServerOutcome, ServerRow, Standing, Whose};
use crate::sql::{Connection, Dialect, Error, Result, Row, params};
use lamplight_domain::event::FORMAT;
use lamplight_domain::{Seq, SessionId};

/// Whether the server `logs.owner` may be taken for dead.
const IS_GONE: &str =
    "NOT EXISTS (SELECT 1 FROM servers WHERE servers.number = logs.owner AND servers.expires_at > {now})";
/// Whether the server `logs.owner` has handed back what it had, or there never was one.
const HAS_LEFT: &str =
    "NOT EXISTS (SELECT 1 FROM servers WHERE servers.number = logs.owner AND servers.expires_at <> 0)";

/// The database's clock, in milliseconds since 1970.
fn now(connection: &Connection) -> &'static str {
    match connection.dialect() {
        Dialect::Lite => "now_ms()",
        Dialect::Postgres => "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint",
    }
}

/// What is true or false, as a number.
fn number(connection: &Connection, what: &str) -> String {
    match connection.dialect() {
        Dialect::Lite => what.to_owned(),
        Dialect::Postgres => format!("({what})::int::bigint"),
    }
}

/// Where servers may be several.
pub(crate) fn change(connection: &Connection, us: i64, change: &ServerChange) -> Result<ServerOutcome> {
    match change {
        ServerChange::Announce(announced) => announce(connection, us, announced),
        ServerChange::Claim { session, of } => {
            let text = format!(
                "UPDATE logs SET owner = ?1, fence = fence + 1, format = ?3 WHERE session = ?2 AND format <= ?3 AND (owner IN (0, ?1) OR {})
                 RETURNING session, fence",
                free(connection, *of)
            );
            connection.rows(&text, params![us, session.as_str(), FORMAT], claim).map(ServerOutcome::Claimed)
        }
        ServerChange::ClaimOpen { of, limit } => {
            let which = match of {
                Whose::Ours => "owner IN (0, ?1)".to_owned(),
                Whose::Left | Whose::Gone => format!("owner <> ?1 AND {}", free(connection, *of)),
            };
            // One writer has nobody to wait for.
            let lock = match connection.dialect() {
                Dialect::Lite => "",
                Dialect::Postgres => "FOR UPDATE OF logs SKIP LOCKED",
            };
            let text = format!(
                "WITH free AS (
                    SELECT logs.number FROM summaries JOIN logs ON logs.number = summaries.log
                    WHERE summaries.open = 1 AND logs.format <= ?3 AND {which}
                    ORDER BY summaries.session LIMIT ?2 {lock}
                 )
                 UPDATE logs SET owner = ?1, fence = fence + 1, format = ?3 FROM free WHERE logs.number = free.number RETURNING session, fence"
            );
            let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
            let mut claims = connection.rows(&text, params![us, limit, FORMAT], claim)?;
            claims.sort();
            Ok(ServerOutcome::Claimed(claims))
        }
    }
}

fn claim(row: &Row<'_>) -> Result<(SessionId, i64)> {
    Ok((row.parse(0)?, row.get(1)?))
}

/// Two that announce themselves at the same time do so one after the other.
fn announce(connection: &Connection, us: i64, announced: &Announced) -> Result<ServerOutcome> {
    match connection.dialect() {
        Dialect::Lite => {}
        Dialect::Postgres => {
            connection.execute("LOCK TABLE servers IN SHARE ROW EXCLUSIVE MODE", &[])?;
        }
    }
    let Announced { address, key, version } = announced;
    let now = now(connection);
    let other = format!(
        "SELECT address FROM servers WHERE number <> ?1 AND expires_at > {now} AND version <> '' AND (key <> ?2 OR key = '') LIMIT 1"
    );
    if let Some(address) = connection.row(&other, params![us, key.as_str()], |row| row.get(0))? {
        return Ok(ServerOutcome::OtherKey(address));
    }
    // Of before there were several.
    connection.execute("UPDATE lent SET server = ?1 WHERE server = 0", params![us])?;
    connection.execute(
        "UPDATE servers SET address = ?2, key = ?3, version = ?4 WHERE number = ?1",
        params![us, address.as_str(), key.as_str(), version.as_str()],
    )?;
    Ok(ServerOutcome::Done)
}

/// Whether another server's may be claimed.
fn free(connection: &Connection, of: Whose) -> String {
    match of {
        Whose::Ours => "false".to_owned(),
        Whose::Left => HAS_LEFT.to_owned(),
        Whose::Gone => IS_GONE.replace("{now}", now(connection)),
    }
}

pub(super) fn renew(connection: &Connection, us: i64) -> Result<Standing> {
    let lease = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
    let now = now(connection);
    let was_gone = match connection.dialect() {
        Dialect::Postgres => {
            let text = format!(
                "WITH before AS (SELECT expires_at <= {now} AS was_gone FROM servers WHERE number = ?1)
                 UPDATE servers SET expires_at = {now} + ?2, since = CASE WHEN was_gone THEN {now} ELSE since END
                 FROM before WHERE number = ?1 RETURNING was_gone::int::bigint"
            );
            connection.row(&text, params![us, lease], |row| row.is(0))?
        }
        // What is before the update cannot be returned by it; there is nobody in between.
        Dialect::Lite => {
            let before = format!("SELECT expires_at <= {now} FROM servers WHERE number = ?1");
            let was_gone = connection.row(&before, params![us], |row| row.is(0))?;
            let text = format!(
                "UPDATE servers SET expires_at = {now} + ?2, since = CASE WHEN expires_at <= {now} THEN {now} ELSE since END WHERE number = ?1"
            );
            connection.execute(&text, params![us, lease])?;
            was_gone
        }
    };
    let first = format!("SELECT number FROM servers WHERE expires_at > {now} ORDER BY since, number LIMIT 1");
    let first: Option<i64> = connection.row(&first, &[], |row| row.get(0))?;
    Ok(Standing { is_first: first == Some(us), was_gone: was_gone.unwrap_or(true) })
}

fn columns(connection: &Connection, us: i64) -> String {
    let is_us = number(connection, &format!("servers.number = {us}"));
    format!(
        "servers.number, servers.address, servers.version, {is_us}, servers.expires_at - {}",
        now(connection)
    )
}

fn server(row: &Row<'_>) -> Result<ServerRow> {
    let left_ms: i64 = row.get(4)?;
    Ok(ServerRow {
        number: row.get(0)?,
        address: row.get(1)?,
        version: row.get(2)?,
        is_us: row.is(3)?,
        is_alive: left_ms > 0,
        left_ms,
    })
}

/// The server that has it, or had it last.
pub(super) fn owning(connection: &Connection, session: &SessionId, us: i64) -> Result<Option<ServerRow>> {
    let text = format!(
        "SELECT {} FROM logs JOIN servers ON servers.number = logs.owner WHERE logs.session = ?1",
        columns(connection, us)
    );
    connection.row(&text, params![session.as_str()], server)
}

/// The server that this sandbox was lent by.
pub(super) fn lending(connection: &Connection, sandbox: &SessionId, us: i64) -> Result<Option<ServerRow>> {
    let text = format!(
        "SELECT {} FROM lent JOIN servers ON servers.number = lent.server WHERE lent.id = ?1",
        columns(connection, us)
    );
    connection.row(&text, params![sandbox.as_str()], server)
}

pub(super) fn owner(connection: &Connection, session: &SessionId, us: i64) -> Result<Owner> {
    Ok(match owning(connection, session, us)? {
        Some(server) if server.is_us => Owner::Ours,
        Some(server) if server.is_alive => Owner::Other(server),
        Some(_) | None => nobody(connection, session)?,
    })
}

/// Whose a session is whose server is gone.
pub(super) fn nobody(connection: &Connection, session: &SessionId) -> Result<Owner> {
    let text = "SELECT format FROM logs WHERE session = ?1";
    let format: Option<i64> = connection.row(text, params![session.as_str()], |row| row.get(0))?;
    Ok(if format > Some(FORMAT) { Owner::Newer } else { Owner::Nobody })
}

pub(super) fn ends_elsewhere(connection: &Connection, us: i64) -> Result<Vec<(SessionId, Seq)>> {
    const NEWEST: usize = 50;
    let text = format!(
        "SELECT summaries.session, summaries.last_seq FROM summaries JOIN logs ON logs.number = summaries.log
         WHERE logs.owner <> ?1 AND (summaries.open = 1
            OR summaries.session IN (SELECT session FROM summaries ORDER BY session DESC LIMIT {NEWEST}))"
    );
    connection.rows(&text, params![us], |row| Ok((row.parse(0)?, Seq(row.get::<i64>(1)? as u64))))
}

pub(super) fn all(connection: &Connection, us: i64) -> Result<Vec<ServerRow>> {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let text = format!(
        "SELECT {} FROM servers WHERE expires_at > {} - {DAY_MS} ORDER BY number",
        columns(connection, us),
        now(connection)
    );
    connection.rows(&text, &[], server)
}

/// The claim that appends to this log have to count on; on SQLite, where the writer compares it.
pub(crate) fn fence(connection: &Connection, log: i64) -> Result<i64> {
    let fence = connection.row("SELECT fence FROM logs WHERE number = ?1", params![log], |row| row.get(0))?;
    fence.ok_or_else(|| Error::Damaged(format!("there is no log {log}")))
}

/// A log that is this server's from its beginning; on SQLite too.
pub(crate) fn new_log(connection: &Connection, session: &SessionId, us: i64) -> Result<i64> {
    let insert = "INSERT INTO logs (session, owner, fence, format) VALUES (?1, ?2, 1, ?3) RETURNING number";
    Ok(connection.row(insert, params![session.as_str(), us, FORMAT], |row| row.get(0))?.unwrap_or_default())
}
