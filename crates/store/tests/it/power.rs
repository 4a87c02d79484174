//! The power goes. What was synced is on the disk; of what was written since, any part is, sector by sector.

use crate::support::*;
use crate::sync::{Verdict, judge};
use lamplight_store::Store;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

const SESSIONS: u64 = 8;
const SECTOR: usize = 512;
/// Crashes in one life of a store, at least, and one sync in how many they come.
const CRASHES: usize = 24;
/// Fewer copies of the write-ahead log would say nothing.
const COPIES: u64 = 3;
const ONE_IN: u32 = 8;

/// The disk after the power went, and what had been acknowledged before.
struct Crash {
    disk: TempDir,
    acknowledged: Vec<u64>,
    go_on: oneshot::Sender<()>,
}

/// The store's files as of their last sync, by inode: a file that gets another name stays what it is.
#[derive(Default)]
struct Synced(HashMap<u64, Vec<u8>>);

impl Synced {
    /// What is on the disk if the power goes now.
    fn crash(&self, dir: &Path) -> TempDir {
        let disk = tempfile::tempdir().unwrap();
        for name in ["lamplight.db", "lamplight.db-wal", "lamplight.db-journal"] {
            let path = dir.join(name);
            let Ok(written) = fs::read(&path) else { continue };
            let synced = inode(&path).and_then(|inode| self.0.get(&inode)).map_or(&[][..], Vec::as_slice);
            fs::write(disk.path().join(name), torn(synced, &written)).unwrap();
        }
        disk
    }
}

fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.ino())
}

fn torn(synced: &[u8], written: &[u8]) -> Vec<u8> {
    let length = if fastrand::bool() { written.len() } else { synced.len() };
    let mut torn = Vec::with_capacity(length + SECTOR);
    while torn.len() < length {
        let file = if fastrand::bool() { written } else { synced };
        let sector = file.get(torn.len()..).unwrap_or_default();
        let end = torn.len() + SECTOR;
        torn.extend_from_slice(&sector[..sector.len().min(SECTOR)]);
        // Past the end of the version it is of, a sector is a hole.
        torn.resize(end, 0);
    }
    torn.truncate(length);
    torn
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_power_cut() {
    let dir = tempfile::tempdir().unwrap();
    let acknowledged: Arc<[AtomicU64; SESSIONS as usize]> = Arc::default();
    let (crashes, mut crashed) = mpsc::channel(1);
    let synced = Mutex::new(Synced::default());
    let copied = Arc::new(AtomicU64::new(0));
    let copies = Arc::clone(&copied);
    let (root, lasts) = (dir.path().canonicalize().unwrap(), Arc::clone(&acknowledged));
    let judged = judge(dir.path(), move |path| {
        if fastrand::u32(..ONE_IN) == 0 {
            // First what is acknowledged, then the disk: what is acknowledged meanwhile is not this crash's to keep.
            let acknowledged = lasts.iter().map(|last| last.load(Ordering::SeqCst)).collect();
            let disk = synced.lock().unwrap().crash(&root);
            let (go_on, wait) = oneshot::channel();
            // Both fail once there were crashes enough.
            if crashes.blocking_send(Crash { disk, acknowledged, go_on }).is_ok() {
                let _ = wait.blocking_recv();
            }
        }
        if path.extension().is_some_and(|extension| extension == "db") {
            copies.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(inode) = inode(path).filter(|_| path.is_file()) {
            synced.lock().unwrap().0.insert(inode, fs::read(path).unwrap());
        }
        Verdict::Through
    });
    let opening = dir.path().to_owned();
    let store = tokio::task::spawn_blocking(move || Store::open(&opening).unwrap());
    let mut tasks = JoinSet::new();
    let appending = Arc::clone(&acknowledged);
    tasks.spawn(async move {
        let store = store.await.unwrap();
        let mut sessions = JoinSet::new();
        for n in 0..SESSIONS {
            let (store, acknowledged) = (store.clone(), Arc::clone(&appending));
            sessions.spawn(async move {
                let mut last = 0;
                loop {
                    // Large enough that the write-ahead log is copied and starts again several times.
                    let append = full_append(&session(n), last, fastrand::u64(20..150));
                    last = store.append(append).await.unwrap().last.0;
                    acknowledged[n as usize].store(last, Ordering::SeqCst);
                }
            });
        }
        sessions.join_all().await;
    });
    let mut n = 0;
    // How often the write-ahead log is copied in so many crashes is up to chance.
    while n < CRASHES || copied.load(Ordering::SeqCst) < COPIES {
        assert!(n < 10 * CRASHES, "the write-ahead log is hardly ever copied");
        n += 1;
        let crash = crashed.recv().await.unwrap();
        let store =
            Store::open(crash.disk.path()).unwrap_or_else(|error| panic!("after crash {n}: {error:#}"));
        for (s, acknowledged) in crash.acknowledged.iter().enumerate() {
            let last = check_survived(&store, &session(s as u64), *acknowledged, 0).await;
            store.append(full_append(&session(s as u64), last, 1)).await.unwrap();
        }
        store.close().await;
        check_database(crash.disk.path());
        // It may have stopped waiting only if this test is over.
        let _ = crash.go_on.send(());
    }
    drop(crashed);
    tasks.shutdown().await;
    drop(judged);
    let events: u64 = acknowledged.iter().map(|last| last.load(Ordering::SeqCst)).sum();
    println!("{n} power cuts, {events} events acknowledged, none lost");
}
