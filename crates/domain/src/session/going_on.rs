//! Going on past a guard: a person lets it, once, and only as far as they might go themselves.
//!
//! ```text
//! GuardTripped ─ TurnEnded ─▶ (a person) ─▶ TurnContinued ─ PromptQueued ─▶ TurnStarted ─▶ TurnEnded ─▶ the guards are as before
//! ```
//! A guard of one turn allows the next turn the same again; a guard of the whole session allows what it has counted, and the same again.
//! The turn is of what whoever lets it asks for; else of what was interrupted; and where nothing was, of the first prompt that waits.

use super::decide::Draft;
use super::input::Asked;
use super::{MAX_QUEUED_PROMPTS, Refusal, Session};
use crate::event::{Event, Guard, GuardTripped, Outcome, RaisedGuard, TurnContinued};
use crate::{PromptId, Role, SomeLimits, TurnNumber};
use std::collections::BTreeMap;

/// What guards know of a session beside what its turn, its tokens and its money say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Guarded {
    /// Tool calls of turns that have ended.
    pub steps: u64,
    /// How long those took together.
    pub worked_ms: u64,
    /// The last guard that has tripped, until the next turn begins.
    tripped: Option<GuardTripped>,
    /// What was last let go on.
    past: Option<Past>,
}

#[derive(Debug, Clone, PartialEq)]
struct Past {
    /// The turn that had been ended.
    turn: TurnNumber,
    prompt: PromptId,
    /// Until the turn of that prompt has ended.
    raised: BTreeMap<Guard, u64>,
}

impl Guarded {
    pub(super) fn raised(&self, guard: Guard) -> Option<u64> {
        self.past.as_ref()?.raised.get(&guard).copied()
    }

    pub(super) fn has_tripped(&mut self, tripped: &GuardTripped) {
        self.tripped = Some(tripped.clone());
    }

    pub(super) fn continued(&mut self, continued: &TurnContinued) {
        let raised = continued.raised.iter().map(|raised| (raised.guard, raised.limit));
        match self.past.as_mut().filter(|past| past.prompt == continued.prompt) {
            Some(past) => past.raised.extend(raised),
            None => {
                let (turn, prompt) = (continued.turn, continued.prompt.clone());
                self.past = Some(Past { turn, prompt, raised: raised.collect() });
            }
        }
    }

    /// Whether this prompt goes before those that wait.
    pub(super) fn goes_first(&self, prompt: &PromptId) -> bool {
        self.past.as_ref().is_some_and(|past| past.prompt == *prompt)
    }

    /// It was taken back before its turn, so nothing was let go on.
    pub(super) fn removed(&mut self, prompt: &PromptId) {
        self.past.take_if(|past| past.prompt == *prompt);
    }

    /// Somebody says anew what the session may cost, and that holds, also of the turn that was let go on.
    pub(super) fn budget_set(&mut self) {
        if let Some(past) = &mut self.past {
            past.raised.remove(&Guard::Budget);
        }
    }

    pub(super) fn turn_begun(&mut self) {
        self.tripped = None;
    }

    pub(super) fn turn_ended(&mut self, steps: u32, ms: u64) {
        self.steps += u64::from(steps);
        self.worked_ms = self.worked_ms.saturating_add(ms);
        if let Some(past) = &mut self.past {
            past.raised.clear();
        }
    }
}

impl Session {
    /// What ended the last turn, or lets no other begin; `None` while it goes on.
    pub(super) fn stopped_by(&self) -> Option<GuardTripped> {
        if self.turn.is_some() || self.ended() {
            return None;
        }
        let guards = self.stands_against();
        let tripped = self.guarded.tripped.clone().filter(|tripped| guards.contains(&tripped.guard));
        let spent = || {
            let guard = *guards.first()?;
            let (limit, counted) = (self.bound(guard)?, self.counted(guard, self.updated_at));
            let (turn, detail) = (self.turn_number, self.in_words(guard, limit));
            Some(GuardTripped { turn, guard, detail, limit: Some(limit), counted: Some(counted) })
        };
        tripped.or_else(spent)
    }

    /// Guards that keep the session from going on where it was.
    fn stands_against(&self) -> Vec<Guard> {
        let mut guards: Vec<Guard> = self.spent().collect();
        let last = self.last_turn.as_ref().map(|last| &last.outcome);
        if let (Some(Outcome::Tripped { guard, .. }), false) = (last, self.is_continued(self.turn_number))
            && !guard.is_of_session()
        {
            guards.push(*guard);
        }
        guards
    }

