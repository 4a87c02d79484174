//! What models were asked for, over all sessions.

use crate::audit::AskedBy;
use crate::{BudgetStanding, CommandError, Engine, Usage, UsageQuery};
use lamplight_domain::SessionId;
use lamplight_domain::session::{Command, SessionView};

impl Engine {
    /// Summed up as is asked; every answer that a reader of a log has seen is in it.
    pub async fn usage(&self, query: UsageQuery) -> Result<Usage, CommandError> {
        Ok(self.shared.store.usage(query).await?)
    }

    /// The budgets of this month: of all sessions, of people, of repositories.
    pub fn budgets(&self) -> Vec<BudgetStanding> {
        self.shared.budgets.standings()
    }

    /// What all turns of the session together may cost, in millionths of a dollar; 0 is no bound.
    pub async fn set_budget(
        &self,
        id: &SessionId,
        budget_micros: u64,
        by: impl Into<AskedBy>,
    ) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::SetBudget { budget_micros, by }).await
    }
}
