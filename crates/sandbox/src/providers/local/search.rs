//! Whether a secret of the host is anywhere in a session: in its files, and in the command lines, environments and memory of its
//! processes. The host reads, and nothing inside is asked.

use super::disk::{Sandboxes, SessionDir};
use super::processes::inside;
use super::stack;
use super::walk::{self, Found, Unwalked};
use crate::provider::{FoundSecret, Searched};
use anyhow::{Context, Result};
use lamplight_domain::{Redactor, SessionId};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// Read at a time.
const PIECE: usize = 1 << 20;
/// Places that are named; there is something to be done about the first already.
const PLACES: usize = 100;
/// What is in memory and not on disk, from the root of the sandbox.
const IN_MEMORY: [&str; 2] = ["dev/shm", "run"];
/// Contents of devices, and of the kernel, that are mapped into memory.
const NOT_THEIRS: [&str; 3] = ["[vvar]", "[vvar_vclock]", "[vsyscall]"];

/// Looks everywhere, for so long at the most.
pub(super) fn search(
    sandboxes: &Sandboxes,
    id: &SessionId,
    redactor: &Redactor,
    at_most: Duration,
) -> Result<Searched> {
    let session = sandboxes.session(id);
    #[expect(clippy::disallowed_methods, reason = "how long it takes is bounded, not decided by")]
    let end = Instant::now() + at_most;
    let mut search = Search { redactor, end, searched: Searched::default(), buffer: Vec::new() };
    let flow = search.of_files(sandboxes, &session, id)?;
    let flow = if flow.is_continue() { search.of_processes(&session)? } else { flow };
    search.searched.is_complete = flow.is_continue();
    Ok(search.searched)
}

struct Search<'a> {
    redactor: &'a Redactor,
    end: Instant,
    searched: Searched,
    buffer: Vec<u8>,
}

