//! Logs that are packed read as before, whatever happens while they are.

use crate::blobs::bucket;
use crate::seaweed::{BUCKET, LET_IN, Seaweed};
use crate::support::*;
use crate::sync::{Verdict, judge};
use lamplight_domain::{Seq, SessionId, Timestamp};
use lamplight_store::{AppendError, Backup, Packable, Places, ReadError, Store};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;

on_both!(
    a_packed_log_reads_as_before_and_goes_on,
    readers_and_writers_do_not_notice_that_a_log_is_packed,
    of_many_who_pack_the_same_each_part_is_packed_once,
    what_is_old_and_not_packed_is_found_page_by_page,
    a_blob_that_is_not_there_is_the_damage_of_its_log_alone,
);

/// Entries of one append, some 200 kB of them.
const MANY: u64 = 1500;
/// Appends of such a log: it becomes three packs, of which the last is not full.
const APPENDS: u64 = 14;

/// A log of several packs; where it ends.
async fn long(store: &Store, s: &SessionId) -> u64 {
    for n in 0..APPENDS {
        store.append(full_append(s, n * MANY, MANY)).await.unwrap();
    }
    APPENDS * MANY
}

/// Packs all of it; in how many packs.
pub(crate) async fn pack_all(store: &Store, s: &SessionId) -> usize {
    let mut packs = 0;
    while store.pack(s).await.unwrap().is_some() {
        packs += 1;
    }
    packs
}

/// The log is what was written, up to there, read in both directions in pages of several packs and of parts of one.
async fn check(store: &Store, s: &SessionId, last: u64) {
    assert_eq!(store.last_seq(s).await.unwrap(), Seq(last));
    let all: Vec<_> = (1..=last).map(|seq| (Seq(seq), entry(s, seq))).collect();
    let mut read = Vec::new();
    while read.len() < all.len() {
        let after = Seq(read.len() as u64);
        read.extend(store.read(s, after, usize::MAX, 3 << 19).await.unwrap());
    }
    assert!(read == all, "the log of {s} from its beginning on");
    let mut back = Vec::new();
    while back.len() < all.len() {
        let before = Seq(last + 1 - back.len() as u64);
        let mut page = store.read_before(s, before, 9000).await.unwrap();
        page.append(&mut back);
        back = page;
    }
    assert!(back == all, "the log of {s} back from its end");
    for at in [1, MANY - 1, MANY, MANY + 1, 7 * MANY, last - 1].into_iter().filter(|at| *at < last) {
        let one = &all[at as usize..][..1];
        assert_eq!(store.read(s, Seq(at), 1, usize::MAX).await.unwrap(), one);
        assert_eq!(store.read_before(s, Seq(at + 2), 1).await.unwrap(), one);
    }
    assert_eq!(store.read(s, Seq(last), 10, usize::MAX).await.unwrap(), []);
    assert_eq!(store.read(s, Seq(last + 5), 10, usize::MAX).await.unwrap(), []);
    assert_eq!(store.read_before(s, Seq(1), 10).await.unwrap(), []);
}

async fn a_packed_log_reads_as_before_and_goes_on(place: Place) {
    let store = place.open();
    let (s, other) = (session(1), session(2));
    let last = long(&store, &s).await;
    store.append(full_append(&other, 0, 3)).await.unwrap();
    let found = store.search("entry what follows", None, 500).await.unwrap();
    let first = store.pack(&s).await.unwrap().unwrap();
    assert!(first.packed_bytes * 5 < first.bytes, "{first:?}");
    check(&store, &s, last).await;
    assert_eq!(pack_all(&store, &s).await, 2);
    check(&store, &s, last).await;
    assert_eq!(place.number("SELECT count(*) FROM log_batches"), 1, "of the other");
    assert_eq!(store.search("entry what follows", None, 500).await.unwrap(), found);

    // It goes on behind what is packed, also where nobody remembers the end of the log, and is packed again.
    let wrong = store.append(full_append(&s, last - 1, 1)).await;
    assert_eq!(wrong, Err(AppendError::Conflict { actual: Seq(last) }));
    store.close().await;
    let store = place.open();
    let _ = store.claim(&s).await.unwrap();
    store.append(full_append(&s, last, 3)).await.unwrap();
    store.append(full_append(&s, last + 3, 3)).await.unwrap();
    check(&store, &s, last + 6).await;
    assert_eq!(pack_all(&store, &s).await, 1);
    store.append(full_append(&s, last + 6, 1)).await.unwrap();
    check(&store, &s, last + 7).await;
    check(&store, &other, 3).await;
    assert_eq!(store.pack(&session(9)).await, Ok(None), "there is no such session");
}

