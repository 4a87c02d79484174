//! What people say to a session: queued, once for each request or once for each key.

use crate::audit::AskedBy;
use crate::engine::Engine;
use crate::error::CommandError;
use crate::{Attach, PromptPlaced, attachments, clock, ids};
use lamplight_domain::session::{Command, SessionView};
use lamplight_domain::{PromptId, SessionId};
use lamplight_store::Remembered;

impl Engine {
    /// Queues a prompt behind those that wait. With `once`, a key and what tells the request from others, the same request again gives
    /// the prompt of the first, and another request is refused.
    pub async fn prompt(
        &self,
        id: &SessionId,
        text: String,
        attachments: Vec<Attach>,
        by: impl Into<AskedBy>,
        once: Option<(&str, &str)>,
    ) -> Result<PromptPlaced, CommandError> {
        if let Some(before) = self.placed_before(id, once).await? {
            return Ok(before);
        }
        let view = self.view(id).await?;
        self.shared.budgets.refuse_if_spent(&self.shared.config, &view.person.name, &view.repository)?;
        let attachments = attachments::claim(&self.shared, attachments).await?;
        let (prompt, text) = (ids::prompt_id(), attachments::text(text, &attachments));
        let AskedBy { name, auditing } = by.into();
        let command = Command::Prompt { prompt: prompt.clone(), text, by: name, attachments };
        let remembered = once.map(|(key, fingerprint)| Remembered {
            key: key.to_owned(),
            fingerprint: fingerprint.to_owned(),
            response: prompt.to_string(),
            at: clock::now(),
        });
        match self.command_once(id, command, remembered, auditing).await {
            Ok(view) => Ok(placed(prompt, &view)),
            // Another request with the same key may have been quicker.
            Err(error) => self.placed_before(id, once).await?.ok_or(error),
        }
    }

    /// What an earlier request with this key has queued.
    async fn placed_before(
        &self,
        id: &SessionId,
        once: Option<(&str, &str)>,
    ) -> Result<Option<PromptPlaced>, CommandError> {
        let Some((key, fingerprint)) = once else { return Ok(None) };
        let Some(before) = self.shared.store.recall(key, clock::now()).await? else { return Ok(None) };
        if before.fingerprint != fingerprint {
            return Err(key_reused());
        }
        let prompt =
            before.response.parse().map_err(|error| CommandError::Failed(anyhow::Error::new(error)))?;
        Ok(Some(placed(prompt, &self.view(id).await?)))
    }
}

pub(crate) fn key_reused() -> CommandError {
    CommandError::invalid(
        "idempotency_key_reused",
        "this idempotency key was used for another request",
        "use a fresh key for a new request",
    )
}

/// One that does not wait is being worked on, or was.
fn placed(prompt: PromptId, view: &SessionView) -> PromptPlaced {
    let position = view.queued.iter().position(|queued| queued.prompt == prompt).unwrap_or(0);
    PromptPlaced { prompt, position }
}
