//! What holds on PostgreSQL beside what holds on both.

use crate::cluster::{Cluster, url};
use crate::support::*;
use bytes::Bytes;
use lamplight_domain::Seq;
use lamplight_store::{AppendError, AuditEntry, PostgresAddress, ReadError, StoreError, WriteError};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// How long anything may take that goes on by itself.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_database_that_would_lose_something_is_refused_by_name() {
    let place = Place::postgres();
    let cluster = place.cluster.as_ref().unwrap();
    for (name, bad) in [("synchronous_commit", "off"), ("fsync", "off"), ("full_page_writes", "off")] {
        let (set, reset) = match name {
            "synchronous_commit" => (
                format!("ALTER DATABASE postgres SET {name} = {bad}"),
                format!("ALTER DATABASE postgres RESET {name}"),
            ),
            _ => (format!("ALTER SYSTEM SET {name} = {bad}"), format!("ALTER SYSTEM RESET {name}")),
        };
        for text in [&set, "SELECT pg_reload_conf()"] {
            cluster.sql(text).unwrap();
        }
        // The setting is there once a new connection says so.
        while cluster.sql(&format!("SHOW {name}")).unwrap() != bad {}
        let refused = place.try_open().err().expect(name);
        assert!(matches!(refused, StoreError::Unfit { .. }), "{refused}");
        assert!(refused.to_string().contains(&format!("{name} is off")), "{refused}");
        for text in [&reset, "SELECT pg_reload_conf()"] {
            cluster.sql(text).unwrap();
        }
        while cluster.sql(&format!("SHOW {name}")).unwrap() == bad {}
    }
    place.open().close().await;
}

#[test]
fn addresses_are_read_and_do_not_tell_their_password() {
    let address = PostgresAddress::new("postgres://ada:s3cret@127.0.0.1/lamplight", None).unwrap();
    assert_eq!(format!("{address} {address:?}").matches("s3cret").count(), 0);
    for (bad, why) in [
        ("postgres://", "names no"),
        ("host=/tmp", "names no database"),
        ("dbname=lamplight", "names no host"),
        ("mysql://x/y", "invalid"),
    ] {
        let refused = PostgresAddress::new(bad, None).unwrap_err().to_string();
        assert!(refused.contains(why), "{bad}: {refused}");
    }
    let missing = PostgresAddress::new("postgres://ada@db.example/l", Some("/nowhere/ca.pem".as_ref()));
    assert!(missing.unwrap_err().to_string().contains("/nowhere/ca.pem"));
}

/// A directory that was copied is the same server, of which there is one at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_of_one_server_one_has_its_place_until_it_is_gone() {
    let place = Place::postgres();
    let other = tempfile::tempdir().unwrap();
    let address = place.cluster.as_ref().unwrap().url();
    let store = place.open();
    std::fs::copy(place.path().join("server"), other.path().join("server")).unwrap();
    let refused = open_at(other.path(), &address).err().unwrap();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    store.close().await;
    let next = open_at(other.path(), &address).unwrap();
    assert_eq!(next.server(), store.server());
    next.close().await;
}

