//! The watchdogs of a turn and of the whole session. They count what the transcript shows; the agent is never trusted to stop itself.

use super::state::{Turn, TurnState};
use super::view::{Dollars, GuardView};
use super::{Refusal, Session};
use crate::budget::is_near;
use crate::event::{Guard, GuardTripped};
use crate::transcript::{ToolCall, ToolStatus};
use crate::{Limits, MonthBudget, SomeLimits, Timestamp};
use std::collections::BTreeMap;

/// What one turn does, as far as the guards need it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct GuardCounts {
    pub steps: u32,
    pub tokens: u64,
    /// Calls that have not ended; bounded by the step limit, which ends the turn.
    open: BTreeMap<String, Known>,
    /// The last call that ended, and how many identical ones ended in a row.
    last_call: Option<(String, String)>,
    identical: u32,
    /// The tool that failed last, and how often since its last success.
    failing: Option<String>,
    failures: u32,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Known {
    ended: bool,
    tool: Option<String>,
    title: Option<String>,
    input: Option<String>,
}

impl GuardCounts {
    /// Takes one item of the transcript. Items of the same call may come in any order and with any field missing.
    pub(super) fn count(&mut self, call: &ToolCall) {
        if !self.open.contains_key(&call.id) {
            self.steps += 1;
        }
        let known = self.open.entry(call.id.clone()).or_default();
        if let Some(tool) = call.name.as_ref().or(call.kind.as_ref()) {
            known.tool = Some(tool.clone());
        }
        if let Some(title) = &call.title {
            known.title = Some(title.clone());
        }
        if let Some(input) = &call.input {
            known.input = Some(input.to_string());
        }
        match call.status {
            Some(status @ (ToolStatus::Completed | ToolStatus::Failed)) if !known.ended => {
                known.ended = true;
                let tool = known.tool.clone().or_else(|| known.title.clone()).unwrap_or_default();
                let detail = known.input.take().or_else(|| known.title.clone()).unwrap_or_default();
                self.count_ended(tool, detail, status == ToolStatus::Failed);
            }
            Some(
                ToolStatus::Pending | ToolStatus::InProgress | ToolStatus::Completed | ToolStatus::Failed,
            )
            | None => {}
        }
    }

    /// Whether a call has begun that has not ended.
    pub(super) fn in_a_call(&self) -> bool {
        self.open.values().any(|known| !known.ended)
    }

    fn count_ended(&mut self, tool: String, detail: String, failed: bool) {
        if failed {
            let again = self.failing.as_ref() == Some(&tool);
            self.failures = if again { self.failures + 1 } else { 1 };
            self.failing = Some(tool.clone());
        } else if self.failing.as_ref() == Some(&tool) {
            self.failing = None;
            self.failures = 0;
        }
        let call = (tool, detail);
        let again = self.last_call.as_ref() == Some(&call);
        self.identical = if again { self.identical + 1 } else { 1 };
        self.last_call = Some(call);
    }
}

impl Session {
    /// What all turns together may cost now, in millionths of a dollar; 0 is no bound.
    pub fn budget_micros(&self) -> u64 {
        self.bound(Guard::Budget).unwrap_or(0)
    }

    /// The limits of a fork: as they are asked for, else as they are here, and of what all turns share what is left.
    pub fn limits_of_a_fork(&self, asked: &SomeLimits) -> Result<Limits, Refusal> {
        let left = |guard: Guard, is_asked: bool| match self.usual_bound(guard) {
            Some(limit) if !is_asked => {
                let left = limit.saturating_sub(self.counted(guard, self.at_rest()));
                if left > 0 { Ok(left) } else { Err(self.refusal(guard)) }
            }
            Some(_) | None => Ok(0),
        };
        let shared = Limits {
            budget_micros: left(Guard::Budget, asked.budget_micros.is_some())?,
            session_steps: left(Guard::SessionSteps, asked.session_steps.is_some())?,
            session_tokens: left(Guard::SessionTokens, asked.session_tokens.is_some())?,
            session_wall_clock_ms: left(Guard::SessionWallClock, asked.session_wall_clock_ms.is_some())?,
            ..self.spec.limits.clone()
        };
        Ok(asked.over(&shared))
    }

    pub(super) fn nears_budget(&self) -> bool {
        is_near(self.cost_micros(), self.budget_micros) && !self.budget_neared
    }

    /// Whether people were told that most of this is spent.
    pub(super) fn was_told_of(&self, month: &MonthBudget) -> bool {
        self.months_neared.get(&month.of) == Some(&(month.budget_micros, month.until))
    }

    /// What a guard allows now; `None` is no bound.
    pub(super) fn bound(&self, guard: Guard) -> Option<u64> {
        self.guarded.raised(guard).or_else(|| self.usual_bound(guard))
    }

    /// The same where nobody let it go on past it.
    pub(super) fn usual_bound(&self, guard: Guard) -> Option<u64> {
        if guard == Guard::Budget {
            return (self.budget_micros > 0).then_some(self.budget_micros);
        }
        self.spec.limits.of(guard)
    }

