//! The repositories that were worked on, for the form that starts a session.

use crate::RecentRepository;
use crate::sql::{Connection, Result, params};
use lamplight_domain::Timestamp;

pub(crate) fn touch(connection: &Connection, path: &str, at: Timestamp) -> Result<()> {
    connection.execute(
        "INSERT INTO repositories (path, last_used_at) VALUES (?1, ?2)
         ON CONFLICT (path) DO UPDATE SET last_used_at = excluded.last_used_at
         WHERE excluded.last_used_at > repositories.last_used_at",
        params![path, at.0],
    )?;
    Ok(())
}

pub(crate) fn recent(connection: &Connection, limit: usize) -> Result<Vec<RecentRepository>> {
    let text = "SELECT path, last_used_at FROM repositories ORDER BY last_used_at DESC, path LIMIT ?1";
    connection.rows(text, params![i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok(RecentRepository { path: row.get(0)?, last_used_at: Timestamp(row.get(1)?) })
    })
}
