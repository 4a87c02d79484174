//! Addresses that are told what happens to sessions, and what each of them is told.
//!
//! ```text
//! append ─▶ a delivery for each hook that wants it, in the same transaction
//!              │
//!              ▼ due ◀── failed, until its time is over
//!           claimed: not due for as long as a try may take; whoever dies in it lets another begin
//!              │
//!              ├─▶ came through
//!              └─▶ dead: its time is over, or its hook was disabled ──retry──▶ due
//! ```
//! So a crash can lose none and make none twice; what may happen twice is the try. Of several servers one has a delivery: its claim counts the
//! tries, and what came of a try is kept only where no other has begun since.

mod reading;
mod sweep;

use self::reading::{HOOK, deliveries, hook, listed};
use self::sweep::sweep;
use crate::jobs::{Job, Record};
use crate::sql::{Connection, Dialect, Result, Row, params};
use crate::{ReadError, SealedSecret, Store, WriteError, secrets};
use lamplight_domain::{Seq, SessionId, Timestamp};

/// Most deliveries on one page.
pub const PAGE_HOOK_DELIVERIES: usize = 500;

/// An address that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRow {
    pub id: String,
    pub url: String,
    /// What it is told of; empty is everything.
    pub kinds: Vec<String>,
    /// The name of who made it.
    pub created_by: String,
    pub created_at: Timestamp,
    /// When something came through last.
    pub came_at: Option<Timestamp>,
    /// Why nothing is sent there any more; `None` while something is.
    pub disabled: Option<String>,
}

/// The same, with how much of it has not come through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookListed {
    pub hook: HookRow,
    pub waiting: u64,
    pub dead: u64,
}

/// What an entry of a log has hooks told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    pub seq: Seq,
    pub kind: String,
    /// As it is sent.
    pub body: String,
}

/// One thing that one hook is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookDelivery {
    pub number: i64,
    pub session: SessionId,
    pub seq: Seq,
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    pub state: DeliveryState,
    /// How often it was begun.
    pub tries: u32,
    /// What came of the last try, in words; empty before the first.
    pub outcome: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is tried then.
    Waiting {
        due: Timestamp,
    },
    Delivered {
        at: Timestamp,
    },
    /// Nobody tries it any more.
    Dead,
}

/// Which deliveries of a hook to list; the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryQuery {
    /// Only those that are dead.
    pub dead: bool,
    /// Those with a smaller number.
    pub before: Option<i64>,
    /// At most [`PAGE_HOOK_DELIVERIES`].
    pub limit: usize,
}

/// A delivery that is to be tried now, by whoever has claimed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub number: i64,
    pub session: SessionId,
    pub seq: Seq,
    pub body: String,
    /// From when on the time counts that is left for it.
    pub since: Timestamp,
    /// This one included.
    pub tries: u32,
    /// Those of them since then.
    pub tries_since: u32,
}

/// One change, with whatever else is written at that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookChange {
    /// Unless there are `most` already.
    Add {
        hook: HookRow,
        secret: SealedSecret,
        most: usize,
    },
    /// With all that it was to be told, and its secret.
    Remove {
        hook: String,
        secret: String,
    },
    /// Those that are due; until `until` nobody else tries them.
    Claim {
        hook: String,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    },
    Came {
        hook: String,
        number: i64,
        tries: u32,
        at: Timestamp,
        outcome: String,
    },
    /// It is tried again at `due`, or not at all.
    Failed {
        number: i64,
        tries: u32,
        at: Timestamp,
        due: Option<Timestamp>,
        outcome: String,
    },
    /// Nothing is sent there from now on, also of what waits.
    Disable {
        hook: String,
        why: String,
    },
    /// What waits for it is dead, if it is disabled.
    GiveUp {
        hook: String,
    },
    /// Something is sent there again, and from `at` on, as if it had happened then, what is dead; or only this, if it does not wait.
    Retry {
        hook: String,
        number: Option<i64>,
        at: Timestamp,
    },
}

/// What came of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookOutcome {
    /// So many rows are new or other than before: of hooks, and with [`HookChange::Retry`] of deliveries.
    Changed(usize),
    /// In the order in which it happened.
    Claimed(Vec<Claimed>),
}

