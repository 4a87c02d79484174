//! What models were asked for, summed up.

use crate::{Spent, USAGE_SUMS, Usage, UsageBy, UsageQuery, UsageRow, UsageSum};
use lamplight_domain::transcript::Tokens;
use lamplight_domain::{Seq, Timestamp};
use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, params};

/// No row counts more, whatever an upstream said, so that nine million rows can be summed up.
const MOST: u64 = 1_000_000_000_000;

const SUMS: &str = "COUNT(*), COALESCE(SUM(input), 0), COALESCE(SUM(output), 0), COALESCE(SUM(cached), 0),
    COALESCE(SUM(cache_written), 0), COALESCE(SUM(reasoning), 0), COALESCE(SUM(cost_micros), 0),
    COUNT(*) - COUNT(cost_micros), COALESCE(SUM(estimated), 0)";
/// Columns of that.
const SUM_COLUMNS: usize = 9;

pub(crate) fn store(connection: &Connection, log: i64, row: &UsageRow) -> rusqlite::Result<()> {
    let tokens = &row.tokens;
    connection
        .prepare_cached(
            "INSERT INTO usage (log, seq, at, person, repository, model, input, output, cached, cache_written, reasoning,
             cost_micros, priced_by, estimated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
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
        ])?;
    Ok(())
}

/// Before the rows of these entries are derived again.
pub(crate) fn clear(connection: &Connection, log: i64, first: Seq, last: Seq) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM usage WHERE log = ?1 AND seq BETWEEN ?2 AND ?3")?
        .execute(params![log, first.0 as i64, last.0 as i64])?;
    Ok(())
}

pub(crate) fn sums(connection: &Connection, query: &UsageQuery) -> rusqlite::Result<Usage> {
    let (key, title, order) = match query.by {
        UsageBy::Person => ("person", "NULL", "cost DESC, key"),
        UsageBy::Repository => ("repository", "NULL", "cost DESC, key"),
        UsageBy::Model => ("model", "NULL", "cost DESC, key"),
        // Rows of before do not say it.
        UsageBy::Prices => ("COALESCE(priced_by, '')", "NULL", "cost DESC, key"),
        UsageBy::Session => (
            "(SELECT session FROM logs WHERE number = log)",
            "(SELECT title FROM summaries WHERE summaries.log = usage.log)",
            "cost DESC, key DESC",
        ),
        UsageBy::Day => ("date(at / 1000, 'unixepoch')", "NULL", "key DESC"),
    };
    let since = query.since.map_or(i64::MIN, |at| at.0);
    let until = query.until.map_or(i64::MAX, |at| at.0);
    let stretch: [&dyn ToSql; 2] = [&since, &until];
    let sql = format!(
        "SELECT {SUMS}, {key} AS key, {title}, COALESCE(SUM(cost_micros), 0) AS cost FROM usage
         WHERE at >= ?1 AND at < ?2 GROUP BY key ORDER BY {order} LIMIT {}",
        USAGE_SUMS + 1
    );
    let mut sums: Vec<UsageSum> = connection
        .prepare_cached(&sql)?
        .query_map(stretch, |row| sum(row, row.get(SUM_COLUMNS)?, row.get(SUM_COLUMNS + 1)?))?
        .collect::<rusqlite::Result<_>>()?;
    let is_cut = sums.len() > USAGE_SUMS;
    sums.truncate(USAGE_SUMS);
    let total = connection
        .prepare_cached(&format!("SELECT {SUMS} FROM usage WHERE at >= ?1 AND at < ?2"))?
        .query_row(stretch, |row| sum(row, String::new(), None))?;
    Ok(Usage { sums, total, is_cut })
}

/// One look at the stretch, however many budgets there are.
pub(crate) fn spent(connection: &Connection, since: Timestamp, until: Timestamp) -> rusqlite::Result<Spent> {
    let mut statement = connection.prepare_cached(
        "SELECT person, repository, COALESCE(SUM(cost_micros), 0) FROM usage WHERE at >= ?1 AND at < ?2
         GROUP BY person, repository",
    )?;
    let mut rows = statement.query([since.0, until.0])?;
    let mut spent = Spent::default();
    while let Some(row) = rows.next()? {
        let micros = row.get::<_, i64>(2)?.unsigned_abs();
        spent.total_micros = spent.total_micros.saturating_add(micros);
        for of in [spent.people.entry(row.get(0)?), spent.repositories.entry(row.get(1)?)] {
            let sum = of.or_default();
            *sum = sum.saturating_add(micros);
        }
    }
    Ok(spent)
}

fn sum(row: &Row<'_>, key: String, title: Option<String>) -> rusqlite::Result<UsageSum> {
    let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
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

fn count(n: u64) -> i64 {
    n.min(MOST) as i64
}
