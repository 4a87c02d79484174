//! The database: whether it keeps what it says it keeps, and the schema of this version.

use super::address::PostgresAddress;
use super::session::Session;
use crate::sql::{Error, Result};

/// In order; a database of version n has seen the first n. As with SQLite none is ever changed, and each works with the server before it.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/postgres/0001_store.sql"),
    include_str!("../../migrations/postgres/0002_lent.sql"),
    include_str!("../../migrations/postgres/0003_servers.sql"),
    include_str!("../../migrations/postgres/0004_hooks.sql"),
    include_str!("../../migrations/postgres/0005_dead.sql"),
    include_str!("../../migrations/postgres/0006_automations.sql"),
    include_str!("../../migrations/postgres/0007_attempts.sql"),
    include_str!("../../migrations/postgres/0008_packs.sql"),
    include_str!("../../migrations/postgres/0009_formats.sql"),
];

/// The first schema with a table of servers.
const KNOWS_SERVERS: i64 = 3;
/// The oldest PostgreSQL that this is written for.
const OLDEST: i64 = 14;

/// The schema of this version.
pub(crate) fn known() -> i64 {
    MIGRATIONS.len() as i64
}

/// What a database is, for whoever asks before it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Such as `15.18`.
    pub version: String,
    /// Why it cannot be used as it is, each with what to do.
    pub problems: Vec<String>,
    /// Servers that use it now: where the others reach each (empty where they do not), and its version.
    pub servers: Vec<(String, String)>,
}

impl Examined {
    /// Connects and looks. Blocks for some milliseconds, or until it is clear that nobody answers.
    ///
    /// # Errors
    /// When it cannot be reached or does not let this user in.
    pub fn look(address: &PostgresAddress) -> anyhow::Result<Self> {
        // On a thread of its own: this one may be one that must not wait.
        let address = address.clone();
        let looking = std::thread::spawn(move || {
            let session = Session::open(&address)?;
            Ok::<_, Error>(Examined { servers: servers(&session)?, ..examine(&session)? })
        });
        let looked = looking.join().map_err(|_| anyhow::anyhow!("looking at the database failed"))?;
        Ok(looked?)
    }
}

/// Settings without which an append that was acknowledged can be lost, or a text can be another one than was written.
pub(super) fn examine(session: &Session) -> Result<Examined> {
    let shown = |name: &str| -> Result<String> {
        let rows = session.query_of("SELECT current_setting($1)", &[&name])?;
        let row = rows.first().ok_or_else(|| Error::Damaged(format!("there is no setting {name}")))?;
        row.try_get(0).map_err(|error| Error::Damaged(error.to_string()))
    };
    let version = shown("server_version")?;
    let major = shown("server_version_num")?.parse::<i64>().unwrap_or(0) / 10_000;
    let mut problems = Vec::new();
    if major < OLDEST {
        problems.push(format!("it is PostgreSQL {version}; take {OLDEST} or a newer one"));
    }
    for name in ["synchronous_commit", "fsync", "full_page_writes"] {
        if shown(name)? == "off" {
            problems.push(format!(
                "{name} is off, so that what it says is stored can be lost; set {name} = on for this database or its server"
            ));
        }
    }
    let encoding = shown("server_encoding")?;
    if encoding != "UTF8" {
        problems.push(format!(
            "its encoding is {encoding}; make it anew with ENCODING 'UTF8' TEMPLATE template0"
        ));
    }
    Ok(Examined { version, problems, servers: Vec::new() })
}

/// Those that are alive, where there is a schema that knows of them.
fn servers(session: &Session) -> Result<Vec<(String, String)>> {
    if version(session)? < KNOWS_SERVERS {
        return Ok(Vec::new());
    }
    let text = "SELECT address, version FROM servers
        WHERE expires_at > (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint ORDER BY number";
    let read = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
    let rows: std::result::Result<_, tokio_postgres::Error> =
        session.query_of(text, &[])?.iter().map(read).collect();
    rows.map_err(|error| Error::Damaged(error.to_string()))
}

/// The schema that is there; 0 where there is none.
pub(super) fn version(session: &Session) -> Result<i64> {
    let text = "SELECT 1 FROM pg_class WHERE oid = to_regclass('installation') AND relkind = 'r'";
    if session.query(text, &[])?.is_empty() {
        return Ok(0);
    }
    let rows = session.query("SELECT schema FROM installation", &[])?;
    let found = rows.first().map(|row| row.try_get(0)).transpose();
    found.map(Option::unwrap_or_default).map_err(|error| Error::Damaged(error.to_string()))
}

/// Only whoever has claimed the database.
pub(super) fn migrate(session: &Session, from: i64) -> Result<()> {
    for (n, text) in (1..).zip(MIGRATIONS).skip(usize::try_from(from).unwrap_or(0)) {
        session.batch(&format!("BEGIN;\n{text}\nUPDATE installation SET schema = {n};\nCOMMIT"))?;
    }
    Ok(())
}
