//! Logs that nobody asks for any more are packed: their batches go from the database into blobs, some to each.
//!
//! ```text
//! rows ──▶ read and checked ──▶ compressed ──▶ put as a blob, got back, compared ──▶ one transaction: the pack is known, the rows are gone
//!                                                   │
//!                                                   └─ a crash from here on leaves a blob that nobody names; it is put again under the same name
//! ```
//! Packs are added to the end of those that a log has, and are never changed or undone: what is appended later is in rows behind them. So who
//! looks for a row and finds none looks for a pack, whatever was packed meanwhile, and nobody has to be kept from appending.
//! Why it is as it is: `docs/decisions/0057-packed-logs.md`.

use crate::batch::{Batch, Damage, SEPARATOR};
use crate::history::{self, Unread, Way};
use crate::jobs::{Job, Record};
use crate::sql::{self, Connection, Row, params};
use crate::{BlobError, BlobId, Blobs, ReadError, Store, WriteError};
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use lamplight_domain::{SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::ops::AddAssign;
use std::thread;
use thiserror::Error;
use tokio::runtime::Handle;

/// Bytes of batches after which a pack is full: what one reading brings is in few of them, and to read one entry little is fetched.
const PACK_BYTES: usize = 1 << 20;

/// Some batches that follow one another, and the blob that they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pack {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) blob: BlobId,
}

/// Gives what is in a pack.
pub(crate) type Unpack<'a> = &'a dyn Fn(&Pack) -> Result<Vec<Batch>, Unread>;

/// A pack that is to take the place of so many rows.
pub(crate) struct Packing {
    session: SessionId,
    pack: Pack,
    rows: i64,
}

/// What went into blobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packed {
    pub entries: u64,
    /// In the database.
    pub bytes: u64,
    /// In blobs.
    pub packed_bytes: u64,
}

impl AddAssign for Packed {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.bytes += other.bytes;
        self.packed_bytes += other.packed_bytes;
    }
}

/// Sessions whose logs may be packed, among those of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packable {
    pub sessions: Vec<SessionId>,
    /// The last of the page, if there is another one.
    pub next: Option<SessionId>,
}

/// Why nothing was packed. The log is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PackError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("what was packed does not come back as it was")]
    Unlike,
}

impl PackError {
    /// Other logs may be packed all the same.
    pub fn is_of_one_log(&self) -> bool {
        match self {
            Self::Read(ReadError::Quarantined(_))
            | Self::Blob(BlobError::Missing(_) | BlobError::Damaged(_))
            | Self::Unlike => true,
            Self::Read(_) | Self::Blob(_) | Self::Write(_) => false,
        }
    }
}

impl Store {
    /// Of the sessions after `after`, by id, the archived ones or the others: those with nothing to do that nothing was written to since
    /// `before`, and that are not wholly packed. Looks at `limit` sessions at most.
    pub async fn packable(
        &self,
        archived: bool,
        before: Timestamp,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Packable, ReadError> {
        let after = after.map(ToString::to_string).unwrap_or_default();
        self.read_rows(move |connection| packable(connection, archived, before, &after, limit)).await
    }

    /// Packs the next part of a session's log; `None` where nothing is left to be packed, or somebody else does it. Whatever becomes of it, the log
    /// reads as before.
    pub async fn pack(&self, session: &SessionId) -> Result<Option<Packed>, PackError> {
        let batches = self.read_log(session, |connection, session, _| next(connection, session)).await?;
        let (Some(Batch { first, .. }), Some(Batch { last, .. })) = (batches.first(), batches.last()) else {
            return Ok(None);
        };
        let (first, last, rows) = (*first, *last, batches.len() as i64);
        let bytes = batches.iter().map(|batch| batch.body().len() as u64).sum();
        let (content, batches) =
            aside(move || compress(&batches).map(|content| (content, batches))).await?.map_err(failed)?;
        let packed = Packed { entries: last - first + 1, bytes, packed_bytes: content.len() as u64 };
        let blob = self.blobs().put(content).await?;
        let pack = Pack { first, last, blob };
        let (content, put) = (self.blobs().get(&pack.blob).await?, pack.clone());
        let is_alike = aside(move || put.open(&content).is_ok_and(|found| found == batches)).await?;
        if !is_alike {
            return Err(PackError::Unlike);
        }
        let packing = Box::new(Packing { session: session.clone(), pack, rows });
        let changed = self.ask(|reply| Job::Record(Record::Pack { packing, reply })).await?;
        Ok((changed > 0).then_some(packed))
    }
}

/// On a thread that may be busy for a while.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

fn failed(error: impl ToString) -> BlobError {
    BlobError::Failed(error.to_string())
}

fn packable(
    connection: &Connection,
    archived: bool,
    before: Timestamp,
    after: &str,
    limit: usize,
) -> sql::Result<Packable> {
    let text = format!(
        "SELECT session, CAST(CASE WHEN open = 0 AND updated_at < ?2
            AND EXISTS (SELECT 1 FROM log_batches WHERE log_batches.log = summaries.log) THEN 1 ELSE 0 END AS BIGINT)
         FROM summaries WHERE archived = ?1 AND session > ?3 ORDER BY session LIMIT {limit}"
    );
    let page: Vec<(SessionId, bool)> =
        connection.rows(&text, params![archived, before.0, after], |row| Ok((row.parse(0)?, row.is(1)?)))?;
    let next = page.last().filter(|_| page.len() == limit).map(|(last, _)| last.clone());
    let sessions = page.into_iter().filter_map(|(session, is_packable)| is_packable.then_some(session));
    Ok(Packable { sessions: sessions.collect(), next })
}

