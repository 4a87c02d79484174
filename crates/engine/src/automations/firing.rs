//! What is done of itself: times are noticed, sessions made of runs, and what came of them written down.

use super::making::{self, NotMade};
use super::{Automation, Cause, Owner, Paused, Run, RunState, Settled};
use crate::create::{self, Once};
use crate::engine::{Engine, closed};
use crate::error::CommandError;
use crate::forge::Trouble;
use crate::{clock, ids};
use async_trait::async_trait;
use futures::StreamExt as _;
use lamplight_domain::session::{Phase, SessionSummary, SessionView};
use lamplight_domain::{Person, Role, SessionId, Timestamp};
use lamplight_store::{AutomationChange, OpenRun, RunRow, Store};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};

/// Runs in a row that come to nothing before an automation is paused.
const FAILURES: u32 = 3;
/// Automations whose runs are begun at the same time.
const AT_ONCE: usize = 8;
/// Tries of one run, where what went wrong may pass.
const TRIES: u32 = 10;
/// Before the second try; doubled each time.
const FIRST_PAUSE_MS: u64 = 2_000;
const LONGEST_PAUSE_MS: u64 = 10 * 60_000;
/// From one look to the next, where nothing is due before.
const PERIOD: Duration = Duration::from_secs(30);
/// The same where other servers take deliveries and commands too.
const SHARED: Duration = Duration::from_secs(2);
/// Before looking again when the store could not be asked.
const UNREADABLE: Duration = Duration::from_secs(5);

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
    let mut ask = true;
    let mut changes: Option<broadcast::Receiver<Arc<SessionSummary>>> = None;
    loop {
        let looking = async {
            if ask {
                ask_for_owners(&engine, owners.as_ref(), clock::now()).await?;
            }
            look(&engine, owners.as_ref(), clock::now()).await
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
pub(super) async fn look(
    engine: &Engine,
    owners: &dyn Owners,
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
    let takes = of_each.into_values().map(|runs| take(engine, owners, runs, now));
    let taken: Vec<_> = futures::stream::iter(takes).buffer_unordered(AT_ONCE).collect().await;
    let mut running = HashSet::new();
    for one in taken {
        match one {
            Ok(at_work) => running.extend(at_work),
            Err(error) => tracing::warn!(%error, "runs of an automation are looked at again later"),
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

/// The runs of one automation that have not ended, the oldest first; gives the session of the one that is at work.
async fn take(
    engine: &Engine,
    owners: &dyn Owners,
    runs: Vec<OpenRun>,
    now: Timestamp,
) -> Result<Option<SessionId>, CommandError> {
    let Some(first) = runs.first() else { return Ok(None) };
    let mut automation = Automation::read(first.automation.clone())?;
    let mut at_work = None;
    let mut waiting = Vec::new();
    for OpenRun { run, .. } in runs {
        match &run.state {
            RunState::Running => match outcome(engine, &run.session).await? {
                Some(how) => settle(engine, &mut automation, &run, how, now).await?,
                None => at_work = Some(run.session),
            },
            RunState::Waiting { due, .. } if *due <= now => waiting.push(run),
            RunState::Waiting { .. } | RunState::Settled(_) => {}
        }
    }
    for run in waiting {
        // A crash may have come between its session and what is written of it here.
        let is_made = engine.shared.store.summary(&run.session).await?.is_some();
        let begun = match (&at_work, is_made) {
            (_, true) => Ok(()),
            (Some(_), false) => Err(NotMade::Skipped("the run before it has not ended".to_owned())),
            (None, false) => begin(engine, owners, &mut automation, &run, now).await,
        };
        match begun {
            Ok(()) => {
                let start = AutomationChange::Start { number: run.number, at: clock::now() };
                engine.shared.store.change_automation(start).await?;
                at_work = Some(run.session);
            }
            Err(NotMade::Skipped(why)) => {
                settle(engine, &mut automation, &run, Settled::Skipped { why }, now).await?;
            }
            Err(NotMade::Trouble(Trouble::Passing(why))) if tries(&run) + 1 < TRIES => {
                let due = later(now, tries(&run));
                let change = AutomationChange::Postpone { number: run.number, due, why };
                engine.shared.store.change_automation(change).await?;
            }
            Err(NotMade::Trouble(Trouble::Passing(why) | Trouble::Lasting(why))) => {
                settle(engine, &mut automation, &run, Settled::Failed { why }, now).await?;
            }
        }
    }
    Ok(at_work)
}

/// Makes the session; however often this is done, there is one.
async fn begin(
    engine: &Engine,
    owners: &dyn Owners,
    automation: &mut Automation,
    run: &RunRow,
    now: Timestamp,
) -> Result<(), NotMade> {
    let shared = &engine.shared;
    let cause = Run::read(run.clone())?.cause;
    if automation.paused.is_some() && !matches!(cause, Cause::Asked { .. }) {
        return Err(NotMade::Skipped("the automation is paused".to_owned()));
    }
    let repository = engine.automation_works_in(automation);
    let (person, role) = match owners.standing(&automation.owner, &repository).await? {
        OwnerStanding::May { person, role } => (person, role),
        OwnerStanding::Lost { why } => {
            let (id, paused) = (automation.id.clone(), Paused { why: why.clone(), at: now });
            automation.paused = Some(paused.clone());
            let change = AutomationChange::Pause { id, paused };
            shared.store.change_automation(change).await.map_err(CommandError::from)?;
            return Err(NotMade::Skipped(why));
        }
    };
    let new = making::session(engine, automation, &cause, &run.session, (person, role)).await?;
    let prompt = ids::prompt_id_of(run.at.0, run.number.unsigned_abs());
    create::create(shared, new, Once::As { session: &run.session, prompt }).await?;
    Ok(())
}

/// How a session ended, once nothing of what it was asked for goes on.
async fn outcome(engine: &Engine, session: &SessionId) -> Result<Option<Settled>, CommandError> {
    match engine.view(session).await {
        Ok(view) => Ok(outcome_of(&view)),
        Err(CommandError::NotFound) => {
            Ok(Some(Settled::Failed { why: "its session is not there any more".to_owned() }))
        }
        Err(error) => Err(error),
    }
}

fn outcome_of(view: &SessionView) -> Option<Settled> {
    let said = view.reason.clone().unwrap_or_default();
    match view.phase {
        Phase::Queued | Phase::Starting | Phase::Planning | Phase::Executing | Phase::WaitingForYou => None,
        // It stands still in the middle of it, or somebody has stopped it.
        Phase::Paused if view.turn_by.is_some() || !view.queued.is_empty() => None,
        Phase::Paused | Phase::Done => Some(Settled::Done { detail: said }),
        Phase::Stuck | Phase::Failed => Some(Settled::Failed { why: said }),
    }
}

fn is_at_work(phase: Phase) -> bool {
    match phase {
        Phase::Queued | Phase::Starting | Phase::Planning | Phase::Executing | Phase::WaitingForYou => true,
        Phase::Paused | Phase::Done | Phase::Stuck | Phase::Failed => false,
    }
}

/// Writes down how a run ended, and what follows from it for its automation.
async fn settle(
    engine: &Engine,
    automation: &mut Automation,
    run: &RunRow,
    how: Settled,
    now: Timestamp,
) -> Result<(), CommandError> {
    let failures = match &how {
        Settled::Done { .. } => 0,
        Settled::Failed { .. } => automation.failures.saturating_add(1),
        Settled::Skipped { .. } => automation.failures,
    };
    let paused = match &how {
        Settled::Failed { why } if failures >= FAILURES => {
            tracing::info!(
                automation.id = run.automation,
                "an automation is paused after {FAILURES} failures: {why}"
            );
            let why = format!("{FAILURES} runs in a row failed, the last one because: {why}");
            Some(Paused { why, at: now })
        }
        Settled::Failed { .. } | Settled::Done { .. } | Settled::Skipped { .. } => None,
    };
    automation.failures = failures;
    automation.paused = automation.paused.take().or_else(|| paused.clone());
    let change = AutomationChange::Settle { number: run.number, how, failures, paused };
    engine.shared.store.change_automation(change).await?;
    Ok(())
}

fn tries(run: &RunRow) -> u32 {
    match &run.state {
        RunState::Waiting { tries, .. } => *tries,
        RunState::Running | RunState::Settled(_) => 0,
    }
}

fn later(now: Timestamp, tries: u32) -> Timestamp {
    now.plus_ms(FIRST_PAUSE_MS.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE_MS))
}
