//! Checkpoints: keeping the files of a session as they are, and giving them to it again or to another.
//!
//! ```text
//! nothing runs:  files ──renamed──▶ layer; the session goes on with an empty top on it              0.1 ms, whatever the size
//! it runs:       files ──copied, what changed since the last copy──▶ layer on the layers of earlier copies
//! restore:       the session's stack becomes the checkpoint's, its files are gone                   0.1 ms, whatever the size
//! ```
//! An overlay that is mounted cannot be given another top, and its processes could not follow: so what runs is copied. The copies of
//! a session form a stack of their own, each with what changed since the one before; `copies` names it, and beside the trees each
//! layer remembers which directory was which. Where a sandbox can be held, that is for the last round only.
//!
//! Whoever is killed in between leaves either no checkpoint and the session as it was, or all of it; [`settle`] ends what was begun.

use super::copy::{Copy, Directories, Moment, Moved};
use super::disk::{GenerationDir, Sandboxes, SessionDir, private_dir, remove_tree};
use super::hold::Held;
use super::identity::{self, Ids};
use super::images::Images;
use super::mapped::mapped;
use super::record::Record;
use super::room::NoRoom;
use super::root_fs::{ROOT_TREE, system_trees};
use super::stack::{Copies, Layer, Names, Shelf, named, read, write};
use crate::error::ErrorKind;
use anyhow::{Context, Result};
use lamplight_domain::{Generation, ImageDigest, SessionId};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Layers of copies on each other; then everything is copied once more. A stack is searched from top to bottom.
const COPIES: usize = 20;

/// Layers below a session's files; then they are copied instead of cut, which adds none. Source: reference measurements, where a lookup
/// of what is not there took 22 µs in ten layers and 80 µs in fifty.
const DEPTH: usize = 20;

/// Rounds of copying what changed while it was copied, where nothing can be held still.
const ROUNDS: usize = 5;

/// This machine stacks no directories: there is nothing to keep files in.
#[derive(Debug, thiserror::Error)]
#[error("overlays cannot be mounted over the data directory; put it on a disk of its own (ext4, xfs, btrfs)")]
pub(super) struct NoLayers;

/// The files do not stand still for as long as it takes to copy what changed.
#[derive(Debug, thiserror::Error)]
#[error("its files change faster than they can be copied")]
pub(super) struct Busy;

/// Keeps the session's files as they are, unless there is a checkpoint of this number. The caller has the session's lock.
pub(super) fn checkpoint(sandboxes: &Sandboxes, id: &SessionId, number: u32) -> Result<()> {
    let session = sandboxes.session(id);
    settle(&session)?;
    if session.checkpoint_file(number).exists() {
        return Ok(());
    }
    if session.alone_mark().exists() {
        return Err(NoLayers.into());
    }
    private_dir(&session.checkpoints_dir())?;
    let name = format!("{id}-{}", next_layer(sandboxes, &session, id)?);
    let ids = identity::read(&session)?;
    let names = match running(&session)? {
        None if read::<Names>(&session.stack_file())?.unwrap_or_default().len() < DEPTH => {
            cut(sandboxes, &session, &name, ids)?
        }
        running => Copying { sandboxes, session: &session, name: &name, ids, running }.run()?,
    };
    write(&session.checkpoint_file(number), &names)
}

/// The number of a layer that nobody names: one of a checkpoint that somebody was killed over may be in use, and what this session names
/// no more may be what others were given.
fn next_layer(sandboxes: &Sandboxes, session: &SessionDir, id: &SessionId) -> Result<u32> {
    let number = |name: &String| name.strip_prefix(id.as_str())?.strip_prefix('-')?.parse::<u32>().ok();
    let mut next = named(session)?.iter().filter_map(number).max().unwrap_or(0) + 1;
    while sandboxes.layer(&format!("{id}-{next}")).exists() {
        next += 1;
    }
    Ok(next)
}