async fn readers_and_writers_do_not_notice_that_a_log_is_packed(place: Place) {
    let store = place.open();
    let s = session(1);
    let last = long(&store, &s).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for n in 0..3 {
        let (store, s, is_over) = (store.clone(), s.clone(), Arc::clone(&is_over));
        readers.spawn(async move {
            let mut at = n * 5 * MANY;
            while !is_over.load(Ordering::Relaxed) {
                let on = store.read(&s, Seq(at), 300, usize::MAX).await.unwrap();
                assert_eq!(on[0], (Seq(at + 1), entry(&s, at + 1)));
                let back = store.read_before(&s, Seq(at + 2), 300).await.unwrap();
                assert_eq!(back.last().unwrap(), &on[0]);
                assert!(store.last_seq(&s).await.unwrap() >= Seq(last));
                at = (at + 4567) % last;
            }
        });
    }
    let mut end = last;
    for _ in 0..3 {
        let (packed, appended) = tokio::join!(store.pack(&s), store.append(full_append(&s, end, 1)));
        assert!(packed.unwrap().is_some());
        end = appended.unwrap().last.0;
    }
    pack_all(&store, &s).await;
    is_over.store(true, Ordering::Relaxed);
    readers.join_all().await;
    check(&store, &s, end).await;
}

async fn of_many_who_pack_the_same_each_part_is_packed_once(place: Place) {
    let store = place.open();
    let s = session(1);
    let last = long(&store, &s).await;
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        let (store, s) = (store.clone(), s.clone());
        tasks.spawn(async move { store.pack(&s).await.unwrap().map_or(0, |packed| packed.entries) });
    }
    let packed: u64 = tasks.join_all().await.into_iter().sum();
    assert_eq!(place.number("SELECT max(last_seq) FROM log_packs"), packed);
    pack_all(&store, &s).await;
    assert_eq!(place.number("SELECT sum(last_seq - first_seq + 1) FROM log_packs"), last);
    check(&store, &s, last).await;
}

async fn what_is_old_and_not_packed_is_found_page_by_page(place: Place) {
    let store = place.open();
    let write = async |n: u64, archived: bool, open: bool, at: i64| {
        let mut append = full_append(&session(n), 0, 2);
        let row = append.summary.as_mut().unwrap();
        (row.archived, row.open, row.updated_at) = (archived, open, Timestamp(at));
        store.append(append).await.unwrap();
    };
    for n in 1..=5 {
        write(n, true, false, n as i64).await;
    }
    write(6, true, true, 1).await;
    write(7, false, false, 1).await;
    let page = async |archived, after: Option<u64>, limit| {
        let after = after.map(session);
        store.packable(archived, Timestamp(5), after.as_ref(), limit).await.unwrap()
    };
    let packable = |sessions: &[u64], next: Option<u64>| Packable {
        sessions: sessions.iter().copied().map(session).collect(),
        next: next.map(session),
    };
    assert_eq!(
        page(true, None, 10).await,
        packable(&[1, 2, 3, 4], None),
        "5 is too new, 6 has something to do"
    );
    assert_eq!(page(true, None, 3).await, packable(&[1, 2, 3], Some(3)));
    assert_eq!(page(false, None, 10).await, packable(&[7], None));
    pack_all(&store, &session(2)).await;
    assert_eq!(page(true, None, 3).await, packable(&[1, 3], Some(3)));
    assert_eq!(page(true, Some(3), 3).await, packable(&[4], Some(6)));
    assert_eq!(page(true, Some(6), 3).await, packable(&[], None));
}

/// The files of blobs of a store.
fn blobs_of(dir: &Path) -> Vec<PathBuf> {
    let listed = |dir: PathBuf| -> Vec<PathBuf> {
        std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    };
    listed(dir.join("blobs")).into_iter().flat_map(listed).filter(|path| path.is_file()).collect()
}

