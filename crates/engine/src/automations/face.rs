//! What people do with automations.

use super::{Automation, Cause, NewAutomation, Paused, Run, Trigger, schedule};
use crate::engine::{Engine, Shared};
use crate::error::CommandError;
use crate::forge::{OURS, is_branch, mirror_path};
use crate::people::{LONGEST_NAME, clean_name};
use crate::pull_request::{no_token, origin_of};
use crate::{agents, clock, ids};
use lamplight_store::{AutomationChange, RunState};
use std::path::Path;

/// Longest text of a task; bytes.
const TEXT_BYTES: usize = 64 * 1024;
/// Of a branch's or a label's name; bytes.
const NAME_BYTES: usize = 255;
/// On one installation.
const AUTOMATIONS: usize = 1_000;
/// Runs that are listed at the most.
const RUNS: usize = 100;

impl Engine {
    /// All of them, by name.
    pub async fn automations(&self) -> Result<Vec<Automation>, CommandError> {
        Ok(self.shared.store.automations().await?.into_iter().filter_map(Automation::readable).collect())
    }

    pub async fn automation(&self, id: &str) -> Result<Automation, CommandError> {
        match self.shared.store.automation(id).await? {
            Some(row) => Automation::read(row),
            None => Err(no_such_automation()),
        }
    }

    /// The last times, the newest first.
    pub async fn automation_runs(&self, id: &str, limit: usize) -> Result<Vec<Run>, CommandError> {
        let rows = self.shared.store.runs(id, limit.min(RUNS)).await?;
        rows.into_iter().map(Run::read).collect()
    }

    /// The repository that its sessions have: who may use that one may let it run.
    pub fn automation_works_in(&self, automation: &Automation) -> String {
        self.shared.works_in(automation.forge.as_deref(), &automation.repository)
    }

    /// The same of one that is to be made.
    pub async fn new_automation_works_in(
        &self,
        repository: &str,
        trigger: &Trigger,
    ) -> Result<String, CommandError> {
        let repository = self.repository_at(repository).await?;
        let forge = self.waits_in(trigger, &repository).await?;
        Ok(self.shared.works_in(forge.as_deref(), &repository.to_string_lossy()))
    }

    /// When this returns it is on disk, and runs when it is time.
    pub async fn add_automation(&self, new: NewAutomation) -> Result<Automation, CommandError> {
        let now = clock::now();
        let redactor = self.shared.config.redaction.now();
        let mut task = new.task;
        task.text = redactor.text(task.text.trim()).into_owned();
        if task.text.is_empty() || task.text.len() > TEXT_BYTES {
            return Err(invalid("it needs a text of at most 64 KiB that says what is to be done"));
        }
        if matches!(&new.trigger, Trigger::IssueLabelled { label } if !is_name(label)) {
            return Err(invalid("it waits for a label whose name cannot be"));
        }
        if let Some(base) = &task.base {
            self.refuse_unless_branch(base).await?;
        }
        if self.shared.store.automations().await?.len() >= AUTOMATIONS {
            let message = format!("there are {AUTOMATIONS} automations already");
            return Err(CommandError::invalid("too_many_automations", message, "Remove some of them."));
        }
        if let Some(agent) = &task.agent {
            agents::usable(&self.shared, agent)?;
        }
        let repository = self.repository_at(&new.repository).await?;
        let (next_at, forge) = match &new.trigger {
            Trigger::Cron { expression, .. } => match new.trigger.schedule()? {
                Some(found) => (Some(schedule::first(&found, expression, now)?), None),
                None => (None, None),
            },
            Trigger::Pushed { .. }
            | Trigger::IssueOpened
            | Trigger::IssueLabelled { .. }
            | Trigger::PullRequestOpened
            | Trigger::ChecksFailed { .. } => (None, self.waits_in(&new.trigger, &repository).await?),
        };
        let automation = Automation {
            id: ids::automation_id(),
            name: clean_name(&new.name, LONGEST_NAME, "a name")?,
            owner: new.owner,
            repository: repository.to_string_lossy().into_owned(),
            forge,
            task,
            trigger: new.trigger,
            created_at: now,
            next_at,
            paused: None,
            failures: 0,
        };
        self.change(AutomationChange::Add(automation.row())).await?.then_some(automation).ok_or_else(|| {
            CommandError::invalid(
                "automation_name_taken",
                "there is an automation of this name",
                "Take another name, or remove that one.",
            )
        })
    }

    /// `by` is said to whoever looks.
    pub async fn pause_automation(&self, id: &str, by: &str) -> Result<Automation, CommandError> {
        let paused = Paused { why: format!("{by} paused it"), at: clock::now() };
        self.change(AutomationChange::Pause { id: id.to_owned(), paused }).await?;
        self.automation(id).await
    }

