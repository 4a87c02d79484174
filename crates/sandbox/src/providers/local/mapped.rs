//! Files that processes of a sandbox write through memory. The kernel notes such a change when a page is first written to, and not
//! again until it has written that page out: so a file that was mapped at the last copy counts as changed since.

use super::container::path_inside;
use super::record::Record;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Absolute, as the sandbox sees them. A process that ends meanwhile maps nothing any more.
pub(super) fn mapped(record: &Record) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut processes = vec![record.process.pid()];
    while let Some(process) = processes.pop() {
        let folder = PathBuf::from(format!("/proc/{process}"));
        let maps = fs::read(folder.join("maps")).unwrap_or_default();
        match record.own_kernel {
            Some(_) => found.extend(written(&maps).filter_map(|path| path_inside(&path))),
            None => found.extend(written(&maps)),
        }
        for thread in fs::read_dir(folder.join("task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            processes.extend(children.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
        }
    }
    found
}

/// Source: proc_pid_maps(5): address, rights, offset, device, inode, and after blanks the path.
fn written(maps: &[u8]) -> impl Iterator<Item = PathBuf> {
    maps.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(6, |byte| *byte == b' ');
        let rights = fields.nth(1)?;
        let path = fields.nth(3)?.trim_ascii_start();
        let is_written = rights.get(1) == Some(&b'w') && rights.get(3) == Some(&b's');
        (is_written && path.starts_with(b"/")).then(|| Path::new(OsStr::from_bytes(path)).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_shared_and_written_counts() {
        let maps = b"7f00-7f01 rw-s 00000000 08:01 42                         /workspace/a b\n\
            7f01-7f02 rw-p 00000000 08:01 43                         /workspace/private\n\
            7f02-7f03 r--s 00000000 08:01 44                         /workspace/read\n\
            7f03-7f04 rw-s 00000000 00:01 45 \n7f04-7f05 rw-p 00000000 00:00 0 [stack]\n";
        assert_eq!(written(maps).collect::<Vec<_>>(), [PathBuf::from("/workspace/a b")]);
    }
}
