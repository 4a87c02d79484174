//! What GitHub lets people do with the repositories that are there: who signed in by it may see, and may use, here what they may there.
//!
//! It is asked in the name of the App or the token that this server has, kept for a while, and asked again. While GitHub cannot be
//! asked, what it said last counts for a longer while; then nothing does.

use crate::config::Config;
use crate::engine::Shared;
use crate::error::CommandError;
use crate::people::PersonRow;
use crate::session::Message;
use crate::{Engine, clock, forge, git, pull_request};
use lamplight_domain::session::{Report, SessionView};
use lamplight_domain::{SessionId, Timestamp};
use lamplight_integrations::github::Right;
use lamplight_integrations::{GitHub, GitHubError, Repository};
use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// While GitHub cannot be asked, what it said counts for so long, in milliseconds.
const STALE_MS: u64 = 60 * 60 * 1000;
/// After it could not be asked it is left alone for so long.
const PAUSE_MS: u64 = 10 * 1000;
/// Where a repository comes from is looked for again after so long.
const ORIGIN_MS: u64 = 60 * 1000;
/// Answers that are kept, each of two kinds. Where there are more, all are asked for again.
const KEPT: usize = 10_000;

/// How people's rights are asked for.
#[derive(Debug, Clone)]
pub struct RightsConfig {
    /// As whose people they are known: [`crate::people::Identity::issuer`].
    pub issuer: String,
    /// An answer counts for so long without being asked for again, in milliseconds.
    pub fresh_ms: u64,
}

type Cell = Arc<tokio::sync::Mutex<Option<Answer>>>;

/// What is known of everybody's rights.
pub(crate) struct Rights {
    config: RightsConfig,
    /// By person on GitHub and repository. Who asks holds the cell, so that others wait for the same answer.
    answers: Mutex<HashMap<(String, String), Cell>>,
    origins: Mutex<HashMap<PathBuf, (Timestamp, Vec<Repository>)>>,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    right: Right,
    at: Timestamp,
    /// When it could not be asked for again.
    failed_at: Option<Timestamp>,
}

impl Rights {
    pub(crate) fn open(config: &Config) -> Option<Self> {
        config.github.as_ref()?;
        let config = config.rights.clone()?;
        Some(Self { config, answers: Mutex::default(), origins: Mutex::default() })
    }

    async fn ask(
        &self,
        github: &GitHub,
        repository: &Repository,
        login: &str,
        subject: &str,
    ) -> Result<Right, GitHubError> {
        let cell = kept(&self.answers, (subject.to_owned(), repository.to_string().to_lowercase()));
        let mut known = cell.lock().await;
        let now = clock::now();
        if let Some(right) = known.as_ref().and_then(|answer| self.still(answer, now)) {
            return Ok(right);
        }
        match github.right_of(repository, login, subject).await {
            Ok(right) => {
                *known = Some(Answer { right, at: clock::now(), failed_at: None });
                Ok(right)
            }
            Err(error) => {
                let counts = |answer: &&mut Answer| error.passes() && now.since_ms(answer.at) < STALE_MS;
                let answer = known.as_mut().filter(counts).ok_or(error)?;
                answer.failed_at = Some(now);
                Ok(answer.right)
            }
        }
    }

    fn still(&self, answer: &Answer, now: Timestamp) -> Option<Right> {
        let age = now.since_ms(answer.at);
        let waits = answer.failed_at.is_some_and(|at| now.since_ms(at) < PAUSE_MS) && age < STALE_MS;
        (age < self.config.fresh_ms || waits).then_some(answer.right)
    }

    /// All repositories on this GitHub that the one at `path` is a clone of.
    async fn origins(&self, github: &GitHub, path: &Path) -> anyhow::Result<Vec<Repository>> {
        let now = clock::now();
        {
            let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
            if origins.len() >= KEPT {
                origins.clear();
            }
            if let Some((at, found)) = origins.get(path)
                && now.since_ms(*at) < ORIGIN_MS
            {
                return Ok(found.clone());
            }
        }
        let output = git::output(path, &["remote", "--verbose"]).await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let addresses = text.lines().filter_map(|line| line.split_whitespace().nth(1));
        let mut found: Vec<_> = addresses.filter_map(Repository::of_address).collect();
        found.retain(|repository| repository.host == github.config().host);
        found.sort_by_key(Repository::to_string);
        found.dedup();
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        origins.insert(path.to_owned(), (now, found.clone()));
        Ok(found)
    }
}

fn kept<K: Hash + Eq>(all: &Mutex<HashMap<K, Cell>>, key: K) -> Cell {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= KEPT {
        all.clear();
    }
    all.entry(key).or_default().clone()
}

impl Engine {
    /// Who has this name, or had it before they were removed.
    pub async fn person_named(&self, name: &str) -> Result<Option<PersonRow>, CommandError> {
        Ok(self.shared.store.person_named(name).await?)
    }

    /// Sessions in which something is done that somebody asked for, or waits to be.
    pub async fn at_work(&self) -> Vec<SessionView> {
        let awake: Vec<SessionId> = self.shared.lock().keys().cloned().collect();
        let mut found = Vec::new();
        for id in awake {
            if let Ok(view) = self.view(&id).await
                && (view.turn_by.is_some() || !view.queued.is_empty())
            {
                found.push(view);
            }
        }
        found
    }

    /// Whether somebody asked for this session on GitHub.
    pub async fn began_on_github(&self, session: &SessionId) -> Result<bool, CommandError> {
        Ok(self.shared.store.thread_of(session).await?.is_some())
    }

    /// Whether whoever is called so on GitHub may write to the repository of a session that began there; `None` of any other session.
    pub async fn may_write_there(
        &self,
        session: &SessionId,
        login: &str,
    ) -> Result<Option<bool>, CommandError> {
        let (Some(github), Some(thread)) = (&self.shared.github, self.shared.store.thread_of(session).await?)
        else {
            return Ok(None);
        };
        let Some(repository) = github.repository(&thread.repository) else { return Ok(None) };
        github.may_write(&repository, login).await.map(Some).map_err(pull_request::in_words)
    }

    /// Nothing goes on in a session that was asked for under this name; `detail` says why.
    pub async fn lose_right(
        &self,
        session: &SessionId,
        by: String,
        detail: String,
    ) -> Result<(), CommandError> {
        self.shared.send(session, Message::Report(Report::RightLost { by, detail })).await
    }

    /// What GitHub lets this person do with the repository at this path; `None` where it has no say: the repository is not there, or
    /// nobody signs in by it.
    pub async fn right_on_github(&self, person: &str, path: &Path) -> Result<Option<Right>, CommandError> {
        let shared: &Shared = &self.shared;
        let (Some(rights), Some(github)) = (&shared.rights, &shared.github) else { return Ok(None) };
        let repositories = match forge::mirrored(&shared.config.data_dir, path, github) {
            // It may not be there yet, and comes from nowhere else.
            Some(repository) => vec![repository],
            None => rights.origins(github, path).await?,
        };
        if repositories.is_empty() {
            return Ok(None);
        }
        let known = shared.store.identities(person).await?;
        let Some(identity) = known.iter().find(|identity| identity.issuer == rights.config.issuer) else {
            return Ok(Some(Right::Nothing));
        };
        let mut least = Right::Use;
        for repository in &repositories {
            let right = rights.ask(github, repository, &identity.login, &identity.subject).await;
            least = least.min(right.map_err(pull_request::in_words)?);
        }
        Ok(Some(least))
    }
}
