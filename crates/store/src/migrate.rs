//! An installation from SQLite to PostgreSQL.
//!
//! All in one transaction: what was copied is compared before it counts, and whatever goes wrong leaves the database empty. The source is
//! only read. Blobs stay where they are, in the data directory, and what is packed of logs with them.

use crate::history::{Way, for_each_row};
use crate::packs;
use crate::postgres::{PostgresAddress, Session, claim, give_up, is_served, vector};
use crate::schema::{self, DATABASE, open_reader};
use crate::sql::{Connection, storable};
use anyhow::{Context as _, Result, bail};
use rusqlite::types::ValueRef;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::thread;
use tokio_postgres::types::ToSql;

/// Rows, and bytes of them but for the last, that are in memory at a time.
const PAGE_ROWS: usize = 512;
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// What was moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Migrated {
    pub sessions: u64,
    /// Entries of all logs.
    pub entries: u64,
    /// Of all tables.
    pub rows: u64,
}

impl Migrated {
    /// Copies the store on SQLite in `dir`, which no server may be using, into an empty database. Blocks until it is done; every table is
    /// counted and every session's log compared before anything of it counts.
    ///
    /// # Errors
    /// When there is no store, it is used, of another version, or what is copied is not the same; when there is something in the database.
    pub fn run(dir: &Path, address: &PostgresAddress) -> Result<Self> {
        // On a thread of its own: this one may be one that must not wait.
        let moving = thread::scope(|scope| scope.spawn(|| Self::run_here(dir, address)).join());
        moving.unwrap_or_else(|_| bail!("moving the store failed"))
    }

    fn run_here(dir: &Path, address: &PostgresAddress) -> Result<Self> {
        if !dir.join(DATABASE).try_exists()? {
            bail!("there is no store on SQLite in {}", dir.display());
        }
        let _lock = schema::claim(dir)?;
        let lite = open_reader(&dir.join(DATABASE)).context("open the store")?;
        let (found, known) = (schema::version(&lite)?, schema::known());
        if found != known {
            bail!(
                "the store in {} has schema {found} and this Lamplight {known}: let `lamplight serve` of this version open it once",
                dir.display()
            );
        }
        let session = claim(address)?;
        if is_served(&session)? {
            bail!("a Lamplight server is using {address}: stop it first");
        }
        let source = Connection::Lite(lite);
        let target = Connection::Postgres(session);
        let moved = begin(&source, &target);
        let Connection::Postgres(session) = target else { unreachable!("it was made above") };
        if moved.is_ok() {
            // Plans would be made for empty tables otherwise; it finds out by itself later.
            let _ = session.batch("ANALYZE");
        }
        give_up(&session);
        moved
    }
}