    /// How far it is, in what the guard counts.
    pub(super) fn counted(&self, guard: Guard, now: Timestamp) -> u64 {
        let of_turn =
            |count: fn(&GuardCounts) -> u64| self.turn.as_ref().map_or(0, |turn| count(&turn.counts));
        let since_start = || self.turn.as_ref().map_or(0, |turn| now.since_ms(turn.started_at));
        match guard {
            Guard::Steps => of_turn(|counts| counts.steps.into()),
            Guard::FailuresInARow => of_turn(|counts| counts.failures.into()),
            Guard::IdenticalCalls => of_turn(|counts| counts.identical.into()),
            Guard::Tokens => of_turn(|counts| counts.tokens),
            Guard::Cost => self.turn.as_ref().map_or(0, |turn| turn.cost.micros),
            Guard::WallClock => since_start(),
            // Nobody waits for an agent that waits for a person.
            Guard::Silence => {
                let turn = self.turn.as_ref().filter(|turn| turn.open.is_empty());
                turn.map_or(0, |turn| now.since_ms(turn.last_word_at))
            }
            Guard::SessionSteps => self.guarded.steps + of_turn(|counts| counts.steps.into()),
            Guard::SessionTokens => self.tokens.all(),
            Guard::SessionWallClock => self.guarded.worked_ms.saturating_add(since_start()),
            Guard::Budget => self.cost_micros(),
            Guard::Paused | Guard::MonthBudget | Guard::Right => 0,
        }
    }

    /// Guards of the whole session that let no turn begin.
    pub(super) fn spent(&self) -> impl Iterator<Item = Guard> {
        let is_spent = |guard: &Guard| {
            self.bound(*guard).is_some_and(|limit| self.counted(*guard, self.at_rest()) >= limit)
        };
        Guard::COUNTING.into_iter().filter(|guard| guard.is_of_session()).filter(is_spent)
    }

    pub(super) fn is_spent(&self) -> bool {
        self.spent().next().is_some()
    }

    /// Why nothing more begins.
    pub(super) fn refusal(&self, guard: Guard) -> Refusal {
        let limit = self.bound(guard).unwrap_or(0);
        match guard == Guard::Budget {
            true => Refusal::BudgetSpent { budget_micros: limit },
            false => Refusal::GuardSpent { guard, detail: self.in_words(guard, limit) },
        }
    }

    /// A moment at which the turn that runs has taken no time yet.
    fn at_rest(&self) -> Timestamp {
        self.turn.as_ref().map_or(self.updated_at, |turn| turn.started_at)
    }

    /// How all guards stand that bound anything.
    pub(super) fn guard_views(&self) -> Vec<GuardView> {
        let view = |guard: Guard| {
            let (limit, counted) = (self.bound(guard)?, self.counted(guard, self.updated_at));
            Some(GuardView { guard, limit, counted, is_raised: self.guarded.raised(guard).is_some() })
        };
        let mut views: Vec<GuardView> = Guard::COUNTING.into_iter().filter_map(view).collect();
        views.sort_by_key(|view| view.guard);
        views
    }

    /// What tripped it, for people.
    pub(super) fn in_words(&self, guard: Guard, limit: u64) -> String {
        let counts = self.turn.as_ref().map(|turn| &turn.counts);
        let counted = self.counted(guard, self.updated_at);
        match guard {
            Guard::Budget => format!("the budget of {} is spent", Dollars(limit)),
            Guard::Cost => format!("the {} that one turn may cost are spent", Dollars(limit)),
            Guard::SessionTokens => format!("the {limit} tokens of the whole session are used up"),
            Guard::Tokens => format!("the {limit} tokens of one turn are used up"),
            Guard::SessionSteps => format!("the {limit} tool calls of the whole session are used up"),
            Guard::Steps => format!("more than {limit} tool calls in one turn"),
            Guard::FailuresInARow => {
                let tool = counts.and_then(|counts| counts.failing.as_deref()).unwrap_or("the same tool");
                format!("{tool} failed {counted} times in a row")
            }
            Guard::IdenticalCalls => {
                let last = counts.and_then(|counts| counts.last_call.as_ref());
                let tool = last.map_or("a tool", |(tool, _)| tool.as_str());
                format!("{tool} was called {counted} times in a row with the same input")
            }
            Guard::SessionWallClock => {
                format!("all turns together took longer than {} s", limit / 1000)
            }
            Guard::WallClock => format!("the turn took longer than {} s", limit / 1000),
            Guard::Silence => format!("no word from the agent for {} s", limit / 1000),
            Guard::Paused | Guard::MonthBudget | Guard::Right => String::new(),
        }
    }
}

/// The guard that ends the turn at `now`, with what tripped it.
pub(super) fn tripped(session: &Session, now: Timestamp) -> Option<GuardTripped> {
    let turn = session.turn.as_ref().filter(|turn| turn.state == TurnState::Sent)?;
    let over = |guard: Guard| {
        let (limit, counted) = (session.bound(guard)?, session.counted(guard, now));
        let is_over = match guard {
            // One call more than there may be.
            Guard::Steps | Guard::SessionSteps => counted > limit,
            Guard::FailuresInARow
            | Guard::IdenticalCalls
            | Guard::Silence
            | Guard::WallClock
            | Guard::Tokens
            | Guard::Cost
            | Guard::SessionTokens
            | Guard::SessionWallClock
            | Guard::Budget => counted >= limit,
            Guard::Paused | Guard::MonthBudget | Guard::Right => false,
        };
        is_over.then(|| GuardTripped {
            turn: turn.number,
            guard,
            detail: session.in_words(guard, limit),
            limit: Some(limit),
            counted: Some(counted),
        })
    };
    Guard::COUNTING.into_iter().find_map(over)
}

/// When the guards that watch the clock would trip.
pub(super) fn clocks(session: &Session, turn: &Turn) -> impl Iterator<Item = Timestamp> {
    let due = |guard: Guard, since: Timestamp, before_ms: u64| {
        session.bound(guard).map(|ms| since.plus_ms(ms.saturating_sub(before_ms)))
    };
    let silence = turn.open.is_empty().then(|| due(Guard::Silence, turn.last_word_at, 0)).flatten();
    let wall_clocks = [
        due(Guard::WallClock, turn.started_at, 0),
        due(Guard::SessionWallClock, turn.started_at, session.guarded.worked_ms),
    ];
    wall_clocks.into_iter().flatten().chain(silence)
}
