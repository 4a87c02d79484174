//! What follows by itself: intent and observation are pulled together until nothing more follows.

use super::decide::Draft;
use super::place::Room;
use super::state::*;
use crate::Attachment;
use crate::agent::AgentInput;
use crate::event::{Event, Memory, Outcome};

/// What an agent is told after a failure that has gone away: it remembers the rest.
const GO_ON: &str = "The connection to the model was interrupted. Go on where you were.";

impl Draft {
    /// Records everything that follows from the state at `now`.
    pub(super) fn advance(&mut self) {
        self.deadlines();
        while let Some(next) = self.follows() {
            self.take(next);
        }
    }

    /// The next thing that follows, if anything does.
    fn follows(&self) -> Option<Next> {
        let session = &self.session;
        if let (Some(Turn { state: TurnState::Stopping { why, .. }, .. }), Agent::None) =
            (&session.turn, &session.agent)
        {
            // A sandbox that was lost may run on until it is known to be gone, and the agent in it.
            return session.released.is_empty().then(|| Next::EndTurn(why.clone()));
        }
        if let Some(by) = session.may_be_left() {
            return Some(Next::End { by: by.to_owned() });
        }
        if session.ended() {
            let kept = session.kept.is_some() && session.released.is_empty();
            return (session.sandbox != Sandbox::None || kept)
                .then_some(Next::Release { keep_files: false, reason: "the session has ended" });
        }
        if session.restoring.is_some() {
            // What is being kept is what a person may want to come back to.
            return match &session.sandbox {
                Sandbox::None | Sandbox::Queued { .. } | Sandbox::BackingOff { .. } => None,
                Sandbox::Ready { .. } if session.keeping.is_some() => None,
                Sandbox::Requested { .. }
                | Sandbox::Created { .. }
                | Sandbox::Ready { .. }
                | Sandbox::Paused { .. } => {
                    let reason = "its files go back to what they were";
                    Some(Next::Release { keep_files: true, reason })
                }
            };
        }
        match &session.sandbox {
            Sandbox::Ready { .. } if session.keeps_files(self.now) => Some(Next::KeepFiles),
            Sandbox::None => session.has_work().then(|| self.sandbox_follows(1)),
            Sandbox::Queued { attempt, .. } => {
                (self.room == Room::Free).then_some(Next::RequestSandbox { attempt: *attempt })
            }
            Sandbox::BackingOff { until, attempt } => {
                (session.has_work() && self.now >= *until).then(|| self.sandbox_follows(attempt + 1))
            }
            Sandbox::Requested { .. } | Sandbox::Created { .. } => None,
            Sandbox::Ready { .. } | Sandbox::Paused { .. } if !session.has_work() => self.idle(),
            Sandbox::Ready { .. } => self.agent_follows(),
            Sandbox::Paused { why: Pause::Idle, .. } => Some(Next::Resume),
            Sandbox::Paused { why: Pause::Person { .. } | Pause::Over { .. }, .. } => None,
        }
    }

    fn sandbox_follows(&self, attempt: u32) -> Next {
        match self.room {
            Room::Free => Next::RequestSandbox { attempt },
            Room::Full => Next::Queue { attempt },
        }
    }

    /// A sandbox with nothing to do is paused, announced to be released, and released.
    fn idle(&self) -> Option<Next> {
        let session = &self.session;
        if self.now >= session.idle_at() {
            let reason = "nothing was asked of it for a while; its files are kept";
            return Some(Next::Release { keep_files: true, reason });
        }
        if self.now >= session.announce_at() && !session.release_announced {
            return Some(Next::AnnounceRelease);
        }
        let runs = matches!(session.sandbox, Sandbox::Ready { .. });
        (runs && !session.cannot_pause && self.now >= session.pause_at()).then_some(Next::Pause)
    }

