//! Full-text search. Texts are stored with the log; the index is a projection that follows in larger steps, because
//! FTS5 writes a segment for every transaction and appends should not pay for that.

use crate::summaries::id;
use crate::{Hit, history};
use lamplight_domain::{Seq, SessionId};
use rusqlite::{Connection, params};

/// Words of a query that count.
const WORDS: usize = 16;
/// Most hits of one search.
const HITS: usize = 500;

/// How far the index is behind.
pub(crate) struct Index {
    /// The last text that is indexed.
    indexed: i64,
    /// The last text that is stored; after a transaction that failed it may be too high, never too low.
    stored: i64,
    /// Found damaged: left as it is until it is rebuilt.
    abandoned: bool,
}

impl Index {
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let indexed =
            connection.query_row("SELECT at FROM cursors WHERE name = 'texts_fts'", [], |row| row.get(0))?;
        let stored: Option<i64> = connection.query_row("SELECT max(id) FROM texts", [], |row| row.get(0))?;
        Ok(Self { indexed, stored: stored.unwrap_or(0), abandoned: false })
    }

    /// How many texts are stored and not indexed, at most.
    pub(crate) fn waiting(&self) -> i64 {
        if self.abandoned { 0 } else { self.stored - self.indexed }
    }

    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
    }

    pub(crate) fn add(
        &mut self,
        connection: &Connection,
        log: i64,
        texts: &[(Seq, String)],
    ) -> rusqlite::Result<()> {
        for (seq, text) in texts {
            self.stored = add(connection, log, *seq, text)?;
        }
        Ok(())
    }

    /// Indexes the next texts, at most `count`; inside a transaction of the caller's. Tell [`Index::stepped`] once it
    /// is committed.
    pub(crate) fn step(&self, connection: &Connection, count: i64) -> rusqlite::Result<Step> {
        let last: Option<i64> = connection
            .prepare_cached("SELECT max(id) FROM (SELECT id FROM texts WHERE id > ?1 ORDER BY id LIMIT ?2)")?
            .query_row([self.indexed, count], |row| row.get(0))?;
        let Some(last) = last else { return Ok(Step::AtTheEnd) };
        connection
            .prepare_cached(
                "INSERT INTO texts_fts (rowid, text) SELECT id, text FROM texts WHERE id > ?1 AND id <= ?2",
            )?
            .execute([self.indexed, last])?;
        connection.prepare_cached("UPDATE cursors SET at = ?1 WHERE name = 'texts_fts'")?.execute([last])?;
        Ok(Step::To(last))
    }

    pub(crate) fn stepped(&mut self, step: Step) {
        match step {
            Step::To(text) => self.indexed = text,
            Step::AtTheEnd => self.stored = self.indexed,
        }
    }
}

pub(crate) enum Step {
    To(i64),
    AtTheEnd,
}

/// Gives the number of the text.
pub(crate) fn add(connection: &Connection, log: i64, seq: Seq, text: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached("INSERT INTO texts (log, seq, text) VALUES (?1, ?2, ?3)")?.execute(params![
        log,
        seq.0 as i64,
        text
    ])?;
    Ok(connection.last_insert_rowid())
}

/// Forgets every text.
pub(crate) fn clear(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "INSERT INTO texts_fts (texts_fts) VALUES ('delete-all');
         DELETE FROM texts;
         UPDATE cursors SET at = 0 WHERE name = 'texts_fts';",
    )
}

pub(crate) fn find(
    connection: &Connection,
    query: &str,
    session: Option<&SessionId>,
    limit: usize,
) -> rusqlite::Result<Vec<Hit>> {
    let Some(expression) = expression(query) else { return Ok(Vec::new()) };
    let log: Option<i64> = match session {
        Some(session) => match history::number(connection, session)? {
            Some(log) => Some(log),
            None => return Ok(Vec::new()),
        },
        None => None,
    };
    connection
        .prepare_cached(
            "SELECT logs.session, texts.seq, snippet(texts_fts, 0, char(2), char(3), '…', 16)
             FROM texts_fts JOIN texts ON texts.id = texts_fts.rowid JOIN logs ON logs.number = texts.log
             WHERE texts_fts MATCH ?1 AND (?2 IS NULL OR texts.log = ?2)
             ORDER BY texts_fts.rowid DESC LIMIT ?3",
        )?
        .query_map(params![expression, log, limit.clamp(1, HITS) as i64], |row| {
            Ok(Hit { session: id(row, 0)?, seq: Seq(row.get::<_, i64>(1)? as u64), snippet: row.get(2)? })
        })?
        .collect()
}

/// All of the words, as FTS5 reads them: each a phrase, the last one possibly only begun. `None` when there is no word.
pub(crate) fn expression(query: &str) -> Option<String> {
    let words: Vec<String> = query
        .split_whitespace()
        .filter(|word| word.contains(char::is_alphanumeric))
        .take(WORDS)
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"").replace('\0', "")))
        .collect();
    if words.is_empty() { None } else { Some(format!("{}*", words.join(" "))) }
}
