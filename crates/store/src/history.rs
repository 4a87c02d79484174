//! Reading a session's log: in order, without a gap, and only what is still what was written.

use crate::ReadError;
use crate::batch::{Batch, Damage};
use crate::readers::Closed;
use bytes::Bytes;
use lamplight_domain::{Seq, SessionId};
use rusqlite::{Connection, ErrorCode, OptionalExtension};

/// Most bytes that one page read backwards has, but for a single entry that is larger.
pub(crate) const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Why a log could not be read: its own damage, or something that says nothing about this session.
#[derive(Debug)]
pub(crate) enum Unread {
    Damaged(String),
    Failed(rusqlite::Error),
    Closed,
}

impl From<Damage> for Unread {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage.0)
    }
}

impl From<rusqlite::Error> for Unread {
    /// A database page that does not parse, or a value of a type that we never store, is damage as well.
    fn from(error: rusqlite::Error) -> Self {
        match (&error, error.sqlite_error_code()) {
            (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            | (rusqlite::Error::InvalidColumnType(..), _)
            | (rusqlite::Error::FromSqlConversionFailure(..), _)
            | (rusqlite::Error::Utf8Error(..), _) => Self::Damaged(error.to_string()),
            _ => Self::Failed(error),
        }
    }
}

impl From<Closed> for Unread {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<Unread> for ReadError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Damaged(what) => Self::Quarantined(what),
            Unread::Failed(error) => Self::Failed(error.to_string()),
            Unread::Closed => Self::Failed("the store is closed".into()),
        }
    }
}

/// Where a session's log is, and the least that must be in it.
struct Place {
    log: i64,
    /// From the summary, which is written with the log: rows missing at the end show by it.
    at_least: u64,
}

pub(crate) fn last_seq(connection: &Connection, session: &SessionId) -> Result<Seq, Unread> {
    let Some(place) = find(connection, session)? else { return Ok(Seq(0)) };
    let last = end(connection, place.log)?;
    check_end(last, &place)?;
    Ok(Seq(last))
}

pub(crate) fn read(
    connection: &Connection,
    session: &SessionId,
    after: Seq,
    limit_entries: usize,
    limit_bytes: usize,
) -> Result<Vec<(Seq, Bytes)>, Unread> {
    let mut page = Page::new(limit_entries.max(1), limit_bytes);
    let Some(place) = find(connection, session)? else { return Ok(page.entries) };
    let mut expected = first_of_batch_with(connection, place.log, after.next())?;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM log_batches WHERE log = ?1 AND first_seq >= ?2 ORDER BY first_seq",
        Batch::COLUMNS
    ))?;
    let mut rows = statement.query([place.log, expected as i64])?;
    while let Some(row) = rows.next()? {
        let batch = Batch::from_row(row)?;
        if batch.first != expected || batch.last < batch.first {
            return Err(gap(expected, batch.first));
        }
        expected = batch.last + 1;
        if batch.last <= after.0 {
            continue;
        }
        for (seq, entry) in batch.open(session)? {
            if seq > after && !page.take(seq, entry) {
                break;
            }
        }
        if page.full {
            return Ok(page.entries);
        }
    }
    check_end(expected - 1, &place)?;
    Ok(page.entries)
}

pub(crate) fn read_before(
    connection: &Connection,
    session: &SessionId,
    before: Seq,
    limit_entries: usize,
) -> Result<Vec<(Seq, Bytes)>, Unread> {
    let mut page = Page::new(limit_entries.max(1), PAGE_BYTES);
    let Some(place) = find(connection, session)? else { return Ok(page.entries) };
    let before = Seq(before.0.min(i64::MAX as u64));
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM log_batches WHERE log = ?1 AND first_seq < ?2 ORDER BY first_seq DESC",
        Batch::COLUMNS
    ))?;
    let mut rows = statement.query([place.log, before.0 as i64])?;
    let mut above: Option<u64> = None;
    while let Some(row) = rows.next()? {
        let batch = Batch::from_row(row)?;
        match above {
            Some(first) if batch.last + 1 != first => return Err(gap(first - 1, batch.last)),
            None if batch.last + 1 < before.0 => check_end(batch.last, &place)?,
            _ => {}
        }
        above = Some(batch.first);
        for (seq, entry) in batch.open(session)?.into_iter().rev() {
            if seq < before && !page.take(seq, entry) {
                break;
            }
        }
        if page.full {
            break;
        }
    }
    page.entries.reverse();
    Ok(page.entries)
}

/// Entries until a limit is reached. The first one always fits: a page that could stay empty would stop its reader.
struct Page {
    entries: Vec<(Seq, Bytes)>,
    limit_entries: usize,
    bytes_left: usize,
    full: bool,
}

impl Page {
    fn new(limit_entries: usize, limit_bytes: usize) -> Self {
        Self { entries: Vec::new(), limit_entries, bytes_left: limit_bytes, full: false }
    }

    /// Whether another entry may have room.
    fn take(&mut self, seq: Seq, entry: Bytes) -> bool {
        if self.entries.is_empty() || entry.len() <= self.bytes_left {
            self.bytes_left = self.bytes_left.saturating_sub(entry.len());
            self.entries.push((seq, entry));
            self.full = self.entries.len() >= self.limit_entries;
        } else {
            self.full = true;
        }
        !self.full
    }
}

/// `None` when there is no such session. The summary is looked at before the log: the log can only have grown since.
fn find(connection: &Connection, session: &SessionId) -> Result<Option<Place>, Unread> {
    let at_least: Option<i64> = connection
        .prepare_cached("SELECT last_seq FROM summaries WHERE session = ?1")?
        .query_row([session.as_str()], |row| row.get(0))
        .optional()?;
    let log: Option<i64> = number(connection, session)?;
    match (log, at_least) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Unread::Damaged("the session is listed but its log is not found".into())),
        (Some(log), at_least) => Ok(Some(Place { log, at_least: at_least.unwrap_or(0) as u64 })),
    }
}

/// The number under which a session's rows are.
pub(crate) fn number(connection: &Connection, session: &SessionId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT number FROM logs WHERE session = ?1")?
        .query_row([session.as_str()], |row| row.get(0))
        .optional()
}

/// The last entry of a log, 0 when it is empty.
pub(crate) fn end(connection: &Connection, log: i64) -> rusqlite::Result<u64> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT last_seq FROM log_batches WHERE log = ?1 ORDER BY first_seq DESC LIMIT 1")?
        .query_row([log], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or(0) as u64)
}

/// The first entry of the batch that `seq` is in, or of the last batch when it is past the end.
fn first_of_batch_with(connection: &Connection, log: i64, seq: Seq) -> Result<u64, Unread> {
    let seq = i64::try_from(seq.0).unwrap_or(i64::MAX);
    let first: Option<i64> = connection
        .prepare_cached(
            "SELECT first_seq FROM log_batches WHERE log = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1",
        )?
        .query_row([log, seq], |row| row.get(0))
        .optional()?;
    first.map(|first| first as u64).ok_or_else(|| gap(1, 2))
}

fn check_end(last: u64, place: &Place) -> Result<(), Unread> {
    if last < place.at_least { Err(gap(last + 1, place.at_least)) } else { Ok(()) }
}

fn gap(expected: u64, found: u64) -> Unread {
    Unread::Damaged(format!("entry {expected} is not where it should be, next to {found}"))
}
