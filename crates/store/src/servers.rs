//! Several servers on one PostgreSQL: whose a session is. On SQLite there is one server, and every session is its own.
//!
//! ```text
//! nobody's ──claim──▶ ours ──append──▶ the fence is compared with the end of the log, in one update
//!     ▲                │
//!     └── leave ───────┤ not renewed in time ──▶ anybody's: whoever claims it raises the fence, and what we still append is refused
//! ```
//! A session stays with its server, asleep or awake, for as long as that server is there: its sandbox and its files are on that machine. All
//! times are by the clock of the database. Why it is as it is: `docs/decisions/0036-several-servers.md`.

use crate::jobs::{Job, Record};
use crate::sql::{Connection, Dialect, Result, Row, params};
use crate::store::Store;
use crate::{ReadError, WriteError, summaries};
use lamplight_domain::{Seq, SessionId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A server that has not renewed for so long is taken for dead.
pub const LEASE: Duration = Duration::from_secs(10);
/// A server stops by itself when so long has passed since it began to renew last: before anybody may take it for dead.
pub const HOLD: Duration = Duration::from_secs(8);
/// Sessions that are claimed at a time from servers that are gone, so that several others share them.
pub const CLAIMS: usize = 64;

/// The database's clock, in milliseconds since 1970.
const NOW: &str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint";
/// Whether the server `logs.owner` may be taken for dead.
const IS_GONE: &str =
    "NOT EXISTS (SELECT 1 FROM servers WHERE servers.number = logs.owner AND servers.expires_at > {now})";

/// Which server this is, and which sessions are its own as far as it knows.
#[derive(Debug, Default)]
pub(crate) struct Ours {
    /// 0 on SQLite.
    pub(crate) number: i64,
    fences: Mutex<HashMap<SessionId, i64>>,
}

/// One server, as it tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRow {
    pub number: i64,
    /// Where others reach it, such as `http://10.0.0.7:7410`; empty until it has said so.
    pub address: String,
    pub version: String,
    pub is_alive: bool,
    pub is_us: bool,
    /// Until it may be taken for dead, in milliseconds; negative once that has passed.
    pub left_ms: i64,
}

/// Whose a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    Ours,
    /// There is no such session, nobody has claimed it, or whoever had is gone.
    Nobody,
    Other(ServerRow),
}

/// How this server stands among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether it does what is to be done once for all.
    pub is_first: bool,
    /// It had been taken for dead: what it held may be somebody else's.
    pub was_gone: bool,
}

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announced {
    pub address: String,
    /// The same on servers with the same sealing key, and no secret.
    pub key: String,
    pub version: String,
}

/// What is asked of the writer.
#[derive(Debug, Clone)]
pub(crate) enum ServerChange {
    Announce(Announced),
    /// This session, if it is nobody's.
    Claim(SessionId),
    /// Sessions with something to do that are nobody's, and our own where that is asked for.
    ClaimOpen {
        with_ours: bool,
        limit: usize,
    },
}

/// What came of that.
#[derive(Debug, Clone)]
pub(crate) enum ServerOutcome {
    Done,
    /// With the fence of each.
    Claimed(Vec<(SessionId, i64)>),
    /// Another server, that is alive, has another sealing key.
    OtherKey(String),
}