/// Gives a session the files of a checkpoint. The caller has the lock of this session, and nothing of it runs.
pub(super) fn restore(sandboxes: &Sandboxes, from: (&SessionId, u32), to: &SessionId) -> Result<()> {
    let session = sandboxes.session(to);
    settle(&session)?;
    let shelf = Shelf::lock(sandboxes)?;
    let names: Option<Names> = read(&sandboxes.session(from.0).checkpoint_file(from.1))?;
    let names = names.ok_or(NoCheckpoint)?;
    let image: Option<ImageDigest> = read(&sandboxes.session(from.0).image_file())?;
    // From here on it is decided. What they are on top of comes first: it is what every file of the session needs.
    match image {
        Some(digest) => drop(Images::beside(sandboxes.clone()).use_in(&session, &digest)?),
        None => remove_file(&session.image_file())?,
    }
    remove_file(&session.had_file())?;
    write(&session.new_stack_file(), &names)?;
    settle(&session)?;
    shelf.tidy()
}

/// Gives a session no files at all, where the last generation that had them comes before this one. The caller has its lock, and nothing of it runs.
pub(super) fn leave_behind(
    sandboxes: &Sandboxes,
    session: &SessionDir,
    generation: Generation,
) -> Result<()> {
    if read(&session.had_file())?.is_none_or(|had: Generation| had >= generation) {
        return Ok(());
    }
    settle(session)?;
    let shelf = Shelf::lock(sandboxes)?;
    write(&session.new_stack_file(), &Names::new())?;
    settle(session)?;
    remove_file(&session.had_file())?;
    shelf.tidy()
}

/// There is no such checkpoint, or no longer.
#[derive(Debug, thiserror::Error)]
#[error("there is no such checkpoint")]
pub(super) struct NoCheckpoint;

/// What kind of thing went wrong here, or with files.
pub(super) fn kind(error: &anyhow::Error) -> ErrorKind {
    if error.is::<NoCheckpoint>() {
        ErrorKind::Gone
    } else if error.is::<Busy>() {
        ErrorKind::Unavailable
    } else if error.is::<NoRoom>() {
        ErrorKind::Exhausted
    } else if error.is::<NoLayers>() {
        ErrorKind::Unsupported
    } else {
        ErrorKind::of_system(error.chain().find_map(super::launch::errno))
    }
}

/// Forgets one, and what was kept for it alone. The caller has the session's lock.
pub(super) fn remove(sandboxes: &Sandboxes, id: &SessionId, number: u32) -> Result<()> {
    let session = sandboxes.session(id);
    let shelf = Shelf::lock(sandboxes)?;
    match fs::remove_file(session.checkpoint_file(number)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        removed => removed.context("remove the checkpoint")?,
    }
    if session.checkpoints()?.is_empty() {
        forget_copies(&session)?;
    }
    shelf.tidy()
}

/// Ends what somebody began who was killed. Before anything is made of the session's files; the caller has its lock.
pub(super) fn settle(session: &SessionDir) -> Result<()> {
    let old = session.old_files();
    if session.new_stack_file().exists() {
        forget_copies(session)?;
        for (number, directory) in [session.files(), session.scratch()].into_iter().enumerate() {
            if directory.exists() {
                private_dir(&old)?;
                remove_tree(&old.join(number.to_string()))?;
                fs::rename(directory, old.join(number.to_string())).context("take away the files")?;
            }
        }
        fs::rename(session.new_stack_file(), session.stack_file()).context("put the new stack in place")?;
    }
    remove_tree(&old).context("remove the files that were replaced")
}

pub(super) fn forget_copies(session: &SessionDir) -> Result<()> {
    remove_file(&session.copies_file())?;
    remove_file(&session.copying_file())
}