fn begin(source: &Connection, target: &Connection) -> Result<Migrated> {
    let (Connection::Lite(lite), Connection::Postgres(session)) = (source, target) else {
        unreachable!("it goes from SQLite to PostgreSQL")
    };
    // Reading a large log on SQLite may take longer than a server may leave a transaction alone.
    session.batch("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0")?;
    let tables = tables(session)?;
    for table in &tables {
        if target.exists(&format!("SELECT 1 FROM {table} LIMIT 1"), &[])? {
            bail!("the database is not empty: there is something in {table}; take one that is");
        }
    }
    let mut moved = Migrated::default();
    for table in &tables {
        let copied = copy(lite, session, table).with_context(|| format!("copy {table}"))?;
        let there = count(target, table)?;
        if copied != there || copied != count(source, table)? {
            bail!("{table} has {copied} rows, and {there} came through");
        }
        moved.rows += copied;
    }
    let logs: Vec<(i64, String)> =
        source.rows("SELECT number, session FROM logs", &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (log, id) in logs {
        let (before, entries) = hash(source, log)?;
        if hash(target, log)? != (before, entries) {
            bail!("the log of session {id} did not come through as it was");
        }
        moved.sessions += 1;
        moved.entries += entries;
    }
    session.batch("COMMIT").context("keep what was copied")?;
    Ok(moved)
}

/// All that this version's schema has, but for what says which it is and who serves it. No table refers to another.
fn tables(session: &Session) -> Result<Vec<String>> {
    let text = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname NOT IN ('installation', 'servers', 'written')
        AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('installation'))";
    session.query_of(text, &[])?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn count(connection: &Connection, table: &str) -> Result<u64> {
    let count: Option<i64> =
        connection.row(&format!("SELECT COUNT(*) FROM {table}"), &[], |row| row.get(0))?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

/// Over all that the database has of a log, the names of its packs with it, and how many entries that is.
fn hash(connection: &Connection, log: i64) -> Result<([u8; 32], u64)> {
    let (mut hash, mut entries) = (Sha256::new(), 0);
    for pack in packs::all(connection, log)? {
        hash.update(format!("{} {} {}\n", pack.first, pack.last, pack.blob));
        entries = pack.last;
    }
    let hashed = for_each_row(connection, log, Way::On(0), |batch| {
        for number in
            [batch.first as i64, batch.last as i64, batch.at(), batch.crc(), batch.body().len() as i64]
        {
            hash.update(number.to_le_bytes());
        }
        hash.update(batch.body());
        entries = batch.last;
        Ok(true)
    });
    hashed.map_err(|unread| anyhow::Error::new(crate::ReadError::from(unread)))?;
    Ok((hash.finalize().into(), entries))
}

/// The values of one column, in the order of the rows.
enum Values {
    Integers(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

struct Column {
    name: String,
    /// As PostgreSQL calls it.
    kind: String,
    /// PostgreSQL finds the next value by itself.
    is_numbered: bool,
}

impl Column {
    /// What SQLite is asked for it.
    fn source(&self, table: &str) -> &str {
        match (table, self.name.as_str()) {
            ("logs", "last_seq") => {
                "COALESCE((SELECT last_seq FROM log_batches WHERE log = number ORDER BY first_seq DESC LIMIT 1),
                    (SELECT MAX(last_seq) FROM log_packs WHERE log = number), 0)"
            }
            ("texts", "words") => "text",
            (_, name) => name,
        }
    }

    fn values(&self) -> Values {
        match self.kind.as_str() {
            "bigint" => Values::Integers(Vec::new()),
            "bytea" => Values::Bytes(Vec::new()),
            _ => Values::Texts(Vec::new()),
        }
    }

    fn array(&self) -> &str {
        match self.kind.as_str() {
            "bigint" => "bigint[]",
            "bytea" => "bytea[]",
            _ => "text[]",
        }
    }

    /// Puts one value to the others; gives its bytes.
    fn take(&self, value: ValueRef<'_>, values: &mut Values) -> Result<usize> {
        match (value, values) {
            (ValueRef::Null, Values::Integers(all)) => all.push(None),
            (ValueRef::Null, Values::Texts(all)) => all.push(None),
            (ValueRef::Null, Values::Bytes(all)) => all.push(None),
            (ValueRef::Integer(number), Values::Integers(all)) => all.push(Some(number)),
            (ValueRef::Text(text), Values::Texts(all)) => {
                let text = std::str::from_utf8(text).context("a text is not UTF-8")?;
                all.push(Some(if self.kind == "tsvector" {
                    vector(text)
                } else {
                    storable(text).into_owned()
                }));
                return Ok(text.len());
            }
            (ValueRef::Blob(bytes), Values::Bytes(all)) => {
                all.push(Some(bytes.to_owned()));
                return Ok(bytes.len());
            }
            (other, _) => bail!("{} is {} and should be {}", self.name, other.data_type(), self.kind),
        }
        Ok(8)
    }
}

/// Copies one table; gives how many rows.
fn copy(lite: &rusqlite::Connection, session: &Session, table: &str) -> Result<u64> {
    let columns = columns(session, table)?;
    let from: Vec<&str> = columns.iter().map(|column| column.source(table)).collect();
    let insert = insert(table, &columns);
    let mut statement = lite.prepare(&format!("SELECT {} FROM {table}", from.join(", ")))?;
    let mut rows = statement.query([])?;
    let (mut page, mut page_rows, mut page_bytes, mut copied) = (fresh(&columns), 0, 0, 0);
    while let Some(row) = rows.next()? {
        for (n, (column, values)) in columns.iter().zip(&mut page).enumerate() {
            page_bytes += column.take(row.get_ref(n)?, values)?;
        }
        (page_rows, copied) = (page_rows + 1, copied + 1);
        if page_rows >= PAGE_ROWS || page_bytes >= PAGE_BYTES {
            store(session, &insert, &page)?;
            (page, page_rows, page_bytes) = (fresh(&columns), 0, 0);
        }
    }
    if page_rows > 0 {
        store(session, &insert, &page)?;
    }
    for Column { name, .. } in columns.iter().filter(|column| column.is_numbered) {
        session.batch(&format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{name}'), COALESCE(MAX({name}), 0) + 1, false) FROM {table}"
        ))?;
    }
    Ok(copied)
}

/// Those of this version's schema, as PostgreSQL has them, but for whose something is: nobody's, until a server claims it.
fn columns(session: &Session, table: &str) -> Result<Vec<Column>> {
    let text = "SELECT attname::text, format_type(atttypid, NULL), attidentity <> '' FROM pg_attribute
        WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped
          AND NOT (attname IN ('owner', 'fence', 'format') AND $1 = 'logs') AND NOT (attname = 'server' AND $1 = 'lent') ORDER BY attnum";
    let rows = session.query_of(text, &[&table])?;
    rows.iter()
        .map(|row| Ok(Column { name: row.try_get(0)?, kind: row.try_get(1)?, is_numbered: row.try_get(2)? }))
        .collect()
}

fn insert(table: &str, columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let names = names.join(", ");
    let values: Vec<String> =
        columns.iter().map(|column| format!("item.{}::{}", column.name, column.kind)).collect();
    let arrays: Vec<String> =
        (1..).zip(columns).map(|(n, column)| format!("${n}::{}", column.array())).collect();
    let (values, arrays) = (values.join(", "), arrays.join(", "));
    format!("INSERT INTO {table} ({names}) SELECT {values} FROM unnest({arrays}) AS item ({names})")
}

fn fresh(columns: &[Column]) -> Vec<Values> {
    columns.iter().map(Column::values).collect()
}

fn store(session: &Session, insert: &str, page: &[Values]) -> Result<()> {
    let parameters: Vec<&(dyn ToSql + Sync)> = page
        .iter()
        .map(|values| match values {
            Values::Integers(all) => all as &(dyn ToSql + Sync),
            Values::Texts(all) => all,
            Values::Bytes(all) => all,
        })
        .collect();
    session.query_of(insert, &parameters)?;
    Ok(())
}
