//! What models were asked for, over all sessions.

use crate::{BudgetStanding, CommandError, Engine, Usage, UsageQuery};

impl Engine {
    /// Summed up as is asked; every answer that a reader of a log has seen is in it.
    pub async fn usage(&self, query: UsageQuery) -> Result<Usage, CommandError> {
        Ok(self.shared.store.usage(query).await?)
    }

    /// The budgets of this month: of all sessions, of people, of repositories.
    pub fn budgets(&self) -> Vec<BudgetStanding> {
        self.shared.budgets.standings()
    }
}
