//! A disk that fails or stalls.

use crate::support::*;
use crate::sync::{Verdict, judge};
use lamplight_domain::Seq;
use lamplight_store::{AppendError, Store};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

/// Appends until one fails; gives the last acknowledged entry and the failure.
async fn append_until_failure(store: &Store, n: u64, mut last: u64) -> (u64, AppendError) {
    for _ in 0..2000 {
        match store.append(full_append(&session(n), last, 20)).await {
            Ok(committed) => last = committed.last.0,
            Err(error) => return (last, error),
        }
    }
    panic!("no append failed");
}

/// The fsync of files that end in `name` fails once, after `after` good ones.
async fn check_failing_fsync(name: &'static str, after: u64) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut lasts = [0; 8];
    for n in 0..8 {
        lasts[n as usize] = store.append(full_append(&session(n), 0, 3)).await.unwrap().last.0;
    }
    let seen = AtomicU64::new(0);
    let judged = judge(dir.path(), move |path| {
        let hit = path.to_str().unwrap().ends_with(name) && seen.fetch_add(1, Ordering::Relaxed) == after;
        if hit { Verdict::Fail(libc::EIO) } else { Verdict::Through }
    });
    let mut tasks = JoinSet::new();
    for n in 0..8 {
        let (store, last) = (store.clone(), lasts[n as usize]);
        tasks.spawn(async move { (n, append_until_failure(&store, n, last).await) });
    }
    for (n, (last, error)) in tasks.join_all().await {
        assert!(matches!(error, AppendError::Failed(_)), "{error:?}");
        lasts[n as usize] = last;
    }
    // The disk says yes again, but what it lost it does not say: nothing is acknowledged any more.
    let late = store.append(full_append(&session(99), 0, 1)).await;
    assert!(matches!(late, Err(AppendError::Failed(_))), "{late:?}");
    assert!(store.touch_repository("/a", NOON).await.is_err());
    for n in 0..8 {
        assert!(store.last_seq(&session(n)).await.unwrap() >= Seq(lasts[n as usize]), "reads go on");
    }
    assert!(!store.search("entry", None, 5).await.unwrap().is_empty(), "search finds what is indexed");
    store.close().await;
    drop(judged);
    let store = open(&dir);
    for n in 0..8 {
        let last = check_survived(&store, &session(n), lasts[n as usize], 0).await;
        store.append(full_append(&session(n), last, 1)).await.unwrap();
    }
    store.close().await;
    check_database(dir.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_fsync_of_the_write_ahead_log_nothing_is_acknowledged() {
    check_failing_fsync("-wal", 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_fsync_of_the_database_nothing_is_acknowledged() {
    check_failing_fsync(".db", 0).await;
}

/// As many waits as there are versions of the schema would be most of what a first start takes.
#[test]
fn a_new_database_waits_for_the_disk_once_for_its_whole_schema() {
    let dir = tempfile::tempdir().unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    let in_hook = Arc::clone(&seen);
    let judged = judge(dir.path(), move |_| {
        in_hook.fetch_add(1, Ordering::Relaxed);
        Verdict::Through
    });
    drop(open(&dir));
    drop(judged);
    let waits = seen.load(Ordering::Relaxed);
    let versions = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let versions = versions.filter(|entry| entry.as_ref().unwrap().path().is_file()).count() as u64;
    assert!((1..versions).contains(&waits), "{waits} waits for the disk, for {versions} versions");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_disk_stalls_readers_go_on_and_nobody_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.append(full_append(&session(0), 0, 3)).await.unwrap();
    let stall = Arc::new((Mutex::new(true), Condvar::new()));
    let in_hook = Arc::clone(&stall);
    let judged = judge(dir.path(), move |_| {
        let (stalled, released) = &*in_hook;
        drop(released.wait_while(stalled.lock().unwrap(), |stalled| *stalled).unwrap());
        Verdict::Through
    });
    let acknowledged = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for n in 1..=200 {
        let (store, acknowledged) = (store.clone(), Arc::clone(&acknowledged));
        tasks.spawn(async move {
            store.append(full_append(&session(n), 0, 3)).await.unwrap();
            acknowledged.store(true, Ordering::SeqCst);
        });
    }
    let first = session(0);
    for _ in 0..50 {
        let reading = tokio::time::timeout(Duration::from_secs(5), read_all(&store, &first));
        assert_eq!(reading.await.expect("readers do not wait for the writer").unwrap().len(), 3);
    }
    assert!(!acknowledged.load(Ordering::SeqCst));
    assert_eq!(store.last_seq(&session(1)).await.unwrap(), Seq(0), "what is not durable is not visible");
    *stall.0.lock().unwrap() = false;
    stall.1.notify_all();
    tasks.join_all().await;
    drop(judged);
    for n in 1..=200 {
        assert_eq!(store.last_seq(&session(n)).await.unwrap(), Seq(3));
    }
}
