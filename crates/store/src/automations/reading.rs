//! What is asked of them.

use super::{AutomationRow, OpenRun, Paused, RunRow, RunState, Settled};
use crate::sql::{Connection, Error, Result, Row, Value, params};
use lamplight_domain::Timestamp;

/// Columns of an automation, as [`automation`] reads them.
const AUTOMATION: &str = "a.id, a.name, a.owner, a.owner_name, a.repository, a.forge, a.body, a.created_at, a.due_at, a.paused, a.paused_at, a.failures";
const AUTOMATION_COLUMNS: usize = 12;
/// Columns of a run, as [`run`] reads them.
const RUN: &str =
    "r.number, r.automation, r.cause, r.session, r.at, r.state, r.detail, r.due_at, r.tries, r.started_at";

pub(super) fn all(connection: &Connection) -> Result<Vec<AutomationRow>> {
    those(connection, "ORDER BY a.name_key", &[])
}

pub(super) fn one(connection: &Connection, id: &str) -> Result<Option<AutomationRow>> {
    Ok(those(connection, "WHERE a.id = ?1", params![id])?.pop())
}

pub(super) fn of_forge(connection: &Connection, forge: &str) -> Result<Vec<AutomationRow>> {
    those(connection, "WHERE a.forge = ?1 ORDER BY a.name_key", params![forge])
}

pub(super) fn due(connection: &Connection, now: Timestamp) -> Result<Vec<AutomationRow>> {
    those(connection, "WHERE a.due_at <= ?1 ORDER BY a.due_at, a.id", params![now.0])
}

pub(super) fn to_come(connection: &Connection, now: Timestamp) -> Result<Vec<AutomationRow>> {
    those(connection, "WHERE a.due_at > ?1 ORDER BY a.due_at DESC, a.id", params![now.0])
}

pub(super) fn next_due(connection: &Connection, now: Timestamp) -> Result<Option<Timestamp>> {
    let text = "SELECT MIN(due_at) FROM (
            SELECT due_at FROM automations WHERE due_at > ?1
            UNION ALL SELECT due_at FROM automation_runs WHERE state = 'waiting' AND due_at > ?1
        ) AS next";
    let next: Option<Option<i64>> = connection.row(text, params![now.0], |row| row.get(0))?;
    Ok(next.flatten().map(Timestamp))
}

pub(super) fn open(connection: &Connection) -> Result<Vec<OpenRun>> {
    let text = format!(
        "SELECT {AUTOMATION}, {RUN} FROM automation_runs AS r JOIN automations AS a ON a.id = r.automation
         WHERE r.state IN ('waiting', 'running') ORDER BY r.number"
    );
    connection.rows(&text, &[], |row| {
        Ok(OpenRun { automation: automation(row)?, run: run(row, AUTOMATION_COLUMNS)? })
    })
}

pub(super) fn runs(connection: &Connection, automation: &str, limit: usize) -> Result<Vec<RunRow>> {
    let text = format!(
        "SELECT {RUN} FROM automation_runs AS r WHERE r.automation = ?1 ORDER BY r.number DESC LIMIT ?2"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection.rows(&text, params![automation, limit], |row| run(row, 0))
}

fn those(connection: &Connection, which: &str, values: &[Value<'_>]) -> Result<Vec<AutomationRow>> {
    connection.rows(&format!("SELECT {AUTOMATION} FROM automations AS a {which}"), values, automation)
}

fn automation(row: &Row<'_>) -> Result<AutomationRow> {
    let paused: Option<String> = row.get(9)?;
    let paused_at: Option<i64> = row.get(10)?;
    Ok(AutomationRow {
        id: row.get(0)?,
        name: row.get(1)?,
        owner: row.get(2)?,
        owner_name: row.get(3)?,
        repository: row.get(4)?,
        forge: row.get(5)?,
        body: row.get(6)?,
        created_at: Timestamp(row.get(7)?),
        due_at: row.get::<Option<i64>>(8)?.map(Timestamp),
        paused: paused.map(|why| Paused { why, at: Timestamp(paused_at.unwrap_or_default()) }),
        failures: row.count(11)?,
    })
}

fn run(row: &Row<'_>, from: usize) -> Result<RunRow> {
    let (state, detail): (String, String) = (row.get(from + 5)?, row.get(from + 6)?);
    let due: Option<i64> = row.get(from + 7)?;
    let state = match state.as_str() {
        "waiting" => RunState::Waiting {
            due: Timestamp(due.unwrap_or_default()),
            tries: row.count(from + 8)?,
            why: detail,
        },
        "running" => RunState::Running,
        "done" => RunState::Settled(Settled::Done { detail }),
        "failed" => RunState::Settled(Settled::Failed { why: detail }),
        "skipped" => RunState::Settled(Settled::Skipped { why: detail }),
        other => return Err(Error::Damaged(format!("{other:?} is no state of a run"))),
    };
    Ok(RunRow {
        number: row.get(from)?,
        automation: row.get(from + 1)?,
        cause: row.get(from + 2)?,
        session: row.parse(from + 3)?,
        at: Timestamp(row.get(from + 4)?),
        state,
        started_at: row.get::<Option<i64>>(from + 9)?.map(Timestamp),
    })
}
