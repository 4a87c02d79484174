//! What models were asked for, summed up.

use crate::sql::{Connection, Dialect, Result, Row, params};
use crate::{Spent, USAGE_SUMS, Usage, UsageBy, UsageQuery, UsageRow, UsageSum};
use lamplight_domain::transcript::Tokens;
use lamplight_domain::{Seq, Timestamp};

/// No row counts more, whatever an upstream said, so that nine million rows can be summed up.
const MOST: u64 = 1_000_000_000_000;

/// PostgreSQL makes decimals of sums.
const SUMS: &str =
    "COUNT(*), CAST(COALESCE(SUM(input), 0) AS BIGINT), CAST(COALESCE(SUM(output), 0) AS BIGINT),
    CAST(COALESCE(SUM(cached), 0) AS BIGINT), CAST(COALESCE(SUM(cache_written), 0) AS BIGINT),
    CAST(COALESCE(SUM(reasoning), 0) AS BIGINT), CAST(COALESCE(SUM(cost_micros), 0) AS BIGINT),
    COUNT(*) - COUNT(cost_micros), CAST(COALESCE(SUM(estimated), 0) AS BIGINT)";
/// Columns of that.
const SUM_COLUMNS: usize = 9;

pub(crate) fn store(connection: &Connection, log: i64, row: &UsageRow) -> Result<()> {
    let tokens = &row.tokens;
    connection.execute(
            "INSERT INTO usage (log, seq, at, person, repository, model, input, output, cached, cache_written, reasoning,
             cost_micros, priced_by, estimated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            log,
            row.seq.0 as i64,
            row.at.0,
            row.person,
            row.repository,
            row.model,
            count(tokens.input),
            count(tokens.output),
            count(tokens.cached),
            count(tokens.cache_written),
            count(tokens.reasoning),
            row.cost_micros.map(count),
            row.priced_by,
            row.is_estimated,
        ],
    )?;
    Ok(())
}

/// Before the rows of these entries are derived again.
pub(crate) fn clear(connection: &Connection, log: i64, first: Seq, last: Seq) -> Result<()> {
    connection.execute(
        "DELETE FROM usage WHERE log = ?1 AND seq BETWEEN ?2 AND ?3",
        params![log, first.0 as i64, last.0 as i64],
    )?;
    Ok(())
}

pub(crate) fn sums(connection: &Connection, query: &UsageQuery) -> Result<Usage> {
    let (key, title, order) = match (query.by, connection.dialect()) {
        (UsageBy::Person, _) => ("person", "NULL", "cost DESC, key"),
        (UsageBy::Repository, _) => ("repository", "NULL", "cost DESC, key"),
        (UsageBy::Model, _) => ("model", "NULL", "cost DESC, key"),
        // Rows of before do not say it.
        (UsageBy::Prices, _) => ("COALESCE(priced_by, '')", "NULL", "cost DESC, key"),
        (UsageBy::Session, _) => (
            "(SELECT session FROM logs WHERE number = log)",
            "(SELECT title FROM summaries WHERE summaries.log = usage.log)",
            "cost DESC, key DESC",
        ),
        (UsageBy::Day, Dialect::Lite) => ("date(at / 1000, 'unixepoch')", "NULL", "key DESC"),
        (UsageBy::Day, Dialect::Postgres) => {
            ("to_char(to_timestamp(at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')", "NULL", "key DESC")
        }
    };
    // A log is a session's; by its number the title is known too.
    let group = if query.by == UsageBy::Session { "log" } else { key };
    let since = query.since.map_or(i64::MIN, |at| at.0);
    let until = query.until.map_or(i64::MAX, |at| at.0);
    let stretch = params![since, until];
    let sql = format!(
        "SELECT {SUMS}, {key} AS key, {title}, COALESCE(SUM(cost_micros), 0) AS cost FROM usage
         WHERE at >= ?1 AND at < ?2 GROUP BY {group} ORDER BY {order} LIMIT {}",
        USAGE_SUMS + 1
    );
    let mut sums: Vec<UsageSum> =
        connection.rows(&sql, stretch, |row| sum(row, row.get(SUM_COLUMNS)?, row.get(SUM_COLUMNS + 1)?))?;
    let is_cut = sums.len() > USAGE_SUMS;
    sums.truncate(USAGE_SUMS);
    let all = format!("SELECT {SUMS} FROM usage WHERE at >= ?1 AND at < ?2");
    let total = connection.row(&all, stretch, |row| sum(row, String::new(), None))?.unwrap_or_default();
    Ok(Usage { sums, total, is_cut })
}

/// One look at the stretch, however many budgets there are.
pub(crate) fn spent(connection: &Connection, since: Timestamp, until: Timestamp) -> Result<Spent> {
    let text = "SELECT person, repository, CAST(COALESCE(SUM(cost_micros), 0) AS BIGINT) FROM usage WHERE at >= ?1 AND at < ?2
         GROUP BY person, repository";
    let mut spent = Spent::default();
    connection.rows(text, params![since.0, until.0], |row| {
        let micros = row.get::<i64>(2)?.unsigned_abs();
        spent.total_micros = spent.total_micros.saturating_add(micros);
        for of in [spent.people.entry(row.get(0)?), spent.repositories.entry(row.get(1)?)] {
            let sum = of.or_default();
            *sum = sum.saturating_add(micros);
        }
        Ok(())
    })?;
    Ok(spent)
}

fn sum(row: &Row<'_>, key: String, title: Option<String>) -> Result<UsageSum> {
    let number = |column| row.get::<i64>(column).map(i64::unsigned_abs);
    Ok(UsageSum {
        key,
        title,
        requests: number(0)?,
        tokens: Tokens {
            input: number(1)?,
            output: number(2)?,
            cached: number(3)?,
            cache_written: number(4)?,
            reasoning: number(5)?,
        },
        cost_micros: number(6)?,
        unpriced: number(7)?,
        estimated: number(8)?,
    })
}

pub(crate) fn count(n: u64) -> i64 {
    n.min(MOST) as i64
}
