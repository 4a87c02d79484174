//! Work that is asked for on GitHub, and told there.
//!
//! ```text
//!  delivered (webhook) ──┐                        ┌─► session ──► its branch ──► draft pull request ─┐
//!                        ├─► deliveries ─► work ──┤   (engine)                                       │ telling
//!  looked for (polling) ─┘   one row each         └─► reaction, one comment ◄────────────────────────┘
//! ```
//!
//! Both ways in write the same rows, under the same names, and do nothing else. `work` takes one row after the other of an issue, and each step
//! of it can be taken again: the session's id is written down before anything is done, a prompt's id is made of what was said, a comment
//! is looked for by its mark. `telling` takes no input: it compares what GitHub shows with what is so, and does what is missing.

mod answering;
mod examine;
mod intake;
mod mirror;
mod missed;
mod polling;
mod prompt;
mod pulls;
mod remarks;
mod reviewing;
mod standing;
mod status;
mod telling;
mod work;

pub use examine::{GitHubFinding, examine_github};
pub(crate) use mirror::{OURS, bring, bring_for, is_branch, is_mirror, mirrored, path_of as mirror_path};
pub(crate) use prompt::{checks_told, happened as happened_prompt};
pub use standing::{GitHubConnection, GitHubStanding};
pub(crate) use work::Trouble;

use crate::config::Config;
use crate::error::CommandError;
use crate::{Engine, Secret, clock};
use lamplight_domain::{KnownSecret, SessionId};
use lamplight_integrations::Repository;
use lamplight_integrations::github::{
    Author, Call, Happening, Occurrence, Told, WebhookSecret, Words, parse_delivery,
};
use lamplight_store::{Delivery, ForgeChange, Thread};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// What the webhook's secret is called where it would have been.
pub(crate) const WEBHOOK_SECRET: &str = "webhook secret";
/// Repositories that are remembered to be looked at; what is more waits for the look at all.
const MOST_HINTS: usize = 1024;

/// Threads that are looked through, of those begun last.
const THREADS: usize = 500;

/// What is taken from GitHub, and how.
#[derive(Debug, Clone)]
pub struct ForgeConfig {
    pub words: Words,
    /// `owner/name`; where it is empty, every repository that something comes from.
    pub repositories: Vec<String>,
    /// What deliveries are signed with; without one none is taken.
    pub webhook_secret: Option<Secret>,
    /// From one look to the next; without one nobody looks.
    pub poll: Option<Duration>,
    /// Under which people reach this server, without a slash at its end.
    pub address: String,
    /// Stands before the issue's number in a pull request; `Closes` lets its merge close the issue.
    pub closing_word: String,
}

/// What the parts share.
pub(crate) struct Forge {
    pub(super) config: ForgeConfig,
    secret: Option<WebhookSecret>,
    /// There is a new delivery.
    pub(super) news: Notify,
    /// There may be something to tell.
    pub(super) tell: Notify,
    /// Something was said of a pull request, or found in one; and where.
    pub(super) reviews: Notify,
    hints: Mutex<HashSet<String>>,
    pub(super) mirrors: mirror::Mirrors,
}

/// What a session works on, for whoever shows its work.
#[derive(Debug, Default)]
pub(crate) struct Subject {
    /// What links its pull request to the issue that it works on.
    pub(crate) closing: String,
    /// The pull request that somebody else opened, and that it works on.
    pub(crate) taken: Option<u64>,
}

/// One request to the webhook's address, as it came.
#[derive(Debug, Clone, Copy)]
pub struct GitHubDelivery<'a> {
    /// `X-GitHub-Delivery`.
    pub id: &'a str,
    /// `X-GitHub-Event`.
    pub event: &'a str,
    /// `X-Hub-Signature-256`.
    pub signature: &'a str,
    pub body: &'a [u8],
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It is on disk, and has its effect from there.
    Stored,
    /// It came before, on this way or another.
    Known,
    /// Nothing in it is for us.
    Ignored,
}

/// Why it was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotDelivered {
    #[error("this server takes no deliveries from GitHub")]
    NotConfigured,
    #[error("the signature is not of these bytes with the secret that this server has")]
    NotSigned,
    #[error("the body is no JSON object")]
    NotJson,
    #[error(transparent)]
    NotStored(CommandError),
}

impl Forge {
    pub(crate) fn open(config: &Config) -> Option<Self> {
        config.github.as_ref()?;
        let forge = config.forge.clone()?;
        let secret = forge.webhook_secret.as_ref().map(|secret| {
            let known = |line: &str| KnownSecret { name: WEBHOOK_SECRET.to_owned(), value: line.to_owned() };
            config.redaction.learn(secret.expose().lines().map(known));
            WebhookSecret::new(secret.expose())
        });
        Some(Self {
            config: forge,
            secret,
            news: Notify::new(),
            tell: Notify::new(),
            reviews: Notify::new(),
            hints: Mutex::default(),
            mirrors: mirror::Mirrors::default(),
        })
    }

