//! What one session may spend, as its gateway sees it.

use super::Budgets;
use super::accounts::{Full, Scope};
use crate::children::Relative;
use lamplight_domain::MonthBudget;
use lamplight_gateway::{NotReserved, Reservation};
use std::sync::Arc;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Money {
    budgets: Arc<Budgets>,
    scopes: Arc<[Scope]>,
}

impl Money {
    pub(super) fn new(budgets: Arc<Budgets>, scopes: Vec<Scope>) -> Self {
        Self { budgets, scopes: scopes.into() }
    }

    /// Whether anything bounds it.
    pub(crate) fn is_bounded(&self) -> bool {
        self.budgets.lock().is_bounded(&self.scopes)
    }

    /// Sets so many millionths of a dollar aside, until the reservation is dropped. Of the session's family counts what is known of it now:
    /// nothing may come in between, as who of it sleeps may have no account.
    pub(crate) fn reserve(&self, family: &[Relative], micros: u64) -> Result<Reservation, NotReserved> {
        let reserved = {
            let mut accounts = self.budgets.lock();
            for one in family {
                accounts.session_is(one.session.clone(), one.budget_micros, one.spent_micros);
            }
            accounts.reserve(&self.scopes, micros)
        };
        match reserved {
            Ok(()) => Ok(Reservation::new(Held { money: self.clone(), micros })),
            Err(Full::Spent(scope, budget)) => {
                Err(NotReserved::Spent(format!("In Lamplight, {} is spent.", scope.named(budget))))
            }
            Err(Full::Reserved(scope, budget)) => Err(NotReserved::Busy(format!(
                "In Lamplight, what is left of {} is set aside for requests that are being answered: try again in a moment.",
                scope.named(budget)
            ))),
        }
    }

    /// So many millionths of a dollar were spent.
    pub(crate) fn spend(&self, micros: u64) {
        self.budgets.lock().spend(&self.scopes, micros);
    }

    /// The shared budgets of which people have to be told.
    pub(crate) fn nearly_spent(&self) -> Vec<MonthBudget> {
        let standings = self.budgets.lock().standings(&self.scopes);
        standings.into_iter().map(|standing| standing.month).filter(MonthBudget::is_near).collect()
    }
}

struct Held {
    money: Money,
    micros: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.money.budgets.lock().release(&self.money.scopes, self.micros);
    }
}
