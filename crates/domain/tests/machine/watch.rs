//! What must hold of a session, whatever happens to it.

use crate::world::World;
use lamplight_domain::agent::AgentInput;
use lamplight_domain::event::Outcome;
use lamplight_domain::question::Reply;
use lamplight_domain::session::{Effect, Phase, Place};
use lamplight_domain::{Event, PromptId, TurnNumber};
use std::collections::{BTreeMap, BTreeSet};

/// What must hold, carried along the log.
#[derive(Default)]
pub(crate) struct Watch {
    looked: usize,
    /// It had something to do when it was last looked at.
    worked: bool,
    queued: BTreeSet<PromptId>,
    begun: BTreeMap<PromptId, TurnNumber>,
    open_turn: Option<TurnNumber>,
    /// The last agent that was asked for.
    run: u32,
    ended: BTreeSet<TurnNumber>,
    recorded: BTreeSet<TurnNumber>,
    needs_record: Option<TurnNumber>,
    /// Checks that were asked for and have not ended.
    pub(crate) checking: Option<u32>,
    checked: u32,
    /// The prompt that failed checks are about to become, and how many there were since a person's.
    told_as: Option<PromptId>,
    rounds: u32,
    /// Questions without an answer, by their requests; an agent may give several the same.
    asked: BTreeMap<String, u32>,
    /// The last turn that was let go on, and the prompt that it goes on as.
    continued: Option<(TurnNumber, PromptId)>,
    /// Turns that began because another was let go on.
    gone_on: BTreeSet<TurnNumber>,
    /// An answer that the agent has to be told next.
    replied: Option<(String, Reply)>,
    pub(crate) seen: BTreeMap<String, u64>,
}

impl Watch {
    pub(crate) fn look(&mut self, world: &World) {
        let news = &world.log[self.looked..];
        for entry in news {
            self.looked += 1;
            assert_eq!(entry.seq.0 as usize, self.looked, "seq is contiguous");
            self.take(&entry.event);
            if let Event::TurnEnded { outcome: Outcome::Stopped { .. } | Outcome::Tripped { .. }, .. } =
                entry.event
            {
                let runs = world.agents.get(&self.run).is_some_and(|process| process.alive);
                assert!(!runs, "nothing runs of a turn that was stopped");
            }
        }
        let owed = world.session.owed(world.now);
        let creating = owed.iter().filter(|effect| matches!(effect, Effect::CreateSandbox { .. })).count();
        assert!(creating <= 1);
        let claimed = world.running.iter().filter(|generation| world.session.claims(**generation)).count();
        assert_eq!(claimed, world.running.len(), "a running sandbox is claimed by its session");
        let current = world.running.len() - world.running.iter().filter(|g| owed.iter().any(|effect| matches!(effect, Effect::DestroySandbox { generation, .. } if generation == *g))).count();
        assert!(current <= 1, "at most one current sandbox: {:?}", world.running);
        let has_sandbox = !world.running.is_empty() || creating > 0;
        assert!(!has_sandbox || matches!(world.session.place(), Place::Held { .. }), "a sandbox has a place");
        let (phase, reason) = world.session.phase();
        assert_eq!(phase == Phase::Queued, matches!(world.session.place(), Place::Waits { .. }), "{phase:?}");
        let works = matches!(
            phase,
            Phase::Queued | Phase::Starting | Phase::Planning | Phase::Executing | Phase::WaitingForYou
        );
        assert!(
            works || !self.worked || news.iter().any(|entry| entry.event.may_settle()),
            "who waits for its end hears of it: {phase:?} after {news:#?}"
        );
        self.worked = works;
        let waits = world.session.next_deadline(world.now);
        assert!(!works || !owed.is_empty() || waits.is_some(), "nothing waits for ever: {phase:?}");
        assert!(
            !matches!(phase, Phase::Stuck | Phase::Failed | Phase::Paused) || reason.is_some(),
            "{phase:?} says why"
        );
        if let Some((at, _)) = waits {
            assert!(at > world.now);
        }
    }

