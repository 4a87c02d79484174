//! Sandboxes that are lent to somebody's programs: with no session, a person whose they are, and a moment at which they end.
//!
//! ```text
//!  lend ──▶ running ──pause──▶ paused ──resume──▶ running       in memory; everything goes on where it was
//!              │  └──put away──▶ put away ──resume──▶ running   its files alone are kept; it gives its place back
//!              └── taken back, or its time is over ──▶ gone, and nothing is left
//! ```
//! What is known of one is in the store before anybody is told, so that a server that was killed finds all of them again: they live on
//! meanwhile. A sandbox that is in no row is nobody's, and is destroyed by `reconcile.rs`, as any that nobody claims.

mod building;
mod facts;
mod files;
mod hearing;
mod journal;
mod keeping;
mod leaving;
mod processes;
mod running;
mod seal;
mod snapshots;
mod starting;
mod template;
mod tending;
mod users;

pub use building::{
    Base, BaseImage, LONGEST_UPLOAD, LentUploads, MAX_STEPS, NotUploaded, Recipe, Step, StepKind,
    is_upload_hash,
};
pub use facts::{Away, LentSandbox, LentState, NewLent};
pub use files::{LentFiles, Unfiled};
pub use journal::{JournalLevel, JournalLine};
pub use processes::{Follower, Input, LentProcess, NewProcess, Piece, ProcessError, WhichProcess};
pub use template::{Begins, DEFAULT_TAG, FailedStep, LentTemplate, TemplateName, TemplateState};
pub use users::LentUser;

use crate::effects::Context;
use crate::engine::{Engine, Shared};
use crate::error::CommandError;
use hearing::Processes;
use journal::Journal;
use lamplight_domain::{Network, SessionId};
use lamplight_sandbox::link::Link;
use lamplight_store::Store;
use running::Running;
use seal::{Known, Seals};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The longest that one is lent for at a time, in milliseconds.
pub const LONGEST_LOAN_MS: u64 = 24 * 60 * 60 * 1000;

/// All that are lent.
pub(crate) struct Lending {
    all: Mutex<HashMap<SessionId, Arc<Entry>>>,
    /// Those that are being made.
    making: Mutex<HashSet<SessionId>>,
    templates: Mutex<HashMap<SessionId, LentTemplate>>,
    /// Whoever looks at templates to change them has this.
    changing: tokio::sync::Mutex<()>,
    /// Of templates that are, or were, built.
    journals: Mutex<HashMap<SessionId, Arc<Journal>>>,
    uploading: building::Uploading,
    /// Whoever fetches an image, among others who do; whoever removes some, alone.
    fetching: tokio::sync::RwLock<()>,
    /// Read when the first is lent.
    seals: tokio::sync::OnceCell<Seals>,
    /// Notified when one may end sooner than the one before.
    changed: Notify,
}

/// One of them.
pub(super) struct Entry {
    id: SessionId,
    /// As they are in the store.
    facts: Mutex<LentSandbox>,
    /// Whoever changes it has this.
    turn: tokio::sync::Mutex<()>,
    context: Arc<Context>,
    running: Running,
    processes: Processes,
    journal: Arc<Journal>,
}

impl Lending {
    pub(crate) fn new() -> Self {
        Self {
            all: Mutex::default(),
            making: Mutex::default(),
            templates: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            journals: Mutex::default(),
            uploading: building::Uploading::default(),
            fetching: tokio::sync::RwLock::default(),
            seals: tokio::sync::OnceCell::new(),
            changed: Notify::new(),
        }
    }

    /// Whether a sandbox of this id is, or will be, somebody's.
    pub(crate) fn holds(&self, id: &SessionId) -> bool {
        // In this order: what was made is in `all` before it is not in `making`.
        lock(&self.making).contains(id)
            || lock(&self.all).contains_key(id)
            || lock(&self.templates).contains_key(id)
    }

    fn find(&self, id: &SessionId) -> Option<Arc<Entry>> {
        lock(&self.all).get(id).cloned()
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        lock(&self.all).values().cloned().collect()
    }
}

impl Entry {
    fn new(id: SessionId, facts: LentSandbox, shared: &Arc<Shared>) -> Arc<Self> {
        let spec = facts.spec(&id, &shared.config);
        let context = Arc::new(Context::alone(id.clone(), spec, Arc::clone(shared)).with_way_out());
        let journal = Arc::<Journal>::default();
        let processes = Processes::new(shared.tasks.clone(), Arc::clone(&journal));
        let (turn, running) = (tokio::sync::Mutex::default(), Running::default());
        Arc::new(Self { id, facts: Mutex::new(facts), turn, context, running, processes, journal })
    }

