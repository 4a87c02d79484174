//! Which layers there are, and who is at one of them now.

use super::recipe::Recipe;
use crate::clock;
use anyhow::{Context as _, Result};
use lamplight_domain::{SessionId, Timestamp};
use lamplight_sandbox::checkpoint::Checkpoint;
use lamplight_sandbox::provider::Provider;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Of each repository: so many different ones are in use at a time when branches differ in what they depend on.
const KEPT: usize = 3;
/// Longer than this nobody keeps one for the next session, of any repository; milliseconds.
const UNUSED_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Made at a time without a session that waits for it.
const AHEAD: usize = 2;

#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    busy: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Whose sandboxes are being made.
    holders: Mutex<BTreeSet<SessionId>>,
    /// For those that nobody waits for.
    ahead: Arc<Semaphore>,
    /// Sandboxes of this machine turned out to have no layers.
    is_useless: AtomicBool,
}

/// One file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Layer {
    recipe: Recipe,
    /// Whose files it is; no session has this id.
    holder: SessionId,
    /// `None` until it is made.
    checkpoint: Option<Checkpoint>,
    used_at: Timestamp,
}

impl Shelf {
    pub(crate) fn open(data_dir: &Path) -> Self {
        Self {
            folder: data_dir.join("prepared"),
            busy: Mutex::default(),
            holders: Mutex::default(),
            ahead: Arc::new(Semaphore::new(AHEAD)),
            is_useless: AtomicBool::new(false),
        }
    }

    /// Removes what was not finished. Before anything is made.
    pub(crate) async fn clear(&self, provider: &Arc<dyn Provider>) {
        for (file, layer) in self.all() {
            if layer.checkpoint.is_none() {
                remove(provider, &file, &layer).await;
            }
        }
    }

    /// Whether this is a sandbox in which a layer is being made.
    pub(crate) fn holds(&self, session: &SessionId) -> bool {
        lock(&self.holders).contains(session)
    }

    /// One at a time makes a layer.
    pub(super) fn turn(&self, recipe: &Recipe) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.busy).entry(name(recipe)).or_default())
    }

    /// Leave to make one ahead of its session, while no more than [`AHEAD`] are; until it is dropped.
    pub(super) fn ahead(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.ahead).try_acquire_owned().ok()
    }

    /// Whether it makes sense to make what a session could as well do itself.
    pub(super) fn can_be_filled(&self) -> bool {
        !self.is_useless.load(Ordering::Relaxed)
    }

    /// Files cannot be kept on this machine, whatever they are.
    pub(super) fn give_up(&self) {
        self.is_useless.store(true, Ordering::Relaxed);
    }

    /// Also notes that it is used.
    pub(super) fn find(&self, recipe: &Recipe) -> Option<Checkpoint> {
        let mut layer = self.read(recipe)?;
        let checkpoint = layer.checkpoint.clone()?;
        layer.used_at = clock::now();
        if let Err(error) = self.write(&layer) {
            tracing::warn!(error = format!("{error:#}"), "the use of a prepared layer could not be noted");
        }
        Some(checkpoint)
    }

    pub(super) fn begin(&self, recipe: &Recipe, holder: &SessionId) -> Result<()> {
        lock(&self.holders).insert(holder.clone());
        self.write(&Layer {
            recipe: recipe.clone(),
            holder: holder.clone(),
            checkpoint: None,
            used_at: clock::now(),
        })
    }

    pub(super) fn finish(&self, recipe: &Recipe, holder: &SessionId, checkpoint: &Checkpoint) -> Result<()> {
        self.write(&Layer {
            recipe: recipe.clone(),
            holder: holder.clone(),
            checkpoint: Some(checkpoint.clone()),
            used_at: clock::now(),
        })?;
        lock(&self.holders).remove(holder);
        Ok(())
    }

    pub(super) async fn forget(&self, provider: &Arc<dyn Provider>, recipe: &Recipe) {
        if let Some(layer) = self.read(recipe) {
            remove(provider, &self.folder.join(name(recipe)), &layer).await;
            lock(&self.holders).remove(&layer.holder);
        }
    }

    /// Removes those of a repository that have not been used for the longest time, and of any repository those that have long not been used.
    /// Sessions that started from one keep its files.
    pub(super) async fn tidy(&self, provider: &Arc<dyn Provider>, repository: &str) {
        let mut all = self.all();
        all.retain(|(_, layer)| layer.checkpoint.is_some());
        all.sort_by_key(|(_, layer)| std::cmp::Reverse(layer.used_at));
        let now = clock::now();
        let mut kept = 0;
        for (file, layer) in &all {
            let is_here = layer.recipe.repository == repository;
            kept += usize::from(is_here);
            if (is_here && kept > KEPT) || now.since_ms(layer.used_at) > UNUSED_MS {
                remove(provider, file, layer).await;
            }
        }
    }

    /// What cannot be read is of no use, and is replaced by the next that is made.
    fn all(&self) -> Vec<(PathBuf, Layer)> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| {
                Some((entry.path(), serde_json::from_slice(&std::fs::read(entry.path()).ok()?).ok()?))
            })
            .collect()
    }

    fn read(&self, recipe: &Recipe) -> Option<Layer> {
        let layer: Layer =
            serde_json::from_slice(&std::fs::read(self.folder.join(name(recipe))).ok()?).ok()?;
        is_same(&layer.recipe, recipe).then_some(layer)
    }

    fn write(&self, layer: &Layer) -> Result<()> {
        std::fs::create_dir_all(&self.folder).with_context(|| format!("make {}", self.folder.display()))?;
        let file = self.folder.join(name(&layer.recipe));
        let new = file.with_extension("new");
        std::fs::write(&new, serde_json::to_vec(layer)?).context("write down a prepared layer")?;
        std::fs::rename(&new, &file).context("write down a prepared layer")
    }
}

async fn remove(provider: &Arc<dyn Provider>, file: &Path, layer: &Layer) {
    if let Err(error) = provider.forget(&layer.holder).await {
        tracing::warn!(%error, "a prepared layer could not be removed; the next start tries again");
        return;
    }
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(%error, file = %file.display(), "could not be removed");
        }
        _ => {}
    }
}

/// All but the time it may take.
fn is_same(one: &Recipe, other: &Recipe) -> bool {
    Recipe { timeout_ms: 0, ..one.clone() } == Recipe { timeout_ms: 0, ..other.clone() }
}

/// The name of its file. Another version's name is another file, which nobody uses and [`Shelf::tidy`] removes.
fn name(recipe: &Recipe) -> String {
    let mut hasher = DefaultHasher::new();
    (&recipe.repository, &recipe.base, &recipe.run, &recipe.inputs, &recipe.image).hash(&mut hasher);
    format!("{:016x}.json", hasher.finish())
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
