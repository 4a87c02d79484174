//! Sessions as lists show them.

use crate::sql::{Connection, Dialect, Result, Row, ToValue, Value, params};
use crate::{PAGE_SESSIONS, ReadError, SessionPage, SessionQuery, Store, SummaryRow, search};
use lamplight_domain::{Seq, SessionId, Timestamp};

const COLUMNS: &str = "session, created_at, updated_at, last_seq, phase, title, repository, agent, open, person, archived, dead, body";

/// That one statement asks about.
const SESSIONS_AT_ONCE: usize = 200;

impl Store {
    /// The summaries of those of these sessions that are another server's, or were, and do not wait for anything.
    pub async fn at_rest_elsewhere(
        &self,
        sessions: &[SessionId],
    ) -> std::result::Result<Vec<SummaryRow>, ReadError> {
        let us = self.ours().number;
        let mut all = Vec::new();
        for some in sessions.chunks(SESSIONS_AT_ONCE) {
            let some = some.to_vec();
            all.extend(self.read_rows(move |connection| at_rest_elsewhere(connection, &some, us)).await?);
        }
        Ok(all)
    }
}

/// Writes the row, and the indexes only when what they are about has changed: this runs with every append.
pub(crate) fn store(connection: &Connection, log: i64, row: &SummaryRow) -> Result<()> {
    let updated = connection.execute(
        "UPDATE summaries SET created_at = ?2, updated_at = ?3, last_seq = ?4, agent = ?5, body = ?6
         WHERE log = ?1",
        params![log, row.created_at.0, row.updated_at.0, row.last_seq.0 as i64, row.agent, row.body],
    )?;
    if updated == 1 {
        connection.execute(
            "UPDATE summaries SET phase = ?2, open = ?3, title = ?4, repository = ?5, person = ?6, archived = ?7, dead = ?8
             WHERE log = ?1 AND (phase <> ?2 OR open <> ?3 OR title <> ?4 OR repository <> ?5 OR person <> ?6
             OR archived <> ?7 OR dead <> ?8)",
            params![log, row.phase, row.open, row.title, row.repository, row.person, row.archived, row.dead],
        )?;
        return Ok(());
    }
    connection.execute(
        &format!(
            "INSERT INTO summaries ({COLUMNS}, log) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
        ),
        params![
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
            row.dead,
            row.body,
            log
        ],
    )?;
    Ok(())
}

pub(crate) fn one(connection: &Connection, session: &SessionId) -> Result<Option<SummaryRow>> {
    let text = format!("SELECT {COLUMNS} FROM summaries WHERE session = ?1");
    connection.row(&text, params![session.as_str()], from_row)
}

pub(crate) fn phases(connection: &Connection) -> Result<Vec<(String, i64)>> {
    let text = "SELECT phase, COUNT(*) FROM summaries WHERE archived = 0 GROUP BY phase";
    connection.rows(text, &[], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Oldest first, as they were waiting.
pub(crate) fn unfinished(connection: &Connection) -> Result<Vec<SessionId>> {
    let text = "SELECT session FROM summaries WHERE open = 1 ORDER BY session";
    connection.rows(text, &[], |row| row.parse(0))
}

fn at_rest_elsewhere(connection: &Connection, sessions: &[SessionId], us: i64) -> Result<Vec<SummaryRow>> {
    let places = vec!["?"; sessions.len()].join(", ");
    let text = format!(
        "SELECT {COLUMNS} FROM summaries WHERE open = 0 AND session IN ({places})
         AND log IN (SELECT number FROM logs WHERE owner <> ?)"
    );
    let ids = sessions.iter().map(|session| session.as_str().value());
    let values: Vec<Value<'_>> = ids.chain([us.value()]).collect();
    connection.rows(&text, &values, from_row)
}

/// Ids are ULIDs, so newest first is their order backwards, and the last id of a page is the cursor.
pub(crate) fn list(connection: &Connection, query: &SessionQuery) -> Result<SessionPage> {
    let limit = query.limit.clamp(1, PAGE_SESSIONS);
    let mut conditions = vec!["archived = ?"];
    let mut values: Vec<Value<'_>> = vec![query.archived.value()];
    let columns = [
        ("session < ?", &query.cursor),
        ("phase = ?", &query.phase),
        ("repository = ?", &query.repository),
        ("person = ?", &query.person),
    ];
    if query.dead {
        // As the index has it.
        conditions.push("dead = 1");
    }
    for (condition, wanted) in columns {
        if let Some(wanted) = wanted {
            conditions.push(condition);
            values.push(wanted.value());
        }
    }
    let (like, words);
    if let Some(text) = &query.text {
        let is_lite = connection.dialect() == Dialect::Lite;
        like = format!("%{}%", escape_like(text));
        // A text without a word is in none; FTS5 wants that said by an empty phrase.
        words = search::expression(connection, text).or_else(|| Some("\"\"".to_owned()).filter(|_| is_lite));
        conditions.push(match connection.dialect() {
            Dialect::Lite => {
                "(title LIKE ? ESCAPE '\\' OR repository LIKE ? ESCAPE '\\' OR log IN
                 (SELECT log FROM texts WHERE id IN (SELECT rowid FROM texts_fts WHERE texts_fts MATCH ?)))"
            }
            Dialect::Postgres => {
                "(title ILIKE ? ESCAPE '\\' OR repository ILIKE ? ESCAPE '\\' OR log IN
                 (SELECT log FROM texts WHERE words @@ CAST(CAST(? AS TEXT) AS tsquery)))"
            }
        });
        values.extend([like.value(), like.value(), words.value()]);
    }
    let filter = conditions.join(" AND ");
    let sql =
        format!("SELECT {COLUMNS} FROM summaries WHERE {filter} ORDER BY session DESC LIMIT {}", limit + 1);
    let mut items: Vec<SummaryRow> = connection.rows(&sql, &values, from_row)?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|row| row.id.to_string());
    Ok(SessionPage { items, next })
}

fn from_row(row: &Row<'_>) -> Result<SummaryRow> {
    Ok(SummaryRow {
        id: row.parse(0)?,
        created_at: Timestamp(row.get(1)?),
        updated_at: Timestamp(row.get(2)?),
        last_seq: Seq(row.get::<i64>(3)? as u64),
        phase: row.get(4)?,
        title: row.get(5)?,
        repository: row.get(6)?,
        agent: row.get(7)?,
        open: row.is(8)?,
        person: row.get(9)?,
        archived: row.is(10)?,
        dead: row.is(11)?,
        body: row.get(12)?,
    })
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
