//! Runs that have not ended: sessions are made of them, and what came of those is written down.

use super::firing::{OwnerStanding, Owners, UNREADABLE};
use super::making::{self, NotMade};
use super::{Automation, Cause, Paused, Run, RunState, Settled};
use crate::create::{self, Once};
use crate::engine::Engine;
use crate::error::CommandError;
use crate::forge::Trouble;
use crate::{clock, ids};
use lamplight_domain::session::{Phase, SessionView};
use lamplight_domain::{SessionId, Timestamp};
use lamplight_store::{AutomationChange, OpenRun, RunRow};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::task::{JoinError, JoinSet};

/// Runs in a row that come to nothing before an automation is paused.
const FAILURES: u32 = 3;
/// Automations whose runs are begun at the same time: so many that wait for GitHub, and so many others.
const AT_ONCE: usize = 8;
/// Tries of one run, where what went wrong may pass.
const TRIES: u32 = 10;
/// Before the second try; doubled each time.
const FIRST_PAUSE_MS: u64 = 2_000;
const LONGEST_PAUSE_MS: u64 = 10 * 60_000;

/// Runs that are being begun. What they wait for, such as a fetch, holds up no look, and nobody else's runs.
#[derive(Default)]
pub(super) struct Beginning {
    pub(super) tasks: JoinSet<String>,
    /// Of which automation, and whether it waits for GitHub.
    pub(super) of: HashMap<String, bool>,
}

impl Beginning {
    pub(super) fn has_room(&self, is_of_forge: bool) -> bool {
        self.of.values().filter(|of_forge| **of_forge == is_of_forge).count() < AT_ONCE
    }

    pub(super) fn begin(
        &mut self,
        engine: &Engine,
        owners: &Arc<dyn Owners>,
        runs: Vec<OpenRun>,
        now: Timestamp,
    ) {
        let Some(OpenRun { automation, .. }) = runs.first() else { return };
        let id = automation.id.clone();
        self.of.insert(id.clone(), automation.forge.is_some());
        let (engine, owners) = (engine.clone(), owners.clone());
        self.tasks.spawn(async move {
            if let Err(error) = take(&engine, owners.as_ref(), runs, now).await {
                // They are due still, and taken again.
                tracing::warn!(automation.id = id, %error, "runs of an automation are looked at again later");
                tokio::time::sleep(UNREADABLE).await;
            }
            id
        });
    }

    /// Takes notice of one that is through.
    pub(super) async fn is_through(&mut self, one: Result<String, JoinError>) {
        match one {
            Ok(id) => drop(self.of.remove(&id)),
            Err(error) => {
                tracing::error!(%error, "a run of an automation broke off; it is taken up again");
                self.tasks.shutdown().await;
                self.of.clear();
            }
        }
    }
}

/// The runs of one automation that have not ended, the oldest first; gives the session of the one that is at work.
pub(super) async fn take(
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
