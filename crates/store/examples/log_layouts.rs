//! The layouts of a log in SQLite that docs/decisions/0002-log-layout.md chose between, measured in turn on one disk.
//!
//! `cargo run --release -p lamplight-store --example log_layouts [-- DIR]`
//!
//! A transaction holds one append of each of some sessions, as a group commit does. Sizes and pragmas are the store's.
//! The layouts take turns, so that what else the machine does falls on all of them alike; the pages that a transaction
//! writes do not depend on it at all.

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB, params};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Sessions with events, of which so many append in one transaction, so many events each.
const SESSIONS: u64 = 1000;
const SHAPES: [(u64, u64); 6] = [(1, 1), (16, 1), (64, 1), (1, 10), (64, 10), (16, 100)];
const CHECKPOINT_PAGES: u32 = 2048;
const EVENT_BYTES: usize = 350;
const TURNS: u32 = 3;
const TURN: Duration = Duration::from_millis(700);

/// How the rows of an append are written.
type Insert = fn(&Connection, u64, u64, u64, &[u8]) -> rusqlite::Result<()>;

const LAYOUTS: [(&str, &str, Insert); 5] = [
    (
        "row per append, integer index (ours)",
        "CREATE TABLE log (id INTEGER PRIMARY KEY, log INTEGER, first INTEGER, last INTEGER, body BLOB);
         CREATE UNIQUE INDEX by_seq ON log (log, first)",
        row_per_append,
    ),
    (
        "row per append, no index: rebuilt at open",
        "CREATE TABLE log (id INTEGER PRIMARY KEY, log INTEGER, first INTEGER, last INTEGER, body BLOB)",
        row_per_append,
    ),
    (
        "row per append, text index",
        "CREATE TABLE log (id INTEGER PRIMARY KEY, log TEXT, first INTEGER, last INTEGER, body BLOB);
         CREATE UNIQUE INDEX by_seq ON log (log, first)",
        |connection, session, first, count, events| {
            let last = first + count - 1;
            connection
                .prepare_cached("INSERT INTO log (log, first, last, body) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![format!("01K{session:023}"), first as i64, last as i64, events])
                .map(|_| ())
        },
    ),
    (
        "row per event, integer index",
        "CREATE TABLE log (id INTEGER PRIMARY KEY, log INTEGER, seq INTEGER, body BLOB);
         CREATE UNIQUE INDEX by_seq ON log (log, seq)",
        row_per_event,
    ),
    (
        "row per event, clustered",
        "CREATE TABLE log (log INTEGER, seq INTEGER, body BLOB, PRIMARY KEY (log, seq)) WITHOUT ROWID",
        row_per_event,
    ),
];

fn row_per_append(
    connection: &Connection,
    session: u64,
    first: u64,
    count: u64,
    events: &[u8],
) -> rusqlite::Result<()> {
    let last = first + count - 1;
    connection
        .prepare_cached("INSERT INTO log (log, first, last, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![session as i64, first as i64, last as i64, events])
        .map(|_| ())
}

fn row_per_event(
    connection: &Connection,
    session: u64,
    first: u64,
    _: u64,
    events: &[u8],
) -> rusqlite::Result<()> {
    for (seq, event) in (first..).zip(events.chunks(EVENT_BYTES)) {
        connection
            .prepare_cached("INSERT INTO log (log, seq, body) VALUES (?1, ?2, ?3)")?
            .execute(params![session as i64, seq as i64, event])?;
    }
    Ok(())
}

struct Bench {
    connection: Connection,
    path: PathBuf,
    insert: Insert,
    lasts: Vec<u64>,
    turn: u64,
    /// Pages in the write-ahead log.
    pages: Arc<AtomicU32>,
}

impl Bench {
    fn new(dir: &Path, n: usize, schema: &str, insert: Insert) -> anyhow::Result<Self> {
        let path = dir.join(format!("{n}.db"));
        let mut connection = Connection::open(&path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(schema)?;
        let pages = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut _, pages: i32| {
            seen.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }))?;
        let mut bench = Self { connection, path, insert, lasts: vec![0; SESSIONS as usize], turn: 0, pages };
        for _ in 0..100 {
            bench.transact(100, 10)?;
        }
        Ok(bench)
    }

    fn transact(&mut self, sessions: u64, count: u64) -> rusqlite::Result<()> {
        let events = vec![b'x'; EVENT_BYTES * count as usize];
        let transaction = self.connection.unchecked_transaction()?;
        for _ in 0..sessions {
            // Far apart, so that no two share a leaf by being neighbours.
            self.turn = (self.turn + 389) % SESSIONS;
            let last = &mut self.lasts[self.turn as usize];
            (self.insert)(&self.connection, self.turn, *last + 1, count, &events)?;
            *last += count;
        }
        transaction.commit()?;
        if self.pages.load(Ordering::Relaxed) >= CHECKPOINT_PAGES {
            self.connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE)?;
        }
        Ok(())
    }

    /// Pages that one transaction writes.
    fn pages(&mut self, sessions: u64, count: u64) -> anyhow::Result<u32> {
        self.connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE)?;
        let mut most = 0;
        for _ in 0..10 {
            let before = self.pages.load(Ordering::Relaxed);
            self.transact(sessions, count)?;
            most = most.max(self.pages.load(Ordering::Relaxed).saturating_sub(before));
        }
        Ok(most)
    }

    /// Events per second.
    fn run(&mut self, sessions: u64, count: u64) -> anyhow::Result<f64> {
        let started = now();
        let mut events = 0;
        while started.elapsed() < TURN {
            self.transact(sessions, count)?;
            events += sessions * count;
        }
        Ok(events as f64 / started.elapsed().as_secs_f64())
    }
}

fn main() -> anyhow::Result<()> {
    let dir = match std::env::args().nth(1) {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    print!("| events/s, durable |");
    SHAPES.iter().for_each(|(sessions, count)| print!(" {sessions} × {count} |"));
    println!(" pages, 64 × 1 | pages, 64 × 10 | bytes per event |");
    println!("|---|{}", "---|".repeat(SHAPES.len() + 3));
    let mut benches = Vec::new();
    for (n, (_, schema, insert)) in LAYOUTS.iter().enumerate() {
        benches.push(Bench::new(dir.path(), n, schema, *insert)?);
    }
    let mut best = vec![[0.0f64; SHAPES.len()]; benches.len()];
    for _ in 0..TURNS {
        for (shape, (sessions, count)) in SHAPES.iter().enumerate() {
            for (bench, best) in benches.iter_mut().zip(&mut best) {
                best[shape] = best[shape].max(bench.run(*sessions, *count)?);
            }
        }
    }
    for ((mut bench, best), (name, ..)) in benches.into_iter().zip(best).zip(LAYOUTS) {
        let (singles, tens) = (bench.pages(64, 1)?, bench.pages(64, 10)?);
        let events: u64 = bench.lasts.iter().sum();
        bench.connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE)?;
        let size = std::fs::metadata(&bench.path)?.len();
        print!("| {name} |");
        best.iter().for_each(|rate| print!(" {rate:.0} |"));
        println!(" {singles} | {tens} | {} |", size / events);
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this program measures")]
fn now() -> Instant {
    Instant::now()
}
