//! Sessions, entries and appends that tests are made of.

use crate::cluster::Cluster;
use bytes::Bytes;
use lamplight_domain::{Seq, SessionId, Timestamp};
use lamplight_store::{Append, PostgresAddress, ReadError, Store, StoreError, SummaryRow};
use std::path::Path;
use tempfile::TempDir;

pub(crate) const NOON: Timestamp = Timestamp(1_763_726_400_000);

/// The n-th session; later ones have larger ids.
pub(crate) fn session(n: u64) -> SessionId {
    format!("01K{n:023}").parse().unwrap()
}

/// Makes a test of each of these on SQLite and one on PostgreSQL.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::support::Place::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::support::Place::postgres()).await;
            })*
        }
    };
}
pub(crate) use on_both;

/// Where a store is.
pub(crate) struct Place {
    dir: TempDir,
    /// `None` on SQLite.
    pub(crate) cluster: Option<Cluster>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), cluster: None }
    }

    pub(crate) fn postgres() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), cluster: Some(Cluster::start()) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn open(&self) -> Store {
        self.try_open().unwrap()
    }

    pub(crate) fn try_open(&self) -> Result<Store, StoreError> {
        match &self.cluster {
            Some(cluster) => open_at(self.dir.path(), &cluster.url()),
            None => Store::open(self.dir.path()),
        }
    }

    /// Every column of every table on SQLite, but for those of the search index.
    pub(crate) fn columns(&self) -> Vec<String> {
        let database = rusqlite::Connection::open(self.dir.path().join("lamplight.db")).unwrap();
        let text =
            "SELECT t.name || '.' || c.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
            WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE 'texts_fts%'";
        let mut statement = database.prepare(text).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// A number that the database has.
    pub(crate) fn number(&self, sql: &str) -> u64 {
        match &self.cluster {
            Some(cluster) => cluster.sql(sql).unwrap().parse().unwrap(),
            None => {
                let database = rusqlite::Connection::open(self.dir.path().join("lamplight.db")).unwrap();
                database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as u64
            }
        }
    }

    /// Does something to the database behind the store's back.
    pub(crate) fn sql(&self, on_sqlite: &str, on_postgres: &str) {
        match &self.cluster {
            Some(cluster) => drop(cluster.sql(on_postgres).unwrap()),
            None => {
                let database = rusqlite::Connection::open(self.dir.path().join("lamplight.db")).unwrap();
                database.execute_batch(on_sqlite).unwrap();
            }
        }
    }
}

/// A store in the database at `url`.
pub(crate) fn open_at(dir: &Path, url: &str) -> Result<Store, StoreError> {
    Store::open_postgres(dir, &PostgresAddress::new(url, None).unwrap())
}

pub(crate) fn open(dir: &TempDir) -> Store {
    Store::open(dir.path()).unwrap()
}

/// What the entry of a session at `seq` always is, so that a reader can tell.
pub(crate) fn entry(session: &SessionId, seq: u64) -> Bytes {
    let filling = "x".repeat((seq % 97) as usize);
    format!(r#"{{"seq":{seq},"at":0,"event":{{"type":"noted","text":"{session} {filling}"}}}}"#).into()
}

/// The same with a summary, and a text for search on its first entry.
pub(crate) fn full_append(session: &SessionId, expected_last: u64, count: u64) -> Append {
    let mut append = append(session, expected_last, count);
    append.summary = Some(summary(session, expected_last + count));
    append.text = vec![(Seq(expected_last + 1), format!("entry {expected_last} and what follows"))];
    append
}

/// `count` entries after `expected_last`.
pub(crate) fn append(session: &SessionId, expected_last: u64, count: u64) -> Append {
    Append {
        session: session.clone(),
        expected_last: Seq(expected_last),
        at: NOON,
        entries: (expected_last + 1..=expected_last + count).map(|seq| entry(session, seq)).collect(),
        summary: None,
        text: Vec::new(),
        usage: Vec::new(),
        notices: Vec::new(),
        once: None,
        audited: Vec::new(),
    }
}

pub(crate) fn summary(session: &SessionId, last_seq: u64) -> SummaryRow {
    SummaryRow {
        id: session.clone(),
        created_at: NOON,
        updated_at: NOON,
        last_seq: Seq(last_seq),
        phase: "executing".into(),
        title: "Mend the sum".into(),
        repository: "/home/someone/sample".into(),
        agent: "opencode".into(),
        open: true,
        person: "Ada".into(),
        archived: false,
        dead: false,
        body: format!(r#"{{"steps":{last_seq}}}"#),
    }
}

/// The whole log, read in pages of a size that divides nothing.
pub(crate) async fn read_all(store: &Store, session: &SessionId) -> Result<Vec<(Seq, Bytes)>, ReadError> {
    let mut all: Vec<(Seq, Bytes)> = Vec::new();
    loop {
        let after = all.last().map_or(Seq(0), |(seq, _)| *seq);
        let page = store.read(session, after, 77, 1 << 20).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// The log is exactly the entries from 1 to `last`.
pub(crate) async fn check_log(store: &Store, session: &SessionId, last: u64) {
    let wanted: Vec<_> = (1..=last).map(|seq| (Seq(seq), entry(session, seq))).collect();
    assert_eq!(read_all(store, session).await.unwrap(), wanted, "the log of {session}");
    assert_eq!(store.last_seq(session).await.unwrap(), Seq(last));
}

/// The log is the entries from 1 to some end that is at least `acknowledged`, and the summary agrees. Entries up to
/// `checked` are not read again. Gives the end.
pub(crate) async fn check_survived(
    store: &Store,
    session: &SessionId,
    acknowledged: u64,
    checked: u64,
) -> u64 {
    let last = store.last_seq(session).await.unwrap().0;
    assert!(last >= acknowledged, "{session} ends at {last}, but {acknowledged} was acknowledged");
    let mut at = checked;
    while at < last {
        for found in store.read(session, Seq(at), 500, 1 << 20).await.unwrap() {
            at += 1;
            assert_eq!(found, (Seq(at), entry(session, at)));
        }
    }
    let summary = store.summary(session).await.unwrap();
    assert_eq!(summary.map_or(0, |summary| summary.last_seq.0), last, "the summary goes with the log");
    last
}

/// SQLite and the search index find nothing wrong with the database; the store is closed.
pub(crate) fn check_database(dir: &Path) {
    let connection = rusqlite::Connection::open(dir.join("lamplight.db")).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    connection.execute("INSERT INTO texts_fts (texts_fts) VALUES ('integrity-check')", []).unwrap();
}