impl HookChange {
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Add { hook, secret, .. } => hook.url.len() + secret.ciphertext.len(),
            Self::Came { outcome, .. } | Self::Failed { outcome, .. } => 64 + outcome.len(),
            Self::Remove { .. } | Self::Claim { .. } | Self::GiveUp { .. } | Self::Retry { .. } => 64,
            Self::Disable { why, .. } => 64 + why.len(),
        }
    }
}

impl Store {
    pub async fn change_hooks(&self, change: HookChange) -> std::result::Result<HookOutcome, WriteError> {
        self.ask(|reply| Job::Record(Record::Hooks { change: Box::new(change), reply })).await
    }

    /// All of them, the oldest first.
    pub async fn hooks(&self) -> std::result::Result<Vec<HookListed>, ReadError> {
        self.read_rows(listed).await
    }

    pub async fn hook(&self, id: &str) -> std::result::Result<Option<HookRow>, ReadError> {
        let id = id.to_owned();
        self.read_rows(move |connection| {
            connection.row(&format!("SELECT {HOOK} FROM hooks WHERE id = ?1"), params![id], hook)
        })
        .await
    }

    /// Hooks for which something is due at `now`.
    pub async fn due_hooks(&self, now: Timestamp) -> std::result::Result<Vec<String>, ReadError> {
        let text = "SELECT id FROM hooks WHERE EXISTS
            (SELECT 1 FROM hook_deliveries WHERE hook = hooks.id AND due_at <= ?1) ORDER BY id";
        self.read_rows(move |connection| connection.rows(text, params![now.0], |row| row.get(0))).await
    }

    pub async fn hook_deliveries(
        &self,
        hook: &str,
        query: DeliveryQuery,
    ) -> std::result::Result<Vec<HookDelivery>, ReadError> {
        let hook = hook.to_owned();
        self.read_rows(move |connection| deliveries(connection, &hook, &query)).await
    }
}

/// For every hook that wants it.
pub(crate) fn tell(
    connection: &Connection,
    session: &SessionId,
    at: Timestamp,
    notice: &NoticeRow,
) -> Result<()> {
    connection.execute(
        "INSERT INTO hook_deliveries (hook, session, seq, kind, at, body, since, due_at)
         SELECT id, ?1, ?2, ?3, ?4, ?5, ?4, ?4 FROM hooks
         WHERE disabled IS NULL AND (kinds = '' OR kinds LIKE '% ' || ?3 || ' %')",
        params![session.as_str(), notice.seq.0 as i64, notice.kind, at.0, notice.body],
    )?;
    Ok(())
}

