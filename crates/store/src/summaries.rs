//! Sessions as lists show them.

use crate::{PAGE_SESSIONS, SessionPage, SessionQuery, SummaryRow, search};
use lamplight_domain::{Seq, SessionId, Timestamp};
use rusqlite::types::{ToSql, Type};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "session, created_at, updated_at, last_seq, phase, title, repository, agent, open, person, archived, body";

/// Writes the row, and the indexes only when what they are about has changed: this runs with every append.
pub(crate) fn store(connection: &Connection, log: i64, row: &SummaryRow) -> rusqlite::Result<()> {
    let updated = connection
        .prepare_cached(
            "UPDATE summaries SET created_at = ?2, updated_at = ?3, last_seq = ?4, agent = ?5, body = ?6
             WHERE log = ?1",
        )?
        .execute(params![
            log,
            row.created_at.0,
            row.updated_at.0,
            row.last_seq.0 as i64,
            row.agent,
            row.body
        ])?;
    if updated == 1 {
        connection
            .prepare_cached(
                "UPDATE summaries SET phase = ?2, open = ?3, title = ?4, repository = ?5, person = ?6, archived = ?7
                 WHERE log = ?1 AND (phase <> ?2 OR open <> ?3 OR title <> ?4 OR repository <> ?5 OR person <> ?6
                 OR archived <> ?7)",
            )?
            .execute(params![
                log,
                row.phase,
                row.open,
                row.title,
                row.repository,
                row.person,
                row.archived
            ])?;
        return Ok(());
    }
    connection
        .prepare_cached(&format!(
            "INSERT INTO summaries ({COLUMNS}, log) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
        ))?
        .execute(params![
            row.id.as_str(),
            row.created_at.0,
            row.updated_at.0,
            row.last_seq.0 as i64,
            row.phase,
            row.title,
            row.repository,
            row.agent,
            row.open,
            row.person,
            row.archived,
            row.body,
            log
        ])?;
    Ok(())
}

pub(crate) fn one(connection: &Connection, session: &SessionId) -> rusqlite::Result<Option<SummaryRow>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM summaries WHERE session = ?1"))?
        .query_row([session.as_str()], from_row)
        .optional()
}

pub(crate) fn phases(connection: &Connection) -> rusqlite::Result<Vec<(String, i64)>> {
    connection
        .prepare_cached("SELECT phase, COUNT(*) FROM summaries WHERE archived = 0 GROUP BY phase")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Oldest first, as they were waiting.
pub(crate) fn unfinished(connection: &Connection) -> rusqlite::Result<Vec<SessionId>> {
    connection
        .prepare_cached("SELECT session FROM summaries WHERE open = 1 ORDER BY session")?
        .query_map([], |row| id(row, 0))?
        .collect()
}

/// Ids are ULIDs, so newest first is their order backwards, and the last id of a page is the cursor.
pub(crate) fn list(connection: &Connection, query: &SessionQuery) -> rusqlite::Result<SessionPage> {
    let limit = query.limit.clamp(1, PAGE_SESSIONS);
    let mut conditions = vec!["archived = ?"];
    let mut values: Vec<Box<dyn ToSql>> = vec![Box::new(query.archived)];
    if let Some(cursor) = &query.cursor {
        conditions.push("session < ?");
        values.push(Box::new(cursor.clone()));
    }
    let columns =
        [("phase = ?", &query.phase), ("repository = ?", &query.repository), ("person = ?", &query.person)];
    for (condition, wanted) in columns {
        if let Some(wanted) = wanted {
            conditions.push(condition);
            values.push(Box::new(wanted.clone()));
        }
    }
    if let Some(text) = &query.text {
        let like = format!("%{}%", escape_like(text));
        conditions.push(
            "(title LIKE ? ESCAPE '\\' OR repository LIKE ? ESCAPE '\\' OR log IN
             (SELECT log FROM texts WHERE id IN (SELECT rowid FROM texts_fts WHERE texts_fts MATCH ?)))",
        );
        values.push(Box::new(like.clone()));
        values.push(Box::new(like));
        values.push(Box::new(search::expression(text).unwrap_or_else(|| "\"\"".into())));
    }
    let filter = conditions.join(" AND ");
    let sql =
        format!("SELECT {COLUMNS} FROM summaries WHERE {filter} ORDER BY session DESC LIMIT {}", limit + 1);
    let mut items: Vec<SummaryRow> = connection
        .prepare_cached(&sql)?
        .query_map(rusqlite::params_from_iter(values), from_row)?
        .collect::<rusqlite::Result<_>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|row| row.id.to_string());
    Ok(SessionPage { items, next })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<SummaryRow> {
    Ok(SummaryRow {
        id: id(row, 0)?,
        created_at: Timestamp(row.get(1)?),
        updated_at: Timestamp(row.get(2)?),
        last_seq: Seq(row.get::<_, i64>(3)? as u64),
        phase: row.get(4)?,
        title: row.get(5)?,
        repository: row.get(6)?,
        agent: row.get(7)?,
        open: row.get(8)?,
        person: row.get(9)?,
        archived: row.get(10)?,
        body: row.get(11)?,
    })
}

pub(crate) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<SessionId> {
    let text: String = row.get(column)?;
    text.parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
