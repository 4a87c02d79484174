//! Answers to requests that carry an idempotency key, kept for a day.

use crate::sql::{Connection, Result, params};
use crate::{REMEMBER_MS, Remembered};
use lamplight_domain::Timestamp;

/// The first answer for a key wins until it expires; gives the one that did.
pub(crate) fn remember(connection: &Connection, answer: &Remembered) -> Result<Remembered> {
    connection.execute("DELETE FROM answers WHERE at <= ?1", params![oldest(answer.at)])?;
    if let Some(known) = recall(connection, &answer.key, answer.at)? {
        return Ok(known);
    }
    connection.execute(
        "INSERT INTO answers (key, fingerprint, response, at) VALUES (?1, ?2, ?3, ?4)",
        params![answer.key, answer.fingerprint, answer.response, answer.at.0],
    )?;
    Ok(answer.clone())
}

pub(crate) fn recall(connection: &Connection, key: &str, now: Timestamp) -> Result<Option<Remembered>> {
    let text = "SELECT fingerprint, response, at FROM answers WHERE key = ?1 AND at > ?2";
    connection.row(text, params![key, oldest(now)], |row| {
        Ok(Remembered {
            key: key.to_owned(),
            fingerprint: row.get(0)?,
            response: row.get(1)?,
            at: Timestamp(row.get(2)?),
        })
    })
}

/// What was remembered then or before is forgotten now.
fn oldest(now: Timestamp) -> i64 {
    now.0.saturating_sub(REMEMBER_MS as i64)
}
