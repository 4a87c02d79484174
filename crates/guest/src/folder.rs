//! What is in a folder, for the host. Links are told as links; nothing is opened.

use crate::agent::Hand;
use crate::attributes;
use crate::guest::failed;
use crate::stream::{Stream, send};
use lamplight_wire::folder::{FileKind, FolderEntry, Listed, MAX_ENTRIES, MAX_TARGET};
use lamplight_wire::{Refusal, Reply};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Names that are read to find the first ones in order; of a folder with more, any so many.
const MOST_NAMES: usize = 100_000;
/// Bytes of attributes that are told of one folder; what is behind these is not told, as what is over the limit is not.
const MOST_ATTRIBUTE_BYTES: usize = 4 * 1024 * 1024;
/// The permission bits of a file.
const MODE_BITS: u32 = 0o7777;

/// Tells the first `limit` things in a folder, in the order of their names.
pub(crate) async fn list(hand: Hand, path: &str, limit: u32, mut stream: Stream) -> io::Result<()> {
    let (names, more) = match hand.touch(|| names(Path::new(path), limit as usize)) {
        Ok(names) => names,
        Err(refused) => return send(&mut stream, &Reply::Refused(refused)).await,
    };
    send(&mut stream, &Reply::Folder).await?;
    let mut attribute_bytes = 0;
    for names in names.chunks(MAX_ENTRIES) {
        // What is gone in between is not there.
        let entries = names.iter().filter_map(|name| entry(&Path::new(path).join(name), name).ok());
        let entries: Vec<_> = hand.touch(|| entries.collect());
        attribute_bytes += entries.iter().map(FolderEntry::attribute_bytes).sum::<usize>();
        if attribute_bytes > MOST_ATTRIBUTE_BYTES {
            return send(&mut stream, &Listed::End { more: true }).await;
        }
        // With attributes only one fits, among others without.
        for entries in entries.chunk_by(|_, next| next.attributes.is_empty()) {
            send(&mut stream, &Listed::Entries { entries: entries.to_vec() }).await?;
        }
    }
    send(&mut stream, &Listed::End { more }).await
}

fn names(path: &Path, limit: usize) -> Result<(Vec<OsString>, bool), Refusal> {
    let about = |error: &io::Error| failed(format!("list {}", path.display()), error);
    let mut entries = fs::read_dir(path).map_err(|error| about(&error))?;
    let mut names = Vec::new();
    for entry in entries.by_ref().take(MOST_NAMES) {
        names.push(entry.map_err(|error| about(&error))?.file_name());
    }
    let more = names.len() > limit || entries.next().is_some();
    names.sort_unstable();
    names.truncate(limit);
    Ok((names, more))
}

pub(crate) fn entry(path: &Path, name: &OsStr) -> io::Result<FolderEntry> {
    let metadata = fs::symlink_metadata(path)?;
    let kind = kind(metadata.file_type());
    let attributes = match kind {
        FileKind::File | FileKind::Folder | FileKind::Link => attributes::of(path),
        FileKind::Other => BTreeMap::new(),
    };
    let (target, leads_to) = match kind {
        FileKind::Link => {
            let target = fs::read_link(path)?.to_string_lossy().chars().take(MAX_TARGET).collect();
            (Some(target), fs::metadata(path).ok().map(|metadata| self::kind(metadata.file_type())))
        }
        FileKind::File | FileKind::Folder | FileKind::Other => (None, None),
    };
    Ok(FolderEntry {
        name: name.to_string_lossy().into_owned(),
        kind,
        bytes: metadata.len(),
        modified_ms: modified_ms(&metadata),
        mode: metadata.permissions().mode() & MODE_BITS,
        target,
        leads_to,
        user: metadata.uid(),
        group: metadata.gid(),
        attributes,
    })
}

fn kind(of: FileType) -> FileKind {
    if of.is_file() {
        FileKind::File
    } else if of.is_dir() {
        FileKind::Folder
    } else if of.is_symlink() {
        FileKind::Link
    } else {
        FileKind::Other
    }
}

fn modified_ms(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1000).saturating_add(metadata.mtime_nsec() / 1_000_000)
}
