//! What is done for lent sandboxes without being asked: their programs are served the outside, and their end comes in time.

use super::facts::{Away, LentState};
use super::{Entry, building, leaving, lock};
use crate::clock;
use crate::effects::Trouble;
use crate::engine::{Shared, closed};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Before a sandbox that could not be reached is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// From one look at the ends to the next, at the most: the wall clock may be set.
const LOOK: Duration = Duration::from_secs(5);

/// One that is paused in memory is put away after so long, and its memory given to others.
const IN_MEMORY_MS: u64 = 60 * 60 * 1000;

/// From one look at what was uploaded to the next.
const SWEEP: Duration = Duration::from_secs(60 * 60);

/// Holds the link to a sandbox for as long as it runs: what programs inside ask for comes through it, and what they say goes.
pub(super) fn tend(shared: &Arc<Shared>, entry: Arc<Entry>) {
    if entry.facts().state != LentState::Running {
        entry.running.stop();
        return;
    }
    let (shared, stop) = (Arc::clone(shared), entry.running.token());
    let mut closing = shared.closing();
    shared.tasks.clone().spawn(async move {
        let held = hold(&shared, &entry);
        tokio::select! {
            () = held => {}
            () = stop.cancelled() => {}
            () = closed(&mut closing) => {
                entry.running.stop();
                entry.processes.clear();
                entry.context.close();
            }
        }
    });
}

async fn hold(shared: &Arc<Shared>, entry: &Arc<Entry>) {
    loop {
        let facts = entry.facts();
        match entry.context.link(facts.generation, &facts.handle).await {
            Ok(link) => {
                if let Err(error) = entry.processes.find_again(&link).await {
                    tracing::debug!(sandbox = %entry.id, %error, "its processes could not be listed");
                }
                link.closed().await;
                // Nothing that came by it comes any more.
                entry.processes.clear();
            }
            Err(Trouble::Lost(why)) => {
                tracing::warn!(sandbox = %entry.id, why, "a lent sandbox is gone");
                return lost(shared, entry);
            }
            Err(Trouble::Again(error)) => {
                tracing::debug!(sandbox = %entry.id, error = format!("{error:#}"), "a lent sandbox does not answer");
            }
        }
        sleep(RETRY).await;
    }
}

/// In a task of its own: whoever takes it back stops the one that calls this.
fn lost(shared: &Arc<Shared>, entry: &Arc<Entry>) {
    let (shared, entry) = (Arc::clone(shared), Arc::clone(entry));
    shared.tasks.clone().spawn(async move {
        let _turn = entry.turn.lock().await;
        if let Err(error) = shared.take_back(&entry).await {
            tracing::warn!(sandbox = %entry.id, %error, "what is left of a sandbox could not be removed; the next look does it");
        }
    });
}

/// Ends those whose time is over, and those of people who were removed, and removes old uploads, for as long as the engine runs. Every look is complete.
pub(super) async fn run(shared: Arc<Shared>) {
    let (mut closing, mut people) = (shared.closing(), shared.people_changes.subscribe());
    let (mut somebody_may_be_gone, mut sweeps_at) = (true, Instant::now());
    loop {
        if Instant::now() >= sweeps_at {
            sweeps_at = Instant::now() + SWEEP;
            let shared_too = Arc::clone(&shared);
            shared.tasks.spawn(async move { building::sweep(&shared_too.config.data_dir).await });
        }
        if somebody_may_be_gone {
            somebody_may_be_gone = !leaving::look(&shared).await;
        }
        let next = end_in_time(&shared).await;
        tokio::select! {
            () = sleep(next) => {}
            () = shared.lending.changed.notified() => somebody_may_be_gone = true,
            _ = people.changed() => somebody_may_be_gone = true,
            () = closed(&mut closing) => return,
        }
    }
}

/// When the next one is over.
async fn end_in_time(shared: &Arc<Shared>) -> Duration {
    let mut next = LOOK;
    for entry in shared.lending.entries() {
        let facts = entry.facts();
        let end = match facts.state {
            LentState::Running => facts.ends_at,
            LentState::Paused => facts.ends_at.plus_ms(IN_MEMORY_MS),
            LentState::PutAway => continue,
        };
        let left = end.since_ms(clock::now());
        if left > 0 {
            next = next.min(Duration::from_millis(left));
        } else {
            // One that takes long is not to hold up the others.
            shared.tasks.spawn(end_one(Arc::clone(shared), entry));
        }
    }
    next
}

async fn end_one(shared: Arc<Shared>, entry: Arc<Entry>) {
    // Whoever has it may be ending it.
    let Ok(_turn) = entry.turn.try_lock() else { return };
    let facts = entry.facts();
    let now = clock::now();
    let ended = match facts.state {
        _ if lock(&shared.lending.all).get(&entry.id).is_none() => return,
        LentState::Running if facts.ends_at > now => return,
        LentState::Running if facts.pauses_at_end => {
            let away = if facts.keeps_memory { Away::InMemory } else { Away::FilesOnly };
            shared.put(&entry, away).await
        }
        LentState::Running => shared.take_back(&entry).await.map(drop),
        LentState::Paused => shared.put(&entry, Away::FilesOnly).await,
        LentState::PutAway => return,
    };
    if let Err(error) = ended {
        tracing::warn!(sandbox = %entry.id, %error, "a lent sandbox could not be ended in time; the next look tries again");
    }
}
