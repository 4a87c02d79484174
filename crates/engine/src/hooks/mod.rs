//! Addresses that are told what happens to sessions, by signed webhooks as the Standard Webhooks specification has them.
//!
//! ```text
//! entries ─▶ notice ─▶ a delivery for each hook that wants it, in the append's own transaction (store)
//!                        │
//!            sending ────┴─▶ claimed ─▶ posted, signed anew each time, under the same id ─▶ came, or tried again for a day, or dead
//! ```
//! Nothing is sent from where something happens: `sending` takes no input, looks at what is due, and each look is complete. It knows nothing
//! of sessions, so whichever server looks sends.

mod notice;
mod schedule;
mod sending;
mod signature;

pub(crate) use notice::notices;
pub use notice::{NoSuchNotice, NoticeKind};
pub(crate) use sending::run;

use crate::error::CommandError;
use crate::keys::Keys;
use crate::{Engine, clock, ids};
use anyhow::Context as _;
use lamplight_domain::{HostPattern, KnownSecret, Redaction, Timestamp};
use lamplight_gateway::{Courier, Outside, Secret};
use lamplight_store::{DeliveryQuery, HookChange, HookDelivery, HookListed, HookOutcome, HookRow, Store};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// Most hooks.
const MAX_HOOKS: usize = 20;
/// Names of their secrets begin so.
const SECRET: &str = "hook:";
/// What such a secret is called where it would have been.
const KNOWN_AS: &str = "hook secret";

/// Where hooks may be, and what they are told of this server.
#[derive(Debug, Clone, Default)]
pub struct HooksConfig {
    /// Hosts that may be told although their addresses are not public.
    pub allow_private: Vec<HostPattern>,
    /// Under which people reach this server, without a slash at its end.
    pub address: String,
}

/// A hook that was just made.
#[derive(Debug, Clone)]
pub struct NewHook {
    pub hook: HookRow,
    /// What its deliveries are signed with; told this once.
    pub secret: Secret,
}

/// What came of one post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookTest {
    pub came: bool,
    /// In words.
    pub outcome: String,
}

/// What the parts share.
pub(crate) struct Hooks {
    courier: Courier,
    address: String,
    redaction: Redaction,
    /// There may be something to send.
    pub(crate) news: Notify,
    /// Opened once: whoever keeps the sealing key may take a while.
    secrets: Mutex<HashMap<String, Secret>>,
}

/// What came of posting something.
enum Tried {
    Came {
        status: u16,
    },
    /// It wants nothing more, ever.
    Gone,
    /// Nothing was posted: what it is signed with is not to be had.
    Unsigned {
        why: String,
    },
    Failed {
        why: String,
        retry_after_s: Option<u64>,
    },
}

impl Hooks {
    pub(crate) fn new(config: HooksConfig, outside: &Outside, redaction: Redaction) -> Self {
        let HooksConfig { allow_private, address } = config;
        let outside = Outside { allow_private, bytes_per_minute: None, ..outside.clone() };
        let (news, secrets) = (Notify::new(), Mutex::default());
        Self { courier: Courier::new(outside), address, redaction, news, secrets }
    }

    /// From here on it is written nowhere in the open.
    fn learn(&self, hook: &str, secret: Secret) {
        let value = secret.expose().to_owned();
        self.redaction.learn([KnownSecret { name: KNOWN_AS.to_owned(), value }]);
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).insert(hook.to_owned(), secret);
    }

    async fn add(&self, store: &Store, keys: &Keys, hook: HookRow) -> Result<NewHook, CommandError> {
        self.courier.check(&hook.url).map_err(|why| {
            CommandError::invalid("hook_url_unusable", why, "Take an address that this server may reach.")
        })?;
        let secret = signature::draw().context("draw a hook's secret")?;
        // Before anything else can happen to it.
        self.learn(&hook.id, secret.clone());
        let sealed = keys.seal(&format!("{SECRET}{}", hook.id), secret.expose()).await;
        let sealed = sealed.map_err(|why| {
            CommandError::invalid("secrets_key", why, "See docs/configuration.md, [secrets].")
        })?;
        let add = HookChange::Add { hook: hook.clone(), secret: sealed, most: MAX_HOOKS };
        if changed(store.change_hooks(add).await?) == 0 {
            return Err(CommandError::invalid(
                "too_many_hooks",
                format!("there are {MAX_HOOKS} hooks already"),
                "Remove one that is not needed any more.",
            ));
        }
        Ok(NewHook { hook, secret })
    }

    /// Otherwise says why there is none, and what to do.
    async fn secret(&self, store: &Store, keys: &Keys, hook: &str) -> Result<Secret, String> {
        let known = self.secrets.lock().unwrap_or_else(PoisonError::into_inner).get(hook).cloned();
        if let Some(secret) = known {
            return Ok(secret);
        }
        let sealed = store.secret(&format!("{SECRET}{hook}")).await.map_err(|error| error.to_string())?;
        let sealed = sealed.ok_or("its secret is gone; remove it and add it again")?;
        let secret = keys.unseal(&sealed).await?;
        self.learn(hook, secret.clone());
        Ok(secret)
    }

    /// One try. The signature is of this moment.
    async fn post(
        &self,
        hook: &HookRow,
        secret: &Secret,
        (id, body): (&str, String),
        now: Timestamp,
    ) -> Tried {
        let failed = |why: String| Tried::Failed { why, retry_after_s: None };
        let Some(headers) = signature::headers(secret, id, now, &body) else {
            return Tried::Unsigned { why: "its secret is none; remove it and add it again".to_owned() };
        };
        match self.courier.post(&hook.url, &headers, body).await {
            Err(not_posted) => failed(not_posted.to_string()),
            Ok(answer) => match answer.status {
                status @ 200..300 => Tried::Came { status },
                410 => Tried::Gone,
                status @ 300..400 => {
                    failed(format!("it answered {status}, and nobody is led on to another address"))
                }
                status => Tried::Failed {
                    why: format!("it answered {status}"),
                    retry_after_s: answer.retry_after_s,
                },
            },
        }
    }
}