    fn facts(&self) -> LentSandbox {
        lock(&self.facts).clone()
    }

    /// The way in, of one that runs.
    async fn link(&self) -> Result<Link, CommandError> {
        let facts = self.facts();
        if facts.state != LentState::Running {
            return Err(not_running(&self.id));
        }
        let reached = self.context.link(facts.generation, &facts.handle).await;
        reached.map_err(|trouble| match trouble {
            crate::effects::Trouble::Lost(_) => CommandError::NotFound,
            crate::effects::Trouble::Again(error) => CommandError::Failed(error),
        })
    }
}

/// Reads what there is, and goes on with all of it.
pub(crate) async fn begin(shared: &Arc<Shared>) -> anyhow::Result<()> {
    for row in shared.store.lent().await? {
        let seals = shared.lending.seals(shared).await.map_err(anyhow::Error::msg)?;
        let facts = match seals.open(&row) {
            Some(Known::Sandbox(facts)) => facts,
            Some(Known::Template(template)) => {
                lock(&shared.lending.templates).insert(row.id, template);
                continue;
            }
            None => {
                tracing::error!(sandbox = %row.id, "what is known of a lent sandbox cannot be read with this key, so it is given up");
                continue;
            }
        };
        if facts.state.has_place() {
            shared.queue.is_lent(&row.id, &facts.person, facts.limits());
        }
        let entry = Entry::new(row.id.clone(), facts, shared);
        lock(&shared.lending.all).insert(row.id, Arc::clone(&entry));
        tending::tend(shared, entry);
    }
    template::give_up_unfinished(shared).await;
    shared.tidy_images().await;
    shared.tasks.spawn(tending::run(Arc::clone(shared)));
    Ok(())
}

impl Lending {
    async fn seals(&self, shared: &Shared) -> Result<&Seals, String> {
        let make = async || shared.keys.token_key().await.map(|key| Seals::new(&key));
        self.seals.get_or_try_init(make).await
    }
}

impl Engine {
    /// All that are lent, in no order.
    pub fn lent(&self) -> Vec<LentSandbox> {
        self.shared.lending.entries().iter().map(|entry| entry.facts()).collect()
    }

    pub fn lent_sandbox(&self, id: &SessionId) -> Option<LentSandbox> {
        self.shared.lending.find(id).map(|entry| entry.facts())
    }

    /// What has happened to it, the oldest first: what is behind so many lines, and no more than so many.
    pub fn lent_journal(&self, id: &SessionId, after: usize, at_most: usize) -> Vec<JournalLine> {
        let entry = self.shared.lending.find(id);
        entry.map_or_else(Vec::new, |entry| entry.journal.read(after, at_most))
    }

    /// What it may reach of the outside from now on; `None` is what the configuration says. What is connected stays connected.
    pub async fn set_lent_network(
        &self,
        id: &SessionId,
        network: Option<Network>,
    ) -> Result<(), CommandError> {
        let entry = self.lent_entry(id)?;
        let _turn = entry.turn.lock().await;
        let mut facts = entry.facts();
        if facts.state != LentState::Running {
            return Err(not_running(id));
        }
        facts.network = network.unwrap_or_else(|| self.shared.config.network.clone());
        // Nothing more is reached than what is written down.
        let kept = self.shared.keep(&entry, facts).await?;
        entry.context.set_network(kept.network.clone());
        entry.journal.say(format!("network: {}", kept.network));
        Ok(())
    }

    /// What a program shows to be let in to this one: the same for as long as it is there, and kept nowhere. Fails where there is no
    /// key to make it with.
    pub async fn lent_token(&self, id: &SessionId) -> Result<String, CommandError> {
        let seals = self.shared.lending.seals(&self.shared).await;
        seals.map(|seals| seals.token(id)).map_err(|why| CommandError::Failed(anyhow::Error::msg(why)))
    }

    /// Resolves when what is under way in the sandbox is over, because it was paused, put away, taken back or lost.
    pub async fn lent_stops(&self, id: &SessionId) {
        if let Some(entry) = self.shared.lending.find(id) {
            entry.running.stopped().await;
        }
    }

    pub(super) fn lent_entry(&self, id: &SessionId) -> Result<Arc<Entry>, CommandError> {
        self.shared.lending.find(id).ok_or(CommandError::NotFound)
    }
}

/// Before it is so.
async fn write(store: &Store, change: lamplight_store::LentChange) -> Result<(), CommandError> {
    Ok(store.change_lent(change).await?)
}

fn not_running(id: &SessionId) -> CommandError {
    CommandError::invalid(
        "sandbox_paused",
        format!("the sandbox {id} is paused, and nothing in it runs"),
        "Resume it.",
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
