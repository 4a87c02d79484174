//! From what happened on GitHub to runs of those who wait for it.

use super::{Automation, Cause};
use crate::engine::Shared;
use crate::error::CommandError;
use crate::{clock, ids};
use lamplight_integrations::github::Happening;
use lamplight_store::{AutomationChange, NewRun};

/// Runs, the newest first, of which one may be because of the same.
const LOOKED_AT: usize = 50;

impl Shared {
    /// Writes down a run for each that waits for it; gives how many are new.
    pub(crate) async fn happened(&self, happening: &Happening) -> Result<usize, CommandError> {
        let takes = |forge: &crate::forge::Forge| forge.takes(&happening.repository, happening.by.as_ref());
        if !self.forge.as_ref().is_some_and(takes) {
            return Ok(0);
        }
        let forge = happening.repository.to_lowercase();
        let mut runs = Vec::new();
        for automation in
            self.store.automations_of(&forge).await?.into_iter().filter_map(Automation::readable)
        {
            if automation.paused.is_none()
                && automation.trigger.waits_for(&happening.what)
                && !self.is_known(&automation.id, happening).await?
            {
                let cause = Cause::Happened { happening: happening.clone() };
                runs.push(cause.run(&automation.id, happening.key(), clock::now()));
            }
        }
        self.begin_runs(runs).await
    }

    /// Whether one of the last runs is because of the same, which was told of in another way. Who tells of both at once has two runs, of which
    /// the second is skipped while the first one works.
    async fn is_known(&self, automation: &str, happening: &Happening) -> Result<bool, CommandError> {
        let runs = self.store.runs(automation, LOOKED_AT).await?;
        let mut causes = runs.iter().filter_map(|run| serde_json::from_str::<Cause>(&run.cause).ok());
        Ok(causes.any(|cause| match cause {
            Cause::Happened { happening: before } => happening.is_told_again(&before),
            Cause::Due | Cause::Asked { .. } => false,
        }))
    }

    pub(super) async fn begin_runs(&self, runs: Vec<NewRun>) -> Result<usize, CommandError> {
        if runs.is_empty() {
            return Ok(0);
        }
        let new = self.store.change_automation(AutomationChange::Begin(runs)).await?;
        self.automations.notify_one();
        Ok(new)
    }
}

impl Cause {
    /// A run of it, with the id of a session that there is not yet.
    pub(super) fn run(&self, automation: &str, key: String, at: lamplight_domain::Timestamp) -> NewRun {
        let cause = serde_json::to_string(self).expect("a cause is strings and numbers");
        NewRun { automation: automation.to_owned(), key, cause, session: ids::session_id(), at }
    }
}