/// A migration of one that is forgotten in the other shows here.
#[tokio::test]
async fn both_schemas_have_the_same_columns() {
    let (lite, postgres) = (Place::sqlite(), Place::postgres());
    lite.open().close().await;
    postgres.open().close().await;
    let on_postgres = postgres.cluster.as_ref().unwrap().sql(
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'",
    );
    let on_postgres: BTreeSet<String> = on_postgres.unwrap().lines().map(str::to_owned).collect();
    let on_lite: BTreeSet<String> = lite.columns().into_iter().collect();
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    // Numbers that nobody asks for, and the search index.
    assert_eq!(only(&on_lite, &on_postgres), ["cursors.at", "cursors.name", "log_batches.id"]);
    // And what several servers need.
    let is_of_servers = |name: &String| name.starts_with("servers.") || name.starts_with("written.");
    let mut own = only(&on_postgres, &on_lite);
    own.retain(|name| !is_of_servers(name));
    let installation = ["installation.is_it", "installation.last_group", "installation.schema"];
    let more = ["lent.server", "logs.fence", "logs.last_seq", "logs.owner", "remarks.rowid", "texts.words"];
    assert_eq!(own, [&installation[..], &more[..]].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_changes_or_removes_an_entry_of_the_audit_log() {
    let place = Place::postgres();
    let store = place.open();
    store.audit(AuditEntry { person: "Ada".into(), ..AuditEntry::default() }).await.unwrap();
    let cluster = place.cluster.as_ref().unwrap();
    for attempt in [
        "UPDATE audit SET person = 'Ben'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "INSERT INTO audit SELECT id, at, 'Ben', action, subject, detail, address, outcome, code FROM audit
         ON CONFLICT (id) DO UPDATE SET person = 'Ben'",
    ] {
        let refused = cluster.sql(attempt).unwrap_err();
        assert!(refused.contains("only added to"), "{attempt}: {refused}");
    }
    assert_eq!(cluster.sql("SELECT person FROM audit"), Ok("Ada".into()));
}

/// PostgreSQL has no texts with U+0000: the log keeps it, lists show something else in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zero_in_a_text_does_not_stop_an_append() {
    let place = Place::postgres();
    let store = place.open();
    let s = session(1);
    let mut odd = full_append(&s, 0, 1);
    odd.entries = vec![Bytes::from_static(b"{\"text\":\"\\u0000\"}")];
    odd.text = vec![(Seq(1), "before\0after".into())];
    odd.summary.as_mut().unwrap().title = "a\0title".into();
    store.append(odd.clone()).await.unwrap();
    assert_eq!(store.read(&s, Seq(0), 1, 1 << 20).await.unwrap(), [(Seq(1), odd.entries[0].clone())]);
    assert_eq!(store.summary(&s).await.unwrap().unwrap().title, "a\u{fffd}title");
    assert_eq!(store.search("after", None, 1).await.unwrap()[0].snippet, "before\u{fffd}\u{2}after\u{3}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_entry_quarantines_its_session_and_no_other() {
    let place = Place::postgres();
    let store = place.open();
    for n in [1, 2] {
        store.append(full_append(&session(n), 0, 3)).await.unwrap();
        store.append(full_append(&session(n), 3, 3)).await.unwrap();
    }
    let cluster = place.cluster.as_ref().unwrap();
    cluster
        .sql("UPDATE log_batches SET body = set_byte(body, 20, 65) WHERE log = 1 AND first_seq = 4")
        .unwrap();
    let page = store.read(&session(1), Seq(0), 100, usize::MAX).await;
    assert!(matches!(page, Err(ReadError::Quarantined(_))), "{page:?}");
    let refused = store.append(full_append(&session(1), 6, 1)).await;
    assert!(matches!(refused, Err(AppendError::Quarantined(_))), "{refused:?}");
    store.append(full_append(&session(2), 6, 1)).await.unwrap();
    check_log(&store, &session(2), 7).await;
}

/// Everything that is appended survives crashes of the database, once each, and whoever appends needs to know nothing of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_crashes_of_the_database() {
    const CRASHES: u64 = 4;
    const SESSIONS: u64 = 16;
    let mut place = Place::postgres();
    let store = place.open();
    let acknowledged: Arc<[AtomicU64; SESSIONS as usize]> = Arc::default();
    let total = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for n in 0..SESSIONS {
        let (store, acknowledged) = (store.clone(), Arc::clone(&acknowledged));
        let (total, stop) = (Arc::clone(&total), Arc::clone(&stop));
        tasks.spawn(async move {
            let mut last = 0;
            while stop.load(Ordering::SeqCst) == 0 {
                match store.append(full_append(&session(n), last, fastrand::u64(1..10))).await {
                    Ok(committed) => last = committed.last.0,
                    // Nothing was stored, so the same place is right again.
                    Err(AppendError::Unreachable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                    Err(other) => panic!("{other:?}"),
                }
                acknowledged[n as usize].store(last, Ordering::SeqCst);
                total.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for _ in 0..CRASHES {
        let before = total.load(Ordering::SeqCst);
        until(|| total.load(Ordering::SeqCst) > before + 200).await;
        let cluster = place.cluster.as_mut().unwrap();
        cluster.crash();
        cluster.go_on();
    }
    let before = total.load(Ordering::SeqCst);
    until(|| total.load(Ordering::SeqCst) > before + 200).await;
    stop.store(1, Ordering::SeqCst);
    tasks.join_all().await;
    let mut events = 0;
    for n in 0..SESSIONS {
        let last = acknowledged[n as usize].load(Ordering::SeqCst);
        check_log(&store, &session(n), last).await;
        events += last;
    }
    store.close().await;
    println!("{CRASHES} crashes, {events} events, none lost and none twice");
}

/// The database is away for a while: whoever asks is told at once, and afterwards all goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_everybody_is_told_and_afterwards_it_goes_on() {
    let mut place = Place::postgres();
    let store = place.open();
    let s = session(1);
    store.append(full_append(&s, 0, 3)).await.unwrap();
    store.answers().await.unwrap();
    place.cluster.as_mut().unwrap().crash();
    let refused = tokio::time::timeout(SOON, store.append(full_append(&s, 3, 1))).await.unwrap();
    assert!(matches!(refused, Err(AppendError::Unreachable(_))), "{refused:?}");
    let refused = store.touch_repository("/a", NOON).await;
    assert!(matches!(refused, Err(WriteError::Unreachable(_))), "{refused:?}");
    let unread = store.last_seq(&s).await;
    assert!(matches!(unread, Err(ReadError::Unreachable(_))), "{unread:?}");
    assert!(matches!(store.answers().await, Err(ReadError::Unreachable(_))));
    place.cluster.as_mut().unwrap().go_on();
    store.answers().await.unwrap();
    store.append(full_append(&s, 3, 2)).await.unwrap();
    check_log(&store, &s, 5).await;
}

/// Passes on what is said to the database, and loses the connection at the moment that it is told.
struct Cutting {
    dir: TempDir,
    /// 0 passes everything on; 1 loses the next request, 2 the answer to it, whose effect is there.
    what: Arc<AtomicUsize>,
}

const REQUEST: usize = 1;
const ANSWER: usize = 2;

impl Cutting {
    fn before(cluster: &Cluster) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(".s.PGSQL.5432")).unwrap();
        let what = Arc::new(AtomicUsize::new(0));
        let (real, cut) = (cluster.socket(), Arc::clone(&what));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (connection, real, cut) = (connection.unwrap(), real.clone(), Arc::clone(&cut));
                std::thread::spawn(move || pass_on(connection, real, &cut));
            }
        });
        Self { dir, what }
    }

    fn url(&self) -> String {
        url(self.dir.path())
    }
}