    fn agent_follows(&self) -> Option<Next> {
        let session = &self.session;
        // What is kept after a turn is without a trace of the next.
        let is_kept = session.keeping.is_some() && session.turn.is_none();
        if session.uncommitted.is_some() || is_kept || session.update_owed().is_some() {
            return None;
        }
        match (&session.agent, &session.turn) {
            (Agent::None, _) => Some(Next::RequestAgent),
            (Agent::Ready { .. }, None) => Some(Next::StartTurn),
            (Agent::Ready { .. }, Some(Turn { state: TurnState::Interrupted, .. })) => Some(Next::SendAgain),
            (Agent::Ready { .. }, Some(Turn { state: TurnState::Retrying { until, .. }, .. })) => {
                (self.now >= *until).then_some(Next::GoOn)
            }
            (Agent::Ready { .. }, Some(Turn { state: TurnState::Sent | TurnState::Stopping { .. }, .. }))
            | (Agent::Starting { .. } | Agent::Ending { .. }, _) => None,
        }
    }

    fn take(&mut self, next: Next) {
        let generation = self.session.generation;
        match next {
            Next::EndTurn(why) => {
                let turn = self.session.turn_number;
                self.record(Event::TurnEnded { turn, outcome: Outcome::from(why) });
            }
            Next::End { by } => self.record(Event::SessionEnded { by }),
            Next::Release { keep_files, reason } => {
                self.record(Event::SandboxReleased { generation, keep_files, reason: reason.into() });
            }
            Next::AnnounceRelease => {
                self.record(Event::ReleaseAnnounced { generation, at: self.session.idle_at() });
            }
            Next::KeepFiles => {
                let checkpoint = self.session.checkpoint_number + 1;
                self.record(Event::CheckpointRequested { generation, checkpoint });
            }
            Next::Pause => self.record(Event::PauseRequested { generation, by: None }),
            Next::Resume => self.record(Event::ResumeRequested { generation, by: None }),
            Next::Queue { attempt } => self.record(Event::SandboxQueued { attempt }),
            Next::RequestSandbox { attempt } => {
                self.record(Event::SandboxRequested { generation: generation.next(), attempt });
            }
            Next::RequestAgent => {
                self.record(Event::AgentRequested { generation, run: self.session.run + 1 });
                self.tell(AgentInput::Initialize);
            }
            Next::StartTurn => {
                let Some(queued) = self.session.prompts.front().cloned() else { return };
                let text = self.with_memory(queued.text.clone());
                let turn = self.session.turn_number.next();
                self.record(Event::TurnStarted { turn, prompt: queued.prompt.clone(), attempt: 1 });
                self.prompt(text, queued.attachments.clone(), 0);
            }
            Next::GoOn => {
                let Some((turn, retry)) = self.session.turn.as_ref().map(|turn| (turn.number, turn.retries))
                else {
                    return;
                };
                self.record(Event::PromptRetried { turn, retry });
                self.prompt(GO_ON.into(), Vec::new(), retry);
            }
            Next::SendAgain => {
                let Some(turn) = self.session.turn.clone() else { return };
                let text = self.with_memory(turn.text);
                self.record(Event::TurnStarted {
                    turn: turn.number,
                    prompt: turn.prompt,
                    attempt: turn.attempt + 1,
                });
                self.prompt(text, turn.attachments, 0);
            }
        }
    }

    fn prompt(&mut self, text: String, attachments: Vec<Attachment>, retry: u32) {
        let Agent::Ready { agent_session, .. } = &self.session.agent else { return };
        let agent_session = agent_session.clone();
        let images = self.session.takes_images && attachments.iter().any(Attachment::is_image);
        let turn = self.session.turn_number;
        self.tell(AgentInput::Prompt { agent_session, turn, retry, text, attachments, images });
    }

    /// The prompt, after a digest of what went before when the agent remembers nothing of it.
    fn with_memory(&self, text: String) -> String {
        let Agent::Ready { memory: Memory::Digest, .. } = &self.session.agent else { return text };
        if self.session.history.is_empty() {
            return text;
        }
        let mut told =
            String::from("Earlier in this conversation (a digest; the files are as they were left):\n");
        for exchange in &self.session.history {
            told.push_str(&format!(
                "\nThe person asked:\n{}\n\nYour answer ended:\n{}\n",
                exchange.prompt, exchange.answer
            ));
        }
        format!("{told}\nNow the person asks:\n{text}")
    }
}

enum Next {
    EndTurn(Why),
    End { by: String },
    Release { keep_files: bool, reason: &'static str },
    AnnounceRelease,
    KeepFiles,
    Pause,
    Resume,
    Queue { attempt: u32 },
    RequestSandbox { attempt: u32 },
    RequestAgent,
    StartTurn,
    SendAgain,
    GoOn,
}
