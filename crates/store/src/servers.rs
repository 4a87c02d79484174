//! Several servers on one PostgreSQL: whose a session is. On SQLite there is one server, and every session is its own.
//!
//! ```text
//! nobody's ──claim──▶ ours ──append──▶ the fence is compared with the end of the log, in one update
//!     ▲                │
//!     └── leave ───────┤ not renewed in time ──▶ anybody's: whoever claims it raises the fence, and what we still append is refused
//! ```
//! A session stays with its server, asleep or awake, for as long as that server is there: its sandbox and its files are on that machine. All
//! times are by the clock of the database. Why it is as it is: `docs/decisions/0036-several-servers.md`.

mod statements;

pub(crate) use statements::{change, fence, new_log};

use crate::jobs::{Job, Record};
use crate::sql::Connection;
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

/// Which server this is, and which sessions are its own as far as it knows.
#[derive(Debug, Default)]
pub(crate) struct Ours {
    /// 0 on SQLite.
    pub(crate) number: i64,
    claims: Mutex<Claims>,
}

#[derive(Debug, Default)]
struct Claims {
    fences: HashMap<SessionId, i64>,
    /// How often every claim was forgotten.
    term: u64,
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
    /// Nobody has it, and whoever had is of a newer version, whose entries may not be known here.
    Newer,
}

/// Whose sessions are claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Our own, of when this server ran last, and those that nobody has had yet.
    Ours,
    /// Of servers that have handed theirs back.
    Left,
    /// Of those that have not renewed in time too. They may only have lost the database with us.
    Gone,
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
    /// This session, if it is ours, or of these.
    Claim {
        session: SessionId,
        of: Whose,
    },
    /// Sessions with something to do.
    ClaimOpen {
        of: Whose,
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
        Self { number, claims: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an append to this session counts on; 0 is never right.
    pub(crate) fn fence(&self, session: &SessionId) -> i64 {
        if self.number == 0 { 0 } else { self.lock().fences.get(session).copied().unwrap_or(0) }
    }

    pub(crate) fn is_held(&self, session: &SessionId) -> bool {
        self.number == 0 || self.lock().fences.contains_key(session)
    }

    /// What a claim is asked for in.
    pub(crate) fn term(&self) -> u64 {
        self.lock().term
    }

    /// Unless every claim was forgotten since this one was asked for: whoever took this server for dead may have the session by now.
    pub(crate) fn hold(&self, session: SessionId, fence: i64, term: u64) {
        let mut claims = self.lock();
        if self.number != 0 && claims.term == term {
            claims.fences.insert(session, fence);
        }
    }

    /// If it is still held by this claim.
    pub(crate) fn lost(&self, session: &SessionId, fence: i64) {
        let mut claims = self.lock();
        if claims.fences.get(session) == Some(&fence) {
            claims.fences.remove(session);
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
        match self.has_claimed(session, Whose::Gone).await? {
            true => Ok(Owner::Ours),
            false => self.owner(session).await,
        }
    }

    /// Like [`Store::claim`], but of a server that has not renewed in time it is that server's still, which is told as not alive.
    pub async fn claim_left(&self, session: &SessionId) -> std::result::Result<Owner, ReadError> {
        if self.ours().is_held(session) || self.has_claimed(session, Whose::Left).await? {
            return Ok(Owner::Ours);
        }
        let (session, us) = (session.clone(), self.ours().number);
        let look = move |connection: &Connection| match statements::owning(connection, &session, us)? {
            Some(server) if server.is_us => Ok(Owner::Ours),
            Some(server) => Ok(Owner::Other(server)),
            None => statements::nobody(connection, &session),
        };
        self.read_rows(look).await
    }

    async fn has_claimed(&self, session: &SessionId, of: Whose) -> std::result::Result<bool, ReadError> {
        let claimed = self.change_servers(ServerChange::Claim { session: session.clone(), of }).await;
        Ok(match claimed.map_err(of_reading)? {
            ServerOutcome::Claimed(claims) => !claims.is_empty(),
            ServerOutcome::Done | ServerOutcome::OtherKey(_) => false,
        })
    }

    /// Claims sessions with something to do, oldest first, and gives which.
    pub async fn claim_open(
        &self,
        of: Whose,
        limit: usize,
    ) -> std::result::Result<Vec<SessionId>, ReadError> {
        if !self.is_shared() {
            return match of {
                Whose::Ours => self.read_rows(summaries::unfinished).await,
                Whose::Left | Whose::Gone => Ok(Vec::new()),
            };
        }
        let claimed = self.change_servers(ServerChange::ClaimOpen { of, limit }).await;
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
        self.read_rows(move |connection| statements::owner(connection, &session, us)).await
    }

    /// The server whose machine a sandbox is on that is lent; `None` on SQLite, and where there is no such sandbox.
    pub async fn lent_by(&self, sandbox: &SessionId) -> std::result::Result<Option<ServerRow>, ReadError> {
        let us = self.ours().number;
        if us == 0 {
            return Ok(None);
        }
        let sandbox = sandbox.clone();
        self.read_rows(move |connection| statements::lending(connection, &sandbox, us)).await
    }

    /// Whether this server has the session, as far as it knows; asks nobody.
    pub fn is_held(&self, session: &SessionId) -> bool {
        self.ours().is_held(session)
    }

    /// Forgets the claim; the session stays ours.
    pub fn let_go(&self, session: &SessionId) {
        if self.is_shared() {
            self.ours().lock().fences.remove(session);
        }
    }

    /// Forgets every claim, also those that were asked for and are not answered yet: what is still appended by them is refused here.
    pub fn let_all_go(&self) {
        let mut claims = self.ours().lock();
        claims.fences.clear();
        claims.term += 1;
    }

    /// Keeps this server's sessions its own for [`LEASE`] more.
    pub async fn renew(&self) -> std::result::Result<Standing, ReadError> {
        let us = self.ours().number;
        if us == 0 {
            return Ok(Standing { is_first: true, was_gone: false });
        }
        self.keep(move |connection| statements::renew(connection, us)).await
    }

    /// All that have been there within a day, by number; none on SQLite.
    pub async fn servers(&self) -> std::result::Result<Vec<ServerRow>, ReadError> {
        let us = self.ours().number;
        if us == 0 {
            return Ok(Vec::new());
        }
        self.read_rows(move |connection| statements::all(connection, us)).await
    }

    /// Sessions of other servers that have something to do, or are among the newest, and where their logs end.
    pub async fn ends_elsewhere(&self) -> std::result::Result<Vec<(SessionId, Seq)>, ReadError> {
        let us = self.ours().number;
        if us == 0 {
            return Ok(Vec::new());
        }
        self.read_rows(move |connection| statements::ends_elsewhere(connection, us)).await
    }

    async fn change_servers(&self, change: ServerChange) -> std::result::Result<ServerOutcome, WriteError> {
        let (us, term) = (self.ours().number, self.ours().term());
        let outcome = self.ask(|reply| Job::Record(Record::Servers { change, us, reply })).await?;
        if let ServerOutcome::Claimed(claims) = &outcome {
            claims.iter().for_each(|(session, fence)| self.ours().hold(session.clone(), *fence, term));
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