/// The batches that the next pack of a log is of. Where they are not those that follow the last pack, somebody else has just packed them, or they
/// are damaged, which is for whoever reads the log to find.
fn next(connection: &Connection, session: &SessionId) -> Result<Vec<Batch>, Unread> {
    let (mut batches, mut bytes) = (Vec::new(), 0);
    let Some(log) = history::number(connection, session)? else { return Ok(batches) };
    let mut expected = end(connection, log)? + 1;
    history::for_each_row(connection, log, Way::On(expected), |batch| {
        if batch.first != expected || batch.last < batch.first {
            return Ok(false);
        }
        batch.open(session)?;
        expected = batch.last + 1;
        bytes += batch.body().len();
        batches.push(batch);
        Ok(bytes < PACK_BYTES)
    })?;
    Ok(batches)
}

/// Inside a transaction of the caller's: how many rows were packed. None, if the same was packed before, or the rows are not there as they were.
pub(crate) fn store(connection: &Connection, packing: &Packing) -> sql::Result<usize> {
    let Packing { session, pack: Pack { first, last, blob }, rows } = packing;
    let Some(log) = history::number(connection, session)? else { return Ok(0) };
    let (first, last) = (*first as i64, *last as i64);
    let span = "log_batches WHERE log = ?1 AND first_seq BETWEEN ?2 AND ?3";
    let count = format!("SELECT COUNT(*) FROM {span}");
    let there: Option<i64> = connection.row(&count, params![log, first, last], |row| row.get(0))?;
    if there != Some(*rows) {
        return Ok(0);
    }
    let new = "INSERT INTO log_packs (log, first_seq, last_seq, blob) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (log, first_seq) DO NOTHING";
    if connection.execute(new, params![log, first, last, blob.as_str()])? == 0 {
        return Ok(0);
    }
    connection.execute(&format!("DELETE FROM {span}"), params![log, first, last])
}

/// The pack that an entry is in.
pub(crate) fn with(connection: &Connection, log: i64, seq: u64) -> sql::Result<Option<Pack>> {
    Ok(up_to(connection, log, seq)?.filter(|pack| pack.last >= seq))
}

/// The last pack that begins at this entry or before it.
pub(crate) fn up_to(connection: &Connection, log: i64, seq: u64) -> sql::Result<Option<Pack>> {
    let text = "SELECT first_seq, last_seq, blob FROM log_packs WHERE log = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1";
    let seq = i64::try_from(seq).unwrap_or(i64::MAX);
    connection.row(text, params![log, seq], Pack::from_row)
}

/// The last entry that is packed, 0 where none is.
pub(crate) fn end(connection: &Connection, log: i64) -> sql::Result<u64> {
    Ok(up_to(connection, log, u64::MAX)?.map_or(0, |pack| pack.last))
}

/// All packs of a log, in order.
pub(crate) fn all(connection: &Connection, log: i64) -> sql::Result<Vec<Pack>> {
    let text = "SELECT first_seq, last_seq, blob FROM log_packs WHERE log = ?1 ORDER BY first_seq";
    connection.rows(text, params![log], Pack::from_row)
}

/// What was got for one reading.
#[derive(Clone, Default)]
pub(crate) struct Unpacked(HashMap<u64, Vec<Batch>>);

impl Unpacked {
    /// What is in it, or that it has to be got.
    pub(crate) fn find(&self, pack: &Pack) -> Result<Vec<Batch>, Unread> {
        self.0.get(&pack.first).cloned().ok_or_else(|| Unread::Packed(pack.clone()))
    }

