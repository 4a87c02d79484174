//! The repositories that were worked on, for the form that starts a session.

use crate::RecentRepository;
use lamplight_domain::Timestamp;
use rusqlite::{Connection, params};

pub(crate) fn touch(connection: &Connection, path: &str, at: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO repositories (path, last_used_at) VALUES (?1, ?2)
             ON CONFLICT (path) DO UPDATE SET last_used_at = excluded.last_used_at
             WHERE excluded.last_used_at > repositories.last_used_at",
        )?
        .execute(params![path, at.0])?;
    Ok(())
}

pub(crate) fn recent(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<RecentRepository>> {
    connection
        .prepare_cached(
            "SELECT path, last_used_at FROM repositories ORDER BY last_used_at DESC, path LIMIT ?1",
        )?
        .query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok(RecentRepository { path: row.get(0)?, last_used_at: Timestamp(row.get(1)?) })
        })?
        .collect()
}
