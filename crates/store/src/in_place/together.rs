//! A database in place that several servers have together, as they have one on PostgreSQL: whose a session is, leases and fences are
//! asked and kept by the same statements. What is SQLite's own here is that an append is compared with its fence by the writer
//! (`crates/store/src/writer.rs`), where PostgreSQL does both in one statement.

use super::{Disk, InPlace, Place};
use crate::StoreError;
use crate::quarantine::Quarantine;
use crate::schema::{self, Opened, Others};
use crate::servers::LEASE;
use crate::sql::{self, params};
use crate::store::failed;
use crate::writer::Writer;
use anyhow::Context as _;
use rusqlite::functions::{Context, FunctionFlags};
use std::path::Path;
use std::sync::Arc;

/// What the clock of the database says, in milliseconds since 1970.
pub type DatabaseClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// As `migrations/postgres/0003_servers.sql` has it.
const SERVERS: &str = "
CREATE TABLE servers (
    number     INTEGER PRIMARY KEY,
    address    TEXT NOT NULL DEFAULT '',
    key        TEXT NOT NULL DEFAULT '',
    version    TEXT NOT NULL DEFAULT '',
    since      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
ALTER TABLE logs ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lent ADD COLUMN server INTEGER NOT NULL DEFAULT 0;
";

/// The database, for as long as its world lasts. Cheap to clone.
#[derive(Clone)]
pub struct Together {
    place: Place,
}

impl Together {
    /// Opens a database that no server has had yet, in `dir`.
    pub fn open(dir: &Path, clock: DatabaseClock) -> Result<Self, StoreError> {
        let Opened { connection, lock, .. } = schema::open(dir, Others::None)?;
        let opened = || {
            connection.execute_batch(SERVERS)?;
            let now_ms = move |_: &Context<'_>| Ok(clock());
            connection.create_scalar_function("now_ms", 0, FunctionFlags::SQLITE_UTF8, now_ms)?;
            anyhow::Ok(())
        };
        opened().context("prepare for servers").map_err(|cause| failed(dir, cause))?;
        let writer = Writer::new(connection, lock, Arc::new(Quarantine::default()));
        let writer = writer.context("prepare to write").map_err(|cause| failed(dir, cause))?;
        Ok(Self { place: Place::new(writer) })
    }

    /// One of its servers is there from now on.
    pub(crate) fn join(&self, server: i64, disk: Arc<dyn Disk>) -> sql::Result<InPlace> {
        if let Some(writer) = self.place.lock().as_ref() {
            let lease = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
            writer.connection().execute(
                "INSERT INTO servers (number, since, expires_at) VALUES (?1, now_ms(), now_ms() + ?2)
                 ON CONFLICT (number) DO UPDATE SET since = excluded.since, expires_at = excluded.expires_at, address = '', key = '',
                    version = ''",
                params![server, lease],
            )?;
        }
        Ok(InPlace::of(self.place.clone(), server, disk))
    }
}

/// Hands back what this server has at once.
pub(super) fn leave(writer: &Writer, server: i64) {
    let left = "UPDATE servers SET expires_at = 0 WHERE number = ?1";
    // If it fails others wait until the lease has ended.
    let _ = writer.connection().execute(left, params![server]);
}
