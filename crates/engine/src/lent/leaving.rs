//! What is lent to somebody who is let in no more is taken back. Their templates and uploads stay, for admins to remove.

use super::Entry;
use crate::engine::Shared;
use lamplight_domain::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// What somebody asked for just before they were removed may begin so much later.
const STILL_COMING_MS: u64 = 60_000;

/// Says whether there is nothing more to take back. Where there is, another look has to come: one may be busy, or not to be ended now.
pub(super) async fn look(shared: &Arc<Shared>) -> bool {
    let mut removed: HashMap<String, Option<Timestamp>> = HashMap::new();
    let mut is_done = true;
    for entry in shared.lending.entries() {
        let facts = entry.facts();
        if !removed.contains_key(&facts.person) {
            match shared.store.person_named(&facts.person).await {
                Ok(row) => removed.insert(facts.person.clone(), row.and_then(|row| row.removed_at)),
                Err(error) => {
                    tracing::debug!(%error, "who was removed could not be read; the next look tries again");
                    return false;
                }
            };
        }
        // Without sign-in, somebody may be called as one who was removed before.
        let is_theirs = |at: Timestamp| facts.started_at <= at.plus_ms(STILL_COMING_MS);
        if removed.get(&facts.person).copied().flatten().is_some_and(is_theirs) {
            is_done = false;
            shared.tasks.spawn(take_back(Arc::clone(shared), entry));
        }
    }
    is_done
}

async fn take_back(shared: Arc<Shared>, entry: Arc<Entry>) {
    // Whoever has it may be ending it.
    let Ok(_turn) = entry.turn.try_lock() else { return };
    if let Err(error) = shared.take_back(&entry).await {
        tracing::warn!(sandbox = %entry.id, %error, "a sandbox of somebody who was removed could not be ended; the next look tries again");
    }
}
