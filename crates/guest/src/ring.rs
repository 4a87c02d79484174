//! A bounded file that holds the unread end of an output.

use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, fallocate, memfd_create, open};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What a file system gives back space in.
const BLOCK: u64 = 4096;

/// Acknowledged bytes that may still take up space.
const RELEASE_STEP: u64 = 1024 * 1024;

/// Bytes [start, end) of an endless output, in a file of `capacity` bytes: byte n lies at n modulo `capacity`.
pub(crate) struct Ring {
    /// Made for the first byte: a disk takes its time for one, and most outputs stay empty.
    file: Option<File>,
    /// Where it is to be; in memory without one.
    folder: Option<PathBuf>,
    capacity: u64,
    /// Everything before has been given back to the disk.
    released: u64,
    start: u64,
    end: u64,
}

impl Ring {
    /// In a nameless file in `folder`, or in memory where that folder cannot hold one.
    pub(crate) fn new(folder: &Path, capacity: u64) -> Self {
        Self { folder: Some(folder.to_owned()), ..Self::in_memory(capacity) }
    }

    pub(crate) fn in_memory(capacity: u64) -> Self {
        Self { file: None, folder: None, capacity, released: 0, start: 0, end: 0 }
    }

    /// The first byte that was not acknowledged.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// How many bytes there ever were.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Bytes that can be appended now.
    pub(crate) fn room(&self) -> u64 {
        self.capacity - (self.end - self.start)
    }

    /// Appends all of `bytes`, which fit, or on an error none: a full disk takes more once something was acknowledged.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        debug_assert!(bytes.len() as u64 <= self.room());
        self.write(bytes).or_else(|_| {
            self.release(BLOCK);
            self.write(bytes)
        })?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let (first, second) = bytes.split_at(self.before_the_seam(self.end, bytes.len()));
        let file = match self.file.take() {
            Some(file) => file,
            None => make(self.folder.as_deref())?,
        };
        let file = self.file.insert(file);
        file.write_all_at(first, self.end % self.capacity)?;
        file.write_all_at(second, 0)
    }

    /// Fills `into` from `offset` on, as far as there are bytes. `None` when they were acknowledged.
    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<Option<usize>> {
        if offset < self.start {
            return Ok(None);
        }
        let Some(file) = &self.file else { return Ok(Some(0)) };
        let length = self.end.saturating_sub(offset).min(into.len() as u64) as usize;
        let (first, second) = into[..length].split_at_mut(self.before_the_seam(offset, length));
        file.read_exact_at(first, offset % self.capacity)?;
        file.read_exact_at(second, 0)?;
        Ok(Some(length))
    }

    /// Gives the space before `offset` back. Going backwards changes nothing; false when the offset is beyond the end.
    pub(crate) fn acknowledge(&mut self, offset: u64) -> bool {
        if offset > self.end {
            return false;
        }
        self.start = self.start.max(offset);
        self.release(RELEASE_STEP);
        true
    }

    /// Gives whole acknowledged blocks back to the disk, when they come to at least so many bytes. A file system that cannot do
    /// this keeps them for the next time around.
    fn release(&mut self, at_least: u64) {
        let Some(file) = &self.file else { return };
        let until = self.start - self.start % BLOCK;
        if until < self.released + at_least {
            return;
        }
        let length = until - self.released;
        let place = self.released % self.capacity;
        let first = length.min(self.capacity - place);
        for (place, length) in [(place, first), (0, length - first)] {
            if length > 0 {
                let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                let _ = fallocate(file, flags, place, length);
            }
        }
        self.released = until;
    }

    /// How many of `length` bytes from `offset` on lie before the end of the file.
    fn before_the_seam(&self, offset: u64, length: usize) -> usize {
        (self.capacity - offset % self.capacity).min(length as u64) as usize
    }
}

fn make(folder: Option<&Path>) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let on_disk = folder.and_then(|folder| open(folder, flags, Mode::RUSR | Mode::WUSR).ok());
    let file = on_disk.map_or_else(|| memfd_create("output", MemfdFlags::CLOEXEC), Ok)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every step checked against a plain vector of all bytes that ever were.
    #[test]
    fn a_ring_returns_what_was_appended_at_every_offset() {
        let folder = tempfile::tempdir().unwrap();
        let mut random = fastrand::Rng::with_seed(11);
        for folder in [folder.path(), Path::new("/nowhere")] {
            let mut ring = Ring::new(folder, 61);
            let mut all: Vec<u8> = Vec::new();
            for _ in 0..5_000 {
                let length = random.u64(0..=ring.room()) as usize;
                let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
                ring.append(&bytes).unwrap();
                all.extend(&bytes);
                assert_eq!(ring.end(), all.len() as u64);

                let offset = random.u64(ring.start()..=ring.end());
                let mut read = vec![0; random.usize(..80)];
                let length = ring.read(offset, &mut read).unwrap().unwrap();
                let expected = &all[offset as usize..][..length];
                assert_eq!(&read[..length], expected, "at {offset}");
                assert_eq!(length, read.len().min(all.len() - offset as usize));

                assert!(ring.acknowledge(random.u64(..=ring.end())));
            }
            assert!(all.len() > 1_000, "the ring was hardly used");
        }
    }

    #[test]
    fn what_was_acknowledged_or_never_was_is_refused() {
        let mut ring = Ring::new(Path::new("/nowhere"), 8);
        ring.append(b"abcdef").unwrap();
        assert_eq!(ring.room(), 2);
        assert!(ring.acknowledge(4));
        assert_eq!(ring.room(), 6);
        assert_eq!(ring.read(3, &mut [0; 8]).unwrap(), None);
        assert_eq!(ring.read(4, &mut [0; 8]).unwrap(), Some(2));
        assert!(!ring.acknowledge(7));
        assert!(ring.acknowledge(1), "an old acknowledgement is no error");
        assert_eq!((ring.start(), ring.end()), (4, 6));
    }

    #[test]
    fn an_output_without_a_byte_has_no_file() {
        let mut ring = Ring::new(Path::new("/nowhere"), 8);
        ring.append(b"").unwrap();
        assert_eq!(ring.read(0, &mut [0; 8]).unwrap(), Some(0));
        assert!(ring.acknowledge(0));
        assert!(ring.file.is_none());
        ring.append(b"a").unwrap();
        assert!(ring.file.is_some());
    }

    #[test]
    fn what_was_acknowledged_takes_up_no_space() {
        use std::os::unix::fs::MetadataExt;

        let mut ring = Ring::new(Path::new("/nowhere"), 4 * RELEASE_STEP);
        let piece = vec![7; 3 * RELEASE_STEP as usize];
        for round in 1..20 {
            ring.append(&piece).unwrap();
            let end = round * piece.len() as u64;
            let mut last = [0];
            assert_eq!(ring.read(end - 1, &mut last).unwrap(), Some(1));
            assert_eq!(last, [7]);
            assert!(ring.acknowledge(end - 5));
            assert_eq!(ring.read(end - 5, &mut [0; 9]).unwrap(), Some(5));
            let kept = ring.file.as_ref().unwrap().metadata().unwrap().blocks() * 512;
            assert!(kept <= RELEASE_STEP + 2 * BLOCK, "{kept} bytes are kept in round {round}");
        }
    }
}
