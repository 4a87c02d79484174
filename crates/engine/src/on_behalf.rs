//! Tokens of people who signed in by a GitHub App: what is opened on GitHub for a session of theirs is opened as them.
//!
//! ```text
//! sign in ─▶ sealed in the database ─▶ used ─▶ over, or refused: another for it, sealed in its place
//!                │                                      └─▶ refused too: dropped
//!                └─ signed out everywhere, removed, signed in again: dropped, and given back to GitHub
//! ```
//! It is opened for the one request that needs it, and nothing else is done by it.

use crate::engine::Shared;
use crate::error::{CommandError, StartError};
use crate::{Engine, clock};
use lamplight_domain::session::SessionView;
use lamplight_domain::{KnownSecret, Timestamp};
use lamplight_integrations::github::{NewPullRequest, PullRequest};
use lamplight_integrations::sign_in::{GitHubSignIn, GitHubSignInConfig, PersonToken};
use lamplight_integrations::{GitHub, GitHubError, Repository};
use lamplight_store::{Identity, PeopleChange, PeopleOutcome, SealedSecret, Store, own_secret};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A token with less than this left is not used any more.
const LEFT_MS: u64 = 60 * 1000;
/// Names of such secrets begin so.
const OWN: &str = "person:";

pub(crate) struct OnBehalf {
    sign_in: GitHubSignIn,
    /// Whose tokens these are; those of another are not sent there.
    issuer: String,
    /// One at a time asks for another token: what it is asked for with counts once.
    refreshing: Mutex<()>,
}

/// What is sealed.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    issuer: String,
    access: String,
    refresh: Option<String>,
    until: Option<Timestamp>,
}

/// Why nothing is done in somebody's name; ends a sentence.
struct Not(String);

impl fmt::Display for Not {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Not {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl OnBehalf {
    /// Where there is no such thing, what may be left of it is removed.
    pub(crate) async fn open(
        config: Option<GitHubSignInConfig>,
        store: &Store,
    ) -> Result<Option<Self>, StartError> {
        if let Some(config) = config {
            let issuer = config.web.clone();
            let sign_in = GitHubSignIn::new(config).map_err(|error| StartError::GitHub(error.into()))?;
            return Ok(Some(Self { sign_in, issuer, refreshing: Mutex::default() }));
        }
        for left in store.secrets().await?.into_iter().filter(|secret| secret.name.starts_with(OWN)) {
            if let Err(error) = store.remove_secret(&left.name).await {
                tracing::warn!(%error, "a token of somebody's that is not used any more could not be removed");
            }
        }
        Ok(None)
    }

    fn kept(&self, token: PersonToken, now: Timestamp) -> Kept {
        let PersonToken { access, refresh, lasts_s } = token;
        let until = lasts_s.map(|seconds| now.plus_ms(seconds.saturating_mul(1000)));
        Kept { issuer: self.issuer.clone(), access, refresh, until }
    }

    /// A good one of this person's, other than `refused`; `None` where there is none (any more).
    async fn token(
        &self,
        shared: &Shared,
        person: &str,
        refused: Option<&str>,
    ) -> Result<Option<String>, Not> {
        let _alone = self.refreshing.lock().await;
        let Some((sealed, kept)) = self.stored(shared, person).await? else { return Ok(None) };
        let now = clock::now();
        let lasts = kept.until.is_none_or(|until| until > now.plus_ms(LEFT_MS));
        if lasts && refused != Some(kept.access.as_str()) {
            return Ok(Some(kept.access));
        }
        let fresh = match &kept.refresh {
            Some(refresh) => self.sign_in.refresh(refresh).await?,
            None => None,
        };
        let Some(fresh) = fresh else {
            let change = PeopleChange::DropToken { name: sealed.name, nonce: sealed.nonce };
            shared.store.change_people(change).await?;
            return Ok(None);
        };
        let kept = self.kept(fresh, now);
        let token = seal(shared, &sealed.name, &kept).await.map_err(Not)?;
        let change = PeopleChange::KeepToken { former: sealed.nonce, token };
        if shared.store.change_people(change).await? == PeopleOutcome::Done {
            return Ok(Some(kept.access));
        }
        // They have signed out everywhere meanwhile.
        self.give_back(&kept.access).await;
        Ok(None)
    }

    async fn stored(&self, shared: &Shared, person: &str) -> Result<Option<(SealedSecret, Kept)>, Not> {
        let Some(sealed) = shared.store.secret(&own_secret(person)).await? else { return Ok(None) };
        let text = shared.keys.unseal(&sealed).await.map_err(Not)?;
        let kept: Kept = serde_json::from_str(text.expose())?;
        learn(shared, &kept);
        Ok((kept.issuer == self.issuer).then_some((sealed, kept)))
    }

    async fn give_back(&self, access: &str) {
        if let Err(error) = self.sign_in.give_back(access).await {
            tracing::info!(%error, "a token of somebody's could not be given back; it ends by itself");
        }
    }

    /// As whom GitHub knows whoever began this session. Of one that began there, the thread says who that was, and not a name or an
    /// address, which somebody here could have taken. Of a child of such a one nothing says it: anybody here may have begun it.
    async fn whose(&self, shared: &Shared, view: &SessionView) -> Result<Option<Identity>, Not> {
        if shared.store.thread_of(view.root()).await?.is_some() {
            if *view.root() != view.id {
                return Err(Not("it is a child of a session that began on GitHub".to_owned()));
            }
            let subject = view.person.email.split('+').next().unwrap_or_default();
            return Ok(shared.store.identity(&self.issuer, subject).await?);
        }
        let person = shared.store.person_named(&view.person.name).await?;
        let is_it = person.filter(|person| person.removed_at.is_none() && person.email == view.person.email);
        let Some(person) = is_it else { return Ok(None) };
        let all = shared.store.identities(&person.id).await?;
        Ok(all.into_iter().find(|identity| identity.issuer == self.issuer))
    }

