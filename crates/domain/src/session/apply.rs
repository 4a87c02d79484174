//! How the log makes the state. Total: whatever was recorded is taken; nothing is decided here.

use super::Session;
use super::standstill::is_of_a_person;
use super::state::*;
use super::view::{Merged, QueuedPrompt, TurnCommit};
use crate::event::{Entry, Event};
use crate::failure::{Failure, FailureClass};
use crate::permission::AnsweredBy;
use crate::question::Reply;
use crate::{Generation, Seq, Timestamp, TurnNumber};
use std::sync::Arc;

impl Session {
    /// The state after a log's first entry; `None` when that is not `SessionCreated`.
    pub fn begin(entry: &Entry) -> Option<Self> {
        let Event::SessionCreated { spec } = &entry.event else { return None };
        Some(Self {
            created_at: entry.at,
            updated_at: entry.at,
            last_seq: entry.seq,
            ended_by: None,
            taken: None,
            family: Family::default(),
            archived: false,
            model: spec.model.clone(),
            spec: Arc::new((**spec).clone()),
            prompts: Default::default(),
            held: false,
            generation: Generation(0),
            made: Generation(0),
            sandbox: Sandbox::None,
            priority: 0,
            pauses: 0,
            cannot_pause: false,
            release_announced: false,
            busy_at: entry.at,
            enforced: None,
            released: Default::default(),
            // Of a fork there may be files before there is a sandbox.
            kept: spec.origin.as_ref().map(|_| Kept { generation: Generation(0), handle: None }),
            base_commit: None,
            checkpoints: Default::default(),
            checkpoint_number: 0,
            keeping: None,
            cannot_keep: false,
            touched: false,
            kept_at: entry.at,
            restores: 0,
            restoring: spec.origin.as_ref().map(|origin| Restoring::of(origin, entry.at)),
            run: 0,
            agent: Agent::None,
            read: 0,
            inputs: Default::default(),
            next_input: 1,
            agent_session: spec.origin.as_ref().and_then(|origin| origin.agent_session.clone()),
            models: Default::default(),
            agent_model: None,
            takes_images: false,
            turn_number: TurnNumber(0),
            turn: None,
            last_turn: None,
            uncommitted: None,
            worked_by: Default::default(),
            history: Default::default(),
            commits: Default::default(),
            behind: None,
            checks: Checks::default(),
            artifacts: Default::default(),
            merged: None,
            pull_request: None,
            tokens: Default::default(),
            cost: Default::default(),
            guarded: Default::default(),
            budget_micros: spec.limits.budget_micros,
            budget_neared: false,
            months_neared: Default::default(),
            contacts: Default::default(),
        })
    }

    /// The state of a whole log; `None` when it is empty or does not begin with `SessionCreated`.
    pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Option<Self> {
        let mut entries = entries.into_iter();
        let mut session = Self::begin(entries.next()?)?;
        for entry in entries {
            session.apply(entry);
        }
        Some(session)
    }

    /// Takes one entry, which follows the last one taken.
    pub fn apply(&mut self, entry: &Entry) {
        debug_assert_eq!(entry.seq, self.last_seq.next(), "a log has no gaps");
        self.last_seq = entry.seq;
        self.updated_at = entry.at;
        if let Some(read) = entry.read {
            self.read = read;
        }
        self.apply_event(&entry.event, entry.at);
    }

    pub(super) fn apply_event(&mut self, event: &Event, at: Timestamp) {
        let had_work = self.has_work();
        self.take(event, at);
        if matches!(self.sandbox, Sandbox::Queued { .. }) && !self.has_work() {
            self.sandbox = Sandbox::None;
        }
        if had_work || self.has_work() || is_of_a_person(event) {
            self.busy_at = at;
            self.release_announced = false;
        }
    }

