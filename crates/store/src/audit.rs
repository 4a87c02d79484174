//! Who asked for what to be changed. Rows are added and read; the schema refuses everything else.

use crate::sql::{Connection, Result, Row, ToValue, Value, params};
use lamplight_domain::Timestamp;

/// Most entries on one page.
pub const PAGE_AUDIT: usize = 500;

/// One thing that was asked for. An empty text is what is not known, or does not apply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// The name of who asked.
    pub person: String,
    /// What for, such as `stop_session`.
    pub action: String,
    /// What it is about: a session's id, the name of a key.
    pub subject: String,
    /// What more there is to say, such as the budget that was set. Never a secret.
    pub detail: String,
    /// From where: an IP address.
    pub address: String,
    /// `done`, `refused`, `failed` or `unanswered`.
    pub outcome: String,
    /// Why it was refused or failed, as the answer's `code` says.
    pub code: String,
}

impl AuditEntry {
    /// Bytes that it adds to a transaction, roughly.
    pub(crate) fn size(&self) -> usize {
        self.subject.len() + self.detail.len()
    }
}

/// An entry that is written, with its number: later ones have larger ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    pub id: i64,
    pub entry: AuditEntry,
}

/// Which entries to list; the newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    pub since: Option<Timestamp>,
    pub person: Option<String>,
    pub action: Option<String>,
    pub subject: Option<String>,
    pub outcome: Option<String>,
    /// The number of the last entry of the page before.
    pub before: Option<i64>,
    /// At most [`PAGE_AUDIT`].
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    pub items: Vec<AuditRow>,
    pub is_last: bool,
}

pub(crate) fn add(connection: &Connection, entry: &AuditEntry) -> Result<()> {
    connection.execute(
        "INSERT INTO audit (at, person, action, subject, detail, address, outcome, code)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            entry.at.0,
            entry.person,
            entry.action,
            entry.subject,
            entry.detail,
            entry.address,
            entry.outcome,
            entry.code,
        ],
    )?;
    Ok(())
}

pub(crate) fn list(connection: &Connection, query: &AuditQuery) -> Result<AuditPage> {
    let since = query.since.map(|since| since.0);
    let (mut conditions, mut values): (Vec<&str>, Vec<Value<'_>>) = (vec!["TRUE"], Vec::new());
    let filters: [(&str, Option<Value<'_>>); 6] = [
        ("at >= ?", since.as_ref().map(ToValue::value)),
        ("person = ?", query.person.as_ref().map(ToValue::value)),
        ("action = ?", query.action.as_ref().map(ToValue::value)),
        ("subject = ?", query.subject.as_ref().map(ToValue::value)),
        ("outcome = ?", query.outcome.as_ref().map(ToValue::value)),
        ("id < ?", query.before.as_ref().map(ToValue::value)),
    ];
    for (condition, value) in filters {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value);
        }
    }
    let limit = query.limit.min(PAGE_AUDIT);
    // One more, to know whether there is one.
    let sql = format!(
        "SELECT id, at, person, action, subject, detail, address, outcome, code FROM audit
         WHERE {} ORDER BY id DESC LIMIT {}",
        conditions.join(" AND "),
        limit + 1
    );
    let mut items: Vec<AuditRow> = connection.rows(&sql, &values, row)?;
    let is_last = items.len() <= limit;
    items.truncate(limit);
    Ok(AuditPage { items, is_last })
}

fn row(row: &Row<'_>) -> Result<AuditRow> {
    Ok(AuditRow {
        id: row.get(0)?,
        entry: AuditEntry {
            at: Timestamp(row.get(1)?),
            person: row.get(2)?,
            action: row.get(3)?,
            subject: row.get(4)?,
            detail: row.get(5)?,
            address: row.get(6)?,
            outcome: row.get(7)?,
            code: row.get(8)?,
        },
    })
}
