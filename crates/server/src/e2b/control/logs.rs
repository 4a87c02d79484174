//! `GET /sandboxes/{id}/logs` and `GET /v2/sandboxes/{id}/logs`: what has happened to a sandbox, which programs it ran, and what the one
//! said that its template starts.

use super::super::answer::Refused;
use super::{Mine, moment};
use crate::http::App;
use axum::Json;
use axum::extract::{RawQuery, State};
use lamplight_e2b::control::{LogEntry, LogLevel, LogLine};
use lamplight_e2b::listing::pairs;
use lamplight_engine::{JournalLevel, JournalLine};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Lines, where nobody says, and at the most.
const LINES: usize = 1_000;

/// All that are kept are fewer.
const ALL: usize = usize::MAX;

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Logs {
    logs: Vec<LogLine>,
    log_entries: Vec<LogEntry>,
}

#[derive(serde::Serialize)]
pub(super) struct Entries {
    logs: Vec<LogEntry>,
}

/// What a query says of log lines: the milliseconds that they begin at, and so on.
pub(super) struct Wanted(Vec<(String, String)>);

impl Wanted {
    pub(super) fn of(query: Option<String>) -> Self {
        Self(pairs(&query.unwrap_or_default()))
    }

    fn text(&self, of: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == of).map(|(_, value)| value.as_str())
    }

    pub(super) fn number<T: FromStr>(&self, of: &str) -> Result<Option<T>, Refused> {
        let number = |text: &str| {
            text.parse().map_err(|_: T::Err| Refused::bad_request(format!("Invalid {of}: {text}")))
        };
        self.text(of).map(number).transpose()
    }

    fn limit(&self) -> Result<usize, Refused> {
        let limit: i64 = self.number("limit")?.unwrap_or(LINES as i64);
        Ok(usize::try_from(limit).unwrap_or(0).min(LINES))
    }

    /// At least.
    pub(super) fn level(&self) -> Result<LogLevel, Refused> {
        let Some(text) = self.text("level") else { return Ok(LogLevel::Debug) };
        let level = serde_json::from_value(serde_json::Value::String(text.to_owned()));
        level.map_err(|_| Refused::bad_request(format!("Invalid level: {text}")))
    }
}

pub(super) async fn first(
    State(app): State<App>,
    Mine(sandbox): Mine,
    RawQuery(query): RawQuery,
) -> Result<Json<Logs>, Refused> {
    let wanted = Wanted::of(query);
    let (start, limit) = (wanted.number::<i64>("start")?.unwrap_or(0), wanted.limit()?);
    let lines = app.engine.lent_journal(&sandbox.id, 0, ALL);
    let lines: Vec<_> = lines.into_iter().filter(|line| line.at.0 >= start).take(limit).collect();
    let logs = lines.iter().map(|line| LogLine { timestamp: moment(line.at.0), line: line.message.clone() });
    Ok(Json(Logs { logs: logs.collect(), log_entries: lines.iter().map(entry).collect() }))
}

pub(super) async fn second(
    State(app): State<App>,
    Mine(sandbox): Mine,
    RawQuery(query): RawQuery,
) -> Result<Json<Entries>, Refused> {
    let wanted = Wanted::of(query);
    let level = wanted.level()?;
    let backward = wanted.text("direction") == Some("backward");
    let (cursor, limit, search) = (wanted.number::<i64>("cursor")?, wanted.limit()?, wanted.text("search"));
    let is_wanted = |line: &JournalLine| {
        let is_in_time = cursor.is_none_or(|at| if backward { line.at.0 < at } else { line.at.0 >= at });
        is_in_time
            && told_level(line.level) >= level
            && search.is_none_or(|words| line.message.contains(words))
    };
    let mut lines = app.engine.lent_journal(&sandbox.id, 0, ALL);
    if backward {
        lines.reverse();
    }
    Ok(Json(Entries { logs: lines.iter().filter(|line| is_wanted(line)).take(limit).map(entry).collect() }))
}

fn entry(line: &JournalLine) -> LogEntry {
    let (timestamp, level) = (moment(line.at.0), told_level(line.level));
    LogEntry { timestamp, message: line.message.clone(), level, fields: BTreeMap::new() }
}

pub(super) fn told_level(level: JournalLevel) -> LogLevel {
    match level {
        JournalLevel::Debug => LogLevel::Debug,
        JournalLevel::Info => LogLevel::Info,
        JournalLevel::Warn => LogLevel::Warn,
        JournalLevel::Error => LogLevel::Error,
    }
}