    /// It has failed no time; times that were missed stay missed.
    pub async fn resume_automation(&self, id: &str) -> Result<Automation, CommandError> {
        let automation = self.automation(id).await?;
        let schedule = automation.trigger.schedule()?;
        let due = schedule.and_then(|schedule| schedule.after(clock::now()));
        self.change(AutomationChange::Resume { id: id.to_owned(), due }).await?;
        self.automation(id).await
    }

    /// Sessions of it stay, and go on.
    pub async fn remove_automation(&self, id: &str) -> Result<(), CommandError> {
        match self.change(AutomationChange::Remove { id: id.to_owned() }).await? {
            true => Ok(()),
            false => Err(no_such_automation()),
        }
    }

    /// Lets it run now, paused or not.
    pub async fn run_automation(&self, id: &str, by: &str) -> Result<Run, CommandError> {
        self.automation(id).await?;
        let is_open = |run: &Run| matches!(run.state, RunState::Waiting { .. } | RunState::Running);
        if self.automation_runs(id, RUNS).await?.iter().any(is_open) {
            return Err(CommandError::invalid(
                "automation_running",
                "a run of it has not ended",
                "Wait for its end, or stop its session.",
            ));
        }
        let key = format!("asked/{}", ids::automation_id());
        let run = Cause::Asked { by: by.to_owned() }.run(id, key, clock::now());
        let session = run.session.clone();
        self.shared.begin_runs(vec![run]).await?;
        let rows = self.shared.store.runs(id, RUNS).await?;
        rows.into_iter()
            .find(|row| row.session == session)
            .map_or_else(|| Err(no_such_automation()), Run::read)
    }

    /// It is fetched under this name, and what sessions have on their branches is not fetched over.
    async fn refuse_unless_branch(&self, name: &str) -> Result<(), CommandError> {
        if !is_name(name) || !is_branch(&self.shared.config.data_dir, name).await? {
            return Err(invalid("a branch of it has a name that cannot be"));
        }
        if name.starts_with(OURS) {
            return Err(invalid("a branch of it is one of a session"));
        }
        Ok(())
    }

    /// Whether anything is other than before.
    async fn change(&self, change: AutomationChange) -> Result<bool, CommandError> {
        let changed = self.shared.store.change_automation(change).await?;
        self.shared.automations.notify_one();
        Ok(changed > 0)
    }

    /// The repository on GitHub in which it waits, if it does, where this server hears of such things.
    async fn waits_in(&self, trigger: &Trigger, repository: &Path) -> Result<Option<String>, CommandError> {
        match trigger {
            Trigger::Cron { .. } => return Ok(None),
            Trigger::Pushed { .. }
            | Trigger::IssueOpened
            | Trigger::IssueLabelled { .. }
            | Trigger::PullRequestOpened
            | Trigger::ChecksFailed { .. } => {}
        }
        if let Some(branch) = trigger.branch() {
            self.refuse_unless_branch(branch).await?;
        }
        let (Some(forge), Some(github)) = (&self.shared.forge, &self.shared.github) else {
            return Err(no_token());
        };
        let origin = origin_of(repository, trigger.branch().unwrap_or_default(), github).await?;
        let name = origin.to_string();
        if !forge.takes(&name, None) {
            return Err(CommandError::invalid(
                "repository_not_listed",
                format!("this server takes nothing from {name}"),
                "Name it under github.repositories in the configuration.",
            ));
        }
        if trigger.has_to_be_told() && !forge.is_told() {
            return Err(CommandError::invalid(
                "no_webhook",
                "GitHub tells of this by its webhook alone, and this server takes no deliveries",
                "Make a GitHub App with a webhook (lamplight github setup), or set GITHUB_WEBHOOK_SECRET.",
            ));
        }
        Ok(Some(name.to_lowercase()))
    }
}

impl Shared {
    /// What happens on GitHub is worked on in our copy of what is there, whatever else this machine has of it.
    pub(super) fn works_in(&self, forge: Option<&str>, repository: &str) -> String {
        let there = self.github.as_ref().zip(forge).and_then(|(github, name)| github.repository(name));
        match there {
            Some(there) => mirror_path(&self.config.data_dir, &there).to_string_lossy().into_owned(),
            None => repository.to_owned(),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES && !text.starts_with('-') && !text.contains(char::is_control)
}

fn invalid(message: &str) -> CommandError {
    CommandError::invalid("invalid_request", message, "Change the request.")
}

fn no_such_automation() -> CommandError {
    CommandError::invalid(
        "automation_not_found",
        "there is no such automation",
        "List them and take an id from there.",
    )
}
