//! The watchdogs of a turn. They count what the transcript shows; the agent is never trusted to stop itself.

use super::state::{Turn, TurnState};
use super::view::Dollars;
use super::{Refusal, Session};
use crate::budget::is_near;
use crate::event::Guard;
use crate::transcript::{ToolCall, ToolStatus};
use crate::{Limits, MonthBudget, Timestamp};
use std::collections::BTreeMap;

/// Tool calls of one turn, as far as the guards need them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct GuardCounts {
    pub steps: u32,
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
    /// In millionths of a dollar; 0 is no bound.
    pub fn budget_micros(&self) -> u64 {
        self.budget_micros
    }

    /// What all turns together cost so far, in millionths of a dollar.
    pub fn cost_micros(&self) -> u64 {
        self.cost.micros
    }

    pub(super) fn is_budget_spent(&self) -> bool {
        self.budget_micros > 0 && self.cost.micros >= self.budget_micros
    }

    /// The budget of a fork, in millionths of a dollar: what is left of this one's; 0 is no bound.
    pub fn budget_of_a_fork(&self) -> Result<u64, Refusal> {
        if self.is_budget_spent() {
            return Err(Refusal::BudgetSpent { budget_micros: self.budget_micros });
        }
        Ok(self.budget_micros.saturating_sub(self.cost.micros))
    }

    pub(super) fn nears_budget(&self) -> bool {
        is_near(self.cost.micros, self.budget_micros) && !self.budget_neared
    }

    /// Whether people were told that most of this is spent.
    pub(super) fn was_told_of(&self, month: &MonthBudget) -> bool {
        self.months_neared.get(&month.of) == Some(&(month.budget_micros, month.until))
    }
}

/// The guard that ends the turn at `now`, with what tripped it in plain words.
pub(super) fn tripped(session: &Session, now: Timestamp) -> Option<(Guard, String)> {
    let (turn, limits) = (session.turn.as_ref()?, &session.spec.limits);
    if turn.state != TurnState::Sent {
        return None;
    }
    if session.is_budget_spent() {
        let budget = Dollars(session.budget_micros);
        return Some((Guard::Budget, format!("the budget of {budget} is spent")));
    }
    let counts = &turn.counts;
    if counts.steps > limits.steps {
        return Some((Guard::Steps, format!("more than {} tool calls in one turn", limits.steps)));
    }
    if counts.failures >= limits.failures_in_a_row {
        let tool = counts.failing.as_deref().unwrap_or("the same tool");
        return Some((Guard::FailuresInARow, format!("{tool} failed {} times in a row", counts.failures)));
    }
    if counts.identical >= limits.identical_calls {
        let tool = counts.last_call.as_ref().map_or("a tool", |(tool, _)| tool.as_str());
        return Some((
            Guard::IdenticalCalls,
            format!("{tool} was called {} times in a row with the same input", counts.identical),
        ));
    }
    time_guards(turn, limits)
        .into_iter()
        .find(|(due, ..)| now >= *due)
        .map(|(_, guard, detail)| (guard, detail))
}

/// When the guards that watch the clock would trip.
pub(super) fn time_guards(turn: &Turn, limits: &Limits) -> Vec<(Timestamp, Guard, String)> {
    let mut due = vec![(
        turn.started_at.plus_ms(limits.wall_clock_ms),
        Guard::WallClock,
        format!("the turn took longer than {} s", limits.wall_clock_ms / 1000),
    )];
    if turn.open.is_empty() {
        due.push((
            turn.last_word_at.plus_ms(limits.silence_ms),
            Guard::Silence,
            format!("no word from the agent for {} s", limits.silence_ms / 1000),
        ));
    }
    due
}
