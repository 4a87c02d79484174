//! The numbers of a session as its log tells them, for the status line.

use lamplight_domain::event::Event;
use lamplight_domain::{Entry, Timestamp};
use std::collections::HashSet;

/// Where the session is, as far as its log was read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    word: Word,
    calls: HashSet<String>,
    tokens: u64,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Word {
    #[default]
    Starting,
    Queued,
    Planning,
    Executing,
    Waiting,
    Stopping,
    Recording,
    Checking,
    Idle,
}

impl Word {
    fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Queued => "queued",
            Self::Planning => "planning",
            Self::Executing => "executing",
            Self::Waiting => "waiting for you",
            Self::Stopping => "stopping",
            Self::Recording => "recording the work",
            Self::Checking => "checking",
            Self::Idle => "idle",
        }
    }
}

impl Progress {
    pub(super) fn apply(&mut self, entry: &Entry) {
        match &entry.event {
            Event::TurnStarted { .. } => {
                self.word = Word::Planning;
                self.calls.clear();
                self.started_at = Some(entry.at);
                self.ended_at = None;
            }
            Event::ToolCalled { call, .. } => {
                self.word = Word::Executing;
                self.calls.insert(call.id.clone());
            }
            Event::PermissionAsked { .. } | Event::QuestionAsked(_) => self.word = Word::Waiting,
            Event::PermissionAnswered { .. } | Event::QuestionAnswered(_) => self.word = Word::Executing,
            Event::StopRequested { .. } | Event::GuardTripped(_) => self.word = Word::Stopping,
            Event::TokensUsed { tokens, .. } => self.tokens += tokens.input + tokens.output,
            Event::TurnEnded { .. } => {
                self.word = Word::Recording;
                self.ended_at = Some(entry.at);
            }
            Event::ChecksRequested { .. } => self.word = Word::Checking,
            Event::ChecksEnded { .. } if !matches!(self.word, Word::Checking) => {}
            Event::WorkCommitted { .. }
            | Event::WorkNotCommitted { .. }
            | Event::ChecksEnded { .. }
            | Event::SessionEnded { .. } => {
                self.word = Word::Idle;
            }
            Event::SandboxQueued { .. } => self.word = Word::Queued,
            Event::SandboxRequested { .. } | Event::SandboxLost { .. } => self.word = Word::Starting,
            Event::SessionCreated { .. }
            | Event::PromptQueued { .. }
            | Event::PromptEdited { .. }
            | Event::PromptRemoved { .. }
            | Event::SessionArchived { .. }
            | Event::SessionUnarchived { .. }
            | Event::AttemptTaken(_)
            | Event::ChildBegun(_)
            | Event::ChildSpent(_)
            | Event::ParentEnded(_)
            | Event::ModelChosen { .. }
            | Event::SandboxCreated { .. }
            | Event::WorkspacePrepared { .. }
            | Event::SandboxFailed { .. }
            | Event::PauseRequested { .. }
            | Event::SandboxPaused { .. }
            | Event::PauseFailed { .. }
            | Event::ResumeRequested { .. }
            | Event::SandboxResumed { .. }
            | Event::ReleaseAnnounced { .. }
            | Event::SandboxReleased { .. }
            | Event::SandboxDestroyed { .. }
            | Event::AgentRequested { .. }
            | Event::AgentInitialized { .. }
            | Event::AgentOpened { .. }
            | Event::AgentReady { .. }
            | Event::AgentBroken { .. }
            | Event::AgentExited { .. }
            | Event::InputQueued { .. }
            | Event::RetryPlanned(_)
            | Event::PromptRetried { .. }
            | Event::CancelAnswered { .. }
            | Event::TurnContinued(_)
            | Event::BranchPushed { .. }
            | Event::BranchMerged { .. }
            | Event::BranchUpdated { .. }
            | Event::WorkspaceUpdated { .. }
            | Event::PullRequestPublished { .. }
            | Event::AgentSpoke { .. }
            | Event::AgentThought { .. }
            | Event::PlanChanged { .. }
            | Event::ContextMeasured { .. }
            | Event::AgentSent { .. }
            | Event::AgentLogged { .. }
            | Event::HostContacted { .. }
            | Event::TerminalOpened { .. }
            | Event::ArtifactsKept { .. }
            | Event::NothingToCheck { .. }
            | Event::SandboxUsed { .. }
            | Event::BudgetSet { .. }
            | Event::PrioritySet { .. }
            | Event::BudgetNeared(_)
            | Event::SetupBegun { .. }
            | Event::SetupEnded { .. }
            | Event::CheckpointRequested { .. }
            | Event::CheckpointKept { .. }
            | Event::CheckpointFailed { .. }
            | Event::RestoreRequested { .. }
            | Event::FilesRestored { .. }
            | Event::RestoreFailed { .. }
            | Event::Noted { .. } => {}
        }
    }

    /// `executing · 3 steps · 12 s · 4.1k tokens`
    pub(super) fn line(&self, now: Timestamp) -> String {
        let mut parts = vec![self.word.as_str().to_owned()];
        let steps = u64::try_from(self.calls.len()).unwrap_or(u64::MAX);
        if steps > 0 {
            parts.push(super::output::plural(steps, "step"));
        }
        if let Some(started) = self.started_at {
            parts.push(super::output::duration(self.ended_at.unwrap_or(now).since_ms(started)));
        }
        if self.tokens > 0 {
            parts.push(format!("{} tokens", super::output::count(self.tokens)));
        }
        parts.join(" · ")
    }
}
