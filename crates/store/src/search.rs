//! Full-text search. Texts are stored with the log. On SQLite the index is a projection that follows in larger steps, because
//! FTS5 writes a segment for every transaction and appends should not pay for that; on PostgreSQL it goes with the text.

use crate::sql::{Connection, Dialect, Result, params};
use crate::{Hit, history, postgres};
use lamplight_domain::{Seq, SessionId};

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
    pub(crate) fn load(connection: &Connection) -> Result<Self> {
        let at = "SELECT at FROM cursors WHERE name = 'texts_fts'";
        let indexed = connection.row(at, &[], |row| row.get(0))?.unwrap_or(0);
        let stored: Option<Option<i64>> =
            connection.row("SELECT max(id) FROM texts", &[], |row| row.get(0))?;
        Ok(Self { indexed, stored: stored.flatten().unwrap_or(0), abandoned: false })
    }

    /// How many texts are stored and not indexed, at most.
    pub(crate) fn waiting(&self) -> i64 {
        if self.abandoned { 0 } else { self.stored - self.indexed }
    }

    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
    }

    pub(crate) fn add(&mut self, connection: &Connection, log: i64, texts: &[(Seq, String)]) -> Result<()> {
        for (seq, text) in texts {
            self.stored = add(connection, log, *seq, text)?;
        }
        Ok(())
    }

    /// Indexes the next texts, at most `count`; inside a transaction of the caller's. Tell [`Index::stepped`] once it
    /// is committed.
    pub(crate) fn step(&self, connection: &Connection, count: i64) -> Result<Step> {
        let text = "SELECT max(id) FROM (SELECT id FROM texts WHERE id > ?1 ORDER BY id LIMIT ?2)";
        let last: Option<Option<i64>> =
            connection.row(text, params![self.indexed, count], |row| row.get(0))?;
        let Some(last) = last.flatten() else { return Ok(Step::AtTheEnd) };
        connection.execute(
            "INSERT INTO texts_fts (rowid, text) SELECT id, text FROM texts WHERE id > ?1 AND id <= ?2",
            params![self.indexed, last],
        )?;
        connection.execute("UPDATE cursors SET at = ?1 WHERE name = 'texts_fts'", params![last])?;
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
pub(crate) fn add(connection: &Connection, log: i64, seq: Seq, text: &str) -> Result<i64> {
    let seq = seq.0 as i64;
    let number = match connection.dialect() {
        Dialect::Lite => {
            let insert = "INSERT INTO texts (log, seq, text) VALUES (?1, ?2, ?3) RETURNING id";
            connection.row(insert, params![log, seq, text], |row| row.get(0))?
        }
        Dialect::Postgres => {
            let insert = "INSERT INTO texts (log, seq, text, words)
                VALUES (?1, ?2, ?3, CAST(CAST(?4 AS TEXT) AS tsvector)) RETURNING id";
            connection.row(insert, params![log, seq, text, postgres::vector(text)], |row| row.get(0))?
        }
    };
    Ok(number.unwrap_or_default())
}

/// Forgets every text.
pub(crate) fn clear(connection: &Connection) -> Result<()> {
    if connection.dialect() == Dialect::Lite {
        connection.execute("INSERT INTO texts_fts (texts_fts) VALUES ('delete-all')", &[])?;
        connection.execute("UPDATE cursors SET at = 0 WHERE name = 'texts_fts'", &[])?;
    }
    connection.execute("DELETE FROM texts", &[])?;
    Ok(())
}

pub(crate) fn find(
    connection: &Connection,
    query: &str,
    session: Option<&SessionId>,
    limit: usize,
) -> Result<Vec<Hit>> {
    let Some(expression) = expression(connection, query) else { return Ok(Vec::new()) };
    let log: Option<i64> = match session {
        Some(session) => match history::number(connection, session)? {
            Some(log) => Some(log),
            None => return Ok(Vec::new()),
        },
        None => None,
    };
    let limit = limit.clamp(1, HITS) as i64;
    let values = params![expression, log, limit];
    let (text, is_lite) = match connection.dialect() {
        Dialect::Lite => (FIND, true),
        Dialect::Postgres => (FIND_ON_POSTGRES, false),
    };
    connection.rows(text, values, |row| {
        let found: String = row.get(2)?;
        let snippet = if is_lite { found } else { postgres::snippet(&found, query) };
        Ok(Hit { session: row.parse(0)?, seq: Seq(row.get::<i64>(1)? as u64), snippet })
    })
}

const FIND: &str = "SELECT logs.session, texts.seq, snippet(texts_fts, 0, char(2), char(3), '…', 16)
    FROM texts_fts JOIN texts ON texts.id = texts_fts.rowid JOIN logs ON logs.number = texts.log
    WHERE texts_fts MATCH ?1 AND (?2 IS NULL OR texts.log = ?2)
    ORDER BY texts_fts.rowid DESC LIMIT ?3";

const FIND_ON_POSTGRES: &str = "SELECT logs.session, texts.seq, texts.text
    FROM texts JOIN logs ON logs.number = texts.log
    WHERE words @@ CAST(CAST(?1 AS TEXT) AS tsquery) AND (CAST(?2 AS BIGINT) IS NULL OR texts.log = ?2)
    ORDER BY texts.id DESC LIMIT ?3";

/// All of the words, each a phrase, the last one possibly only begun. `None` when there is no word.
pub(crate) fn expression(connection: &Connection, query: &str) -> Option<String> {
    match connection.dialect() {
        Dialect::Lite => phrases(query),
        Dialect::Postgres => postgres::query(query),
    }
}

/// As FTS5 reads them.
fn phrases(query: &str) -> Option<String> {
    let words: Vec<String> = query
        .split_whitespace()
        .filter(|word| word.contains(char::is_alphanumeric))
        .take(WORDS)
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"").replace('\0', "")))
        .collect();
    if words.is_empty() { None } else { Some(format!("{}*", words.join(" "))) }
}
