//! What is done of itself: times are noticed, and each run that has not ended is looked at.

use super::taking::{Beginning, take};
use super::{Automation, Cause, Owner, Paused, RunState};
use crate::clock;
use crate::engine::{Engine, closed};
use crate::error::CommandError;
use async_trait::async_trait;
use lamplight_domain::session::{Phase, SessionSummary};
use lamplight_domain::{Person, Role, SessionId, Timestamp};
use lamplight_store::{AutomationChange, OpenRun, Store};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};

/// From one look to the next, where nothing is due before.
const PERIOD: Duration = Duration::from_secs(30);
/// The same where other servers take deliveries and commands too.
const SHARED: Duration = Duration::from_secs(2);
/// Before looking again when the store could not be asked.
pub(super) const UNREADABLE: Duration = Duration::from_secs(5);

/// Says what whoever made an automation may do; whoever starts the engine knows.
#[async_trait]
pub trait Owners: Send + Sync {
    /// What they may do with the repository at this path now.
    async fn standing(&self, owner: &Owner, repository: &str) -> Result<OwnerStanding, CommandError>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerStanding {
    /// Begin sessions, as this person; `None` is whoever the repository's git says.
    May {
        person: Option<Person>,
        role: Role,
    },
    Lost {
        why: String,
    },
}

impl Engine {
    /// Runs automations from now on, until the engine is shut down.
    pub fn automate(&self, owners: Arc<dyn Owners>) {
        self.shared.tasks.spawn(run(self.clone(), owners));
    }
}

async fn run(engine: Engine, owners: Arc<dyn Owners>) {
    let (mut closing, mut people) = (engine.shared.closing(), engine.people_changes());
    let (mut ask, mut beginning) = (true, Beginning::default());
    let mut changes: Option<broadcast::Receiver<Arc<SessionSummary>>> = None;
    loop {
        let looking = async {
            if ask {
                ask_for_owners(&engine, owners.as_ref(), clock::now()).await?;
            }
            look(&engine, &owners, &mut beginning, clock::now()).await
        };
        let looked = tokio::select! {
            looked = looking => looked,
            () = closed(&mut closing) => return,
        };
        let (pause, running) = looked.unwrap_or_else(|error| {
            tracing::warn!(%error, "automations could not be looked at");
            (UNREADABLE, HashSet::new())
        });
        ask = false;
        match (running.is_empty(), &changes) {
            (true, _) => changes = None,
            // What ended between the look and this is found by the next one.
            (false, None) => {
                changes = Some(engine.changes());
                continue;
            }
            (false, Some(_)) => {}
        }
        tokio::select! {
            () = closed(&mut closing) => return,
            () = engine.shared.automations.notified() => {}
            Some(one) = beginning.tasks.join_next() => beginning.is_through(one).await,
            () = ended(changes.as_mut(), &running) => {}
            changed = people.changed() => ask = changed.is_ok(),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Resolves when one of these sessions may have come to its end.
async fn ended(changes: Option<&mut broadcast::Receiver<Arc<SessionSummary>>>, running: &HashSet<SessionId>) {
    let Some(changes) = changes else { return std::future::pending().await };
    loop {
        match changes.recv().await {
            Ok(summary) if running.contains(&summary.id) && !is_at_work(summary.phase) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

/// One look at everything; gives when to look again though nothing is told, and the sessions that are at work.
async fn look(
    engine: &Engine,
    owners: &Arc<dyn Owners>,
    beginning: &mut Beginning,
    now: Timestamp,
) -> Result<(Duration, HashSet<SessionId>), CommandError> {
    let store = &engine.shared.store;
    let longest = if store.is_shared() { SHARED } else { PERIOD };
    // One server does it for all.
    if !engine.shared.servers.is_first() {
        return Ok((longest, HashSet::new()));
    }
    fire_due(store, now).await?;
    let mut of_each: BTreeMap<String, Vec<OpenRun>> = BTreeMap::new();
    for open in store.open_runs().await? {
        of_each.entry(open.automation.id.clone()).or_default().push(open);
    }
    let mut running = HashSet::new();
    for (id, runs) in of_each {
        if beginning.of.contains_key(&id) {
            continue;
        }
        let is_due = |open: &OpenRun| matches!(open.run.state, RunState::Waiting { due, .. } if due <= now);
        if !runs.iter().any(is_due) {
            match take(engine, owners.as_ref(), runs, now).await {
                Ok(at_work) => running.extend(at_work),
                Err(error) => {
                    tracing::warn!(automation.id = id, %error, "runs of an automation are looked at again later");
                }
            }
        } else if beginning.has_room(runs[0].automation.forge.is_some()) {
            beginning.begin(engine, owners, runs, now);
        }
    }
    let next = store.next_automation_due(now).await?;
    let pause = next.map_or(longest, |due| Duration::from_millis(due.since_ms(now)).min(longest));
    Ok((pause, running))
}

/// Whoever may not any more has their automations paused, before anything of theirs is begun.
async fn ask_for_owners(engine: &Engine, owners: &dyn Owners, now: Timestamp) -> Result<(), CommandError> {
    let store = &engine.shared.store;
    if !engine.shared.servers.is_first() {
        return Ok(());
    }
    for row in store.automations().await? {
        if row.paused.is_some() {
            continue;
        }
        let repository = engine.shared.works_in(row.forge.as_deref(), &row.repository);
        let owner = Owner { id: row.owner, name: row.owner_name };
        match owners.standing(&owner, &repository).await {
            Ok(OwnerStanding::May { .. }) => {}
            Ok(OwnerStanding::Lost { why }) => {
                tracing::info!(automation.id = row.id, "an automation is paused: {why}");
                let paused = Paused { why, at: now };
                store.change_automation(AutomationChange::Pause { id: row.id, paused }).await?;
            }
            Err(error) => {
                tracing::info!(automation.id = row.id, %error, "whether its owner may run an automation cannot be asked");
            }
        }
    }
    Ok(())
}

/// What a clock that was ahead has put off for years is due when it should be.
async fn put_right(store: &Store, now: Timestamp) -> Result<(), CommandError> {
    for row in store.automations_to_come(now).await? {
        let (id, Some(was)) = (row.id.clone(), row.due_at) else { continue };
        let schedule = Automation::read(row).and_then(|automation| automation.trigger.schedule());
        let due = schedule.ok().flatten().and_then(|schedule| schedule.after(now));
        if let Some(due) = due.filter(|due| *due < was) {
            store.change_automation(AutomationChange::PutRight { id, was, due }).await?;
        }
    }
    Ok(())
}

/// A run for each that the clock has reached: one, of the last time, however many were missed.
pub(super) async fn fire_due(store: &Store, now: Timestamp) -> Result<usize, CommandError> {
    put_right(store, now).await?;
    let mut fired = 0;
    for row in store.automations_due(now).await? {
        let (id, Some(due)) = (row.id.clone(), row.due_at) else { continue };
        let schedule = Automation::read(row).and_then(|automation| automation.trigger.schedule());
        let change = match schedule {
            Ok(Some(schedule)) => {
                let at = schedule.last(now).map_or(due, |last| last.max(due));
                let run = Cause::Due.run(&id, format!("due/{}", at.0), at);
                AutomationChange::Fire { due, next: schedule.after(now), run }
            }
            // Its zone may be gone.
            Ok(None) | Err(_) => {
                let why = match schedule {
                    Err(error) => error.to_string(),
                    Ok(_) => "it waits for no moment".to_owned(),
                };
                AutomationChange::Pause { id, paused: Paused { why, at: now } }
            }
        };
        fired += store.change_automation(change).await?;
    }
    Ok(fired)
}

fn is_at_work(phase: Phase) -> bool {
    match phase {
        Phase::Queued | Phase::Starting | Phase::Planning | Phase::Executing | Phase::WaitingForYou => true,
        Phase::Paused | Phase::Done | Phase::Stuck | Phase::Failed => false,
    }
}