    /// And as whom, by their name there. What others had a hand in is not theirs alone: who wrote it could approve it.
    async fn open_pull_request(
        &self,
        shared: &Shared,
        view: &SessionView,
        github: &GitHub,
        repository: &Repository,
        new: &NewPullRequest<'_>,
    ) -> Result<(PullRequest, String), AsServer> {
        if let Some(other) = view.worked_by.iter().find(|name| **name != view.person.name) {
            return Err(Not(format!("{other} worked in this session too")).into());
        }
        let none = || Not(format!("{} is not signed in by GitHub here", view.person.name));
        let identity = self.whose(shared, view).await?.ok_or_else(none)?;
        let mut token = self.token(shared, &identity.person, None).await?.ok_or_else(none)?;
        let mut opened = github.by(&token).open_pull_request(repository, new).await;
        if matches!(opened, Err(GitHubError::Unauthorized { .. })) {
            token = self.token(shared, &identity.person, Some(&token)).await?.ok_or_else(none)?;
            opened = github.by(&token).open_pull_request(repository, new).await;
        }
        match opened {
            Ok(pull) => Ok((pull, identity.login)),
            Err(error @ (GitHubError::Refused { .. } | GitHubError::Unreachable { .. })) => {
                Err(AsServer::Neither(error))
            }
            Err(error) => Err(AsServer::Because(Not(error.to_string()))),
        }
    }
}

/// Why a pull request was not opened as somebody.
enum AsServer {
    Because(Not),
    /// It would go no better in another name, or may have been done.
    Neither(GitHubError),
}

impl From<Not> for AsServer {
    fn from(why: Not) -> Self {
        Self::Because(why)
    }
}

fn learn(shared: &Shared, kept: &Kept) {
    let known =
        |value: &String| KnownSecret { name: "GitHub token of a person".to_owned(), value: value.clone() };
    shared.config.redaction.learn([&kept.access].into_iter().chain(&kept.refresh).map(known));
}

async fn seal(shared: &Shared, name: &str, kept: &Kept) -> Result<SealedSecret, String> {
    learn(shared, kept);
    let text = serde_json::to_string(kept).expect("it is texts and a number");
    shared.keys.seal(name, &text).await
}

impl Shared {
    /// What is kept of what somebody may be spoken for with. Who cannot be spoken for is signed in all the same.
    pub(crate) async fn sealed_token(
        &self,
        person: &str,
        issuer: &str,
        token: PersonToken,
    ) -> Option<Box<SealedSecret>> {
        let on_behalf = self.on_behalf.as_ref().filter(|ours| ours.issuer == issuer)?;
        let kept = on_behalf.kept(token, clock::now());
        match seal(self, &own_secret(person), &kept).await {
            Ok(sealed) => Some(Box::new(sealed)),
            Err(error) => {
                tracing::warn!(
                    error,
                    "a token of somebody's cannot be kept; what is opened for them is not opened as them"
                );
                None
            }
        }
    }

    /// What there is of this person's, to be given back when it does not count any more.
    pub(crate) async fn token_to_end(&self, person: &str) -> Option<String> {
        let on_behalf = self.on_behalf.as_ref()?;
        let found = on_behalf.stored(self, person).await.inspect_err(|why| {
            tracing::info!(%why, "a token of somebody's cannot be read, and is not given back");
        });
        found.ok().flatten().map(|(_, kept)| kept.access)
    }

    /// Beside whatever else goes on.
    pub(crate) fn end_token(self: &Arc<Self>, token: Option<String>) {
        let Some(token) = token else { return };
        let shared = self.clone();
        self.tasks.spawn(async move {
            if let Some(on_behalf) = &shared.on_behalf {
                on_behalf.give_back(&token).await;
            }
        });
    }
}

impl Engine {
    /// As whoever began the session, where they have signed in by GitHub, else in the server's own name; and what the session's log says
    /// of it.
    pub(crate) async fn open_pull_request(
        &self,
        view: &SessionView,
        github: &GitHub,
        repository: &Repository,
        new: &NewPullRequest<'_>,
    ) -> Result<(PullRequest, Option<String>), GitHubError> {
        let Some(on_behalf) = &self.shared.on_behalf else {
            return Ok((github.open_pull_request(repository, new).await?, None));
        };
        match on_behalf.open_pull_request(&self.shared, view, github, repository, new).await {
            Ok((pull, login)) => Ok((pull, Some(format!("The pull request was opened as {login}.")))),
            Err(AsServer::Neither(error)) => Err(error),
            Err(AsServer::Because(why)) => {
                let pull = github.open_pull_request(repository, new).await?;
                let told = format!("The pull request was opened in this server's own name: {why}.");
                Ok((pull, Some(told)))
            }
        }
    }

    /// Signs somebody out of every browser; nothing is done in their name any more either.
    pub async fn sign_out_everywhere(&self, person: &str) -> Result<(), CommandError> {
        let token = self.shared.token_to_end(person).await;
        let change = PeopleChange::ForgetBrowsers { person: person.to_owned() };
        self.change_people(change).await?;
        self.shared.end_token(token);
        Ok(())
    }
}
