//! From a session's log to spans. What took time is between two entries, so nothing has to be measured where it happens, and a server
//! that takes over in the middle tells the same as one that saw it all.
//!
//! ```text
//! prompt ─┬─ (webhook) ─ wait for a sandbox ─ sandbox ─┬─ setup        ─ agent ready ─┐
//!         │                                            └─ workspace                   │
//!         ├─ invoke_agent ─┬─ chat (one request to a model)                           ┘
//!         │                └─ execute_tool, permission, question
//!         └─ commit ─ checks ─ pull request            begin when the prompt has been answered
//! ```

use super::book::{Book, Open, Under};
use super::span::Span;
use lamplight_domain::{Entry, Event, Seq, SessionId, Timestamp, Verdict};
use serde_json::json;

/// One session, as far as its log has been read.
pub(super) struct Fold {
    /// The last entry that was read.
    pub(super) last: Seq,
    book: Book,
}

/// Whether spans may be told with this entry: all that ended since the one before it.
pub(super) fn is_end(event: &Event) -> bool {
    matches!(
        event,
        Event::TurnEnded { .. }
            | Event::WorkCommitted { .. }
            | Event::WorkNotCommitted { .. }
            | Event::ChecksEnded { .. }
            | Event::PullRequestPublished { .. }
    )
}

impl Fold {
    pub(super) fn new(session: SessionId) -> Self {
        Self { last: Seq(0), book: Book::new(session) }
    }

    /// What has ended since this was asked last.
    pub(super) fn closed(&mut self) -> Vec<Span> {
        self.book.closed()
    }

