//! Automations: sessions that are begun by the clock, or by what happens on GitHub.

pub mod create;
pub mod list;
pub mod pause;
pub mod remove;
pub mod resume;
pub mod run;
pub mod show;

use super::App;
use super::access::{Caller, may_see};
use super::problem::Problem;
use super::resources::{Moment, Network};
use axum::http::StatusCode;
use lamplight_engine::automations::{self as engine, RunState, Settled};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an automation waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AutomationTrigger {
    /// The clock.
    Cron {
        /// Minute, hour, day of the month, month, day of the week, as in crontab(5).
        #[schema(example = "0 9 * * 1-5")]
        expression: String,
        /// By whose clocks: a name of the IANA time zone database.
        #[serde(default = "utc")]
        #[schema(example = "Europe/Berlin")]
        timezone: String,
    },
    /// Somebody pushed to this branch on GitHub.
    Pushed {
        branch: String,
    },
    IssueOpened,
    IssueLabelled {
        label: String,
    },
    PullRequestOpened,
    /// A check of a commit on this branch failed; once for each commit.
    ChecksFailed {
        branch: String,
    },
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Something that is to be done each time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Automation {
    pub id: String,
    pub name: String,
    /// The name of who made it: its sessions are theirs.
    pub owner: String,
    pub repository: String,
    /// `owner/name` on GitHub, where it waits for what happens there.
    pub github_repository: Option<String>,
    pub trigger: AutomationTrigger,
    /// What each session is asked for.
    pub text: String,
    pub base: Option<String>,
    pub agent: Option<String>,
    pub model: Option<String>,
    pub network: Option<Network>,
    /// Of each session, in millionths of a dollar.
    pub budget_micros: Option<u64>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Moment,
    /// When it runs next by the clock.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run_at: Option<Moment>,
    /// `null` while it runs.
    pub paused: Option<AutomationPaused>,
    /// Runs in a row that failed; the third pauses it.
    pub failures: u32,
    /// Whether whoever asks may change it.
    pub is_yours: bool,
}

/// Why an automation does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AutomationPaused {
    pub reason: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Moment,
}

/// One time, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AutomationRun {
    #[schema(value_type = String, format = DateTime)]
    pub at: Moment,
    /// Why there was a run, in a few words.
    pub cause: String,
    pub state: AutomationRunState,
    /// Why it is so, in a few words; may be empty.
    pub detail: String,
    /// `null` where there is none, or none yet.
    pub session: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutomationRunState {
    /// Its session is to be made.
    Waiting,
    /// Its session is at work.
    Running,
    Done,
    Failed,
    /// There was none: the one before still ran, the automation was paused, or there was nothing to do.
    Skipped,
}

impl Automation {
    fn of(automation: engine::Automation, caller: &Caller) -> Self {
        let is_yours = is_theirs(&automation, caller);
        let engine::Task { text, base, agent, model, network, budget_micros } = automation.task;
        Self {
            id: automation.id,
            name: automation.name,
            owner: automation.owner.name,
            repository: automation.repository,
            github_repository: automation.forge,
            trigger: automation.trigger.into(),
            text,
            base,
            agent,
            model,
            network: network.map(Into::into),
            budget_micros,
            created_at: Moment(automation.created_at),
            next_run_at: automation.next_at.map(Moment),
            paused: automation
                .paused
                .map(|paused| AutomationPaused { reason: paused.why, at: Moment(paused.at) }),
            failures: automation.failures,
            is_yours,
        }
    }
}

impl From<engine::Trigger> for AutomationTrigger {
    fn from(trigger: engine::Trigger) -> Self {
        match trigger {
            engine::Trigger::Cron { expression, timezone } => Self::Cron { expression, timezone },
            engine::Trigger::Pushed { branch } => Self::Pushed { branch },
            engine::Trigger::IssueOpened => Self::IssueOpened,
            engine::Trigger::IssueLabelled { label } => Self::IssueLabelled { label },
            engine::Trigger::PullRequestOpened => Self::PullRequestOpened,
            engine::Trigger::ChecksFailed { branch } => Self::ChecksFailed { branch },
        }
    }
}

impl From<AutomationTrigger> for engine::Trigger {
    fn from(trigger: AutomationTrigger) -> Self {
        match trigger {
            AutomationTrigger::Cron { expression, timezone } => Self::Cron { expression, timezone },
            AutomationTrigger::Pushed { branch } => Self::Pushed { branch },
            AutomationTrigger::IssueOpened => Self::IssueOpened,
            AutomationTrigger::IssueLabelled { label } => Self::IssueLabelled { label },
            AutomationTrigger::PullRequestOpened => Self::PullRequestOpened,
            AutomationTrigger::ChecksFailed { branch } => Self::ChecksFailed { branch },
        }
    }
}

impl From<engine::Run> for AutomationRun {
    fn from(run: engine::Run) -> Self {
        let (state, detail) = match run.state {
            RunState::Waiting { why, .. } => (AutomationRunState::Waiting, why),
            RunState::Running => (AutomationRunState::Running, String::new()),
            RunState::Settled(Settled::Done { detail }) => (AutomationRunState::Done, detail),
            RunState::Settled(Settled::Failed { why }) => (AutomationRunState::Failed, why),
            RunState::Settled(Settled::Skipped { why }) => (AutomationRunState::Skipped, why),
        };
        Self {
            at: Moment(run.at),
            cause: run.cause.to_string(),
            state,
            detail,
            session: run.session.map(|session| session.to_string()),
        }
    }
}

fn is_theirs(automation: &engine::Automation, caller: &Caller) -> bool {
    let id = caller.known().map(|known| known.person.id.as_str());
    caller.is_admin() || (id.is_some() && automation.owner.id.as_deref() == id)
}

/// One that they may see.
async fn seen(app: &App, caller: &Caller, id: &str) -> Result<engine::Automation, Problem> {
    let automation = app.engine.automation(id).await?;
    may_see(app, caller, &automation.repository).await?;
    Ok(automation)
}

/// One that they may change: their own, and for admins any.
async fn theirs(app: &App, caller: &Caller, id: &str) -> Result<engine::Automation, Problem> {
    let automation = seen(app, caller, id).await?;
    if is_theirs(&automation, caller) {
        return Ok(automation);
    }
    let detail = format!("this automation is {}'s", automation.owner.name);
    let what_to_do = "Ask them, or an admin of this server.";
    Err(Problem::new(StatusCode::FORBIDDEN, "automation_not_yours", detail, what_to_do))
}