async fn a_blob_that_is_not_there_is_the_damage_of_its_log_alone(place: Place) {
    let store = place.open();
    for n in [1, 2] {
        store.append(full_append(&session(n), 0, 40)).await.unwrap();
    }
    pack_all(&store, &session(1)).await;
    let blobs = blobs_of(place.path());
    let [blob] = &blobs[..] else { panic!("one log was packed") };
    let (content, name) = (std::fs::read(blob).unwrap(), blob.strip_prefix(place.path()).unwrap());
    pack_all(&store, &session(2)).await;
    for spoil in [None, Some("hello")] {
        match spoil {
            None => std::fs::remove_file(blob).unwrap(),
            Some(other) => std::fs::write(blob, other).unwrap(),
        }
        store.close().await;
        let store = place.open();
        let Err(ReadError::Quarantined(what)) = store.read(&session(1), Seq(0), 10, usize::MAX).await else {
            panic!("it reads what is not there");
        };
        assert!(what.contains("entries 1 to 40") && what.contains(name.to_str().unwrap()), "{what}");
        let refused = store.append(full_append(&session(1), 40, 1)).await;
        assert!(matches!(refused, Err(AppendError::Quarantined(_))), "{refused:?}");
        check(&store, &session(2), 40).await;
        store.close().await;
    }
    std::fs::write(blob, content).unwrap();
    check(&place.open(), &session(1), 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_bucket_is_away_packed_logs_wait_and_others_do_not() {
    let Some(mut seaweed) = Seaweed::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let open_in = |seaweed: &Seaweed, name: &str| {
        let bucket = Some(bucket(seaweed, name, LET_IN));
        Store::open_at(dir.path(), Places { database: None, bucket }).unwrap()
    };
    let store = open_in(&seaweed, BUCKET);
    for n in [1, 2] {
        store.append(full_append(&session(n), 0, 40)).await.unwrap();
    }
    pack_all(&store, &session(1)).await;
    seaweed.crash();
    let away = store.read(&session(1), Seq(0), 10, usize::MAX).await;
    assert!(matches!(away, Err(ReadError::Unavailable(_))), "{away:?}");
    assert!(!store.pack(&session(2)).await.unwrap_err().is_of_one_log());
    check(&store, &session(2), 40).await;
    store.append(full_append(&session(1), 40, 2)).await.unwrap();
    seaweed.go_on();
    check(&store, &session(1), 42).await;

    // In another bucket it is not, which may pass: nothing is damaged, and nothing is written off.
    store.close().await;
    let store = open_in(&seaweed, &format!("{BUCKET}/other"));
    let missing = store.read(&session(1), Seq(0), 10, usize::MAX).await;
    assert!(matches!(missing, Err(ReadError::Unavailable(_))), "{missing:?}");
    store.append(full_append(&session(1), 42, 2)).await.unwrap();
    store.close().await;
    check(&open_in(&seaweed, BUCKET), &session(1), 44).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_has_what_is_packed() {
    let place = Place::sqlite();
    let store = place.open();
    let s = session(1);
    let last = long(&store, &s).await;
    store.pack(&s).await.unwrap().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let (backup, restored) = (elsewhere.path().join("backup"), elsewhere.path().join("restored"));
    let made = Backup::create(place.path(), &backup, NOON, None).unwrap();
    assert_eq!((made.entries, made.blobs), (last, 1));
    // What is packed afterwards is in rows there.
    pack_all(&store, &s).await;
    Backup::restore(&backup, &restored).unwrap();
    check(&Store::open(&restored).unwrap(), &s, last).await;
}

/// No row goes before the blob that it is in can be lost no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_is_on_the_disk_with_its_name_before_anything_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.append(full_append(&session(1), 0, 40)).await.unwrap();
    // When this is answered there is room in the write-ahead log, which is synced too.
    store.append(full_append(&session(2), 0, 1)).await.unwrap();
    let synced: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let seen = Arc::clone(&synced);
    let judged = judge(dir.path(), move |path| {
        seen.lock().unwrap().push(path.to_owned());
        Verdict::Through
    });
    store.pack(&session(1)).await.unwrap().unwrap();
    drop(judged);
    let synced = synced.lock().unwrap();
    let blobs = blobs_of(&dir.path().canonicalize().unwrap());
    let [blob] = &blobs[..] else { panic!("it was packed") };
    let folder = blob.parent().unwrap();
    let at = |wanted: &dyn Fn(&Path) -> bool| synced.iter().position(|path| wanted(path)).unwrap();
    let content = at(&|path: &Path| path.parent().is_some_and(|parent| parent.ends_with("blobs/unfinished")));
    let name = at(&|path: &Path| path == folder);
    let log = at(&|path: &Path| path.to_str().unwrap().ends_with("-wal"));
    assert!(content < name && name < log, "{synced:?}");
}

/// Names the directory to a process that is to pack what is in it.
const DIR: &str = "LAMPLIGHT_PACK_DIR";
/// The fsync before which that process kills itself.
const AT_SYNC: &str = "LAMPLIGHT_PACK_AT_SYNC";

#[test]
fn a_log_survives_a_kill_at_every_fsync_of_its_packing() {
    /// Two packs, of which one is not full.
    const LAST: u64 = 8 * MANY;
    const TEST: &str = "packs::a_log_survives_a_kill_at_every_fsync_of_its_packing";
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let s = session(1);
    if let Some(dir) = std::env::var_os(DIR) {
        let syncs = AtomicU64::new(0);
        let at: u64 = std::env::var(AT_SYNC).unwrap().parse().unwrap();
        let _judged = judge(dir.as_ref(), move |_| {
            if syncs.fetch_add(1, Ordering::Relaxed) + 1 == at {
                // SAFETY: sends a signal to this process; no memory is involved.
                unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
            }
            Verdict::Through
        });
        runtime.block_on(async { pack_all(&Store::open(dir.as_ref()).unwrap(), &s).await });
        return;
    }
    let mut kills = 0;
    loop {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        runtime.block_on(async {
            for n in 0..LAST / MANY {
                store.append(full_append(&s, n * MANY, MANY)).await.unwrap();
            }
            store.close().await;
        });
        drop(store);
        let mut packer = Command::new(std::env::current_exe().unwrap());
        packer.args([TEST, "--exact"]).env(DIR, dir.path()).env(AT_SYNC, (kills + 1).to_string());
        let is_over = packer.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success();
        let store = open(&dir);
        runtime.block_on(async {
            check(&store, &s, LAST).await;
            store.append(full_append(&s, LAST, 1)).await.unwrap();
            pack_all(&store, &s).await;
            check(&store, &s, LAST + 1).await;
            store.close().await;
        });
        check_database(dir.path());
        if is_over {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 10, "two packs take more than {kills} fsyncs");
}
