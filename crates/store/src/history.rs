//! Reading a session's log: in order, without a gap, and only what is still what was written.

use crate::ReadError;
use crate::batch::{Batch, Damage};
use crate::packs::{self, Pack, Unpack};
use crate::readers::Closed;
use crate::sql::{self, Connection, Row, params};
use bytes::Bytes;
use lamplight_domain::{Seq, SessionId};
use rusqlite::ErrorCode;

/// Most bytes that one page read backwards has, but for a single entry that is larger.
pub(crate) const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Batches, and bytes of them but for the last, that are fetched from PostgreSQL at a time.
const STEP_BATCHES: usize = 256;
const STEP_BYTES: usize = 1024 * 1024;

/// Why a log could not be read: its own damage, or something that says nothing about this session.
#[derive(Debug)]
pub(crate) enum Unread {
    Damaged(String),
    /// The database cannot be reached.
    Away(String),
    /// What is packed cannot be had now.
    Unavailable(String),
    /// This has to be unpacked first.
    Packed(Pack),
    Failed(sql::Error),
    Closed,
}

impl From<Damage> for Unread {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage.0)
    }
}

impl From<sql::Error> for Unread {
    /// A database page that does not parse, or a value of a type that we never store, is damage as well.
    fn from(error: sql::Error) -> Self {
        match error {
            sql::Error::Damaged(what) => Self::Damaged(what),
            sql::Error::Lite(lite) if is_damage(&lite) => Self::Damaged(lite.to_string()),
            other => Self::of_rows(other),
        }
    }
}

impl Unread {
    /// Of rows that are no log's: damage in them says nothing about any session.
    pub(crate) fn of_rows(error: sql::Error) -> Self {
        match error {
            sql::Error::Lost(why) => Self::Away(why),
            other => Self::Failed(other),
        }
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    let is_value = matches!(
        error,
        rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::Utf8Error(..)
    );
    is_value
        || matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
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
            Unread::Away(why) => Self::Unreachable(why),
            Unread::Unavailable(why) => Self::Unavailable(why),
            Unread::Packed(_) => unreachable!("whoever reads a log unpacks what it is told to"),
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
    (limit_entries, limit_bytes): (usize, usize),
    unpack: Unpack<'_>,
) -> Result<Vec<(Seq, Bytes)>, Unread> {
    let mut page = Page::new(limit_entries.max(1), limit_bytes);
    let Some(place) = find(connection, session)? else { return Ok(page.entries) };
    let mut expected = first_of_batch_with(connection, place.log, after.next())?;
    onward(connection, place.log, expected, unpack, |batch| {
        if batch.first != expected || batch.last < batch.first {
            return Err(gap(expected, batch.first));
        }
        expected = batch.last + 1;
        if batch.last <= after.0 {
            return Ok(true);
        }
        for (seq, entry) in batch.open(session)? {
            if seq > after && !page.take(seq, entry) {
                break;
            }
        }
        Ok(!page.full)
    })?;
    if page.full {
        return Ok(page.entries);
    }
    check_end(expected - 1, &place)?;
    Ok(page.entries)
}

pub(crate) fn read_before(
    connection: &Connection,
    session: &SessionId,
    before: Seq,
    limit_entries: usize,
    unpack: Unpack<'_>,
) -> Result<Vec<(Seq, Bytes)>, Unread> {
    let mut page = Page::new(limit_entries.max(1), PAGE_BYTES);
    let Some(place) = find(connection, session)? else { return Ok(page.entries) };
    let before = Seq(before.0.min(i64::MAX as u64));
    let mut above: Option<u64> = None;
    backward(connection, place.log, before.0, unpack, |batch| {
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
        Ok(!page.full)
    })?;
    page.entries.reverse();
    Ok(page.entries)
}

/// On from the batch that begins there, or back from the one before that.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    On(u64),
    Back(u64),
}

/// Shows batches from this one on to `visit`, until it says that it has enough. It looks for a row first and then for a pack: what is packed in
/// between is found there, and nothing comes back from there.
fn onward(
    connection: &Connection,
    log: i64,
    from: u64,
    unpack: Unpack<'_>,
    mut visit: impl FnMut(Batch) -> Result<bool, Unread>,
) -> Result<(), Unread> {
    let mut from = from;
    loop {
        let (mut wants_more, mut found) = (true, None);
        for_each_row(connection, log, Way::On(from), |batch| {
            if batch.first != from {
                found = Some(batch.first);
                return Ok(false);
            }
            from = batch.last.saturating_add(1);
            wants_more = visit(batch)?;
            Ok(wants_more)
        })?;
        if !wants_more {
            return Ok(());
        }
        let mut is_packed = false;
        while let Some(pack) = packs::with(connection, log, from)? {
            for batch in unpack(&pack)?.into_iter().filter(|batch| batch.first >= from) {
                if !visit(batch)? {
                    return Ok(());
                }
            }
            (from, is_packed) = (pack.last.saturating_add(1), true);
        }
        if !is_packed {
            return found.map_or(Ok(()), |found| Err(gap(from, found)));
        }
    }
}

