//! Who acts, as handlers ask for it.

use super::super::App;
use super::super::audit::Asker;
use super::super::problem::Problem;
use super::{may_see, may_use, nobody};
use crate::clock;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use lamplight_domain::{Person, Role, Scope};
use lamplight_engine::AskedBy;
use lamplight_engine::people::Known;
use std::sync::Arc;
use std::time::Duration;

/// Put into every request by [`super::check`].
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// There is no sign-in: whoever uses this machine.
    Solo,
    Known(Arc<Known>),
    Nobody,
}

/// What stays open: of everything, or of a session.
#[derive(Debug, Clone)]
pub(crate) enum Open {
    Everything,
    /// Of a session of this repository, to look.
    Look(String),
    /// To steer.
    Steer(String),
}

impl Open {
    async fn may(&self, app: &App, caller: &Caller) -> bool {
        match self {
            Self::Everything => true,
            Self::Look(repository) => may_see(app, caller, repository).await.is_ok(),
            Self::Steer(repository) => may_use(app, caller, repository).await.is_ok(),
        }
    }
}

impl Caller {
    /// As logs and commits name them.
    pub(crate) async fn person(&self, app: &App) -> Result<Person, Problem> {
        match self {
            Self::Solo => Ok(app.person().await.clone()),
            Self::Known(known) => {
                Ok(Person { name: known.person.name.clone(), email: known.person.email.clone() })
            }
            Self::Nobody => Err(nobody()),
        }
    }

    /// `None` where there is no sign-in, or nobody signed in.
    pub(crate) fn known(&self) -> Option<&Known> {
        match self {
            Self::Known(known) => Some(known),
            Self::Solo | Self::Nobody => None,
        }
    }

    /// How far what they ask for may go. A token that may not administer makes nobody more than a member.
    pub(crate) fn role(&self) -> Role {
        match self {
            Self::Solo => Role::Owner,
            Self::Known(known) if known.scope() < Scope::Admin => known.person.role.min(Role::Member),
            Self::Known(known) => known.person.role,
            Self::Nobody => Role::Viewer,
        }
    }

    /// Whether they may use every repository.
    pub(crate) fn is_admin(&self) -> bool {
        match self {
            Self::Solo => true,
            Self::Known(known) => known.person.role >= Role::Admin,
            Self::Nobody => false,
        }
    }

    /// Resolves when what they came by, or their role, does not count any more, or they may not `open` any more. For what stays open.
    pub(crate) async fn ended(&self, app: &App, open: Open) {
        match self {
            Self::Solo => std::future::pending().await,
            Self::Nobody => {}
            // Apart, as each stream of a person who is alone would be as much larger.
            Self::Known(known) => Box::pin(self.known_no_more(known, app, open)).await,
        }
    }

    async fn known_no_more(&self, known: &Known, app: &App, open: Open) {
        let mut changes = app.engine.people_changes();
        loop {
            changes.mark_unchanged();
            match app.engine.known(&known.credential.id).await {
                Ok(Some(now)) if now.person.role == known.person.role => {}
                Ok(Some(_) | None) | Err(_) => return,
            }
            if !open.may(app, self).await {
                return;
            }
            let left = known.credential.expires_at.map_or(u64::MAX, |end| end.since_ms(clock::now()));
            let wait = app.config.auth.look().min(Duration::from_millis(left.saturating_add(1)));
            // An error means that the engine is gone, and the stream with it.
            if let Ok(Err(_)) = tokio::time::timeout(wait, changes.changed()).await {
                return;
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(Self::Nobody))
    }
}

/// The name of who acts.
pub(crate) struct By(pub(crate) String);

impl FromRequestParts<App> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Self(Who::from_request_parts(parts, app).await?.0.name))
    }
}

/// The same, where the request's entry of the audit log is written with what it changes.
pub(crate) struct Asks(pub(crate) AskedBy);

impl FromRequestParts<App> for Asks {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let By(name) = By::from_request_parts(parts, app).await?;
        Ok(Self(match parts.extensions.get::<Asker>() {
            Some(asker) => asker.named(name),
            None => name.into(),
        }))
    }
}

/// Who acts.
pub(crate) struct Who(pub(crate) Person);

impl FromRequestParts<App> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, app).await?;
        caller.person(app).await.map(Self)
    }
}

/// Somebody who has signed in; refused where there is no sign-in.
pub(crate) struct Signed(pub(crate) Arc<Known>);

impl FromRequestParts<App> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Caller::from_request_parts(parts, app).await? {
            Caller::Known(known) => Ok(Self(known)),
            Caller::Nobody => Err(nobody()),
            Caller::Solo => Err(Problem::new(
                StatusCode::CONFLICT,
                "no_sign_in",
                "this server has one person, who needs no token",
                "Set auth.required = true in its configuration to have several.",
            )),
        }
    }
}
