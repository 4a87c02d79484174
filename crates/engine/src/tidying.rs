//! What people do around a session's work: put in order what waits and what is done with, and begin with what is offered.

use crate::audit::AskedBy;
use crate::{CommandError, Engine, ids, prepared};
use lamplight_domain::session::{Command, SessionView};
use lamplight_domain::{PromptId, SessionId};

impl Engine {
    /// Changes what a prompt says that has not been sent yet.
    pub async fn edit_prompt(
        &self,
        id: &SessionId,
        prompt: &PromptId,
        text: String,
        by: impl Into<AskedBy>,
    ) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::EditPrompt { prompt: prompt.clone(), text, by }).await
    }

    /// Asks once more what a turn was asked that is a dead letter.
    pub async fn retry(&self, id: &SessionId, by: impl Into<AskedBy>) -> Result<SessionView, CommandError> {
        let view = self.view(id).await?;
        self.shared.budgets.refuse_if_spent(&self.shared.config, &view.person.name, &view.repository)?;
        self.command_by(id, by, |by| Command::Retry { prompt: ids::prompt_id(), by }).await
    }

    /// Lists leave the session out until it is put back or prompted; it stays what it is.
    pub async fn archive(&self, id: &SessionId, by: impl Into<AskedBy>) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::Archive { by }).await
    }

    pub async fn unarchive(
        &self,
        id: &SessionId,
        by: impl Into<AskedBy>,
    ) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::Unarchive { by }).await
    }

    /// The text that a repository offers to whoever writes a task for it, as committed on its current branch. Of what is no
    /// repository, or has a file that cannot be read, there is none: starting a session says what is wrong.
    pub async fn task_template(&self, repository: &str) -> Option<String> {
        prepared::template(repository).await.unwrap_or_else(|error| {
            tracing::debug!(repository, error = format!("{error:#}"), "a repository offers no template");
            None
        })
    }
}
