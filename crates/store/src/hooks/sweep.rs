//! Forgets some of what is old, with each try that has come to something: in the transaction that appends wait for, so it looks at nothing
//! but what it forgets.

use super::unless_held;
use crate::sql::{Connection, Result, params};
use lamplight_domain::Timestamp;

/// For so long it is known what came through, and what did not.
const DELIVERED_KEPT_MS: u64 = 3 * 24 * 60 * 60 * 1000;
const DEAD_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Most of each that are forgotten at once.
const SWEPT: i64 = 16;
/// What each is found by is an index of its own.
const DELIVERED: &str = "delivered_at < ?1 ORDER BY delivered_at";
const DEAD: &str = "due_at IS NULL AND delivered_at IS NULL AND at < ?1 ORDER BY at";

pub(super) fn sweep(connection: &Connection, now: Timestamp) -> Result<()> {
    for (old, kept) in [(DELIVERED, DELIVERED_KEPT_MS), (DEAD, DEAD_KEPT_MS)] {
        let before = now.0.saturating_sub(kept as i64);
        connection.execute(&forget(connection, old), params![before, SWEPT])?;
    }
    Ok(())
}

fn forget(connection: &Connection, old: &str) -> String {
    let unless_held = unless_held(connection);
    format!(
        "WITH old AS (SELECT number FROM hook_deliveries WHERE {old} LIMIT ?2 {unless_held})
         DELETE FROM hook_deliveries WHERE number IN (SELECT number FROM old)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus::VmStep;

    const DAY_MS: i64 = 24 * 60 * 60 * 1000;

    /// One bad day of a busy hook is listed for a month, and costs what comes through meanwhile nothing.
    #[test]
    fn what_stays_is_not_looked_at() {
        let lite = rusqlite::Connection::open_in_memory().unwrap();
        lite.execute_batch(include_str!("../../migrations/0011_hooks.sql")).unwrap();
        lite.execute_batch(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000)
             INSERT INTO hook_deliveries (hook, session, seq, kind, at, body, since)
             SELECT 'a', 's', n, 'turn.ended', 0, '{}', 0 FROM n",
        )
        .unwrap();
        let connection = Connection::Lite(lite);
        sweep(&connection, Timestamp(10 * DAY_MS)).unwrap();
        let Connection::Lite(lite) = &connection else { unreachable!("it is one") };
        for old in [DELIVERED, DEAD] {
            let steps = lite.prepare_cached(&forget(&connection, old)).unwrap().get_status(VmStep);
            assert!((1..500).contains(&steps), "{steps} steps");
        }
        sweep(&connection, Timestamp(31 * DAY_MS)).unwrap();
        let left = connection.row("SELECT COUNT(*) FROM hook_deliveries", &[], |row| row.get::<i64>(0));
        assert_eq!(left.unwrap(), Some(5000 - SWEPT));
    }
}
