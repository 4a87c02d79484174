//! Budgets: what is spent and set aside, of sessions and of all who share.
//!
//! ```text
//! request ─► reserve: admitted while spent + reserved < budget, of all that it counts for ─► asked ─► answered ─► spend ─┐
//!                │                                                                                                  │
//!                └─ refused                                  dropped, or broken off before anything was used ─► release ◄┘
//! ```
//! So what is spent is at most the budget and what the last request admitted cost. What is spent in this month is read from the
//! store at start; what is set aside is only in memory, because no request outlives this process.

mod accounts;
mod money;
mod month;
#[cfg(test)]
mod tests;

pub(crate) use money::Money;

use crate::clock;
use crate::config::Config;
use accounts::{Account, Accounts, Scope};
use lamplight_domain::session::{Refusal, Session};
use lamplight_domain::{MonthBudget, SessionId, Timestamp};
use lamplight_store::{ReadError, Spent, Store};
use month::Month;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What sessions together may cost in a calendar month, in millionths of a dollar; 0 is no bound.
#[derive(Debug, Clone, Default)]
pub struct BudgetsConfig {
    /// Of all sessions.
    pub month_micros: u64,
    /// Of all sessions that are for the person of that name.
    pub people: HashMap<String, u64>,
}

/// How a shared budget stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetStanding {
    pub month: MonthBudget,
    /// Set aside for requests that are being answered, in millionths of a dollar.
    pub reserved_micros: u64,
}

/// The one place that knows what all who share a budget have spent.
pub(crate) struct Budgets {
    accounts: Mutex<Accounts>,
    clock: fn() -> Timestamp,
}

impl Budgets {
    /// Reads what was spent in this month. Without budgets that are shared, nothing is read.
    pub(crate) async fn load(config: &Config, store: &Store) -> Result<Arc<Self>, ReadError> {
        let month = Month::of(clock::now());
        let mut accounts = Accounts::new(month);
        let shared = shared(config);
        if !shared.is_empty() {
            let spent = store.spent(month.start, month.end).await?;
            for (scope, budget) in shared {
                let spent = spent_of(&spent, &scope);
                accounts.open(scope, Account { budget, spent, reserved: 0 });
            }
        }
        Ok(Arc::new(Self { accounts: Mutex::new(accounts), clock: clock::now }))
    }

    /// Takes account of what was spent at other servers of the same database.
    pub(crate) async fn read_again(&self, config: &Config, store: &Store) -> Result<(), ReadError> {
        let shared = shared(config);
        if shared.is_empty() {
            return Ok(());
        }
        let month = Month::of((self.clock)());
        let spent = store.spent(month.start, month.end).await?;
        let mut accounts = self.lock();
        for (scope, _) in shared {
            let spent = spent_of(&spent, &scope);
            accounts.spent_at_least(month, &scope, spent);
        }
        Ok(())
    }

    /// What a session spends counts for these; `above` are the sessions that it is a child of.
    pub(crate) fn money(
        self: &Arc<Self>,
        config: &Config,
        (id, above): (&SessionId, &[SessionId]),
        person: &str,
        repository: &str,
    ) -> Money {
        let mut scopes = scopes(config, person, repository);
        scopes.extend(above.iter().chain([id]).cloned().map(Scope::Session));
        Money::new(self.clone(), scopes)
    }

    /// A session is awake, or its budget was set.
    pub(crate) fn session_is(&self, id: &SessionId, session: &Session) {
        self.lock().session_is(id.clone(), session.budget_micros(), session.cost_micros());
    }

    /// The session sleeps: whoever wakes it reads its log, and whoever spends for it looks at the store before.
    pub(crate) fn session_sleeps(&self, id: &SessionId) {
        self.lock().close(&Scope::Session(id.clone()));
    }

    /// Whether something may be begun for this person on this repository.
    pub(crate) fn refuse_if_spent(
        &self,
        config: &Config,
        person: &str,
        repository: &str,
    ) -> Result<(), Refusal> {
        let standings = self.lock().standings(&scopes(config, person, repository));
        match standings.into_iter().find(|standing| standing.month.is_spent()) {
            Some(BudgetStanding { month: MonthBudget { of, budget_micros, .. }, .. }) => {
                Err(Refusal::MonthBudgetSpent { of, budget_micros })
            }
            None => Ok(()),
        }
    }

    /// All budgets that are shared: the deployment's, people's, repositories'.
    pub(crate) fn standings(&self) -> Vec<BudgetStanding> {
        let accounts = self.lock();
        let all = accounts.shared();
        accounts.standings(&all)
    }

    /// The accounts of the month that it is now.
    fn lock(&self) -> MutexGuard<'_, Accounts> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.turn_to((self.clock)());
        accounts
    }
}

/// Every budget of the configuration that bounds anything.
fn shared(config: &Config) -> Vec<(Scope, u64)> {
    let people = config.budgets.people.iter().map(|(name, budget)| (Scope::Person(name.clone()), *budget));
    let repositories =
        config.repositories.iter().map(|ours| (repository(&ours.path), ours.budget_month_micros));
    let all =
        [(Scope::Deployment, config.budgets.month_micros)].into_iter().chain(people).chain(repositories);
    all.filter(|(_, budget)| *budget > 0).collect()
}

/// The shared budgets that a session may have; those that are not configured are not in the accounts, and bound nothing.
fn scopes(config: &Config, person: &str, path: &str) -> Vec<Scope> {
    let ours = config.of(Path::new(path)).map(|ours| repository(&ours.path));
    [Scope::Deployment, Scope::Person(person.to_owned())].into_iter().chain(ours).collect()
}

fn repository(path: &Path) -> Scope {
    Scope::Repository(path.to_string_lossy().into_owned())
}

/// In millionths of a dollar, as the logs tell it. Sessions know a repository without its symbolic links.
fn spent_of(spent: &Spent, scope: &Scope) -> u64 {
    let of = match scope {
        Scope::Session(_) | Scope::Deployment => Some(&spent.total_micros),
        Scope::Person(name) => spent.people.get(name),
        Scope::Repository(path) => {
            let real = Path::new(path).canonicalize().map(|real| real.to_string_lossy().into_owned());
            spent.repositories.get(&real.unwrap_or_else(|_| path.clone()))
        }
    };
    of.copied().unwrap_or(0)
}