impl Search<'_> {
    /// The session's folder, its files and the spools of its guests, and the layers that are its own.
    fn of_files(
        &mut self,
        sandboxes: &Sandboxes,
        session: &SessionDir,
        id: &SessionId,
    ) -> Result<ControlFlow<()>> {
        let names: BTreeSet<_> = stack::named(session)?.into_iter().collect();
        let layers = names.into_iter().filter(|name| name.starts_with(id.as_str()));
        let layers = layers.map(|name| (sandboxes.layer(&name), name));
        let tops = BTreeSet::from([session.0.clone(), session.top()]);
        let tops = tops.into_iter().map(|top| (top, "session".to_owned()));
        for (top, what) in tops.chain(layers) {
            let opened = walk::open(&top).with_context(|| format!("open {}", top.display()))?;
            if self.of_tree(opened, &what).with_context(|| format!("read {}", top.display()))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn of_tree(&mut self, top: rustix::fd::OwnedFd, whose: &str) -> Result<ControlFlow<()>, Unwalked> {
        let mut seen = BTreeSet::new();
        walk::walk(top, |found| {
            let name = found.name.to_string_lossy();
            let place = || format!("{whose}: {}", found.folder.join(&*name).display());
            self.look(name.as_bytes(), || format!("the name of {}", place()));
            let is_new = found.what.st_nlink == 1 || seen.insert((found.what.st_dev, found.what.st_ino));
            match FileType::from_raw_mode(found.what.st_mode) {
                FileType::Symlink => {
                    if let Ok(target) = rustix::fs::readlinkat(found.directory, found.name, Vec::new()) {
                        self.look(target.as_bytes(), || format!("what {} points to", place()));
                    }
                }
                FileType::RegularFile if is_new => match open_file(&found) {
                    Ok(Some(file)) => return self.of_file(file, &place()),
                    Ok(None) => {}
                    Err(error) => self.unread(format!("{}: {error}", place())),
                },
                _ => {}
            }
            self.go_on()
        })
    }

    fn of_file(&mut self, mut file: File, place: &str) -> ControlFlow<()> {
        self.searched.files += 1;
        self.of_pieces(place, |_, piece| file.read(piece))
    }

    /// Pieces overlap by what a secret that lies across them needs.
    fn of_pieces(
        &mut self,
        place: &str,
        mut read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
    ) -> ControlFlow<()> {
        let overlap = self.redactor.longest().saturating_sub(1);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(overlap + PIECE, 0);
        let (mut kept, mut at) = (0, 0);
        let flow = loop {
            let length = match read(at, &mut buffer[kept..]) {
                Ok(0) => break ControlFlow::Continue(()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.unread(format!("{place}: {error}"));
                    break ControlFlow::Continue(());
                }
            };
            at += length as u64;
            self.searched.bytes += length as u64;
            let end = kept + length;
            if self.look(&buffer[..end], || place.to_owned()) {
                break ControlFlow::Continue(());
            }
            kept = overlap.min(end);
            buffer.copy_within(end - kept..end, 0);
            if self.go_on().is_break() {
                break ControlFlow::Break(());
            }
        };
        self.buffer = buffer;
        flow
    }

    fn of_processes(&mut self, session: &SessionDir) -> Result<ControlFlow<()>> {
        for generation in session.generations()? {
            let Some(record) =
                session.generation(generation).record()?.filter(|record| record.runs().unwrap_or(false))
            else {
                continue;
            };
            let processes = inside(&record);
            if let Some(first) = processes.first()
                && self.in_memory(*first)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            for process in processes {
                self.searched.processes += 1;
                if self.of_process(process).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn in_memory(&mut self, first: i32) -> Result<ControlFlow<()>> {
        let Ok(root) = File::open(format!("/proc/{first}/root")) else {
            return Ok(ControlFlow::Continue(()));
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        for path in IN_MEMORY {
            let Ok(top) = rustix::fs::openat2(&root, path, flags, Mode::empty(), resolve) else { continue };
            if self.of_tree(top, &format!("/{path}"))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn of_process(&mut self, process: i32) -> ControlFlow<()> {
        for (file, what) in [("cmdline", "the command line"), ("environ", "the environment")] {
            let place = format!("{what} of process {process}");
            match File::open(format!("/proc/{process}/{file}")) {
                Ok(file) => {
                    let mut file = file.take(PIECE as u64 * 4);
                    self.of_pieces(&place, |_, piece| file.read(piece))?;
                }
                Err(error) => self.unread(format!("{place}: {error}")),
            }
        }
        self.without_name(process)?;
        match File::open(format!("/proc/{process}/mem")) {
            Ok(memory) => self.of_memory(process, &memory),
            Err(error) => {
                self.unread(format!("the memory of process {process}: {error}"));
                ControlFlow::Continue(())
            }
        }
    }

    /// Files that it holds open and that have no name any more, or never had one.
    fn without_name(&mut self, process: i32) -> ControlFlow<()> {
        let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().filter_map(Result::ok);
        for descriptor in open {
            let path = descriptor.path();
            let is_nameless =
                |path: &Path| fs::metadata(path).is_ok_and(|what| what.is_file() && what.nlink() == 0);
            let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
            if is_nameless(&path)
                && let Ok(file) = File::options().read(true).custom_flags(flags).open(&path)
            {
                self.of_file(file, &format!("a file without a name of process {process}"))?;
            }
        }
        ControlFlow::Continue(())
    }

    /// What it can read itself. Source: proc_pid_maps(5), proc_pid_mem(5).
    fn of_memory(&mut self, process: i32, memory: &File) -> ControlFlow<()> {
        let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
        for line in maps.lines() {
            let Some((begin, end)) = readable(line) else { continue };
            let place = format!("the memory of process {process}");
            let mut is_there = true;
            self.of_pieces(&place, |at, piece| {
                let length = piece.len().min(usize::try_from(end - begin - at).unwrap_or(usize::MAX));
                if length == 0 || !is_there {
                    return Ok(0);
                }
                // A mapping may be gone by now, or be longer than its file.
                memory.read_at(&mut piece[..length], begin + at).or_else(|_| {
                    is_there = false;
                    Ok(0)
                })
            })?;
        }
        ControlFlow::Continue(())
    }

    /// Whether there is one.
    fn look(&mut self, bytes: &[u8], place: impl Fn() -> String) -> bool {
        let Some(found) = self.redactor.find(bytes, 0) else { return false };
        if self.searched.found.len() < PLACES {
            let place = self.redactor.text(&place()).into_owned();
            let found = FoundSecret { name: found.name.to_owned(), place };
            if !self.searched.found.contains(&found) {
                self.searched.found.push(found);
            }
        }
        true
    }

    fn unread(&mut self, what: String) {
        if self.searched.unread.len() < PLACES {
            self.searched.unread.push(what);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "how long it takes is bounded, not decided by")]
    fn go_on(&self) -> ControlFlow<()> {
        if Instant::now() < self.end { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// `None` when it is something else by now, which nobody has to wait for.
fn open_file(found: &Found<'_>) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(found.directory, found.name, flags, Mode::empty())?);
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Where a mapping that can be read begins and ends.
fn readable(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_whitespace();
    let (range, rights) = (fields.next()?, fields.next()?);
    let (begin, end) = range.split_once('-')?;
    let name = fields.nth(3).unwrap_or_default();
    let is_theirs = rights.starts_with('r') && !NOT_THEIRS.contains(&name) && !name.starts_with("/dev/");
    let number = |text| u64::from_str_radix(text, 16).ok();
    is_theirs.then_some(())?;
    Some((number(begin)?, number(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lamplight_domain::KnownSecret;

    /// However little comes at a time.
    #[test]
    fn a_secret_that_lies_across_pieces_is_found() {
        let known = KnownSecret { name: "openai key".to_owned(), value: "sk-canary-4f2a".to_owned() };
        let redactor = Redactor::new(vec![known]);
        let text = b"before it is much, sk-canary-4f2a is in the middle, and behind it is more";
        for size in 1..text.len() {
            #[expect(clippy::disallowed_methods, reason = "a test that measures nothing")]
            let end = Instant::now() + Duration::from_secs(60);
            let mut search =
                Search { redactor: &redactor, end, searched: Searched::default(), buffer: Vec::new() };
            let flow = search.of_pieces("a text", |at, piece| {
                let rest = &text[usize::try_from(at).unwrap().min(text.len())..];
                let length = size.min(rest.len()).min(piece.len());
                piece[..length].copy_from_slice(&rest[..length]);
                Ok(length)
            });
            assert!(flow.is_continue());
            let found = FoundSecret { name: "openai key".to_owned(), place: "a text".to_owned() };
            assert_eq!(search.searched.found, [found], "{size} bytes at a time");
        }
    }

    #[test]
    fn mappings_are_read_as_the_kernel_writes_them() {
        let heap = "55d0c8a00000-55d0c8a21000 rw-p 00000000 00:00 0                          [heap]";
        assert_eq!(readable(heap), Some((0x55d0_c8a0_0000, 0x55d0_c8a2_1000)));
        assert_eq!(readable("7ffd-7fff r--p 00000000 00:00 0 [vvar]"), None);
        assert_eq!(readable("7ffd-7fff ---p 00000000 00:00 0"), None);
        assert_eq!(readable("10-20 r-xp 00000000 08:01 12 /usr/bin/with space"), Some((16, 32)));
        assert_eq!(readable("torn"), None);
    }
}