    pub(super) fn take(&mut self, entry: Entry) {
        let Entry { seq, at, event, .. } = entry;
        self.last = seq;
        let (now, book) = ((seq, at), &mut self.book);
        match event {
            Event::SessionCreated { spec } => book.spec = Some(spec),
            Event::PromptQueued { prompt, again, .. } => book.said(prompt, at, again),
            Event::PromptRemoved { prompt, .. } => book.taken_back(&prompt),

            Event::SandboxQueued { .. } => book.begin(now, Open::Wait, "wait for a sandbox", Vec::new()),
            Event::SandboxRequested { generation, attempt } => {
                book.end(now, &Open::Wait, None);
                let attributes = vec![
                    ("lamplight.sandbox.generation", json!(generation.0)),
                    ("lamplight.attempt", json!(attempt)),
                ];
                book.begin(now, Open::Sandbox, "sandbox", attributes);
            }
            Event::SandboxCreated { .. } => {
                book.end(now, &Open::Sandbox, None);
                book.begin(now, Open::Workspace, "workspace", Vec::new());
            }
            Event::SetupBegun { .. } => book.begin(now, Open::Setup, "setup", Vec::new()),
            Event::SetupEnded { failure, .. } => book.end(now, &Open::Setup, failure),
            Event::WorkspacePrepared { .. } => book.end(now, &Open::Workspace, None),
            Event::SandboxFailed { failure, .. } => book.sandbox_is_gone(now, &failure.message),
            Event::SandboxLost { detail, .. } => book.sandbox_is_gone(now, &detail),
            Event::AgentRequested { .. } => book.begin(now, Open::Agent, "agent", Vec::new()),
            Event::AgentReady { .. } => book.end(now, &Open::Agent, None),
            Event::AgentBroken { detail, .. } | Event::AgentExited { detail, .. } => {
                book.end(now, &Open::Agent, Some(detail));
            }

            Event::TurnStarted { turn, prompt, .. } => book.turn_started(now, turn, prompt),
            Event::TokensUsed { turn, model, tokens, cost_micros, took_ms, .. } => {
                let mut attributes = vec![
                    ("gen_ai.operation.name", json!("chat")),
                    ("gen_ai.response.model", json!(model)),
                    ("gen_ai.usage.input_tokens", json!(tokens.input)),
                    ("gen_ai.usage.output_tokens", json!(tokens.output)),
                ];
                attributes.extend(cost_micros.map(|micros| ("lamplight.cost_micros", json!(micros))));
                // Entries of before it was measured do not say when the request began.
                let start = Timestamp(at.0.saturating_sub_unsigned(took_ms.unwrap_or(0)));
                book.asked((turn, seq), Under::Work, format!("chat {model}"), (start, at), attributes);
            }
            Event::ToolCalled { call, .. } => book.tool(now, &call),
            Event::PermissionAsked { request, .. } => {
                book.begin(now, Open::Asked(request.to_string()), "permission", Vec::new());
            }
            Event::PermissionAnswered { request, .. } => {
                book.end(now, &Open::Asked(request.to_string()), None)
            }
            Event::QuestionAsked(asked) => {
                book.begin(now, Open::Asked(asked.request.to_string()), "question", Vec::new());
            }
            Event::QuestionAnswered(answered) => {
                book.end(now, &Open::Asked(answered.request.to_string()), None);
            }
            Event::TurnEnded { turn, outcome } => book.turn_ended(now, turn, &outcome),
            Event::WorkCommitted { commit, .. } => {
                let commit = commit.map(|commit| ("vcs.ref.head.revision", json!(commit.id)));
                book.end_with(now, &Open::Commit, None, commit.into_iter().collect());
            }
            Event::WorkNotCommitted { failure, .. } => book.end(now, &Open::Commit, Some(failure.message)),
            Event::ChecksRequested { check, turn, .. } => {
                book.begin_in(now, Open::Checks(check), turn, "checks");
            }
            Event::ChecksEnded { check, verdict, .. } => {
                let failure = match verdict {
                    Verdict::Passed => None,
                    Verdict::Failed => Some("a check failed".to_owned()),
                    Verdict::NotRun { why } => Some(why),
                    Verdict::Stopped { by } => Some(format!("stopped by {by}")),
                };
                book.end(now, &Open::Checks(check), failure);
            }
            Event::PullRequestPublished { pull_request, .. } => {
                let Some(turn) = book.last_turn() else { return };
                let attributes = vec![("url.full", json!(pull_request.url))];
                book.asked((turn, seq), Under::Prompt, "pull request".to_owned(), (at, at), attributes);
            }

            Event::PromptEdited { .. }
            | Event::StopRequested { .. }
            | Event::ModelChosen { .. }
            | Event::TerminalOpened { .. }
            | Event::SandboxUsed { .. }
            | Event::BudgetSet { .. }
            | Event::AttemptTaken(_)
            | Event::ChildBegun(_)
            | Event::ChildSpent(_)
            | Event::ParentEnded(_)
            | Event::SessionEnded { .. }
            | Event::SessionArchived { .. }
            | Event::SessionUnarchived { .. }
            | Event::PrioritySet { .. }
            | Event::PauseRequested { .. }
            | Event::SandboxPaused { .. }
            | Event::PauseFailed { .. }
            | Event::ResumeRequested { .. }
            | Event::SandboxResumed { .. }
            | Event::ReleaseAnnounced { .. }
            | Event::SandboxReleased { .. }
            | Event::SandboxDestroyed { .. }
            | Event::CheckpointRequested { .. }
            | Event::CheckpointKept { .. }
            | Event::CheckpointFailed { .. }
            | Event::RestoreRequested { .. }
            | Event::FilesRestored { .. }
            | Event::RestoreFailed { .. }
            | Event::AgentInitialized { .. }
            | Event::AgentOpened { .. }
            | Event::InputQueued { .. }
            | Event::RetryPlanned(_)
            | Event::PromptRetried { .. }
            | Event::CancelAnswered { .. }
            | Event::BudgetNeared(_)
            | Event::GuardTripped(_)
            | Event::TurnContinued(_)
            | Event::BranchPushed { .. }
            | Event::NothingToCheck { .. }
            | Event::ArtifactsKept { .. }
            | Event::BranchUpdated { .. }
            | Event::WorkspaceUpdated { .. }
            | Event::BranchMerged { .. }
            | Event::AgentSpoke { .. }
            | Event::AgentThought { .. }
            | Event::PlanChanged { .. }
            | Event::ContextMeasured { .. }
            | Event::HostContacted { .. }
            | Event::AgentSent { .. }
            | Event::AgentLogged { .. }
            | Event::Noted { .. } => {}
        }
    }
}
