//! Whose money a session spends.

use crate::Timestamp;
use crate::session::Dollars;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Of whoever comes near to a budget; people are told then.
const NEARED_FIFTHS: u64 = 4;

/// Whose budget. All but a session's are for a calendar month in UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(tag = "whose", rename_all = "snake_case")]
pub enum BudgetOf {
    /// Of one session, for all its turns together.
    #[default]
    Session,
    /// Of all sessions that are for this person.
    Person { name: String },
    /// Of all sessions on this repository.
    Repository { path: String },
    /// Of all sessions.
    Deployment,
}

impl BudgetOf {
    pub(crate) fn is_session(&self) -> bool {
        *self == Self::Session
    }

    /// Such as `this month's budget of $50.00 for Ada`.
    pub fn named(&self, budget_micros: u64) -> String {
        let budget = Dollars(budget_micros);
        match self {
            Self::Session => format!("the budget of {budget}"),
            Self::Person { name } => format!("this month's budget of {budget} for {name}"),
            Self::Repository { path } => format!("this month's budget of {budget} for the repository {path}"),
            Self::Deployment => format!("this month's budget of {budget} for all sessions"),
        }
    }
}

/// How a budget that is shared by sessions stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthBudget {
    /// Never a session.
    pub of: BudgetOf,
    /// In millionths of a dollar; more than 0.
    pub budget_micros: u64,
    /// In millionths of a dollar.
    pub spent_micros: u64,
    /// When the month is over, and the budget begins anew.
    pub until: Timestamp,
}

impl MonthBudget {
    pub fn is_spent(&self) -> bool {
        self.spent_micros >= self.budget_micros
    }

    pub fn is_near(&self) -> bool {
        is_near(self.spent_micros, self.budget_micros)
    }
}

/// Whether so much of a budget is spent that people are told.
pub(crate) fn is_near(spent_micros: u64, budget_micros: u64) -> bool {
    budget_micros > 0 && spent_micros >= budget_micros / 5 * NEARED_FIFTHS
}
