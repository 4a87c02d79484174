//! The database file: opened, locked against a second server, and brought to the schema of this version.

use crate::StoreError;
use anyhow::Context;
use rusqlite::config::DbConfig;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, Transaction, TransactionBehavior};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// In order; a database of version n has seen the first n. Each must work with the server before it still running
/// (expand first, contract a release later), and none is ever changed.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_log.sql"),
    include_str!("../migrations/0002_secrets.sql"),
    include_str!("../migrations/0003_usage.sql"),
    include_str!("../migrations/0004_usage_priced_by.sql"),
    include_str!("../migrations/0005_lists.sql"),
    include_str!("../migrations/0006_audit.sql"),
    include_str!("../migrations/0007_forge.sql"),
    include_str!("../migrations/0008_reviews.sql"),
    include_str!("../migrations/0009_people.sql"),
    include_str!("../migrations/0010_lent.sql"),
    include_str!("../migrations/0011_hooks.sql"),
    include_str!("../migrations/0012_dead.sql"),
    include_str!("../migrations/0013_automations.sql"),
    include_str!("../migrations/0014_attempts.sql"),
    include_str!("../migrations/0015_packs.sql"),
    include_str!("../migrations/0016_formats.sql"),
];

/// What these make of nothing, as a file: to run them was a third of a first start or more. A test packs it into
/// `migrations/new.db.gz`, and sees whether it is what it should be.
const NEW: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/new.db"));

/// The database's file in a store's directory.
pub(crate) const DATABASE: &str = "lamplight.db";

/// The schema of this version.
pub(crate) fn known() -> i64 {
    MIGRATIONS.len() as i64
}

/// How long a statement waits for a lock. Nobody but us holds one; this is for a person with a SQLite shell.
const BUSY: Duration = Duration::from_secs(5);
/// Page cache of the writer and of each reader, KiB.
const WRITER_CACHE_KIB: i64 = 2048;
const READER_CACHE_KIB: i64 = 512;
/// Statements that each connection keeps prepared; there are less texts than that. To prepare one takes longer than most of them take.
const STATEMENTS: usize = 128;
/// What is left of the write-ahead log file after something unusually large went through it.
const WAL_KEPT_BYTES: i64 = 64 * 1024 * 1024;

/// The one connection that writes, and the lock that keeps it the one.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) lock: File,
    pub(crate) path: PathBuf,
}

/// Who else has connections to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    Readers,
    /// Nobody: no file is locked and no memory shared for each transaction.
    None,
}

pub(crate) fn open(dir: &Path, others: Others) -> Result<Opened, StoreError> {
    let failed = |cause: anyhow::Error| StoreError::Failed { dir: dir.display().to_string(), cause };
    let lock = claim(dir)?;
    let path = dir.join(DATABASE);
    if !path.exists() {
        let made = match others {
            Others::Readers => make(dir, &path),
            // A simulation's, and gone with it.
            Others::None => fs::write(&path, NEW).map_err(Into::into),
        };
        made.context("make the database").map_err(failed)?;
    }
    let connection = open_writer(&path, others).map_err(failed)?;
    let found = version(&connection).map_err(failed)?;
    let known = known();
    if found > known {
        return Err(StoreError::TooNew { dir: dir.display().to_string(), found, known });
    }
    migrate(&connection, found as usize).map_err(failed)?;
    settle(&connection).context("copy the write-ahead log").map_err(failed)?;
    Ok(Opened { connection, lock, path })
}

/// Makes the directory if need be, and locks it.
pub(crate) fn claim(dir: &Path) -> Result<File, StoreError> {
    let failed = |cause: anyhow::Error| StoreError::Failed { dir: dir.display().to_string(), cause };
    // Prompts and code are in here: nobody else's business.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .context("make the directory")
        .map_err(failed)?;
    lock(dir)
}

/// The kernel lets go of this lock when the process dies, however it dies.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let failed = |cause: std::io::Error| StoreError::Failed {
        dir: dir.display().to_string(),
        cause: anyhow::Error::new(cause).context("lock the directory"),
    };
    let file =
        File::options().create(true).truncate(false).write(true).open(dir.join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { dir: dir.display().to_string() }),
        Err(TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

/// A new database has its name when it is whole and on disk: so nothing of it has to pass a log before, and the disk is waited for twice.
/// What an attempt that was cut short has left is made anew.
fn make(dir: &Path, path: &Path) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(NEW)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    Ok(File::open(dir)?.sync_all()?)
}

