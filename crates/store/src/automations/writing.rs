//! What is changed of them. Each change says what it counts on, and does nothing where that is not so any more.

use super::{AutomationChange, AutomationRow, NewRun, Paused, Settled};
use crate::sql::{Connection, Result, params};
use lamplight_domain::Timestamp;

/// For so long it is known what came of a time: longer than anybody tells of the same thing again.
const KEPT_MS: u64 = 90 * 24 * 60 * 60 * 1000;
/// Of those that are older, so many are forgotten with each new one.
const SWEPT: i64 = 16;

/// Gives how many rows are new or other than before.
pub(crate) fn change(connection: &Connection, change: &AutomationChange) -> Result<usize> {
    match change {
        AutomationChange::Add(row) => add(connection, row),
        AutomationChange::Pause { id, paused } => pause(connection, id, paused),
        AutomationChange::Resume { id, due } => connection.execute(
            "UPDATE automations SET paused = NULL, paused_at = NULL, failures = 0, due_at = ?2
             WHERE id = ?1 AND paused IS NOT NULL",
            params![id, due.map(|due| due.0)],
        ),
        AutomationChange::PutRight { id, was, due } => put_right(connection, id, *was, Some(*due)),
        AutomationChange::Remove { id } => {
            connection.execute("DELETE FROM automation_runs WHERE automation = ?1", params![id])?;
            connection.execute("DELETE FROM automations WHERE id = ?1", params![id])
        }
        AutomationChange::Fire { due, next, run } => fire(connection, *due, *next, run),
        AutomationChange::Begin(runs) => {
            let mut new = 0;
            for run in runs {
                new += begin(connection, run)?;
            }
            Ok(new)
        }
        AutomationChange::Start { number, at } => connection.execute(
            "UPDATE automation_runs SET state = 'running', detail = '', due_at = NULL, started_at = ?2
             WHERE number = ?1 AND state = 'waiting'",
            params![number, at.0],
        ),
        AutomationChange::Postpone { number, due, why } => connection.execute(
            "UPDATE automation_runs SET due_at = ?2, detail = ?3, tries = tries + 1
             WHERE number = ?1 AND state = 'waiting'",
            params![number, due.0, why],
        ),
        AutomationChange::Settle { number, how, failures, paused } => {
            settle(connection, *number, how, *failures, paused.as_ref())
        }
    }
}

fn add(connection: &Connection, row: &AutomationRow) -> Result<usize> {
    let paused = row.paused.as_ref();
    connection.execute(
        "INSERT INTO automations (id, name, name_key, owner, owner_name, repository, forge, body, created_at, due_at, paused, paused_at, failures)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT (name_key) DO NOTHING",
        params![
            row.id,
            row.name,
            row.name.to_lowercase(),
            row.owner,
            row.owner_name,
            row.repository,
            row.forge,
            row.body,
            row.created_at.0,
            row.due_at.map(|due| due.0),
            paused.map(|paused| paused.why.as_str()),
            paused.map(|paused| paused.at.0),
            row.failures,
        ],
    )
}

/// Why it was paused first stays.
fn pause(connection: &Connection, id: &str, paused: &Paused) -> Result<usize> {
    connection.execute(
        "UPDATE automations SET paused = ?2, paused_at = ?3, due_at = NULL WHERE id = ?1 AND paused IS NULL",
        params![id, paused.why, paused.at.0],
    )
}

fn put_right(connection: &Connection, id: &str, was: Timestamp, due: Option<Timestamp>) -> Result<usize> {
    connection.execute(
        "UPDATE automations SET due_at = ?3 WHERE id = ?1 AND due_at = ?2",
        params![id, was.0, due.map(|due| due.0)],
    )
}

fn fire(connection: &Connection, due: Timestamp, next: Option<Timestamp>, run: &NewRun) -> Result<usize> {
    let is_first = put_right(connection, &run.automation, due, next)?;
    if is_first == 0 { Ok(0) } else { begin(connection, run) }
}

fn begin(connection: &Connection, run: &NewRun) -> Result<usize> {
    let NewRun { automation, key, cause, session, at } = run;
    let new = connection.execute(
        "INSERT INTO automation_runs (automation, key, cause, session, at, state, due_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', ?5) ON CONFLICT DO NOTHING",
        params![automation, key, cause, session.as_str(), at.0],
    )?;
    if new > 0 {
        connection.execute(
            "DELETE FROM automation_runs WHERE number IN
             (SELECT number FROM automation_runs WHERE due_at IS NULL AND state <> 'running' AND at < ?1 ORDER BY at LIMIT ?2)",
            params![at.0.saturating_sub(KEPT_MS as i64), SWEPT],
        )?;
    }
    Ok(new)
}

fn settle(
    connection: &Connection,
    number: i64,
    how: &Settled,
    failures: u32,
    paused: Option<&Paused>,
) -> Result<usize> {
    let (state, detail) = match how {
        Settled::Done { detail } => ("done", detail),
        Settled::Failed { why } => ("failed", why),
        Settled::Skipped { why } => ("skipped", why),
    };
    let settled = connection.execute(
        "UPDATE automation_runs SET state = ?2, detail = ?3, due_at = NULL
         WHERE number = ?1 AND state IN ('waiting', 'running')",
        params![number, state, detail],
    )?;
    if settled == 0 {
        return Ok(0);
    }
    let of: Option<String> = connection.row(
        "SELECT automation FROM automation_runs WHERE number = ?1",
        params![number],
        |row| row.get(0),
    )?;
    let Some(id) = of else { return Ok(settled) };
    connection.execute("UPDATE automations SET failures = ?2 WHERE id = ?1", params![id, failures])?;
    match paused {
        Some(paused) => pause(connection, &id, paused).map(|_| settled),
        None => Ok(settled),
    }
}