    pub(crate) async fn get(&mut self, blobs: &Blobs, pack: Pack) -> Result<(), Unread> {
        let batches = get(blobs, &pack).await?;
        self.0.insert(pack.first, batches);
        Ok(())
    }
}

/// What is in a pack.
async fn get(blobs: &Blobs, pack: &Pack) -> Result<Vec<Batch>, Unread> {
    let content = match blobs.get(&pack.blob).await {
        Ok(content) => content,
        // It may be on its way there from the disk of another server, or the bucket another one than it was.
        Err(BlobError::Missing(_)) if blobs.are_in_bucket() => {
            let (folder, name) = pack.blob.place();
            return Err(Unread::Unavailable(format!(
                "entries {} to {} were packed into {folder}/{name}, which is not in the bucket; if it does not come there from another server's disk, look whether the bucket is the right one (`[blobs]`), or put it back from a backup",
                pack.first, pack.last
            )));
        }
        Err(error @ (BlobError::Missing(_) | BlobError::Damaged(_))) => {
            return Err(pack.damage(&error).into());
        }
        Err(error @ (BlobError::StorageFull | BlobError::Unavailable(_) | BlobError::Failed(_))) => {
            return Err(Unread::Unavailable(error.to_string()));
        }
    };
    let pack = pack.clone();
    let opened = aside(move || pack.open(&content)).await;
    Ok(opened.map_err(|error| Unread::Unavailable(error.to_string()))??)
}

/// Like [`get`], and waits for it, also on a thread that a runtime has.
pub(crate) fn wait_for(runtime: &Handle, blobs: &Blobs, pack: &Pack) -> Result<Vec<Batch>, Unread> {
    let got = thread::scope(|scope| scope.spawn(|| runtime.block_on(get(blobs, pack))).join());
    got.unwrap_or_else(|_| Err(Unread::Unavailable("reading a pack failed".into())))
}

impl Pack {
    fn from_row(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self { first: row.get::<i64>(0)? as u64, last: row.get::<i64>(1)? as u64, blob: row.parse(2)? })
    }

    /// The batches, if they are those that belong here. Each has its own checksum, which whoever reads it looks at.
    fn open(&self, content: &[u8]) -> Result<Vec<Batch>, Damage> {
        let mut text = Vec::new();
        GzDecoder::new(content).read_to_end(&mut text).map_err(|error| self.damage(&error))?;
        let (text, mut from) = (Bytes::from(text), 0);
        let (mut batches, mut expected) = (Vec::new(), self.first);
        while from < text.len() {
            let (batch, end) = batch(&text, from).ok_or_else(|| self.damage(&"it is none of ours"))?;
            if batch.first != expected || !(expected..=self.last).contains(&batch.last) {
                return Err(self.damage(&"other entries are in it"));
            }
            expected = batch.last + 1;
            batches.push(batch);
            from = end;
        }
        if expected == self.last + 1 { Ok(batches) } else { Err(self.damage(&"not all of them are in it")) }
    }

    fn damage(&self, what: &dyn std::fmt::Display) -> Damage {
        let (folder, name) = self.blob.place();
        Damage(format!(
            "entries {} to {} were packed into a blob: {what}; put blobs/{folder}/{name} back from a backup of the data directory or of the bucket, and start the server again",
            self.first, self.last
        ))
    }
}

/// Before each batch, on a line by itself, so that people can read it too.
#[derive(Serialize, Deserialize)]
struct Head {
    first: u64,
    last: u64,
    at: i64,
    crc: i64,
    /// Of the lines that follow, without the last line feed.
    bytes: usize,
}

/// The same for the same batches, whoever does it with this version.
fn compress(batches: &[Batch]) -> io::Result<Bytes> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    for batch in batches {
        let (first, last, at, crc, body) = (batch.first, batch.last, batch.at(), batch.crc(), batch.body());
        let head = serde_json::to_vec(&Head { first, last, at, crc, bytes: body.len() })?;
        for part in [&head[..], &[SEPARATOR][..], &body[..], &[SEPARATOR][..]] {
            packed.write_all(part)?;
        }
    }
    Ok(packed.finish()?.into())
}

/// The batch that begins there, and where the next one does.
fn batch(text: &Bytes, from: usize) -> Option<(Batch, usize)> {
    let begin = from + text[from..].iter().position(|byte| *byte == SEPARATOR)? + 1;
    let Head { first, last, at, crc, bytes } = serde_json::from_slice(&text[from..begin]).ok()?;
    let end = begin.checked_add(bytes).filter(|end| text.get(*end) == Some(&SEPARATOR))?;
    Some((Batch::stored((first, last), at, crc, text.slice(begin..end)), end + 1))
}
