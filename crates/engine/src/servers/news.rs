//! What other servers have changed, read again: nobody tells it, so it is looked for.

use crate::engine::{Shared, closed, parse_view};
use lamplight_domain::{Seq, SessionId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// From one look at what changed in lists to the next, while somebody looks at one.
const PERIOD: Duration = Duration::from_secs(1);
/// Changes that are told at a time; what is more is seen when the list is read again.
const CHANGES: usize = 500;

/// Keys, what was spent, and whom what lets in still counts for.
pub(super) async fn read_again(shared: &Shared) {
    let others = shared.store.servers().await.unwrap_or_default();
    if !others.iter().any(|server| server.is_alive && !server.is_us) {
        return;
    }
    shared.people_changes.send_modify(|times| *times += 1);
    if let Err(error) = shared.keys.read_again(&shared.store, &shared.gateway).await {
        tracing::warn!(%error, "keys that another server may have set could not be read");
    }
    if let Err(error) = shared.budgets.read_again(&shared.config, &shared.store).await {
        tracing::warn!(%error, "what was spent at other servers could not be read");
    }
}

/// Tells lists here of sessions that change at other servers, for as long as the engine runs.
pub(crate) async fn follow(shared: Arc<Shared>) {
    if !shared.store.is_shared() {
        return;
    }
    let mut closing = shared.closing();
    // `None` until somebody listens: what has changed since they read the list is not known then, so all is told.
    let mut seen: Option<HashMap<SessionId, Seq>> = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = closed(&mut closing) => return,
        }
        if !shared.is_listened_to() {
            seen = None;
            continue;
        }
        let Ok(ends) = shared.store.ends_elsewhere().await else { continue };
        let ends: HashMap<SessionId, Seq> = ends.into_iter().collect();
        let before = seen.replace(ends.clone()).unwrap_or_default();
        tell(&shared, &before, &ends).await;
    }
}

async fn tell(shared: &Shared, before: &HashMap<SessionId, Seq>, now: &HashMap<SessionId, Seq>) {
    let news = now.iter().filter(|(id, last)| before.get(*id) != Some(*last)).map(|(id, _)| id);
    // What has nothing to do any more changed last when it came to that.
    let rested = before.keys().filter(|id| !now.contains_key(*id));
    for id in news.chain(rested).take(CHANGES) {
        if let Ok(Some(row)) = shared.store.summary(id).await
            && let Ok(view) = parse_view(&row.body)
        {
            shared.changed(&view);
        }
    }
}
