//! Takes deliveries from their table: several issues at a time, of each issue one after the other.

use super::work::{self, Trouble};
use crate::engine::closed;
use crate::{Engine, clock};
use lamplight_domain::Timestamp;
use lamplight_integrations::github::Occurrence;
use lamplight_store::{ForgeChange, Waiting};
use std::collections::HashSet;
use std::time::Duration;
use tokio::task::JoinSet;

/// Issues that are worked on at the same time.
const AT_ONCE: usize = 8;
/// Rows that are looked at to find those.
const LOOKED_AT: usize = 256;
/// Tries of one delivery; then a person has to ask again.
const TRIES: u32 = 10;
/// Before the second try; doubled each time.
const FIRST_PAUSE_MS: u64 = 2_000;
const LONGEST_PAUSE_MS: u64 = 10 * 60_000;
/// From one look to the next where other servers take deliveries too.
const SHARED: Duration = Duration::from_secs(2);
/// Before looking again when the table could not be read.
const UNREADABLE: Duration = Duration::from_secs(5);

pub(super) async fn run(engine: Engine) {
    let mut closing = engine.shared.closing();
    let (mut running, mut busy) = (JoinSet::new(), HashSet::new());
    loop {
        let next = begin(&engine, &mut running, &mut busy).await;
        let Some(forge) = &engine.shared.forge else { return };
        tokio::select! {
            () = closed(&mut closing) => return,
            () = forge.news.notified() => {}
            Some(done) = running.join_next() => match done {
                Ok(issue) => drop(busy.remove(&issue)),
                Err(error) => {
                    tracing::error!(%error, "work on an issue broke off; it is taken up again");
                    running.shutdown().await;
                    busy.clear();
                }
            },
            () = tokio::time::sleep(next) => {}
        }
    }
}

/// Begins what is due; gives when to look again though nothing arrives.
async fn begin(engine: &Engine, running: &mut JoinSet<String>, busy: &mut HashSet<String>) -> Duration {
    let now = clock::now();
    let store = &engine.shared.store;
    let (waiting, due) =
        match (store.waiting_deliveries(now, LOOKED_AT).await, store.next_delivery_due(now).await) {
            (Ok(waiting), Ok(due)) => (waiting, due),
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(%error, "the deliveries could not be read");
                return UNREADABLE;
            }
        };
    for row in waiting {
        if running.len() >= AT_ONCE {
            break;
        }
        let occurrence: Option<Occurrence> = serde_json::from_str(&row.body).ok();
        let issue = occurrence
            .as_ref()
            .map(|occurrence| format!("{}#{}", occurrence.repository.to_lowercase(), occurrence.number));
        let issue = issue.unwrap_or_default();
        if !is_ours(engine, occurrence.as_ref()).await {
            continue;
        }
        if busy.insert(issue.clone()) {
            let engine = engine.clone();
            running.spawn(async move {
                take(&engine, row, occurrence).await;
                issue
            });
        }
    }
    // Another server may take what this one works on.
    let longest = if store.is_shared() { SHARED } else { Duration::from_millis(LONGEST_PAUSE_MS) };
    due.map_or(longest, |due| Duration::from_millis(due.since_ms(now)).min(longest))
}

/// Whether this server does what is asked for: its session is here, or there is none yet and this server does such things for all.
async fn is_ours(engine: &Engine, occurrence: Option<&Occurrence>) -> bool {
    let shared = &engine.shared;
    let thread = match occurrence {
        Some(occurrence) => {
            shared.store.thread(&occurrence.repository.to_lowercase(), occurrence.number).await.ok().flatten()
        }
        None => None,
    };
    match thread {
        Some(thread) => shared.is_done_here(&thread.session).await,
        None => shared.servers.is_first(),
    }
}

async fn take(engine: &Engine, row: Waiting, occurrence: Option<Occurrence>) {
    let (number, store) = (row.number, &engine.shared.store);
    let done = match (occurrence, store.forge(ForgeChange::Try { number }).await) {
        (_, Err(error)) => Err(Trouble::Passing(error.to_string())),
        (None, Ok(_)) => Ok("it cannot be read".to_owned()),
        (Some(occurrence), Ok(_)) => work::perform(engine, &occurrence, row.at, row.tries > 0).await,
    };
    let change = match done {
        Ok(outcome) => ForgeChange::Finish { number, outcome },
        Err(Trouble::Passing(why)) if row.tries + 1 < TRIES => {
            tracing::info!(delivery = number, why, "work that GitHub asks for is tried again later");
            ForgeChange::Postpone { number, due: later(clock::now(), row.tries), why }
        }
        Err(Trouble::Passing(why) | Trouble::Lasting(why)) => {
            tracing::warn!(delivery = number, why, "work that GitHub asks for could not be done");
            ForgeChange::Finish { number, outcome: why }
        }
    };
    if let Err(error) = store.forge(change).await {
        // It is due still, and taken again.
        tracing::warn!(delivery = number, %error, "what became of a delivery could not be written down");
        tokio::time::sleep(UNREADABLE).await;
    }
}

fn later(now: Timestamp, tries: u32) -> Timestamp {
    now.plus_ms(FIRST_PAUSE_MS.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE_MS))
}
