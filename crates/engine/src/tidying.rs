//! What a person puts in order: prompts that wait, and sessions that are done with.

use crate::{CommandError, Engine};
use lamplight_domain::session::{Command, SessionView};
use lamplight_domain::{PromptId, SessionId};

impl Engine {
    /// Changes what a prompt says that has not been sent yet.
    pub async fn edit_prompt(
        &self,
        id: &SessionId,
        prompt: &PromptId,
        text: String,
        by: String,
    ) -> Result<SessionView, CommandError> {
        self.command(id, Command::EditPrompt { prompt: prompt.clone(), text, by }).await
    }

    /// Lists leave the session out until it is put back or prompted; it stays what it is.
    pub async fn archive(&self, id: &SessionId, by: String) -> Result<SessionView, CommandError> {
        self.command(id, Command::Archive { by }).await
    }

    pub async fn unarchive(&self, id: &SessionId, by: String) -> Result<SessionView, CommandError> {
        self.command(id, Command::Unarchive { by }).await
    }
}