    fn take(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::SessionCreated { .. } => {}
            Event::PromptQueued { prompt, text, by, attachments, again } => {
                self.checks.prompted(prompt);
                let (prompt, text, by) = (prompt.clone(), text.clone(), by.clone());
                let queued = QueuedPrompt { prompt, text, by, attachments: attachments.clone() };
                self.prompt_queued(Arc::new(queued), *again, at);
            }
            Event::PromptEdited { prompt, text, by } => {
                self.worked(by);
                let queued = self.prompts.iter_mut().find(|queued| queued.prompt == *prompt);
                queued.into_iter().for_each(|queued| Arc::make_mut(queued).text.clone_from(text));
            }
            Event::PromptRemoved { prompt, .. } => {
                self.prompts.retain(|queued| queued.prompt != *prompt);
                self.guarded.removed(prompt);
            }
            Event::StopRequested { by, .. } => self.begin_stop(at, Why::Person { by: by.clone() }),
            Event::ModelChosen { model, .. } => {
                self.model = Some(model.clone());
                if self.agent != Agent::None {
                    self.agent = Agent::Ending { because: "the model was changed".into() };
                }
            }
            Event::BudgetSet { budget_micros, .. } => {
                (self.budget_micros, self.budget_neared) = (*budget_micros, false);
                self.guarded.budget_set();
            }
            Event::BudgetNeared(near) => match near.until {
                Some(until) => {
                    self.months_neared.insert(near.of.clone(), (near.budget_micros, until));
                }
                None => self.budget_neared = true,
            },
            Event::SessionEnded { by } => self.ended_by = Some(by.clone()),
            Event::AttemptTaken(taken) => self.taken = Some(taken.clone()),
            Event::ChildBegun(begun) => self.family.begun(begun),
            Event::ChildSpent(spent) => self.family.spent(spent),
            Event::ParentEnded(ended) => self.family.left(ended),
            Event::SessionArchived { .. } => self.archived = true,
            Event::SessionUnarchived { .. } => self.archived = false,

            Event::SandboxQueued { attempt } => {
                self.sandbox = Sandbox::Queued { since: at, attempt: *attempt };
            }
            Event::PrioritySet { priority, .. } => self.priority = *priority,
            Event::SandboxRequested { generation, attempt } => {
                self.generation = *generation;
                (self.cannot_pause, self.cannot_keep) = (false, false);
                self.sandbox = Sandbox::Requested { since: at, attempt: *attempt };
            }
            // The patience with the start begins when the setup is over, at the latest.
            Event::SetupBegun { timeout_ms, .. } => self.start_counts_from(at.plus_ms(*timeout_ms)),
            Event::SetupEnded { .. } => self.start_counts_from(at),
            Event::SandboxCreated { generation, handle, enforced } => {
                self.made = *generation;
                self.enforced.clone_from(enforced);
                if let Sandbox::Requested { since, attempt } = self.sandbox {
                    self.sandbox = Sandbox::Created { handle: handle.clone(), since, attempt };
                }
            }
            Event::WorkspacePrepared { base_commit, .. } => {
                if let Sandbox::Created { handle, .. } = &self.sandbox {
                    self.sandbox = Sandbox::Ready { handle: handle.clone() };
                    self.kept_at = at;
                }
                self.base_commit.get_or_insert_with(|| base_commit.clone());
            }
            Event::SandboxFailed { failure, attempt, .. } => self.sandbox_failed(failure, *attempt, at),
            Event::SandboxLost { .. } => self.sandbox_gone(),
            Event::PauseRequested { by, .. } => self.pause_requested(by.as_deref(), at),
            Event::SandboxPaused { .. } => self.stands_still(),
            Event::PauseFailed { .. } => self.pause_failed(at),
            Event::ResumeRequested { .. } => self.resume_requested(at),
            Event::SandboxResumed { .. } => self.goes_on(at),
            Event::ReleaseAnnounced { .. } => self.release_announced = true,
            Event::SandboxReleased { generation, keep_files, .. } => {
                let handle = match &self.sandbox {
                    Sandbox::Created { handle, .. }
                    | Sandbox::Ready { handle, .. }
                    | Sandbox::Paused { handle, .. } => Some(handle.clone()),
                    Sandbox::None | Sandbox::Queued { .. } => {
                        self.kept.as_ref().and_then(|kept| kept.handle.clone())
                    }
                    Sandbox::Requested { .. } | Sandbox::BackingOff { .. } => None,
                };
                self.released.insert(*generation, Released { handle, keep_files: *keep_files });
                self.sandbox = Sandbox::None;
                self.keeping = None;
                self.agent = Agent::None;
                self.inputs.clear();
            }
            Event::SandboxDestroyed { generation } => {
                self.restore_owed_since(at);
                let released = self.released.remove(generation);
                self.kept = released.filter(|released| released.keep_files).map(|released| {
                    let before = self.kept.take().and_then(|kept| kept.handle);
                    Kept { generation: *generation, handle: released.handle.or(before) }
                });
            }

            Event::CheckpointRequested { checkpoint, .. } => self.checkpoint_requested(*checkpoint, at),
            Event::CheckpointKept { name, .. } => self.checkpoint_kept(name),
            Event::CheckpointFailed { .. } => (self.keeping, self.cannot_keep) = (None, true),
            Event::RestoreRequested { checkpoint, .. } => self.restore_requested(*checkpoint, at),
            Event::FilesRestored { .. } => self.files_restored(at),
            Event::RestoreFailed { .. } => self.restore_failed(),

            Event::AgentRequested { run, .. } => {
                self.run = *run;
                self.read = 0;
                self.inputs.clear();
                self.next_input = 1;
                self.agent = Agent::Starting { since: at, step: Step::Initialize, opened: None };
            }
            Event::AgentInitialized { takes_images, .. } => self.takes_images = *takes_images,
            Event::AgentOpened { opened, memory, .. } => {
                self.agent_session = Some(opened.agent_session.clone());
                self.agent_model = opened.model.clone();
                if !opened.models.is_empty() {
                    self.models = Arc::new(opened.models.clone());
                }
                if let Agent::Starting { step, opened: slot, .. } = &mut self.agent {
                    *step = Step::Open(*memory);
                    *slot = Some((**opened).clone());
                }
            }
            Event::AgentReady { .. } => {
                let Agent::Starting { opened: Some(opened), step, .. } = &self.agent else { return };
                let memory = step.memory();
                self.agent = Agent::Ready { agent_session: opened.agent_session.clone(), memory };
                self.inputs.clear();
            }
            Event::AgentBroken { detail, .. } => self.agent = Agent::Ending { because: detail.clone() },
            Event::AgentExited { .. } => {
                self.agent = Agent::None;
                self.inputs.clear();
            }
            Event::InputQueued { n, input, .. } => self.input_queued(*n, input),

            Event::TurnStarted { turn, prompt, attempt } => self.turn_started(*turn, prompt, *attempt, at),
            Event::PermissionAsked { request, call, options, deadline, .. } => {
                self.opened(Open::permission(request, call, options, *deadline), at);
            }
            Event::QuestionAsked(asked) => self.opened(Open::question(asked), at),
            Event::PermissionAnswered { request, .. } => {
                self.closed(at, |open| open.is_permission(request));
            }
            Event::QuestionAnswered(answered) => {
                // It is what the agent works by from then on, as a prompt is.
                if let (Reply::Accepted { .. }, AnsweredBy::Person { name }) = (&answered.reply, &answered.by)
                {
                    self.worked(name);
                }
                self.closed(at, |open| open.is_question(&answered.request));
            }
            Event::RetryPlanned(planned) => {
                if let Some(turn) = &mut self.turn {
                    turn.retries = planned.retry;
                    turn.state = TurnState::Retrying { until: planned.due, failure: planned.failure.clone() };
                }
            }
            Event::PromptRetried { .. } => {
                if let Some(turn) = &mut self.turn {
                    turn.state = TurnState::Sent;
                    turn.last_word_at = at;
                }
            }
            Event::CancelAnswered { .. } => {
                if let Some(Turn { state: TurnState::Stopping { answered, .. }, .. }) = &mut self.turn {
                    *answered = true;
                }
            }
            Event::GuardTripped(tripped) => {
                self.guarded.has_tripped(tripped);
                self.begin_stop(at, Why::Guard { guard: tripped.guard, detail: tripped.detail.clone() });
            }
            Event::TurnContinued(continued) => self.guarded.continued(continued),
            Event::TurnEnded { turn, outcome } => self.turn_ended(*turn, outcome, at),
            Event::BranchPushed { .. } => {
                if let Some(turn) = &mut self.turn {
                    turn.pushed = true;
                }
            }
            Event::WorkCommitted { turn, commit } => {
                self.uncommitted = None;
                if let Some(commit) = commit {
                    self.merged = None;
                    let done = TurnCommit { turn: *turn, commit: commit.clone() };
                    Arc::make_mut(&mut self.commits).push(done);
                }
            }
            Event::WorkNotCommitted { failure, .. } => self.work_not_committed(failure, at),
            Event::NothingToCheck { turn, commit, why } => self.checks.nothing(*turn, commit, why.as_ref()),
            Event::ChecksRequested { check, turn, commit, plan } => {
                self.checks.requested(*check, *turn, commit, plan, at);
            }
            Event::ChecksEnded { check, verdict, commands, prompt } => {
                self.checks.ended(*check, verdict, commands, prompt.as_ref());
            }
            Event::BranchUpdated { turn, commit, .. } => self.branch_updated(*turn, commit),
            Event::WorkspaceUpdated { commit } => self.behind = self.behind.take().filter(|of| of != commit),
            Event::BranchMerged { into, commit, .. } => {
                self.merged = Some(Merged { into: into.clone(), commit: commit.clone() });
            }
            Event::PullRequestPublished { pull_request, .. } => {
                self.pull_request = Some(pull_request.clone());
            }

            Event::AgentSpoke { text, .. } => {
                if let Some(turn) = &mut self.turn {
                    turn.last_word_at = at;
                    turn.hear(text);
                }
            }
            Event::ToolCalled { call, .. } => {
                self.touched = true;
                if let Some(turn) = &mut self.turn {
                    turn.last_word_at = at;
                    turn.counts.count(call);
                    turn.answer.clear();
                }
            }
            Event::AgentThought { .. }
            | Event::PlanChanged { .. }
            | Event::ContextMeasured { .. }
            | Event::AgentSent { .. } => {
                if let Some(turn) = &mut self.turn {
                    turn.last_word_at = at;
                }
            }
            Event::TokensUsed { tokens, cost_micros, .. } => {
                self.tokens += *tokens;
                self.cost.add(*cost_micros);
                if let Some(turn) = &mut self.turn {
                    turn.cost.add(*cost_micros);
                    turn.counts.tokens = turn.counts.tokens.saturating_add(tokens.all());
                    turn.last_word_at = at;
                }
            }
            Event::HostContacted { contact, .. } => Arc::make_mut(&mut self.contacts).push(contact.clone()),
            Event::ArtifactsKept { turn, artifacts } => self.artifacts_kept(*turn, artifacts),
            Event::TerminalOpened { by } | Event::SandboxUsed { by } => self.worked(by),
            Event::AgentLogged { .. } | Event::Noted { .. } => {}
        }
    }

    fn start_counts_from(&mut self, at: Timestamp) {
        if let Sandbox::Requested { since, .. } = &mut self.sandbox {
            *since = at;
        }
    }

    fn sandbox_failed(&mut self, failure: &Failure, attempt: u32, at: Timestamp) {
        self.sandbox_gone();
        if failure.class == FailureClass::Transient {
            self.sandbox = Sandbox::BackingOff { until: at.plus_ms(self.back_off_ms(attempt)), attempt };
        }
    }

    /// The sandbox's place is empty; what was in it is owed its destruction by a `SandboxReleased` of its own.
    fn sandbox_gone(&mut self) {
        self.keeping = None;
        self.agent = Agent::None;
        self.inputs.clear();
        if let Some(turn) = &mut self.turn {
            turn.open.clear();
            match &mut turn.state {
                TurnState::Sent | TurnState::Retrying { .. } => turn.state = TurnState::Interrupted,
                TurnState::Interrupted => {}
                TurnState::Stopping { answered, .. } => *answered = true,
            }
        }
    }

    pub fn last_seq(&self) -> Seq {
        self.last_seq
    }
}