/// Shows batches back from the one before that to `visit`, until it says that it has enough: first those in rows, then those in packs.
fn backward(
    connection: &Connection,
    log: i64,
    before: u64,
    unpack: Unpack<'_>,
    mut visit: impl FnMut(Batch) -> Result<bool, Unread>,
) -> Result<(), Unread> {
    let (mut before, mut wants_more) = (before, true);
    for_each_row(connection, log, Way::Back(before), |batch| {
        before = batch.first;
        wants_more = visit(batch)?;
        Ok(wants_more)
    })?;
    while wants_more && before > 1 {
        let Some(pack) = packs::up_to(connection, log, before - 1)? else { return Ok(()) };
        for batch in unpack(&pack)?.into_iter().rev().filter(|batch| batch.first < before) {
            wants_more = visit(batch)?;
            if !wants_more {
                break;
            }
        }
        before = pack.first;
    }
    Ok(())
}

/// Shows batches that are in rows to `visit` in that order, until it says that it has enough.
pub(crate) fn for_each_row(
    connection: &Connection,
    log: i64,
    way: Way,
    mut visit: impl FnMut(Batch) -> Result<bool, Unread>,
) -> Result<(), Unread> {
    let (condition, from) = match way {
        Way::On(from) => ("first_seq >= ?2 ORDER BY first_seq", from),
        Way::Back(before) => ("first_seq < ?2 ORDER BY first_seq DESC", before),
    };
    let columns = Batch::COLUMNS;
    match connection {
        Connection::Lite(lite) => {
            let text = format!("SELECT {columns} FROM log_batches WHERE log = ?1 AND {condition}");
            let mut statement = lite.prepare_cached(&text).map_err(sql::Error::from)?;
            let mut rows = statement.query([log, from as i64]).map_err(sql::Error::from)?;
            while let Some(row) = rows.next().map_err(sql::Error::from)? {
                if !visit(Batch::from_row(&Row::Lite(row))?)? {
                    break;
                }
            }
            Ok(())
        }
        Connection::Postgres(_) => in_steps(connection, log, way, &mut visit),
    }
}

/// PostgreSQL sends all that is asked for, so little is asked for at a time: some batches, and of those no more than some bytes.
fn in_steps(
    connection: &Connection,
    log: i64,
    way: Way,
    visit: &mut dyn FnMut(Batch) -> Result<bool, Unread>,
) -> Result<(), Unread> {
    let mut way = way;
    loop {
        let (condition, order, from) = match way {
            Way::On(from) => ("first_seq >= ?2", "first_seq", from),
            Way::Back(before) => ("first_seq < ?2", "first_seq DESC", before),
        };
        let columns = Batch::COLUMNS;
        let text = format!(
            "SELECT {columns} FROM (
                SELECT {columns}, SUM(octet_length(body)) OVER (ORDER BY {order} ROWS UNBOUNDED PRECEDING) - octet_length(body) AS before
                FROM (
                    SELECT {columns} FROM log_batches WHERE log = ?1 AND {condition} ORDER BY {order} LIMIT {STEP_BATCHES}
                ) AS next
            ) AS few WHERE before < {STEP_BYTES} ORDER BY {order}"
        );
        let batches = connection.rows(&text, params![log, from as i64], Batch::from_row)?;
        if batches.is_empty() {
            return Ok(());
        }
        for batch in batches {
            way = match way {
                Way::On(_) => Way::On(batch.last.saturating_add(1)),
                Way::Back(_) => Way::Back(batch.first),
            };
            if !visit(batch)? {
                return Ok(());
            }
        }
    }
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
    let at_least: Option<i64> = connection.row(
        "SELECT last_seq FROM summaries WHERE session = ?1",
        params![session.as_str()],
        |row| row.get(0),
    )?;
    let log: Option<i64> = number(connection, session)?;
    match (log, at_least) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Unread::Damaged("the session is listed but its log is not found".into())),
        (Some(log), at_least) => Ok(Some(Place { log, at_least: at_least.unwrap_or(0) as u64 })),
    }
}

/// The number under which a session's rows are.
pub(crate) fn number(connection: &Connection, session: &SessionId) -> sql::Result<Option<i64>> {
    let text = "SELECT number FROM logs WHERE session = ?1";
    connection.row(text, params![session.as_str()], |row| row.get(0))
}

/// The last entry of a log, 0 when it is empty.
pub(crate) fn end(connection: &Connection, log: i64) -> sql::Result<u64> {
    let text = "SELECT last_seq FROM log_batches WHERE log = ?1 ORDER BY first_seq DESC LIMIT 1";
    let last: Option<i64> = connection.row(text, params![log], |row| row.get(0))?;
    last.map_or_else(|| packs::end(connection, log), |last| Ok(last as u64))
}

/// The first entry of the batch, or of the pack, that `seq` is in. Past the end, of the last batch, or what would follow the last pack.
fn first_of_batch_with(connection: &Connection, log: i64, seq: Seq) -> Result<u64, Unread> {
    let wanted = seq.0;
    let seq = i64::try_from(wanted).unwrap_or(i64::MAX);
    let text = "SELECT first_seq FROM log_batches WHERE log = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1";
    let first: Option<i64> = connection.row(text, params![log, seq], |row| row.get(0))?;
    if let Some(first) = first {
        return Ok(first as u64);
    }
    let pack = packs::up_to(connection, log, wanted)?.ok_or_else(|| gap(1, 2))?;
    Ok(if wanted <= pack.last { pack.first } else { pack.last + 1 })
}

fn check_end(last: u64, place: &Place) -> Result<(), Unread> {
    if last < place.at_least { Err(gap(last + 1, place.at_least)) } else { Ok(()) }
}

fn gap(expected: u64, found: u64) -> Unread {
    Unread::Damaged(format!("entry {expected} is not where it should be, next to {found}"))
}
