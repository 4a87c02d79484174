//! Children of a session as programs in its sandbox begin them and look at them, through the gateway.

use super::{ChildNow, Parent};
use crate::engine::{Engine, Shared};
use crate::error::CommandError;
use crate::session::Durable;
use crate::{NewSession, create};
use async_trait::async_trait;
use lamplight_domain::session::SessionView;
use lamplight_domain::{Role, SandboxLimits, SessionId, SomeLimits};
use lamplight_gateway::{Child, Children, NewChild, NotServed};
use std::fmt;
use std::sync::{Arc, Weak};
use tokio::sync::watch;

/// Those of one session.
struct Own {
    shared: Weak<Shared>,
    session: SessionId,
    durable: watch::Receiver<Durable>,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own").field("session", &self.session).finish_non_exhaustive()
    }
}

pub(crate) fn of(
    shared: &Arc<Shared>,
    session: &SessionId,
    durable: watch::Receiver<Durable>,
) -> Arc<dyn Children> {
    Arc::new(Own { shared: Arc::downgrade(shared), session: session.clone(), durable })
}

impl Own {
    fn engine(&self) -> Result<Engine, NotServed> {
        let shared = self.shared.upgrade();
        shared
            .map(|shared| Engine { shared })
            .ok_or_else(|| NotServed::Failed("It is being shut down.".into()))
    }
}

#[async_trait]
impl Children for Own {
    fn branches(&self) -> Vec<String> {
        self.durable.borrow().children.iter().map(|child| child.branch.clone()).collect()
    }

    async fn begin(&self, new: NewChild) -> Result<Child, NotServed> {
        let engine = self.engine()?;
        if !engine.shared.config.children.may_be_begun_inside() {
            return Err(NotServed::Refused {
                code: "children_off",
                detail: "Here an agent begins no sessions: a person can, or set children.by_agents.".into(),
            });
        }
        let parent = engine.view(&self.session).await.map_err(not_served)?;
        let asked_by = Some(parent.turn_by.unwrap_or(parent.person.name));
        let session = engine
            .create(NewSession {
                repository: parent.repository,
                prompt: new.prompt,
                attachments: Vec::new(),
                // It is in every list.
                title: new.title.map(|title| create::first_line(&title)),
                base: None,
                branch: None,
                agent: new.agent,
                model: new.model,
                permissions: None,
                limits: SomeLimits { budget_micros: new.budget_micros, ..SomeLimits::default() },
                network: None,
                image: None,
                sandbox: SandboxLimits::default(),
                person: None,
                // What people of other roles may have, an agent has not.
                role: Role::Member,
                fork: None,
                parent: Some(Parent { session: self.session.clone(), asked_by }),
            })
            .await
            .map_err(not_served)?;
        Ok(shown(ChildNow { session, said: String::new() }))
    }

    async fn all(&self) -> Result<Vec<Child>, NotServed> {
        let children = self.engine()?.children(&self.session).await.map_err(not_served)?;
        Ok(children.into_iter().map(shown).collect())
    }

    async fn one(&self, id: &str) -> Result<Child, NotServed> {
        let own = self.durable.borrow().children.iter().find(|child| child.session.as_str() == id).cloned();
        let own = own.ok_or_else(|| not_served(CommandError::NotFound))?;
        self.engine()?.child(&own.session).await.map(shown).map_err(not_served)
    }
}

fn shown(ChildNow { session, said }: ChildNow) -> Child {
    let SessionView { id, title, phase, reason, branch, commits, ended, .. } = &session;
    Child {
        id: id.to_string(),
        title: title.clone(),
        phase: *phase,
        reason: reason.clone(),
        branch: branch.clone(),
        commit: commits.last().map(|last| last.commit.id.clone()),
        cost_micros: session.cost_of_all(),
        ended: *ended,
        last_message: said,
    }
}

/// What is wrong inside the server is for its log.
fn not_served(error: CommandError) -> NotServed {
    match error {
        CommandError::NotFound => NotServed::NotFound("This session has no such child.".into()),
        CommandError::Refused(refusal) => {
            NotServed::Refused { code: refusal.code(), detail: refusal.to_string() }
        }
        CommandError::Invalid { code, message, what_to_do } => {
            NotServed::Refused { code, detail: format!("{message}; {what_to_do}") }
        }
        CommandError::StorageFull
        | CommandError::Unreachable(_)
        | CommandError::StorageUnavailable(_)
        | CommandError::Busy
        | CommandError::Moved
        | CommandError::Newer => NotServed::Failed(format!("{error}; try again in a moment")),
        CommandError::Failed(error) => {
            tracing::error!(error = format!("{error:#}"), "a request for children failed");
            NotServed::Failed("something went wrong inside the server; its log says what".into())
        }
    }
}
