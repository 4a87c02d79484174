//! The file of SQLite's write-ahead log, longer than what is in it.
//!
//! A commit that makes the file longer waits until the file system has written down how long it is now; one that writes over what is there
//! waits for its data alone, half as long. SQLite writes over it once it starts again from its beginning, which a small log hardly ever does. So
//! zeros are written before it, between the commits. SQLite takes a log to end where no valid frame follows.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Of a header, and of a page with what stands before it. Source: SQLite's file format, section 4.1.
const HEADER: u64 = 32;
const FRAME: u64 = 24 + 4096;
/// Written at a time, and left when the next are.
const AHEAD: u64 = 1024 * 1024;
const LOW: u64 = AHEAD / 4;

pub(crate) struct Wal {
    path: PathBuf,
    length: u64,
}

impl Wal {
    pub(crate) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), length: 0 }
    }

    /// Sees that there is room behind so many pages. What cannot be had now is nobody's trouble: the commits make the file longer themselves.
    pub(crate) fn keep_ahead(&mut self, pages: u32) -> io::Result<()> {
        let end = HEADER + u64::from(pages) * FRAME;
        if end + LOW <= self.length {
            return Ok(());
        }
        let file = File::options().write(true).open(&self.path)?;
        self.length = file.metadata()?.len();
        if end + LOW > self.length {
            let zeros = vec![0; usize::try_from((end + AHEAD).saturating_sub(self.length)).unwrap_or(0)];
            file.write_all_at(&zeros, self.length)?;
            file.sync_data()?;
            self.length += zeros.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{AHEAD, Wal};
    use rusqlite::Connection;
    use std::fs;

    #[test]
    fn commits_do_not_make_the_file_longer_and_all_of_them_are_found_again() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = here.path().join("some.db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.execute_batch("CREATE TABLE numbers (number INTEGER)").unwrap();
        let mut wal = Wal::of(&path);
        wal.keep_ahead(2).unwrap();
        let length = || fs::metadata(&wal.path).unwrap().len();
        let before = length();
        assert!(before > AHEAD);
        for number in 0..100 {
            connection.execute("INSERT INTO numbers VALUES (?1)", [number]).unwrap();
        }
        assert_eq!(length(), before);
        wal.keep_ahead(102).unwrap();
        assert_eq!(wal.length, before, "there is room for as many again");

        // As whoever was killed leaves them.
        for name in ["some.db", "some.db-wal"] {
            fs::copy(here.path().join(name), there.path().join(name)).unwrap();
        }
        let again = Connection::open(there.path().join("some.db")).unwrap();
        let sum: i64 = again.query_row("SELECT sum(number) FROM numbers", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 4950);
    }
}
