//! Flipped bits.

use crate::support::*;
use lamplight_domain::Seq;
use lamplight_store::{AppendError, ReadError, SessionQuery, Store};
use std::fs;
use std::path::Path;

const SESSIONS: u64 = 6;

/// Six sessions of forty entries, in the database file and nowhere else.
async fn written(dir: &Path) -> Vec<u8> {
    let store = Store::open(dir).unwrap();
    for last in (0..40).step_by(4) {
        for n in 0..SESSIONS {
            store.append(full_append(&session(n), last, 4)).await.unwrap();
        }
    }
    store.close().await;
    assert!(!dir.join("lamplight.db-wal").exists(), "closing copies the write-ahead log");
    fs::read(dir.join("lamplight.db")).unwrap()
}

#[tokio::test]
async fn a_flipped_bit_in_an_entry_quarantines_its_session_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = written(dir.path()).await;
    let victim = entry(&session(2), 23);
    let at = database.windows(victim.len()).position(|window| window == victim).unwrap();
    database[at + victim.len() / 2] ^= 0x10;
    fs::write(dir.path().join("lamplight.db"), database).unwrap();

    let store = open(&dir);
    let before: Vec<_> = store.read(&session(2), Seq(0), 20, usize::MAX).await.unwrap();
    assert_eq!(before.len(), 20, "what comes before the damage is good");
    let page = store.read(&session(2), Seq(0), 40, usize::MAX).await;
    assert!(matches!(page, Err(ReadError::Quarantined(_))), "{page:?}");
    let tail = store.read_before(&session(2), Seq(41), 40).await;
    assert!(matches!(tail, Err(ReadError::Quarantined(_))), "{tail:?}");
    let refused = store.append(full_append(&session(2), 40, 1)).await;
    assert!(matches!(refused, Err(AppendError::Quarantined(_))), "{refused:?}");
    for n in [0, 1, 3, 4, 5] {
        check_log(&store, &session(n), 40).await;
        store.append(full_append(&session(n), 40, 1)).await.unwrap();
    }
    let listed = store.sessions(SessionQuery { limit: 50, ..Default::default() }).await.unwrap();
    assert_eq!(listed.items.len(), SESSIONS as usize);
}

#[tokio::test]
async fn whatever_bit_is_flipped_no_log_is_served_that_is_not_what_was_written() {
    const ROUNDS: u32 = 200;
    let original = tempfile::tempdir().unwrap();
    let database = written(original.path()).await;
    let mut noticed = 0;
    for round in 0..ROUNDS {
        let dir = tempfile::tempdir().unwrap();
        let mut flipped = database.clone();
        let (byte, bit) = (fastrand::usize(..flipped.len()), fastrand::u8(..8));
        flipped[byte] ^= 1 << bit;
        fs::write(dir.path().join("lamplight.db"), flipped).unwrap();
        let Ok(store) = Store::open(dir.path()) else {
            noticed += 1;
            continue;
        };
        for n in 0..SESSIONS {
            match read_all(&store, &session(n)).await {
                Ok(log) => assert_eq!(
                    log,
                    (1..=40).map(|seq| (Seq(seq), entry(&session(n), seq))).collect::<Vec<_>>(),
                    "round {round}: bit {bit} of byte {byte} is flipped, and the log of {n} is wrong"
                ),
                Err(_) => noticed += 1,
            }
        }
    }
    // Most of the file is other pages, the more the more tables there are.
    assert!(noticed > ROUNDS / 20, "only {noticed} flips were noticed: were they in the file?");
}
