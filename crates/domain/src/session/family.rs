//! A session's children, and the end of the session that it is a child of. How many there may be and how deep is decided here, by the log of
//! the parent: two that ask at once are decided one after the other. What children spend is told to it, and counts for its budget.

use super::decide::Draft;
use super::view::{Child, FamilyView};
use super::{Refusal, Session};
use crate::event::Event;
use crate::{ChildBegun, ChildBounds, ChildSpent, Limits, ParentEnded, SessionId, SomeLimits};
use std::sync::Arc;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Family {
    /// In the order in which they were begun.
    children: Arc<Vec<Child>>,
    /// Who has ended the session that this one is a child of.
    left_by: Option<String>,
}

impl Family {
    pub(super) fn begun(&mut self, ChildBegun { session, branch, .. }: &ChildBegun) {
        let child = Child { session: session.clone(), branch: branch.clone(), cost_micros: 0 };
        Arc::make_mut(&mut self.children).push(child);
    }

    pub(super) fn spent(&mut self, spent: &ChildSpent) {
        for child in Arc::make_mut(&mut self.children) {
            if child.session == spent.session {
                child.cost_micros = spent.cost_micros;
            }
        }
    }

    pub(super) fn left(&mut self, ended: &ParentEnded) {
        self.left_by = Some(ended.by.clone());
    }

    pub(super) fn left_by(&self) -> Option<&str> {
        self.left_by.as_deref()
    }
}

impl Session {
    pub fn is_in_turn(&self) -> bool {
        self.turn.is_some()
    }

    /// In the order in which they were begun; some of them may have come to nothing.
    pub fn children(&self) -> &Arc<Vec<Child>> {
        &self.family.children
    }

    /// What all turns together, and all of its children, cost so far, in millionths of a dollar.
    pub fn cost_micros(&self) -> u64 {
        let children = self.family.children.iter().map(|child| child.cost_micros);
        children.fold(self.cost.micros, u64::saturating_add)
    }

    /// The limits of a child: as they are asked for, else as they are here, with no more money than is left.
    pub fn limits_of_a_child(&self, asked: &SomeLimits) -> Result<Limits, Refusal> {
        let left = self.limits_of_a_fork(&SomeLimits::default())?;
        let limits = asked.over(&left);
        let budget_micros = match (limits.budget_micros, left.budget_micros) {
            (asked, 0) => asked,
            (0, left) => left,
            (asked, left) => asked.min(left),
        };
        Ok(Limits { budget_micros, ..limits })
    }

    pub(super) fn family_view(&self) -> FamilyView {
        FamilyView { parents: self.spec.parents.clone(), children: self.family.children.clone() }
    }
}

impl ChildBounds {
    /// Whether whoever has this family may have one child more.
    pub fn check(self, family: &FamilyView) -> Result<(), Refusal> {
        let Self { depth, number } = self;
        if family.parents.len() >= depth as usize {
            return Err(Refusal::ChildTooDeep { depth });
        }
        if family.children.len() >= number as usize {
            return Err(Refusal::TooManyChildren { number });
        }
        Ok(())
    }
}

impl Draft {
    pub(super) fn begin_child(&mut self, child: ChildBegun, bounds: ChildBounds) -> Result<(), Refusal> {
        bounds.check(&self.session.family_view())?;
        if let Some(guard) = self.session.spent().next() {
            return Err(self.session.refusal(guard));
        }
        self.record(Event::ChildBegun(child));
        Ok(())
    }

    /// Sums never become less: what is told late, or twice, changes nothing.
    pub(super) fn child_spent(&mut self, session: SessionId, cost_micros: u64) {
        let known = self.session.family.children.iter().find(|child| child.session == session);
        if known.is_some_and(|child| child.cost_micros < cost_micros) {
            self.record(Event::ChildSpent(ChildSpent { session, cost_micros }));
        }
    }

    pub(super) fn parent_ended(&mut self, by: String) {
        let is_news = self.session.family.left_by.is_none() && !self.session.ended();
        if is_news && self.session.spec.parent().is_some() {
            self.record(Event::ParentEnded(ParentEnded { by: by.clone() }));
            self.leave(by);
        }
    }
}
