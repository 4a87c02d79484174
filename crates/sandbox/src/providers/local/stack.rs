//! What lies below a session's own files: layers, which nobody changes, and which sessions may share.
//!
//! Who needs a layer is written where it is needed: in the `stack` of a session, in a checkpoint, in the notes of a copy. What nobody
//! names any more is removed by whoever stopped naming it, and by the next that opens the data directory, should that one be killed.

use super::copy::Moment;
use super::disk::{Sandboxes, SessionDir, private_dir, remove_tree, write_whole};
use super::identity::Ids;
use anyhow::{Context, Result};
use lamplight_domain::SessionId;
use rustix::fs::FlockOperation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The layers of a session, or of a checkpoint, uppermost first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stack(Vec<Layer>);

/// One directory of trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    folder: PathBuf,
    /// Of the session that it comes from: whom the files belong to on disk. `None` where that is the person.
    pub(super) ids: Option<Ids>,
}

/// `layer.json`.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    ids: Option<Ids>,
}

/// Names of layers, as they are written down.
pub(super) type Names = Vec<String>;

impl Stack {
    /// That a session starts on.
    pub(super) fn of(sandboxes: &Sandboxes, session: &SessionDir) -> Result<Self> {
        let names: Names = read(&session.stack_file())?.unwrap_or_default();
        Ok(Self(names.iter().map(|name| Layer::open(sandboxes, name)).collect::<Result<_>>()?))
    }

    pub(super) fn layers(&self) -> &[Layer] {
        &self.0
    }
}

impl Layer {
    fn open(sandboxes: &Sandboxes, name: &str) -> Result<Self> {
        let folder = sandboxes.layer(name);
        let file = folder.join("layer.json");
        let About { ids } = read(&file)?.with_context(|| format!("{} is missing", file.display()))?;
        Ok(Self { folder, ids })
    }

    /// A new one, without files; what a killed attempt left under this name is gone.
    pub(super) fn make(sandboxes: &Sandboxes, name: &str, ids: Option<Ids>) -> Result<Self> {
        let folder = sandboxes.layer(name);
        remove_tree(&folder)?;
        private_dir(&folder)?;
        write(&folder.join("layer.json"), &About { ids })?;
        Ok(Self { folder, ids })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn tree(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The copies that were made of a session's files as they are since the last cut (see `snapshot`), uppermost first, and when the last
/// was begun.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Copies {
    pub(super) layers: Names,
    pub(super) at: Option<Moment>,
    /// What was mapped then (see `mapped`), as bytes.
    #[serde(default)]
    pub(super) mapped: Vec<Vec<u8>>,
}

impl Copies {
    pub(super) fn mapped(&self) -> BTreeSet<PathBuf> {
        self.mapped.iter().map(|path| PathBuf::from(OsString::from_vec(path.clone()))).collect()
    }
}

/// Held while layers are made or removed, or named by anybody new.
pub(super) struct Shelf<'a> {
    sandboxes: &'a Sandboxes,
    _lock: File,
}

impl<'a> Shelf<'a> {
    pub(super) fn lock(sandboxes: &'a Sandboxes) -> Result<Self> {
        private_dir(&sandboxes.layers()).context("make the folder of layers")?;
        let lock = File::options().create(true).append(true).open(sandboxes.layers().join("lock"))?;
        rustix::io::retry_on_intr(|| rustix::fs::flock(&lock, FlockOperation::LockExclusive))?;
        Ok(Self { sandboxes, _lock: lock })
    }

    /// Removes the layers that nobody names, and the volumes of sessions that are gone when it was the last of theirs. Those in other
    /// volumes go as far as they are mounted here, which is where somebody stopped naming them.
    pub(super) fn tidy(&self) -> Result<()> {
        let mut needed = BTreeSet::new();
        for session in self.sandboxes.sessions()? {
            needed.extend(named(&self.sandboxes.session(&session))?);
        }
        tidy_folder(&self.sandboxes.layers(), &needed)?;
        for (session, volume) in self.sandboxes.all_volumes()? {
            let is_there = self.sandboxes.session(&session).0.exists();
            if !is_there && !needed.iter().any(|name| origin(name).as_ref() == Some(&session)) {
                volume.remove().with_context(|| format!("remove the volume of session {session}"))?;
            } else if volume.layers().exists() {
                tidy_folder(&volume.layers(), &needed)?;
            }
        }
        Ok(())
    }

    /// Whether other sessions stand on layers of this one.
    pub(super) fn is_stood_on(&self, id: &SessionId) -> Result<bool> {
        for other in self.sandboxes.sessions()?.into_iter().filter(|other| other != id) {
            let named = named(&self.sandboxes.session(&other))?;
            if named.iter().any(|name| origin(name).as_ref() == Some(id)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn tidy_folder(layers: &Path, needed: &BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(layers)? {
        let entry = entry?;
        let is_layer = entry.file_type()?.is_dir();
        if is_layer && !entry.file_name().to_str().is_some_and(|name| needed.contains(name)) {
            remove_tree(&entry.path())
                .with_context(|| format!("remove {}, which nobody names", entry.path().display()))?;
        }
    }
    Ok(())
}

/// The session that a layer was made of.
pub(super) fn origin(layer: &str) -> Option<SessionId> {
    layer.rsplit_once('-')?.0.parse().ok()
}

/// All that a session, its checkpoints and the notes of its copies name.
pub(super) fn named(session: &SessionDir) -> Result<Names> {
    let mut all = named_beside_checkpoints(session)?;
    all.extend(named_by_checkpoints(session)?);
    Ok(all)
}

pub(super) fn named_by_checkpoints(session: &SessionDir) -> Result<Names> {
    let mut all = Names::new();
    for number in session.checkpoints()? {
        all.extend(read::<Names>(&session.checkpoint_file(number))?.unwrap_or_default());
    }
    Ok(all)
}

pub(super) fn named_beside_checkpoints(session: &SessionDir) -> Result<Names> {
    let mut all = Names::new();
    for file in [session.stack_file(), session.new_stack_file(), session.copying_file()] {
        all.extend(read::<Names>(&file)?.unwrap_or_default());
    }
    all.extend(read::<Copies>(&session.copies_file())?.unwrap_or_default().layers);
    Ok(all)
}

pub(super) fn read<T: DeserializeOwned>(file: &Path) -> Result<Option<T>> {
    match fs::read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => serde_json::from_slice(&text.with_context(|| format!("read {}", file.display()))?)
            .with_context(|| format!("understand {}", file.display()))
            .map(Some),
    }
}

pub(super) fn write(file: &Path, what: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(what).context("write down what is known of layers")?;
    write_whole(file, &text).with_context(|| format!("write {}", file.display()))
}