    fn take(&mut self, event: &Event) {
        let value = serde_json::to_value(event).unwrap();
        *self.seen.entry(value["type"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        match event {
            Event::PromptQueued { prompt, .. } => {
                let is_of_checks = self.told_as.take().is_some_and(|told| told == *prompt);
                self.rounds = if is_of_checks { self.rounds + 1 } else { 0 };
                assert!(self.rounds <= 2, "then a person is asked");
                assert!(self.queued.insert(prompt.clone()));
            }
            Event::ChecksRequested { check, .. } => {
                assert_eq!(
                    (self.checking.replace(*check), *check),
                    (None, self.checked + 1),
                    "one at a time"
                );
                self.checked = *check;
            }
            Event::ChecksEnded { check, prompt, .. } => {
                assert_eq!(self.checking.take(), Some(*check), "what was asked for ends, once");
                assert!(prompt.is_none() || self.open_turn.is_none(), "nobody is interrupted");
                self.told_as.clone_from(prompt);
            }
            Event::PromptEdited { prompt, .. } => {
                assert!(self.queued.contains(prompt), "only what waits is changed")
            }
            Event::PromptRemoved { prompt, .. } => {
                assert!(self.queued.remove(prompt), "only what waits is removed");
                self.continued.take_if(|(_, goes_on)| goes_on == prompt);
            }
            Event::TurnContinued(continued) => {
                assert!(self.open_turn.is_none(), "what runs needs nobody to let it");
                assert!(!self.gone_on.contains(&continued.turn), "each turn goes on once");
                let goes_on = (continued.turn, continued.prompt.clone());
                assert!(self.continued.replace(goes_on.clone()).is_none_or(|before| before == goes_on));
            }
            Event::TurnStarted { turn, prompt, attempt } => {
                assert!(self.needs_record.is_none(), "the work of a turn is recorded before the next begins");
                if *attempt == 1 {
                    assert!(self.queued.remove(prompt), "a prompt is taken once, from the queue");
                    assert!(self.begun.insert(prompt.clone(), *turn).is_none());
                    assert!(self.open_turn.replace(*turn).is_none(), "one turn at a time");
                    if let Some((of, _)) = self.continued.take_if(|(_, goes_on)| goes_on == prompt) {
                        assert!(self.gone_on.insert(of), "each turn goes on once");
                        assert_eq!(of.next(), *turn, "before anything else");
                    }
                } else {
                    assert_eq!(
                        (self.open_turn, self.begun.get(prompt)),
                        (Some(*turn), Some(turn)),
                        "only the open turn is sent again"
                    );
                }
            }
            Event::InputQueued { input: AgentInput::Prompt { turn, .. }, .. } => {
                assert_eq!(self.open_turn, Some(*turn));
            }
            Event::QuestionAsked(asked) => {
                assert_eq!(self.open_turn, Some(asked.turn), "only a turn asks");
                *self.asked.entry(asked.request.to_string()).or_insert(0) += 1;
            }
            Event::QuestionAnswered(answered) => {
                let request = answered.request.to_string();
                let open = self.asked.get_mut(&request).filter(|open| **open > 0);
                *open.expect("only what is open is answered, once") -= 1;
                let before = self.replied.replace((request, answered.reply.clone()));
                assert_eq!(before, None, "each answer is told");
            }
            Event::InputQueued { input: AgentInput::AnswerQuestion { request, reply }, .. } => {
                let told = (request.to_string(), reply.clone());
                // Between two turns nobody is asked, and nothing is answered.
                let answered = self.replied.take().unwrap_or_else(|| (told.0.clone(), Reply::Cancelled));
                assert_eq!(answered, told, "the agent is told what was answered");
            }
            Event::AgentRequested { run, .. } => self.run = *run,
            Event::SandboxLost { .. } | Event::SandboxFailed { .. } => self.asked.clear(),
            Event::TurnEnded { turn, .. } => {
                self.asked.clear();
                assert_eq!(self.open_turn.take(), Some(*turn));
                assert!(self.ended.insert(*turn), "a turn ends once");
            }
            Event::WorkCommitted { turn, .. } => {
                assert!(
                    self.ended.contains(turn) && self.recorded.insert(*turn),
                    "a turn is committed once, after its end"
                );
            }
            _ => {}
        }
    }
}