/// One that may be gone already.
fn remove_file(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

/// The sandbox that runs, if one does.
pub(super) fn running(session: &SessionDir) -> Result<Option<(GenerationDir, Record)>> {
    for generation in session.generations()? {
        let here = session.generation(generation);
        if let Some(record) = here.record()?
            && record.runs()?
        {
            return Ok(Some((here, record)));
        }
    }
    Ok(None)
}

/// All trees that a session may have changed, and where they are inside.
fn trees() -> impl Iterator<Item = (&'static str, &'static str)> {
    std::iter::once((ROOT_TREE, "/")).chain(system_trees().into_iter().map(|tree| (tree.name, tree.path)))
}

/// Makes what was written since the last cut a layer. It is named before it is filled, and each tree moves whole: at every moment the
/// session's files are the same.
fn cut(sandboxes: &Sandboxes, session: &SessionDir, name: &str, ids: Option<Ids>) -> Result<Names> {
    let below: Names = read(&session.stack_file())?.unwrap_or_default();
    let is_empty = |tree: &Path| fs::read_dir(tree).map_or(true, |mut entries| entries.next().is_none());
    let tops: Vec<_> =
        trees().map(|(tree, _)| tree).filter(|tree| !is_empty(&session.files().join(tree))).collect();
    if tops.is_empty() {
        return Ok(below);
    }
    let shelf = Shelf::lock(sandboxes)?;
    let layer = Layer::make(sandboxes, name, ids)?;
    let names: Names = std::iter::once(name.to_owned()).chain(below).collect();
    write(&session.stack_file(), &names)?;
    for tree in tops {
        fs::rename(session.files().join(tree), layer.tree(tree)).with_context(|| format!("move {tree}"))?;
    }
    forget_copies(session)?;
    drop(shelf);
    Ok(names)
}

/// What is known of the files as they were when a round of copying was begun.
struct Round {
    at: Option<Moment>,
    mapped: BTreeSet<PathBuf>,
    /// By tree.
    directories: BTreeMap<String, Directories>,
}

/// One checkpoint by copying.
struct Copying<'a> {
    sandboxes: &'a Sandboxes,
    session: &'a SessionDir,
    name: &'a str,
    ids: Option<Ids>,
    running: Option<(GenerationDir, Record)>,
}

