//! A copy of a store, made while it is in use, and a store made of one.
//!
//! ```text
//! <backup>/backup.json   what it is; written last, so that half a backup is none
//! <backup>/lamplight.db  the database at one moment
//! <backup>/blobs, attachments
//! ```
//! Blobs are named by their content and never changed, so those that are copied after the database are those that it names. What else is in
//! a data directory can be made again: sandboxes, images, agents. The key that seals secrets is not in it either.

use crate::StoreError;
use crate::schema::{DATABASE, open_reader, version};
use anyhow::{Context as _, Result, bail};
use lamplight_domain::Timestamp;
use rusqlite::Connection;
use rusqlite::backup::{Backup as Copying, StepResult};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

const MANIFEST: &str = "backup.json";
const BLOBS: [&str; 2] = ["blobs", "attachments"];

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// When the database was as it is in there, in milliseconds since 1970.
    pub at: Timestamp,
    /// Of the database.
    pub schema: i64,
    pub sessions: u64,
    /// Entries of all logs.
    pub entries: u64,
    pub blobs: u64,
    /// Of all files.
    pub bytes: u64,
    /// The bucket in which the other blobs are, and stay; a backup has those alone that were in the data directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
}

impl Backup {
    /// Copies the store in `dir`, used or not, into `to`, which must not be there yet. Where blobs are in a bucket, that is named in it.
    ///
    /// # Errors
    /// When there is no store, something is at `to`, or the copy is not sound; then nothing is left of it.
    pub fn create(dir: &Path, to: &Path, at: Timestamp, bucket: Option<&str>) -> Result<Self> {
        if to.try_exists()? {
            bail!("{} is there already; name a directory that is not", to.display());
        }
        let name = to.file_name().context("a backup needs a name")?;
        let beside = to.with_file_name(
            [OsStr::new("."), name, OsStr::new(".unfinished")].into_iter().collect::<std::ffi::OsString>(),
        );
        let made = make(dir, &beside, at, bucket).and_then(|backup| {
            fs::rename(&beside, to).context("give the backup its name")?;
            Ok(backup)
        });
        if made.is_err() {
            let _ = fs::remove_dir_all(&beside);
        }
        made
    }

    /// What the backup in `from` says that it holds.
    pub fn read(from: &Path) -> Result<Self> {
        let manifest = fs::read(from.join(MANIFEST))
            .with_context(|| format!("{} is no backup, or not a whole one", from.display()))?;
        serde_json::from_slice(&manifest).with_context(|| format!("read {MANIFEST}"))
    }

    /// Makes a store of the backup in `from`, in `dir`, in which there must be none.
    pub fn restore(from: &Path, dir: &Path) -> Result<Self> {
        let backup = Self::read(from)?;
        if backup.schema > crate::schema::known() {
            let (found, known) = (backup.schema, crate::schema::known());
            return Err(StoreError::TooNew { dir: from.display().to_string(), found, known }.into());
        }
        let database = dir.join(DATABASE);
        if database.try_exists()? {
            bail!("{} has a store already; move it away, or name another directory", dir.display());
        }
        private(dir)?;
        for name in BLOBS {
            copy_all(&from.join(name), &dir.join(name))?;
        }
        // Last, and under its name at once: without it the directory is none of ours.
        let new = dir.join("restored.new");
        copy(&from.join(DATABASE), &new)?;
        check(&Connection::open(&new)?)?;
        fs::rename(&new, &database)?;
        File::open(dir)?.sync_all()?;
        Ok(backup)
    }
}

fn make(dir: &Path, to: &Path, at: Timestamp, bucket: Option<&str>) -> Result<Backup> {
    let source = dir.join(DATABASE);
    if !source.try_exists()? {
        bail!("there is no store in {}", dir.display());
    }
    private(to)?;
    let mut copied = Connection::open(to.join(DATABASE)).context("make the copy")?;
    let source = open_reader(&source).context("open the database")?;
    // In one step, that is of one moment; the server goes on writing behind it.
    let step = Copying::new(&source, &mut copied)?.step(-1).context("copy the database")?;
    if step != StepResult::Done {
        bail!("the database was busy; try again");
    }
    check(&copied)?;
    let (sessions, entries): (i64, i64) =
        copied.query_row("SELECT COUNT(*), COALESCE(SUM(last_seq), 0) FROM summaries", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let mut backup = Backup {
        at,
        schema: version(&copied)?,
        sessions: sessions.unsigned_abs(),
        entries: entries.unsigned_abs(),
        blobs: 0,
        bytes: 0,
        bucket: bucket.map(str::to_owned),
    };
    drop(copied);
    let database = File::open(to.join(DATABASE))?;
    database.sync_all()?;
    backup.bytes = database.metadata()?.len();
    for name in BLOBS {
        let (files, bytes) = copy_all(&dir.join(name), &to.join(name))?;
        backup.blobs += files;
        backup.bytes += bytes;
    }
    let mut manifest = File::create_new(to.join(MANIFEST))?;
    manifest.write_all(&serde_json::to_vec_pretty(&backup)?)?;
    manifest.sync_all()?;
    File::open(to)?.sync_all()?;
    Ok(backup)
}

/// Prompts and code are in there: nobody else's business.
fn private(dir: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("make {}", dir.display()))
}

fn check(database: &Connection) -> Result<()> {
    let found: String =
        database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).context("check the copy")?;
    if found != "ok" {
        bail!("the database is damaged: {found}");
    }
    Ok(())
}

/// Blobs in their folders of two digits; what has another name is not whole yet. How many, and their bytes.
fn copy_all(from: &Path, to: &Path) -> Result<(u64, u64)> {
    private(to)?;
    let (mut files, mut bytes) = (0, 0);
    for folder in listed(from)?.into_iter().filter(|name| name.len() == 2) {
        let (from, to) = (from.join(&folder), to.join(&folder));
        private(&to)?;
        for name in listed(&from)? {
            match copy(&from.join(&name), &to.join(&name)) {
                Ok(copied) => {
                    files += 1;
                    bytes += copied;
                }
                // Attachments that nobody named in time go.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).context("copy a blob"),
            }
        }
        File::open(&to)?.sync_all()?;
    }
    Ok((files, bytes))
}

fn listed(dir: &Path) -> Result<Vec<std::ffi::OsString>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", dir.display())),
    };
    entries.map(|entry| Ok(entry?.file_name())).collect()
}

fn copy(from: &Path, to: &Path) -> std::io::Result<u64> {
    let mut source = File::open(from)?;
    let mut new = File::create_new(to)?;
    let bytes = std::io::copy(&mut source, &mut new)?;
    new.sync_all()?;
    Ok(bytes)
}
