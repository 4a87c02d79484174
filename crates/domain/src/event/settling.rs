//! After which events a session may have come to rest. Who waits for that asks what the session is then, and after no other.

use super::Event;

impl Event {
    /// Whether a session that had something to do may have nothing more to do once this and what was appended with it is known.
    pub fn may_settle(&self) -> bool {
        match self {
            Self::TurnEnded { .. }
            | Self::WorkCommitted { .. }
            | Self::WorkNotCommitted { .. }
            | Self::ChecksEnded { .. }
            | Self::PromptQueued { .. }
            | Self::PromptRemoved { .. }
            | Self::BudgetSet { .. }
            | Self::TokensUsed { .. }
            | Self::AttemptTaken(_)
            | Self::ChildSpent(_)
            | Self::ParentEnded(_)
            | Self::PauseRequested { .. }
            | Self::SandboxPaused { .. }
            | Self::SandboxFailed { .. }
            | Self::SandboxLost { .. }
            | Self::SandboxReleased { .. }
            | Self::FilesRestored { .. }
            | Self::RestoreFailed { .. }
            | Self::SessionEnded { .. } => true,
            Self::SessionCreated { .. }
            | Self::PromptEdited { .. }
            | Self::StopRequested { .. }
            | Self::ModelChosen { .. }
            | Self::ChildBegun(_)
            | Self::TerminalOpened { .. }
            | Self::SandboxUsed { .. }
            | Self::SessionArchived { .. }
            | Self::SessionUnarchived { .. }
            | Self::PrioritySet { .. }
            | Self::SandboxQueued { .. }
            | Self::SandboxRequested { .. }
            | Self::SetupBegun { .. }
            | Self::SetupEnded { .. }
            | Self::SandboxCreated { .. }
            | Self::WorkspacePrepared { .. }
            | Self::PauseFailed { .. }
            | Self::ResumeRequested { .. }
            | Self::SandboxResumed { .. }
            | Self::ReleaseAnnounced { .. }
            | Self::SandboxDestroyed { .. }
            | Self::CheckpointRequested { .. }
            | Self::CheckpointKept { .. }
            | Self::CheckpointFailed { .. }
            | Self::RestoreRequested { .. }
            | Self::AgentRequested { .. }
            | Self::AgentInitialized { .. }
            | Self::AgentOpened { .. }
            | Self::AgentReady { .. }
            | Self::AgentBroken { .. }
            | Self::AgentExited { .. }
            | Self::InputQueued { .. }
            | Self::TurnStarted { .. }
            | Self::PermissionAsked { .. }
            | Self::PermissionAnswered { .. }
            | Self::QuestionAsked(_)
            | Self::QuestionAnswered(_)
            | Self::RetryPlanned(_)
            | Self::PromptRetried { .. }
            | Self::CancelAnswered { .. }
            | Self::BudgetNeared(_)
            | Self::GuardTripped(_)
            | Self::TurnContinued(_)
            | Self::BranchPushed { .. }
            | Self::NothingToCheck { .. }
            | Self::ChecksRequested { .. }
            | Self::ArtifactsKept { .. }
            | Self::BranchUpdated { .. }
            | Self::WorkspaceUpdated { .. }
            | Self::BranchMerged { .. }
            | Self::PullRequestPublished { .. }
            | Self::AgentSpoke { .. }
            | Self::AgentThought { .. }
            | Self::ToolCalled { .. }
            | Self::PlanChanged { .. }
            | Self::ContextMeasured { .. }
            | Self::HostContacted { .. }
            | Self::AgentSent { .. }
            | Self::AgentLogged { .. }
            | Self::Noted { .. } => false,
        }
    }
}
