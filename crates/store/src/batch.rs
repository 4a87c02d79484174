//! One row of the log: the entries of one append, and the checksum that tells whether they are still what was written.

use crate::sql::{Connection, Result, Row, params};
use bytes::Bytes;
use lamplight_domain::{Seq, SessionId, Timestamp};

/// Between two entries of a body. JSON as `serde_json` writes it has none inside.
pub(crate) const SEPARATOR: u8 = b'\n';

/// What was found wrong, in words for the person who has to look at it.
#[derive(Debug)]
pub(crate) struct Damage(pub(crate) String);

/// A row as it is stored. `last - first + 1` entries are in `body`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) first: u64,
    pub(crate) last: u64,
    at: i64,
    crc: i64,
    body: Bytes,
}

impl Batch {
    pub(crate) fn seal(session: &SessionId, first: u64, last: u64, at: Timestamp, entries: &[Bytes]) -> Self {
        let mut body = Vec::with_capacity(entries.iter().map(|entry| entry.len() + 1).sum());
        for (n, entry) in entries.iter().enumerate() {
            if n > 0 {
                body.push(SEPARATOR);
            }
            body.extend_from_slice(entry);
        }
        let crc = checksum(session, first, last, at.0, &body);
        Self { first, last, at: at.0, crc, body: body.into() }
    }

    /// One that was sealed before.
    pub(crate) fn stored((first, last): (u64, u64), at: i64, crc: i64, body: Bytes) -> Self {
        Self { first, last, at, crc, body }
    }

    pub(crate) fn insert(&self, connection: &Connection, log: i64) -> Result<()> {
        connection.execute(
            "INSERT INTO log_batches (log, first_seq, last_seq, at, crc, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![log, self.first as i64, self.last as i64, self.at, self.crc, self.body],
        )?;
        Ok(())
    }

    pub(crate) fn at(&self) -> i64 {
        self.at
    }

    pub(crate) fn crc(&self) -> i64 {
        self.crc
    }

    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    /// The columns that [`Batch::from_row`] takes, in its order.
    pub(crate) const COLUMNS: &str = "first_seq, last_seq, at, crc, body";

    pub(crate) fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            first: row.get::<i64>(0)? as u64,
            last: row.get::<i64>(1)? as u64,
            at: row.get(2)?,
            crc: row.get(3)?,
            body: row.get::<Vec<u8>>(4)?.into(),
        })
    }

    /// The entries, if they are what was written. They share the memory of the row.
    pub(crate) fn open(&self, session: &SessionId) -> Result<Vec<(Seq, Bytes)>, Damage> {
        let (first, last) = (self.first, self.last);
        if checksum(session, first, last, self.at, &self.body) != self.crc {
            return Err(Damage(format!("entries {first} to {last} do not match their checksum")));
        }
        let mut from = 0;
        let mut entries = Vec::new();
        for part in self.body.split(|byte| *byte == SEPARATOR) {
            entries.push((Seq(first + entries.len() as u64), self.body.slice(from..from + part.len())));
            from += part.len() + 1;
        }
        Ok(entries)
    }
}

/// Covers where the row belongs as well as what is in it, so that a row under the wrong key is found too.
fn checksum(session: &SessionId, first: u64, last: u64, at: i64, body: &[u8]) -> i64 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(session.as_str().as_bytes());
    crc.update(&first.to_le_bytes());
    crc.update(&last.to_le_bytes());
    crc.update(&at.to_le_bytes());
    crc.update(body);
    i64::from(crc.finalize())
}
