//! The arithmetic of budgets: pure, and in one place.

use super::BudgetStanding;
use super::month::Month;
use lamplight_domain::{BudgetOf, MonthBudget, SessionId, Timestamp};
use std::collections::HashMap;

/// Whose money it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Scope {
    Deployment,
    Person(String),
    /// By its path in the configuration.
    Repository(String),
    Session(SessionId),
}

/// All in millionths of a dollar. Those of sessions are for their whole life, the others for a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// 0 is no bound.
    pub(super) budget: u64,
    pub(super) spent: u64,
    /// Set aside for requests that are being answered.
    pub(super) reserved: u64,
}

/// Why nothing can be set aside: whose budget, and how large it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Full {
    Spent(Scope, u64),
    /// The rest is set aside for others.
    Reserved(Scope, u64),
}

#[derive(Debug)]
pub(super) struct Accounts {
    month: Month,
    accounts: HashMap<Scope, Account>,
}

impl Accounts {
    pub(super) fn new(month: Month) -> Self {
        Self { month, accounts: HashMap::new() }
    }

    pub(super) fn open(&mut self, scope: Scope, account: Account) {
        self.accounts.insert(scope, account);
    }

    /// Unless something is set aside in it.
    pub(super) fn close(&mut self, scope: &Scope) {
        if self.accounts.get(scope).is_some_and(|account| account.reserved == 0) {
            self.accounts.remove(scope);
        }
    }

    /// What was spent of it never becomes less: this is told by a log that may be behind.
    pub(super) fn session_is(&mut self, id: SessionId, budget: u64, spent: u64) {
        let account = self.accounts.entry(Scope::Session(id)).or_default();
        account.budget = budget;
        account.spent = account.spent.max(spent);
    }

    /// The same for a budget that is shared, if it is this month still.
    pub(super) fn spent_at_least(&mut self, month: Month, scope: &Scope, spent: u64) {
        if month == self.month
            && let Some(account) = self.accounts.get_mut(scope)
        {
            account.spent = account.spent.max(spent);
        }
    }

    /// A later month begins with nothing spent. A clock that goes back changes nothing.
    pub(super) fn turn_to(&mut self, now: Timestamp) {
        if now < self.month.end {
            return;
        }
        self.month = Month::of(now);
        for (scope, account) in &mut self.accounts {
            if !matches!(scope, Scope::Session(_)) {
                account.spent = 0;
            }
        }
    }

    pub(super) fn is_bounded(&self, scopes: &[Scope]) -> bool {
        self.bounding(scopes).next().is_some()
    }

    /// Sets so much aside in all of them, or in none.
    pub(super) fn reserve(&mut self, scopes: &[Scope], micros: u64) -> Result<(), Full> {
        if let Some((scope, account)) =
            self.bounding(scopes).find(|(_, account)| account.spent >= account.budget)
        {
            return Err(Full::Spent(scope.clone(), account.budget));
        }
        let is_full = |account: &Account| account.spent.saturating_add(account.reserved) >= account.budget;
        if let Some((scope, account)) = self.bounding(scopes).find(|(_, account)| is_full(account)) {
            return Err(Full::Reserved(scope.clone(), account.budget));
        }
        self.change(scopes, |account| account.reserved = account.reserved.saturating_add(micros));
        Ok(())
    }

    pub(super) fn release(&mut self, scopes: &[Scope], micros: u64) {
        self.change(scopes, |account| account.reserved = account.reserved.saturating_sub(micros));
    }

    pub(super) fn spend(&mut self, scopes: &[Scope], micros: u64) {
        self.change(scopes, |account| account.spent = account.spent.saturating_add(micros));
    }

    /// Of those that bound anything and are shared.
    pub(super) fn standings(&self, scopes: &[Scope]) -> Vec<BudgetStanding> {
        let standing = |(scope, account): (&Scope, &Account)| {
            let of = scope.shared()?;
            let (budget_micros, spent_micros, until) = (account.budget, account.spent, self.month.end);
            let month = MonthBudget { of, budget_micros, spent_micros, until };
            Some(BudgetStanding { month, reserved_micros: account.reserved })
        };
        self.bounding(scopes).filter_map(standing).collect()
    }

    /// In their order for people.
    pub(super) fn shared(&self) -> Vec<Scope> {
        let mut scopes: Vec<Scope> =
            self.accounts.keys().filter(|scope| scope.shared().is_some()).cloned().collect();
        scopes.sort();
        scopes
    }

    /// Those of these that are known.
    #[cfg(test)]
    pub(super) fn look(&self, scopes: &[Scope]) -> Vec<(Scope, Account)> {
        scopes.iter().filter_map(|scope| Some((scope.clone(), *self.accounts.get(scope)?))).collect()
    }

    #[cfg(test)]
    pub(super) fn look_at_all(&self) -> Vec<(Scope, Account)> {
        self.accounts.iter().map(|(scope, account)| (scope.clone(), *account)).collect()
    }

    fn bounding<'a>(&'a self, scopes: &'a [Scope]) -> impl Iterator<Item = (&'a Scope, &'a Account)> {
        let known = scopes.iter().filter_map(|scope| Some((scope, self.accounts.get(scope)?)));
        known.filter(|(_, account)| account.budget > 0)
    }

    fn change(&mut self, scopes: &[Scope], change: impl Fn(&mut Account)) {
        for scope in scopes {
            self.accounts.entry(scope.clone()).and_modify(&change);
        }
    }
}

impl Scope {
    /// `None` for a session's own.
    pub(super) fn shared(&self) -> Option<BudgetOf> {
        match self {
            Self::Deployment => Some(BudgetOf::Deployment),
            Self::Person(name) => Some(BudgetOf::Person { name: name.clone() }),
            Self::Repository(path) => Some(BudgetOf::Repository { path: path.clone() }),
            Self::Session(_) => None,
        }
    }

    pub(super) fn named(&self, budget: u64) -> String {
        self.shared().unwrap_or(BudgetOf::Session).named(budget)
    }
}
