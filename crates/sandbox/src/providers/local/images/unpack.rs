//! A tar archive becomes files.

use super::compression;
use super::tree::{About, Tree, plain};
use anyhow::{Context, Result, bail, ensure};
use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tar::{Archive, Entry, EntryType};

/// Longest header of one entry, with all its extensions; bytes. Names and the like are held in memory.
const HEADER: u64 = 1 << 20;

/// Marks that something of a lower layer is not there. Source: the OCI image specification, layer.md, "Whiteouts".
const WHITEOUT: &[u8] = b".wh.";
const WHITEOUT_OF_ALL: &[u8] = b".wh..wh..opq";
/// Other marks that begin so are a storage driver's own.
const WHITEOUT_OWN: &[u8] = b".wh..wh.";

/// What an archive is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// All files of an image. The archive has to end as archives do, as nothing else tells that it is whole.
    Whole,
    /// What is other than in the layers below; a digest tells whether it is whole.
    Layer,
}

/// Puts what is in an archive, compressed or not, into the tree.
pub(super) fn unpack(source: impl Read, content: Content, tree: &mut Tree) -> Result<()> {
    let meter = Rc::new(Meter::default());
    let mut archive = Archive::new(Metered { source: compression::open(source)?, meter: Rc::clone(&meter) });
    let mut seen = HashSet::new();
    let mut entries = archive.entries()?;
    loop {
        meter.allowance.set(HEADER);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.context("read the archive")?;
        meter.allowance.set(u64::MAX);
        let name = entry.path_bytes().into_owned();
        let what = || format!("unpack {}", String::from_utf8_lossy(&name));
        let path = plain(OsStr::from_bytes(&name)).with_context(what)?;
        if content == Content::Whole || !whiteout(&path, &seen, tree).with_context(what)? {
            put(&mut entry, &path, &name, tree).with_context(what)?;
            seen.insert(path);
        }
        // Whatever of it nobody has read: the next header is not far then.
        tree.read_over(&mut entry).with_context(what)?;
    }
    let is_ended = meter.zeros.get() >= 512;
    ensure!(content == Content::Layer || is_ended, "the archive is cut off, or is none");
    Ok(())
}

fn put(entry: &mut Entry<impl Read>, path: &Path, name: &[u8], tree: &mut Tree) -> Result<()> {
    // GNU tar has four ways to write files with holes; the reader knows one, and would take the others for contents.
    if let Some(extensions) = entry.pax_extensions()? {
        for extension in extensions {
            ensure!(
                !extension?.key_bytes().starts_with(b"GNU.sparse."),
                "holes in files, in a form that is not understood"
            );
        }
    }
    let header = entry.header();
    // Some leave empty what they do not know.
    let about = About {
        mode: header.mode()?,
        user: header.uid().unwrap_or(0),
        group: header.gid().unwrap_or(0),
        modified: header.mtime().ok().and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(0),
    };
    let target = |entry: &Entry<_>| -> Result<_> {
        Ok(entry.link_name_bytes().context("a link to nothing")?.into_owned())
    };
    match header.entry_type() {
        // The oldest format knows directories by their names.
        EntryType::Regular if name.ends_with(b"/") => tree.directory(path, about),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let size = entry.size();
            tree.file(path, about, size, entry)
        }
        EntryType::Directory => tree.directory(path, about),
        EntryType::Symlink => tree.symlink(path, about, OsStr::from_bytes(&target(entry)?)),
        EntryType::Link => tree.hard_link(path, &plain(OsStr::from_bytes(&target(entry)?))?),
        // What is said of all entries that follow: comments, as a rule.
        EntryType::XGlobalHeader => Ok(()),
        _ => tree.leave_out(),
    }
}

/// Whether the entry only says what is not there. What this same layer has brought stays, wherever in it that stands.
fn whiteout(path: &Path, seen: &HashSet<PathBuf>, tree: &mut Tree) -> Result<bool> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(false) };
    let name = name.as_bytes();
    if name == WHITEOUT_OF_ALL {
        tree.empty(above, seen)?;
        return Ok(true);
    }
    if name.starts_with(WHITEOUT_OWN) {
        return Ok(true);
    }
    let Some(removed) = name.strip_prefix(WHITEOUT) else { return Ok(false) };
    if matches!(removed, b"" | b"." | b"..") {
        bail!("it removes nothing that could be there");
    }
    let removed = above.join(OsStr::from_bytes(removed));
    if !seen.contains(&removed) {
        tree.remove(&removed)?;
    }
    Ok(true)
}

/// What is shared with the reader, which the archive owns.
#[derive(Default)]
struct Meter {
    /// Bytes that may be read before somebody allows more.
    allowance: Cell<u64>,
    /// Zeros at the end of what was read: an archive ends in two blocks of them.
    zeros: Cell<u64>,
}

struct Metered<R> {
    source: R,
    meter: Rc<Meter>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        let allowance = self.meter.allowance.get().checked_sub(read as u64);
        self.meter.allowance.set(allowance.ok_or_else(|| io::Error::other("a header is too large"))?);
        let zeros = buffer[..read].iter().rev().take_while(|byte| **byte == 0).count() as u64;
        let before = if zeros == read as u64 { self.meter.zeros.get() } else { 0 };
        self.meter.zeros.set(before + zeros);
        Ok(read)
    }
}