impl Ours {
    pub(crate) fn new(number: i64) -> Self {
        Self { number, fences: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, i64>> {
        self.fences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an append to this session counts on; 0 is never right.
    pub(crate) fn fence(&self, session: &SessionId) -> i64 {
        if self.number == 0 { 0 } else { self.lock().get(session).copied().unwrap_or(0) }
    }

    pub(crate) fn is_held(&self, session: &SessionId) -> bool {
        self.number == 0 || self.lock().contains_key(session)
    }

    pub(crate) fn hold(&self, session: SessionId, fence: i64) {
        if self.number != 0 {
            self.lock().insert(session, fence);
        }
    }

    /// If it is still held by this claim.
    pub(crate) fn lost(&self, session: &SessionId, fence: i64) {
        let mut fences = self.lock();
        if fences.get(session) == Some(&fence) {
            fences.remove(session);
        }
    }
}

impl Store {
    /// Whether other servers may use the same store.
    pub fn is_shared(&self) -> bool {
        self.ours().number != 0
    }

    /// The number of this server; 0 where there is no other.
    pub fn server(&self) -> i64 {
        self.ours().number
    }

    /// Says where this server is. `Some` is the address of another that has another key; then nothing was said.
    pub async fn announce(&self, announced: Announced) -> std::result::Result<Option<String>, WriteError> {
        if !self.is_shared() {
            return Ok(None);
        }
        Ok(match self.change_servers(ServerChange::Announce(announced)).await? {
            ServerOutcome::OtherKey(address) => Some(address),
            ServerOutcome::Done | ServerOutcome::Claimed(_) => None,
        })
    }

    /// Makes the session ours if it is nobody's; appends to it are refused before.
    pub async fn claim(&self, session: &SessionId) -> std::result::Result<Owner, ReadError> {
        if self.ours().is_held(session) {
            return Ok(Owner::Ours);
        }
        let claimed = self.change_servers(ServerChange::Claim(session.clone())).await;
        match claimed.map_err(of_reading)? {
            ServerOutcome::Claimed(claims) if !claims.is_empty() => Ok(Owner::Ours),
            _ => self.owner(session).await,
        }
    }

    /// Claims sessions with something to do, oldest first, and gives which: those of servers that are gone, and with `with_ours` those that
    /// this server had when it ran last.
    pub async fn claim_open(
        &self,
        with_ours: bool,
        limit: usize,
    ) -> std::result::Result<Vec<SessionId>, ReadError> {
        if !self.is_shared() {
            return if with_ours { self.read_rows(summaries::unfinished).await } else { Ok(Vec::new()) };
        }
        let claimed = self.change_servers(ServerChange::ClaimOpen { with_ours, limit }).await;
        Ok(match claimed.map_err(of_reading)? {
            ServerOutcome::Claimed(claims) => claims.into_iter().map(|(session, _)| session).collect(),
            ServerOutcome::Done | ServerOutcome::OtherKey(_) => Vec::new(),
        })
    }

    /// Whose the session is now.
    pub async fn owner(&self, session: &SessionId) -> std::result::Result<Owner, ReadError> {
        if self.ours().is_held(session) {
            return Ok(Owner::Ours);
        }
        let (session, us) = (session.clone(), self.ours().number);
        self.read_rows(move |connection| owner(connection, &session, us)).await
    }

    /// Whether this server has the session, as far as it knows; asks nobody.
    pub fn is_held(&self, session: &SessionId) -> bool {
        self.ours().is_held(session)
    }

    /// Forgets the claim; the session stays ours.
    pub fn let_go(&self, session: &SessionId) {
        if self.is_shared() {
            self.ours().lock().remove(session);
        }
    }

    /// Forgets every claim: what is still appended by them is refused here.
    pub fn let_all_go(&self) {
        self.ours().lock().clear();
    }

    /// Keeps this server's sessions its own for [`LEASE`] more.
    pub async fn renew(&self) -> std::result::Result<Standing, ReadError> {
        let us = self.ours().number;
        if us == 0 {
            return Ok(Standing { is_first: true, was_gone: false });
        }
        self.keep(move |connection| renew(connection, us)).await
    }

    /// All that have been there within a day, by number; none on SQLite.
    pub async fn servers(&self) -> std::result::Result<Vec<ServerRow>, ReadError> {
        let us = self.ours().number;
        if us == 0 {
            return Ok(Vec::new());
        }
        self.read_rows(move |connection| all(connection, us)).await
    }

    /// Sessions of other servers that have something to do, or are among the newest, and where their logs end.
    pub async fn ends_elsewhere(&self) -> std::result::Result<Vec<(SessionId, Seq)>, ReadError> {
        let us = self.ours().number;
        if us == 0 {
            return Ok(Vec::new());
        }
        self.read_rows(move |connection| ends_elsewhere(connection, us)).await
    }

    async fn change_servers(&self, change: ServerChange) -> std::result::Result<ServerOutcome, WriteError> {
        let us = self.ours().number;
        let outcome = self.ask(|reply| Job::Record(Record::Servers { change, us, reply })).await?;
        if let ServerOutcome::Claimed(claims) = &outcome {
            claims.iter().for_each(|(session, fence)| self.ours().hold(session.clone(), *fence));
        }
        Ok(outcome)
    }
}

fn of_reading(error: WriteError) -> ReadError {
    match error {
        WriteError::Unreachable(why) => ReadError::Unreachable(why),
        WriteError::StorageFull => ReadError::Failed("no space left for a claim".into()),
        WriteError::Failed(why) => ReadError::Failed(why),
    }
}

/// On PostgreSQL alone.
pub(crate) fn change(connection: &Connection, us: i64, change: &ServerChange) -> Result<ServerOutcome> {
    debug_assert_eq!(connection.dialect(), Dialect::Postgres);
    match change {
        ServerChange::Announce(announced) => announce(connection, us, announced),
        ServerChange::Claim(session) => {
            let text = format!(
                "UPDATE logs SET owner = ?1, fence = fence + 1 WHERE session = ?2 AND (owner IN (0, ?1) OR {})
                 RETURNING session, fence",
                is_gone()
            );
            connection.rows(&text, params![us, session.as_str()], claim).map(ServerOutcome::Claimed)
        }
        ServerChange::ClaimOpen { with_ours, limit } => {
            let text = format!(
                "WITH free AS (
                    SELECT logs.number FROM summaries JOIN logs ON logs.number = summaries.log
                    WHERE summaries.open = 1 AND (CASE WHEN owner = ?1 THEN ?2::bigint = 1 ELSE owner = 0 OR {} END)
                    ORDER BY summaries.session LIMIT ?3 FOR UPDATE OF logs SKIP LOCKED
                 )
                 UPDATE logs SET owner = ?1, fence = fence + 1 FROM free WHERE logs.number = free.number RETURNING session, fence",
                is_gone()
            );
            let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
            let mut claims = connection.rows(&text, params![us, i64::from(*with_ours), limit], claim)?;
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
    connection.execute("LOCK TABLE servers IN SHARE ROW EXCLUSIVE MODE", &[])?;
    let Announced { address, key, version } = announced;
    let other = format!(
        "SELECT address FROM servers WHERE number <> ?1 AND expires_at > {NOW} AND version <> '' AND (key <> ?2 OR key = '') LIMIT 1"
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

fn is_gone() -> String {
    IS_GONE.replace("{now}", NOW)
}

fn renew(connection: &Connection, us: i64) -> Result<Standing> {
    let lease = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
    let text = format!(
        "WITH before AS (SELECT expires_at <= {NOW} AS was_gone FROM servers WHERE number = ?1)
         UPDATE servers SET expires_at = {NOW} + ?2, since = CASE WHEN was_gone THEN {NOW} ELSE since END
         FROM before WHERE number = ?1 RETURNING was_gone::int::bigint"
    );
    let was_gone = connection.row(&text, params![us, lease], |row| row.is(0))?;
    let first = format!("SELECT number FROM servers WHERE expires_at > {NOW} ORDER BY since, number LIMIT 1");
    let first: Option<i64> = connection.row(&first, &[], |row| row.get(0))?;
    Ok(Standing { is_first: first == Some(us), was_gone: was_gone.unwrap_or(true) })
}

fn columns(us: i64) -> String {
    format!(
        "servers.number, servers.address, servers.version, (servers.number = {us})::int::bigint, servers.expires_at - {NOW}"
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

fn owner(connection: &Connection, session: &SessionId, us: i64) -> Result<Owner> {
    let text = format!(
        "SELECT {} FROM logs JOIN servers ON servers.number = logs.owner WHERE logs.session = ?1",
        columns(us)
    );
    let found = connection.row(&text, params![session.as_str()], server)?;
    Ok(match found {
        Some(server) if server.is_us => Owner::Ours,
        Some(server) if server.is_alive => Owner::Other(server),
        Some(_) | None => Owner::Nobody,
    })
}

fn ends_elsewhere(connection: &Connection, us: i64) -> Result<Vec<(SessionId, Seq)>> {
    const NEWEST: usize = 50;
    let text = format!(
        "SELECT summaries.session, summaries.last_seq FROM summaries JOIN logs ON logs.number = summaries.log
         WHERE logs.owner <> ?1 AND (summaries.open = 1
            OR summaries.session IN (SELECT session FROM summaries ORDER BY session DESC LIMIT {NEWEST}))"
    );
    connection.rows(&text, params![us], |row| Ok((row.parse(0)?, Seq(row.get::<i64>(1)? as u64))))
}

fn all(connection: &Connection, us: i64) -> Result<Vec<ServerRow>> {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let text =
        format!("SELECT {} FROM servers WHERE expires_at > {NOW} - {DAY_MS} ORDER BY number", columns(us));
    connection.rows(&text, &[], server)
}