fn pass_on(mut client: UnixStream, real: PathBuf, what: &AtomicUsize) {
    let Ok(mut server) = UnixStream::connect(real) else { return };
    let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let lost = Arc::new(AtomicUsize::new(0));
    let losing = Arc::clone(&lost);
    let back = std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = from_server.read(&mut buffer) {
            // What was asked has its effect, but nobody hears of it.
            if losing.load(Ordering::SeqCst) == 1 {
                break;
            }
            if to_client.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(std::net::Shutdown::Both);
    });
    let mut buffer = [0; 65_536];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        // Only what has an effect: a Bind of the protocol, with the entries in it.
        let is_append = buffer[..count].windows(7).any(|window| window == b"\"noted\"");
        match what.load(Ordering::SeqCst) {
            REQUEST if is_append => {
                what.store(0, Ordering::SeqCst);
                break;
            }
            ANSWER if is_append => {
                what.store(0, Ordering::SeqCst);
                lost.store(1, Ordering::SeqCst);
            }
            _ => {}
        }
        if server.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(std::net::Shutdown::Both);
    let _ = server.shutdown(std::net::Shutdown::Both);
    let _ = back.join();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_whose_connection_is_lost_lands_once() {
    let place = Place::postgres();
    let cluster = place.cluster.as_ref().unwrap();
    let cutting = Cutting::before(cluster);
    let dir = tempfile::tempdir().unwrap();
    let store = open_at(dir.path(), &cutting.url()).unwrap();
    let s = session(1);
    let mut last = store.append(full_append(&s, 0, 1)).await.unwrap().last.0;
    for round in 0..6 {
        for what in [REQUEST, ANSWER] {
            cutting.what.store(what, Ordering::SeqCst);
            let both = async {
                let audited = store.audit(AuditEntry { at: NOON, ..AuditEntry::default() });
                tokio::join!(store.append(full_append(&s, last, 3)), audited)
            };
            let (committed, audited) = tokio::time::timeout(SOON, both).await.unwrap();
            audited.unwrap_or_else(|error| panic!("round {round}, {what}: {error}"));
            last = committed.unwrap_or_else(|error| panic!("round {round}, {what}: {error}")).last.0;
            assert_eq!(cutting.what.load(Ordering::SeqCst), 0, "the connection was cut");
        }
    }
    check_log(&store, &s, last).await;
    // With a new log in the group there is a transaction of several statements, and the audit log shows what is there twice.
    for what in [REQUEST, ANSWER] {
        cutting.what.store(what, Ordering::SeqCst);
        let new = full_append(&session(10 + what as u64), 0, 2);
        let entry = AuditEntry { at: NOON.plus_ms(what as u64), ..AuditEntry::default() };
        let (appended, audited) = tokio::join!(store.append(new), store.audit(entry));
        assert_eq!(appended.unwrap().last, Seq(2));
        audited.unwrap();
    }
    store.close().await;
    assert_eq!(cluster.sql("SELECT count(*) FROM audit"), Ok("14".into()));
    assert_eq!(cluster.sql("SELECT count(*) FROM texts"), Ok("15".into()), "a text of each append");
}

async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.expect("it does not go on");
}