pub(crate) fn change(connection: &Connection, change: &HookChange) -> Result<HookOutcome> {
    let changed = match change {
        HookChange::Add { hook, secret, most } => add(connection, hook, secret, *most)?,
        HookChange::Remove { hook, secret } => {
            secrets::remove(connection, secret)?;
            // First, since that waits for appends that are telling it something; what those have told it goes with the rest.
            let removed = connection.execute("DELETE FROM hooks WHERE id = ?1", params![hook])?;
            connection.execute("DELETE FROM hook_deliveries WHERE hook = ?1", params![hook])?;
            removed
        }
        HookChange::Claim { hook, now, until, limit } => {
            return claim(connection, hook, *now, *until, *limit).map(HookOutcome::Claimed);
        }
        HookChange::Came { hook, number, tries, at, outcome } => {
            let came = connection.execute(
                "UPDATE hook_deliveries SET due_at = NULL, delivered_at = ?3, outcome = ?4 WHERE number = ?1 AND tries = ?2",
                params![number, tries, at.0, outcome],
            )?;
            // Where another server holds it, that one says the same at the same time.
            let unless_held = unless_held(connection);
            connection.execute(
                &format!("UPDATE hooks SET came_at = ?2 WHERE id IN (SELECT id FROM hooks WHERE id = ?1 {unless_held})"),
                params![hook, at.0],
            )?;
            sweep(connection, *at)?;
            came
        }
        HookChange::Failed { number, tries, at, due, outcome } => {
            let failed = connection.execute(
                "UPDATE hook_deliveries SET due_at = ?3, outcome = ?4
                 WHERE number = ?1 AND tries = ?2 AND due_at IS NOT NULL",
                params![number, tries, due.map(|due| due.0), outcome],
            )?;
            sweep(connection, *at)?;
            failed
        }
        HookChange::Disable { hook, why } => {
            let text = "UPDATE hooks SET disabled = ?2 WHERE id = ?1 AND disabled IS NULL";
            let disabled = connection.execute(text, params![hook, why])?;
            give_up(connection, hook)?;
            disabled
        }
        HookChange::GiveUp { hook } => give_up(connection, hook)?,
        HookChange::Retry { hook, number, at } => {
            let again = "UPDATE hook_deliveries SET due_at = ?2, since = ?2, tries_before = tries, delivered_at = NULL WHERE hook = ?1";
            let retried = match number {
                Some(number) => connection.execute(
                    &format!("{again} AND number = ?3 AND due_at IS NULL"),
                    params![hook, at.0, number],
                )?,
                None => connection.execute(
                    &format!("{again} AND due_at IS NULL AND delivered_at IS NULL"),
                    params![hook, at.0],
                )?,
            };
            if number.is_none() || retried > 0 {
                connection.execute("UPDATE hooks SET disabled = NULL WHERE id = ?1", params![hook])?;
            }
            retried
        }
    };
    Ok(HookOutcome::Changed(changed))
}

fn add(connection: &Connection, hook: &HookRow, secret: &SealedSecret, most: usize) -> Result<usize> {
    let count: Option<i64> = connection.row("SELECT COUNT(*) FROM hooks", &[], |row| row.get(0))?;
    if count.unwrap_or(0) >= i64::try_from(most).unwrap_or(i64::MAX) {
        return Ok(0);
    }
    secrets::set(connection, secret)?;
    let kinds: String = hook.kinds.iter().map(|kind| format!(" {kind} ")).collect();
    connection.execute(
        "INSERT INTO hooks (id, url, kinds, created_by, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![hook.id, hook.url, kinds, hook.created_by, hook.created_at.0],
    )
}

/// Rows that another server is about to change are left to it: nobody waits for anybody here, least of all two for each other.
fn unless_held(connection: &Connection) -> &'static str {
    match connection.dialect() {
        Dialect::Lite => "",
        Dialect::Postgres => "FOR NO KEY UPDATE SKIP LOCKED",
    }
}

fn give_up(connection: &Connection, hook: &str) -> Result<usize> {
    connection.execute(
        "UPDATE hook_deliveries SET due_at = NULL,
         outcome = CASE outcome WHEN '' THEN 'its hook was disabled before it was tried' ELSE outcome END
         WHERE hook = ?1 AND due_at IS NOT NULL AND EXISTS (SELECT 1 FROM hooks WHERE id = ?1 AND disabled IS NOT NULL)",
        params![hook],
    )
}

fn claim(
    connection: &Connection,
    hook: &str,
    now: Timestamp,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<Claimed>> {
    let unless_held = unless_held(connection);
    let text = format!(
        "WITH due AS (
            SELECT number FROM hook_deliveries WHERE hook = ?1 AND due_at <= ?2 ORDER BY due_at, number LIMIT ?4 {unless_held}
         )
         UPDATE hook_deliveries SET due_at = ?3, tries = tries + 1 WHERE number IN (SELECT number FROM due)
         RETURNING number, session, seq, body, since, tries, tries - tries_before"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let read = |row: &Row<'_>| {
        Ok(Claimed {
            number: row.get(0)?,
            session: row.parse(1)?,
            seq: Seq(row.get::<i64>(2)? as u64),
            body: row.get(3)?,
            since: Timestamp(row.get(4)?),
            tries: row.count(5)?,
            tries_since: row.count(6)?,
        })
    };
    let mut claimed = connection.rows(&text, params![hook, now.0, until.0, limit], read)?;
    claimed.sort_by_key(|claimed| claimed.number);
    Ok(claimed)
}
