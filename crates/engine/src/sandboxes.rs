//! The sandboxes that there are now.

use crate::audit::AskedBy;
use crate::{CommandError, Engine, LentSandbox, Used};
use anyhow::Context;
use lamplight_domain::session::{Command, SessionView};
use lamplight_domain::{Generation, SessionId};
use lamplight_sandbox::provider::{Listed, ListedState};

/// A sandbox that runs or stands still.
#[derive(Debug, Clone)]
pub struct SandboxInfo {
    pub session: SessionId,
    pub generation: Generation,
    pub used: Used,
    /// `None` where it is no session's: a repository's setup runs in it, or it is lent.
    pub view: Option<SessionView>,
    pub lent: Option<LentSandbox>,
}

impl Engine {
    /// All of them, by session.
    pub async fn sandboxes(&self) -> Result<Vec<SandboxInfo>, CommandError> {
        let mut listed = self.shared.provider.list().await.context("list the sandboxes")?;
        listed.retain(|sandbox| sandbox.state == ListedState::Running);
        listed.sort_by(|a, b| (&a.session, a.generation.0).cmp(&(&b.session, b.generation.0)));
        let mut all = Vec::with_capacity(listed.len());
        for Listed { handle, session, generation, .. } in listed {
            // It may have ended since it was listed.
            let Ok(used) = self.shared.provider.used(&handle).await else { continue };
            let lent = self.lent_sandbox(&session);
            let view = match self.view(&session).await {
                Ok(view) => Some(view),
                Err(CommandError::NotFound) => None,
                Err(error) => return Err(error),
            };
            all.push(SandboxInfo { session, generation, used, view, lent });
        }
        Ok(all)
    }

    /// Ends everything in the session's sandbox and keeps its files; the next prompt starts another with them.
    pub async fn release(&self, id: &SessionId, by: impl Into<AskedBy>) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::Release { by }).await
    }
}
