//! What is kept with a file beside its content, for the host: extended attributes under one prefix. What programs in here have set is
//! told as far as it is short and printable. Source: xattr(7).

use lamplight_wire::folder::{ATTRIBUTE_PREFIX, MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES};
use rustix::fs::{XattrFlags, fsetxattr, getxattr, listxattr};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

/// Of all names, as many as most files have, and as many as the kernel lets a file have.
const NAMES: usize = 512;
const MOST_NAMES: usize = 64 * 1024;

/// To a file that has none yet.
pub(crate) fn keep(file: &File, attributes: &BTreeMap<String, String>) -> io::Result<()> {
    for (name, value) in attributes {
        fsetxattr(file, format!("{ATTRIBUTE_PREFIX}{name}"), value.as_bytes(), XattrFlags::empty())?;
    }
    Ok(())
}

/// Those of what is there, links followed; none where the file system has no such thing.
pub(crate) fn of(path: &Path) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    let mut left = MAX_ATTRIBUTE_BYTES;
    for name in names(path).split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok()) {
        let Some(short) = name.strip_prefix(ATTRIBUTE_PREFIX).filter(|short| is_told(short)) else {
            continue;
        };
        let mut value = [0; MAX_ATTRIBUTE_BYTES];
        let Ok(length) = getxattr(path, name, &mut value) else { continue };
        let Ok(value) = std::str::from_utf8(&value[..length]) else { continue };
        let bytes = short.len() + value.len();
        if !is_printable(value) || bytes > left {
            continue;
        }
        left -= bytes;
        kept.insert(short.to_owned(), value.to_owned());
        if kept.len() == MAX_ATTRIBUTES {
            break;
        }
    }
    kept
}

fn is_told(name: &str) -> bool {
    !name.is_empty() && is_printable(name)
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// All names, each with a zero behind it.
fn names(path: &Path) -> Vec<u8> {
    for room in [NAMES, MOST_NAMES] {
        let mut names = vec![0; room];
        match listxattr(path, &mut names[..]) {
            Ok(length) => {
                names.truncate(length);
                return names;
            }
            Err(Errno::RANGE) => {}
            Err(_) => break,
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_short_printable_and_ours() {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = folder.path().join("a");
        let file = File::create(&path).unwrap();
        let wanted: BTreeMap<String, String> = [("made-by", "a \"program\" ~"), ("empty", "")]
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        match keep(&file, &wanted) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                assert_eq!(of(&path), BTreeMap::new(), "this file system has none");
                return;
            }
            kept => kept.unwrap(),
        }
        let set = |name: &str, value: &[u8]| fsetxattr(&file, name, value, XattrFlags::empty()).unwrap();
        set("user.other", b"another's");
        set("user.e2b.", b"without a name");
        set("user.e2b.tab", b"a\tb");
        set("user.e2b.torn", b"\xff");
        set("user.e2b.n\u{e4}me", b"not ASCII");
        assert_eq!(of(&path), wanted);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(of(&link), wanted);
        assert_eq!(of(&folder.path().join("gone")), BTreeMap::new());
    }

    #[test]
    fn of_very_many_only_some_are_told() {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = folder.path().join("a");
        let file = File::create(&path).unwrap();
        // How many a file may have is up to its file system.
        let set = |n: usize| fsetxattr(&file, format!("user.e2b.{n}"), b"x", XattrFlags::empty());
        let there = (0..2 * MAX_ATTRIBUTES).take_while(|n| set(*n).is_ok()).count();
        assert_eq!(of(&path).len(), there.min(MAX_ATTRIBUTES));
    }
}
