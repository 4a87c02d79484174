//! How hooks and their deliveries are read.

use super::{DeliveryQuery, DeliveryState, HookDelivery, HookListed, HookRow, PAGE_HOOK_DELIVERIES};
use crate::sql::{Connection, Result, Row, params};
use lamplight_domain::{Seq, Timestamp};

pub(super) const HOOK: &str = "id, url, kinds, created_by, created_at, came_at, disabled";

pub(super) fn hook(row: &Row<'_>) -> Result<HookRow> {
    Ok(HookRow {
        id: row.get(0)?,
        url: row.get(1)?,
        kinds: row.get::<String>(2)?.split_whitespace().map(str::to_owned).collect(),
        created_by: row.get(3)?,
        created_at: Timestamp(row.get(4)?),
        came_at: row.get::<Option<i64>>(5)?.map(Timestamp),
        disabled: row.get(6)?,
    })
}

pub(super) fn listed(connection: &Connection) -> Result<Vec<HookListed>> {
    let text = format!(
        "SELECT {HOOK},
            (SELECT COUNT(*) FROM hook_deliveries WHERE hook = hooks.id AND due_at IS NOT NULL),
            (SELECT COUNT(*) FROM hook_deliveries WHERE hook = hooks.id AND due_at IS NULL AND delivered_at IS NULL)
         FROM hooks ORDER BY created_at, id"
    );
    connection.rows(&text, &[], |row| {
        let count = |column: usize| -> Result<u64> { Ok(row.get::<i64>(column)?.unsigned_abs()) };
        Ok(HookListed { hook: hook(row)?, waiting: count(7)?, dead: count(8)? })
    })
}

pub(super) fn deliveries(
    connection: &Connection,
    hook: &str,
    query: &DeliveryQuery,
) -> Result<Vec<HookDelivery>> {
    let only = if query.dead { "AND due_at IS NULL AND delivered_at IS NULL" } else { "" };
    let text = format!(
        "SELECT number, session, seq, kind, at, due_at, delivered_at, tries, outcome FROM hook_deliveries
         WHERE hook = ?1 AND number < ?2 {only} ORDER BY number DESC LIMIT ?3"
    );
    let limit = query.limit.clamp(1, PAGE_HOOK_DELIVERIES) as i64;
    connection.rows(&text, params![hook, query.before.unwrap_or(i64::MAX), limit], |row| {
        let state = match (row.get::<Option<i64>>(5)?, row.get::<Option<i64>>(6)?) {
            (Some(due), _) => DeliveryState::Waiting { due: Timestamp(due) },
            (None, Some(at)) => DeliveryState::Delivered { at: Timestamp(at) },
            (None, None) => DeliveryState::Dead,
        };
        Ok(HookDelivery {
            number: row.get(0)?,
            session: row.parse(1)?,
            seq: Seq(row.get::<i64>(2)? as u64),
            kind: row.get(3)?,
            at: Timestamp(row.get(4)?),
            state,
            tries: row.count(7)?,
            outcome: row.get(8)?,
        })
    })
}