impl Copying<'_> {
    fn run(&self) -> Result<Names> {
        let notes: Copies = read(&self.session.copies_file())?.unwrap_or_default();
        let notes = if notes.layers.len() < COPIES { notes } else { Copies::default() };
        let copies = match self.copy(&notes) {
            Err(error) if error.is::<Moved>() => self.copy(&Copies::default())?,
            copies => copies?,
        };
        let below: Names = read(&self.session.stack_file())?.unwrap_or_default();
        let names = copies.layers.iter().cloned().chain(below).collect();
        write(&self.session.copies_file(), &copies)?;
        fs::remove_file(self.session.copying_file()).context("end the copy")?;
        Ok(names)
    }

    fn copy(&self, notes: &Copies) -> Result<Copies> {
        let layer = {
            let _shelf = Shelf::lock(self.sandboxes)?;
            write(&self.session.copying_file(), &[self.name])?;
            Layer::make(self.sandboxes, self.name, self.ids)?
        };
        let mut before =
            Round { at: notes.at, mapped: notes.mapped(), directories: self.directories(notes)? };
        // What has never been copied is much: most of it is copied while everything runs.
        if before.at.is_none() {
            before = self.round(&layer, notes, &before, false)?.0;
        }
        let held = match &self.running {
            Some((here, record)) => Held::hold(here, record).context("hold the sandbox")?,
            None => None,
        };
        for _ in 0..ROUNDS {
            let is_still = held.is_some() || self.running.is_none();
            let (round, changes) = self.round(&layer, notes, &before, is_still)?;
            if is_still || changes == 0 {
                drop(held);
                self.remember(&layer, &round.directories)?;
                let layers =
                    std::iter::once(self.name.to_owned()).chain(notes.layers.iter().cloned()).collect();
                let mapped = round.mapped.into_iter().map(|path| path.into_os_string().into_vec()).collect();
                return Ok(Copies { layers, at: round.at, mapped });
            }
            before = round;
        }
        Err(Busy.into())
    }

    /// All trees once, as far as they changed since the round before.
    fn round(&self, layer: &Layer, notes: &Copies, before: &Round, is_still: bool) -> Result<(Round, usize)> {
        let at = Some(moment(layer)?);
        let mapped = self.running.as_ref().map_or_else(BTreeSet::new, |(_, record)| mapped(record));
        let (mut directories, mut changes) = (BTreeMap::new(), 0);
        for (tree, path) in trees() {
            let from = self.session.files().join(tree);
            if !from.exists() {
                continue;
            }
            let below = notes.layers.iter().map(|name| self.sandboxes.layer(name).join(tree));
            let below: Vec<PathBuf> = below.collect();
            let nothing = Directories::new();
            let known = before.directories.get(tree).unwrap_or(&nothing);
            let mapped = before
                .mapped
                .iter()
                .filter_map(|file| Some(file.strip_prefix(path).ok()?.to_owned()))
                .collect();
            let copy = Copy {
                from: &from,
                to: &layer.tree(tree),
                below: &below,
                since: before.at,
                known,
                mapped: &mapped,
                is_still,
            };
            let copied = copy.run().with_context(|| format!("copy {tree}"))?;
            changes += copied.changes;
            directories.insert(tree.to_owned(), copied.directories);
        }
        Ok((Round { at, mapped, directories }, changes))
    }

    /// Which directory was which when the last copy was made.
    fn directories(&self, notes: &Copies) -> Result<BTreeMap<String, Directories>> {
        let Some(last) = notes.layers.first() else { return Ok(BTreeMap::new()) };
        trees()
            .filter_map(|(tree, _)| {
                let file = directories_file(&self.sandboxes.layer(last), tree);
                fs::read(file).ok().map(|bytes| Ok((tree.to_owned(), parse_directories(&bytes)?)))
            })
            .collect()
    }

    fn remember(&self, layer: &Layer, all: &BTreeMap<String, Directories>) -> Result<()> {
        for (tree, directories) in all {
            fs::write(directories_file(layer.folder(), tree), encode_directories(directories))?;
        }
        Ok(())
    }
}

/// Now, as the file system of the layers writes it down.
fn moment(layer: &Layer) -> Result<Moment> {
    let file = layer.folder().join("begun");
    fs::write(&file, "").context("ask the file system for the time")?;
    let there = fs::metadata(&file)?;
    Ok((there.ctime(), there.ctime_nsec()))
}

fn directories_file(layer: &Path, tree: &str) -> PathBuf {
    layer.join(format!("{tree}.directories"))
}

/// Inode, blank, path, and the byte that no path holds.
fn encode_directories(directories: &Directories) -> Vec<u8> {
    let entry = |(path, inode): (&PathBuf, &u64)| {
        [format!("{inode} ").as_bytes(), path.as_os_str().as_bytes(), b"\0"].concat()
    };
    directories.iter().flat_map(entry).collect()
}

fn parse_directories(bytes: &[u8]) -> Result<Directories> {
    let entries = bytes.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let blank = entry.iter().position(|byte| *byte == b' ').context("a torn list of directories")?;
            let inode = std::str::from_utf8(&entry[..blank])?.parse()?;
            Ok((PathBuf::from(OsString::from_vec(entry[blank + 1..].to_vec())), inode))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_directories_is_read_as_it_was_written() {
        let odd = PathBuf::from(OsString::from_vec(vec![b'a', 0xff, b'\n', b' ']));
        let directories: Directories = [(PathBuf::new(), 7), (odd, u64::MAX)].into();
        assert_eq!(parse_directories(&encode_directories(&directories)).unwrap(), directories);
        assert!(parse_directories(b"torn").is_err());
    }
}