    /// Whether somebody let it go on past the guard that had ended this turn.
    fn is_continued(&self, turn: TurnNumber) -> bool {
        self.guarded.past.as_ref().is_some_and(|past| past.turn == turn)
    }

    /// Whether the last turn did not come to its own end, or its work is not recorded.
    fn is_interrupted(&self) -> bool {
        let outcome = self.last_turn.as_ref().map(|last| &last.outcome);
        match outcome {
            Some(Outcome::Tripped { .. } | Outcome::Failed { .. }) => true,
            Some(Outcome::Completed { .. } | Outcome::Stopped { .. }) | None => self.held,
        }
    }

    /// What the agent is told where nobody says what is wanted of it.
    fn going_on(&self, by: &str) -> Asked {
        let why = self.stopped_by().map(|tripped| tripped.detail).unwrap_or_default();
        let text = match self.is_interrupted() {
            true => format!(
                "Go on with the interrupted work.\n\nIt was stopped because {why}. {by} lets it go on once."
            ),
            false => format!(
                "Go on, if anything is left to do.\n\nNothing more begins because {why}. {by} lets it go on once."
            ),
        };
        Asked { text, attachments: Vec::new() }
    }

    /// The prompt that would begin if no guard stood against it.
    fn next_of_those_that_wait(&self) -> Option<&PromptId> {
        self.prompts.front().filter(|_| !self.is_interrupted()).map(|queued| &queued.prompt)
    }

    /// What the guard allows then, if there is anything to raise.
    fn raise(&self, guard: Guard, at_most: &SomeLimits) -> Option<RaisedGuard> {
        let usual = self.usual_bound(guard)?;
        let allowance = at_most.of(guard).filter(|most| *most > 0).map_or(usual, |most| most.min(usual));
        let before = if guard.is_of_session() { self.counted(guard, self.updated_at) } else { 0 };
        Some(RaisedGuard { guard, limit: before.saturating_add(allowance) })
    }
}

impl Draft {
    /// The same request again changes nothing, however late it comes; what is asked for with it is refused then, so that nothing of it is lost.
    /// `at_most` is how far whoever asks might go themselves.
    pub(super) fn continue_once(
        &mut self,
        turn: TurnNumber,
        prompt: PromptId,
        asked: Option<Asked>,
        by: String,
        role: Role,
        at_most: &SomeLimits,
    ) -> Result<(), Refusal> {
        let session = &self.session;
        let before = session.guarded.past.as_ref().filter(|past| past.turn == turn);
        let is_again = before.is_some() && asked.is_none();
        if is_again && (turn < session.turn_number || !session.is_spent()) {
            return Ok(());
        }
        if let Some(running) = &session.turn {
            return Err(Refusal::TurnRunning { turn: running.number });
        }
        let guards = session.stands_against();
        if turn != session.turn_number || guards.is_empty() {
            return Err(Refusal::NothingToContinue);
        }
        if let Some(guard) = guards.iter().find(|guard| !guard.can_be_continued()) {
            return Err(Refusal::CannotBeContinued { guard: *guard });
        }
        if guards.contains(&Guard::Budget) && role < Role::Admin {
            return Err(Refusal::NotTheirsToRaise { guard: Guard::Budget, role });
        }
        // Something more was counted after it was let go on, which has not begun; or nothing was interrupted, and something waits.
        let waits = match (before, &asked) {
            (Some(past), _) => Some(past.prompt.clone()),
            (None, None) => session.next_of_those_that_wait().cloned(),
            (None, Some(_)) => None,
        };
        let asked = asked.or_else(|| waits.is_none().then(|| session.going_on(&by)));
        if asked.is_some() && session.prompts.len() >= MAX_QUEUED_PROMPTS {
            return Err(Refusal::QueueFull { limit: MAX_QUEUED_PROMPTS });
        }
        let raised = guards.iter().filter_map(|guard| session.raise(*guard, at_most)).collect();
        let goes_on = waits.unwrap_or_else(|| prompt.clone());
        self.wake_up(Some(&by));
        self.record(Event::TurnContinued(TurnContinued { turn, raised, prompt: goes_on, by: by.clone() }));
        if let Some(Asked { text, attachments }) = asked {
            self.record(Event::PromptQueued { prompt, text, by, attachments, again: false });
        }
        Ok(())
    }
}
