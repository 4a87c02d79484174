//! Sends what is due, for as long as the engine runs. It takes no input: it looks at what is there, on a timer and whenever somebody says
//! that there may be more.

use super::{Hooks, Tried, schedule};
use crate::clock;
use crate::engine::{Shared, closed};
use crate::keys::Keys;
use futures::StreamExt as _;
use futures::future::{BoxFuture, join_all};
use futures::stream::FuturesUnordered;
use lamplight_domain::Timestamp;
use lamplight_gateway::{Courier, Secret};
use lamplight_store::{Claimed, HookChange, HookOutcome, HookRow, ReadError, Store, WriteError};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// From one look to the next, where nobody says that there is more.
const PERIOD: Duration = Duration::from_secs(2);
/// Of one hook at a time, so that who is slow holds up nobody else, and is not asked by a crowd.
const AT_ONCE: usize = 4;
/// What was claimed is nobody else's for so long: a try, and writing down what came of it.
const CLAIM: Duration = Courier::TIMEOUT.saturating_add(Duration::from_secs(5));

/// Why what is due was not sent; the next look tries again.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSent {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What sends.
pub(super) struct Sender<'a> {
    pub(super) hooks: &'a Hooks,
    pub(super) store: &'a Store,
    pub(super) keys: &'a Keys,
    pub(super) now: &'a (dyn Fn() -> Timestamp + Sync),
}

pub(crate) async fn run(shared: Arc<Shared>) {
    let mut closing = shared.closing();
    let sender = Sender { hooks: &shared.hooks, store: &shared.store, keys: &shared.keys, now: &clock::now };
    tokio::select! {
        () = sender.send() => {}
        () = closed(&mut closing) => {}
    }
}

impl Sender<'_> {
    /// For ever, each hook by itself.
    pub(super) async fn send(&self) {
        let mut at_work: FuturesUnordered<BoxFuture<'_, String>> = FuturesUnordered::new();
        let mut busy = HashSet::new();
        loop {
            // Before the first look too: who starts has more pressing things to do.
            tokio::select! {
                () = self.hooks.news.notified() => {}
                Some(hook) = at_work.next() => {
                    busy.remove(&hook);
                }
                () = tokio::time::sleep(PERIOD) => {}
            }
            match self.store.due_hooks((self.now)()).await {
                Ok(due) => {
                    for hook in due {
                        if busy.insert(hook.clone()) {
                            at_work.push(Box::pin(self.drain(hook)));
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "what hooks are to be told could not be read"),
            }
        }
    }

    /// Gives the hook back when nothing is due any more.
    async fn drain(&self, hook: String) -> String {
        loop {
            match self.next(&hook).await {
                Ok(true) => {}
                Ok(false) => return hook,
                Err(error) => {
                    tracing::warn!(hook.id = hook, %error, "a hook is told later what it is to be told now");
                    tokio::time::sleep(PERIOD).await;
                    return hook;
                }
            }
        }
    }

    /// Tries some of what is due; whether there was anything.
    pub(super) async fn next(&self, id: &str) -> Result<bool, NotSent> {
        let Some(hook) = self.store.hook(id).await? else { return Ok(false) };
        if hook.disabled.is_some() {
            // What was written while it was being disabled; a person may have enabled it since it was read.
            self.change(HookChange::GiveUp { hook: hook.id }).await?;
            return Ok(false);
        }
        let secret = self.hooks.secret(self.store, self.keys, id).await;
        let now = (self.now)();
        let until = now.plus_ms(CLAIM.as_millis() as u64);
        let claim = HookChange::Claim { hook: id.to_owned(), now, until, limit: AT_ONCE };
        let claimed = match self.store.change_hooks(claim).await? {
            HookOutcome::Claimed(claimed) => claimed,
            HookOutcome::Changed(_) => unreachable!("deliveries were claimed"),
        };
        let is_more = !claimed.is_empty();
        let tries = claimed.into_iter().map(|delivery| self.deliver(&hook, secret.as_ref(), delivery));
        join_all(tries).await.into_iter().collect::<Result<(), NotSent>>()?;
        Ok(is_more)
    }

    async fn deliver(
        &self,
        hook: &HookRow,
        secret: Result<&Secret, &String>,
        delivery: Claimed,
    ) -> Result<(), NotSent> {
        let Claimed { number, session, seq, body, since, tries, tries_since } = delivery;
        // The same each time: by it whoever is told knows what was told before.
        let id = format!("{session}-{seq}");
        let tried = match secret {
            Ok(secret) => self.hooks.post(hook, secret, (id.as_str(), body), (self.now)()).await,
            Err(why) => Tried::Unsigned { why: why.clone() },
        };
        let (at, outcome) = ((self.now)(), tried.outcome());
        let failed = |due| HookChange::Failed { number, tries, at, due, outcome: outcome.clone() };
        match tried {
            Tried::Came { .. } => {
                self.change(HookChange::Came { hook: hook.id.clone(), number, tries, at, outcome }).await
            }
            Tried::Gone => {
                self.change(failed(None)).await?;
                self.disable(hook, outcome).await
            }
            // Nobody was asked, so it says nothing of the address.
            Tried::Unsigned { .. } => {
                self.change(failed(schedule::next_try(since, at, tries_since, None))).await
            }
            Tried::Failed { retry_after_s, .. } => {
                let due = schedule::next_try(since, at, tries_since, retry_after_s);
                self.change(failed(due)).await?;
                if due.is_some() || self.has_come_since(hook, since).await? {
                    return Ok(());
                }
                self.disable(hook, format!("nothing came through for a day; at last {outcome}")).await
            }
        }
    }

    async fn has_come_since(&self, hook: &HookRow, since: Timestamp) -> Result<bool, ReadError> {
        let now = self.store.hook(&hook.id).await?;
        Ok(now.and_then(|hook| hook.came_at).is_some_and(|came| came > since))
    }

    async fn disable(&self, hook: &HookRow, why: String) -> Result<(), NotSent> {
        tracing::warn!(
            hook.id = hook.id,
            "a hook is told nothing more: {why}; `lamplight hooks retry` changes that"
        );
        self.change(HookChange::Disable { hook: hook.id.clone(), why }).await
    }

    async fn change(&self, change: HookChange) -> Result<(), NotSent> {
        Ok(self.store.change_hooks(change).await.map(drop)?)
    }
}
