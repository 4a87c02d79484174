//! Guards, as the configuration has them, and going on past one.

use crate::attachments::{self, Attach};
use crate::{CommandError, Engine, ids};
use lamplight_domain::session::{Asked, Command, SessionView};
use lamplight_domain::{GuardPolicy, Limits, Role, SessionId, TurnNumber};

impl Engine {
    /// The policy by which new sessions are made.
    pub fn guard_policy(&self) -> &GuardPolicy {
        &self.shared.config.guards
    }

    /// What would hold of a session on this repository that somebody with this role begins and asks nothing for.
    pub fn limits_for(&self, repository: &str, role: Role) -> Limits {
        let config = &self.shared.config;
        let ours = config.of(repository.as_ref()).cloned().unwrap_or_default();
        config.guards.of(repository, role).or(&ours.limits).over(&config.limits)
    }

    /// Lets a session go on once past the guard that ended this turn, as far as somebody with this role might go in a session of their own.
    /// With neither text nor files it goes on with what was interrupted, or with what waits.
    pub async fn continue_once(
        &self,
        id: &SessionId,
        turn: TurnNumber,
        text: String,
        attachments: Vec<Attach>,
        by: String,
        role: Role,
    ) -> Result<SessionView, CommandError> {
        let (config, view) = (&self.shared.config, self.view(id).await?);
        self.shared.budgets.refuse_if_spent(config, &view.person.name, &view.repository)?;
        let at_most = Box::new(config.guards.at_most(&view.repository, role));
        let attachments = attachments::claim(&self.shared, attachments).await?;
        let text = attachments::text(text, &attachments);
        let asked = (!text.trim().is_empty()).then_some(Asked { text, attachments });
        let prompt = ids::prompt_id();
        self.command(id, Command::Continue { turn, prompt, asked, by, role, at_most }).await
    }
}