/// What is said of an answer by which an address says that it wants nothing more.
const GONE: &str = "it answered 410, by which it wants nothing more";

impl Tried {
    /// In words.
    fn outcome(&self) -> String {
        match self {
            Self::Came { status } => format!("it answered {status}"),
            Self::Gone => GONE.to_owned(),
            Self::Unsigned { why } | Self::Failed { why, .. } => why.clone(),
        }
    }
}

impl Engine {
    /// Has an address told, from now on, of what is named, or of everything. Its secret is said this once.
    pub async fn add_hook(
        &self,
        url: String,
        kinds: Vec<NoticeKind>,
        by: String,
    ) -> Result<NewHook, CommandError> {
        let shared = &self.shared;
        let hook = HookRow {
            id: ids::hook_id(),
            url,
            kinds: kinds.into_iter().map(|kind| kind.as_str().to_owned()).collect(),
            created_by: by,
            created_at: clock::now(),
            came_at: None,
            disabled: None,
        };
        shared.hooks.add(&shared.store, &shared.keys, hook).await
    }

    /// All of them, the oldest first.
    pub async fn hooks(&self) -> Result<Vec<HookListed>, CommandError> {
        Ok(self.shared.store.hooks().await?)
    }

    /// It is told nothing more, and nothing is kept of what it was told. Gives what it was.
    pub async fn remove_hook(&self, id: &str) -> Result<HookRow, CommandError> {
        let hook = self.hook(id).await?;
        let remove = HookChange::Remove { hook: id.to_owned(), secret: format!("{SECRET}{id}") };
        match self.change_hooks(remove).await? {
            0 => Err(no_such_hook(id)),
            _ => Ok(hook),
        }
    }

    /// Posts something that means nothing there, now and once. Takes 15 s at most.
    pub async fn test_hook(&self, id: &str) -> Result<HookTest, CommandError> {
        let (hook, shared) = (self.hook(id).await?, &self.shared);
        let secret = match shared.hooks.secret(&shared.store, &shared.keys, id).await {
            Ok(secret) => secret,
            Err(outcome) => return Ok(HookTest { came: false, outcome }),
        };
        let now = clock::now();
        let body = notice::test_body(&shared.hooks.address, id, now);
        let told = (format!("test-{}", ids::hook_id()), body);
        let tried = shared.hooks.post(&hook, &secret, (told.0.as_str(), told.1), now).await;
        Ok(HookTest { came: matches!(tried, Tried::Came { .. }), outcome: tried.outcome() })
    }

    /// What it was told of late, and what it could not be told; the newest first.
    pub async fn hook_deliveries(
        &self,
        id: &str,
        query: DeliveryQuery,
    ) -> Result<Vec<HookDelivery>, CommandError> {
        self.hook(id).await?;
        Ok(self.shared.store.hook_deliveries(id, query).await?)
    }

    /// Has what is dead tried again, for another day, or only this delivery; gives how many that are. A hook that was disabled is told again.
    pub async fn retry_hook(&self, id: &str, number: Option<i64>) -> Result<usize, CommandError> {
        self.hook(id).await?;
        let retry = HookChange::Retry { hook: id.to_owned(), number, at: clock::now() };
        let retried = self.change_hooks(retry).await?;
        if let (Some(number), 0) = (number, retried) {
            return Err(CommandError::invalid(
                "delivery_not_found",
                format!("hook {id} has no delivery {number} that does not wait"),
                "List its deliveries and take one that is dead.",
            ));
        }
        self.shared.hooks.news.notify_one();
        Ok(retried)
    }

    async fn hook(&self, id: &str) -> Result<HookRow, CommandError> {
        self.shared.store.hook(id).await?.ok_or_else(|| no_such_hook(id))
    }

    async fn change_hooks(&self, change: HookChange) -> Result<usize, CommandError> {
        Ok(changed(self.shared.store.change_hooks(change).await?))
    }
}

fn changed(outcome: HookOutcome) -> usize {
    match outcome {
        HookOutcome::Changed(rows) => rows,
        HookOutcome::Claimed(_) => unreachable!("nothing was claimed"),
    }
}

fn no_such_hook(id: &str) -> CommandError {
    let what_to_do = "List the hooks and take an id from there.";
    CommandError::invalid("hook_not_found", format!("there is no hook {id:?}"), what_to_do)
}

#[cfg(test)]
mod tests;