    /// Whether something that somebody did there is taken at all; what programs find is nobody's.
    pub(crate) fn takes(&self, repository: &str, by: Option<&Author>) -> bool {
        let listed = &self.config.repositories;
        let is_it = |name: &String| name.eq_ignore_ascii_case(repository);
        let is_from_person = by.is_none_or(|by| !by.is_bot);
        is_from_person && (listed.is_empty() || listed.iter().any(is_it))
    }

    /// Whether GitHub sends what happens, which is more than looking finds.
    pub(crate) fn is_told(&self) -> bool {
        self.secret.is_some()
    }

    fn call(&self, occurrence: &Occurrence) -> Option<Call> {
        let takes = self.takes(&occurrence.repository, Some(&occurrence.by));
        takes.then(|| self.config.words.call(occurrence)).flatten()
    }

    /// Names of repositories in lower case; there are no more than work is taken from.
    pub(super) fn take_hints(&self) -> HashSet<String> {
        std::mem::take(&mut *self.hints.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn hint(&self, repository: &str) {
        let mut hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        if hints.len() < MOST_HINTS {
            hints.insert(repository.to_lowercase());
        }
        drop(hints);
        self.reviews.notify_one();
    }

    /// A row for it, where somebody may mean us.
    fn delivery(&self, id: String, occurrence: &Occurrence) -> Option<Delivery> {
        if status::is_ours(occurrence) || self.call(occurrence).is_none() {
            return None;
        }
        let body = serde_json::to_string(occurrence).expect("an occurrence is strings and numbers");
        Some(Delivery { id, identity: occurrence.identity(), body, at: clock::now() })
    }
}

/// With what goes on by itself for as long as the server runs.
pub(crate) fn started(engine: Engine) -> Engine {
    if let Some(forge) = &engine.shared.forge {
        let tasks = &engine.shared.tasks;
        tasks.spawn(intake::run(engine.clone()));
        tasks.spawn(telling::run(engine.clone()));
        tasks.spawn(reviewing::run(engine.clone()));
        if forge.secret.is_some() {
            tasks.spawn(missed::run(engine.clone()));
        }
        if forge.config.poll.is_some() {
            tasks.spawn(polling::run(engine.clone()));
        }
    }
    engine
}

impl Engine {
    /// Takes what GitHub sends. When this returns, it is on disk or needs no place there; nothing else is done yet.
    pub async fn deliver(&self, delivery: GitHubDelivery<'_>) -> Result<Delivered, NotDelivered> {
        let forge = self.shared.forge.as_ref().ok_or(NotDelivered::NotConfigured)?;
        let secret = forge.secret.as_ref().ok_or(NotDelivered::NotConfigured)?;
        if !secret.has_signed(delivery.body, delivery.signature) {
            return Err(NotDelivered::NotSigned);
        }
        let told = parse_delivery(delivery.event, delivery.body).map_err(|_| NotDelivered::NotJson)?;
        let occurrence = match told {
            Some(Told::Occurrence(occurrence)) => Some(occurrence),
            Some(Told::Hint { repository, remark }) => {
                forge.hint(&repository);
                remark
            }
            None => None,
        };
        let happening = match &occurrence {
            Some(occurrence) => Happening::of(occurrence),
            None => Happening::parse(delivery.event, delivery.body),
        };
        let begun = match happening {
            Some(happening) => self.shared.happened(&happening).await.map_err(NotDelivered::NotStored)?,
            None => 0,
        };
        let row = occurrence.and_then(|occurrence| forge.delivery(delivery.id.to_owned(), &occurrence));
        let Some(row) = row else {
            return Ok(if begun > 0 { Delivered::Stored } else { Delivered::Ignored });
        };
        let change = ForgeChange::Deliver { deliveries: vec![row], mark: None };
        let new =
            self.shared.store.forge(change).await.map_err(|error| NotDelivered::NotStored(error.into()))?;
        if new == 0 {
            return Ok(Delivered::Known);
        }
        forge.news.notify_one();
        Ok(Delivered::Stored)
    }

    pub(crate) async fn subject_of(
        &self,
        id: &SessionId,
        repository: &Repository,
    ) -> Result<Subject, CommandError> {
        let Some(forge) = &self.shared.forge else { return Ok(Subject::default()) };
        let store = &self.shared.store;
        let is_there = |thread: &Thread| thread.repository.eq_ignore_ascii_case(&repository.to_string());
        let Some(thread) = store.thread_of(id).await?.filter(is_there) else {
            return Ok(Subject::default());
        };
        let taken = thread.is_pull_request().then_some(thread.number);
        let issue = match taken {
            // A session before may have opened it for an issue.
            Some(number) => {
                let threads = store.threads(THREADS).await?;
                let is_of_it = |one: &&Thread| {
                    is_there(one) && !one.is_pull_request() && one.pull_request == Some(number)
                };
                threads.iter().find(is_of_it).map(|one| one.number)
            }
            None => Some(thread.number),
        };
        let word = &forge.config.closing_word;
        let closing = issue.map(|issue| format!("{word} #{issue}\n\n")).unwrap_or_default();
        Ok(Subject { closing, taken })
    }
}