fn open_writer(path: &Path, others: Others) -> anyhow::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).context("open the database")?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else it plans for the number behind each LIMIT, and so prepares the statement again for every number.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    match others {
        Others::Readers => {}
        Others::None => connection.pragma_update(None, "locking_mode", "exclusive")?,
    }
    connection.pragma_update(None, "journal_mode", "wal").context("switch to a write-ahead log")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)?;
    Ok(connection)
}

/// A connection that sees what is committed and can change nothing.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

/// Copies what a process that died left in its write-ahead log, and starts that log anew. If an fsync of it had failed,
/// its pages may be in the kernel's memory only, and nothing would ever write them; what is appended behind them would
/// be lost with them.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::RESTART) {
        // A full disk must not keep people from reading; nothing can be appended to it either.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => Ok(()),
        done => done.map(|_| ()),
    }
}

pub(crate) fn version(connection: &Connection) -> anyhow::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).context("read the schema version")
}

/// All that are missing or none, so that it waits for the disk once.
fn migrate(connection: &Connection, from: usize) -> anyhow::Result<()> {
    if from == MIGRATIONS.len() {
        return Ok(());
    }
    let all = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    for (n, text) in MIGRATIONS.iter().enumerate().skip(from) {
        let to = n + 1;
        all.execute_batch(&format!("{text}\nPRAGMA user_version = {to};"))
            .with_context(|| format!("bring the schema to version {to}"))?;
    }
    all.commit().context("bring the schema to this version")
}

#[cfg(test)]
mod tests {
    use super::{NEW, Opened, Others, migrate, open};
    use flate2::{Compression, write::GzEncoder};
    use rusqlite::{Connection, StatementStatus};
    use std::fs;
    use std::io::Write;

    /// Everything in it, a line a row.
    fn content(connection: &Connection) -> Vec<String> {
        let lines = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            let columns = statement.column_count();
            let line = |row: &rusqlite::Row<'_>| {
                let values = (0..columns).map(|n| row.get::<_, rusqlite::types::Value>(n));
                Ok(format!("{:?}", values.collect::<Result<Vec<_>, _>>()?))
            };
            statement.query_map([], line).unwrap().map(Result::unwrap).collect()
        };
        let mut all = lines("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name");
        let tables: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        for table in tables {
            all.push(format!("rows of {table}"));
            all.extend(lines(&format!("SELECT * FROM {table}")));
        }
        for pragma in
            ["user_version", "page_size", "encoding", "auto_vacuum", "journal_mode", "integrity_check"]
        {
            all.push(format!("{pragma} {:?}", lines(&format!("PRAGMA {pragma}"))));
        }
        all
    }

    #[test]
    fn a_new_database_is_what_the_migrations_make() {
        let dir = tempfile::tempdir().unwrap();
        let (migrated, brought) = (dir.path().join("migrated"), dir.path().join("brought"));
        let connection = Connection::open(&migrated).unwrap();
        migrate(&connection, 0).unwrap();
        // Without a file of shared memory, which would be left there.
        connection.pragma_update(None, "locking_mode", "exclusive").unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.close().unwrap();
        fs::write(&brought, NEW).unwrap();
        let of = |path| content(&Connection::open(path).unwrap());
        if of(&migrated) != of(&brought) {
            let mut new = GzEncoder::new(Vec::new(), Compression::best());
            new.write_all(&fs::read(&migrated).unwrap()).unwrap();
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/new.db.gz");
            fs::write(file, new.finish().unwrap()).unwrap();
            panic!("{file} was not what the migrations make; it is now: commit it");
        }
    }

    #[test]
    fn a_statement_is_prepared_once_whatever_its_limit_is() {
        let dir = tempfile::tempdir().unwrap();
        let Opened { connection, .. } = open(dir.path(), Others::None).unwrap();
        let mut statement = connection.prepare("SELECT number FROM logs ORDER BY session LIMIT ?1").unwrap();
        for limit in [1, 10] {
            assert!(statement.query([limit]).unwrap().next().unwrap().is_none());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
