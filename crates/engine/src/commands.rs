//! What people tell a session, and how it is handed to the session's actor.

use crate::audit::{AskedBy, Auditing};
use crate::engine::{ANSWER_WAIT, Engine};
use crate::session::{Message, Offer};
use crate::{CommandError, agents};
use lamplight_domain::question::Reply;
use lamplight_domain::session::{Command, SessionView};
use lamplight_domain::{PromptId, SessionId};
use lamplight_store::Remembered;
use serde_json::Value;
use tokio::sync::oneshot;

impl Engine {
    pub async fn remove_prompt(
        &self,
        id: &SessionId,
        prompt: &PromptId,
        by: impl Into<AskedBy>,
    ) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::RemovePrompt { prompt: prompt.clone(), by }).await
    }

    pub async fn stop(&self, id: &SessionId, by: impl Into<AskedBy>) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::Stop { by }).await
    }

    /// Lets everything in the session's sandbox stand still, in the middle of a turn too.
    pub async fn pause(&self, id: &SessionId, by: impl Into<AskedBy>) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::Pause { by }).await
    }

    pub async fn resume(&self, id: &SessionId, by: impl Into<AskedBy>) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::Resume { by }).await
    }

    /// Makes the session's files what they were at a checkpoint, and its conversation and commits with them.
    pub async fn restore(
        &self,
        id: &SessionId,
        checkpoint: u32,
        by: impl Into<AskedBy>,
    ) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::Restore { checkpoint, by }).await
    }

    pub async fn choose_model(
        &self,
        id: &SessionId,
        model: String,
        by: impl Into<AskedBy>,
    ) -> Result<SessionView, CommandError> {
        let view = self.view(id).await?;
        let offered_elsewhere = agents::offered_elsewhere(&self.shared, &view, &model)?;
        self.command_by(id, by, |by| Command::ChooseModel { model, offered_elsewhere, by }).await
    }

    /// Answers a permission request; `option` is `None` for "cancel".
    pub async fn answer(
        &self,
        id: &SessionId,
        request: Value,
        option: Option<String>,
        by: impl Into<AskedBy>,
    ) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::AnswerPermission { request, option, by }).await
    }

    /// Answers a question of the agent's; refused when it is not open, or when that is no answer to it.
    pub async fn reply(
        &self,
        id: &SessionId,
        request: Value,
        reply: Reply,
        by: impl Into<AskedBy>,
    ) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::AnswerQuestion { request, reply, by }).await
    }

    /// Ends the session: its sandbox goes, its log and its branch stay.
    pub async fn end(&self, id: &SessionId, by: impl Into<AskedBy>) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::End { by }).await
    }

    pub(crate) async fn command(
        &self,
        id: &SessionId,
        command: Command,
    ) -> Result<SessionView, CommandError> {
        self.command_once(id, command, None, None).await
    }

    /// With its entry of the audit log, if it has one that is to be written with what it changes.
    pub(crate) async fn command_by(
        &self,
        id: &SessionId,
        by: impl Into<AskedBy>,
        command: impl FnOnce(String) -> Command,
    ) -> Result<SessionView, CommandError> {
        let AskedBy { name, auditing } = by.into();
        self.command_once(id, command(name), None, auditing).await
    }

    /// Done once for its key, if it has one. What is not even begun because the store takes nothing is taken back.
    pub(crate) async fn command_once(
        &self,
        id: &SessionId,
        command: Command,
        once: Option<Remembered>,
        auditing: Option<Auditing>,
    ) -> Result<SessionView, CommandError> {
        let (reply, answer) = oneshot::channel();
        let offer = Offer::new(command, auditing);
        let message = match once {
            Some(once) => Message::Once { offer: offer.clone(), once, reply },
            None => Message::Command { offer: offer.clone(), reply },
        };
        let asked = async {
            self.shared.send(id, message).await?;
            match tokio::time::timeout(ANSWER_WAIT, answer).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => self.existing(id).await.and(Err(self.shared.unanswered(id).await)),
                Err(_) => Err(CommandError::Busy),
            }
        };
        tokio::pin!(asked);
        tokio::select! {
            biased;
            answered = &mut asked => return answered,
            why = self.shared.store_refuses() => if offer.take().is_some() {
                return Err(why.into());
            }
        }
        asked.await
    }
}
