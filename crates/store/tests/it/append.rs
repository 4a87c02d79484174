//! Appending and reading back.

use crate::support::*;
use bytes::Bytes;
use lamplight_domain::{Seq, Timestamp};
use lamplight_store::{AppendError, Owner, REMEMBER_MS, Remembered, StoreError};
use tokio::task::JoinSet;

on_both!(
    what_was_appended_is_read_back_also_by_the_next_process,
    pages_end_at_the_first_limit_and_are_never_empty_before_the_end,
    an_append_that_expects_another_end_is_told_the_end,
    of_many_that_append_at_the_same_place_one_wins,
    malformed_appends_are_refused_and_change_nothing,
    a_key_makes_its_append_happen_once,
    a_second_server_is_refused_until_the_first_is_gone,
    a_database_of_a_newer_version_is_refused,
    readers_see_a_prefix_that_only_grows_while_others_write,
);

async fn what_was_appended_is_read_back_also_by_the_next_process(place: Place) {
    let store = place.open();
    let s = session(1);
    assert_eq!(store.last_seq(&s).await.unwrap(), Seq(0));
    assert_eq!(store.append(append(&s, 0, 1)).await.unwrap().last, Seq(1));
    assert_eq!(store.append(append(&s, 1, 7)).await.unwrap().last, Seq(8));
    assert_eq!(store.append(append(&session(2), 0, 3)).await.unwrap().last, Seq(3));
    check_log(&store, &s, 8).await;
    store.close().await;
    let store = place.open();
    check_log(&store, &s, 8).await;
    check_log(&store, &session(2), 3).await;
    assert_eq!(store.claim(&s).await, Ok(Owner::Ours));
    store.append(append(&s, 8, 1)).await.unwrap();
    check_log(&store, &s, 9).await;
}

async fn pages_end_at_the_first_limit_and_are_never_empty_before_the_end(place: Place) {
    let store = place.open();
    let s = session(1);
    let mut last = 0;
    for count in [1, 5, 2, 9, 3] {
        last = store.append(append(&s, last, count)).await.unwrap().last.0;
    }
    let seqs = |page: Vec<(Seq, Bytes)>| page.into_iter().map(|(seq, _)| seq.0).collect::<Vec<u64>>();
    let none: [u64; 0] = [];
    assert_eq!(seqs(store.read(&s, Seq(4), 5, usize::MAX).await.unwrap()), [5, 6, 7, 8, 9]);
    let two = entry(&s, 5).len() + entry(&s, 6).len();
    assert_eq!(seqs(store.read(&s, Seq(4), 100, two).await.unwrap()), [5, 6]);
    assert_eq!(seqs(store.read(&s, Seq(4), 100, 1).await.unwrap()), [5]);
    assert_eq!(seqs(store.read(&s, Seq(4), 0, 0).await.unwrap()), [5]);
    assert_eq!(seqs(store.read(&s, Seq(19), 100, usize::MAX).await.unwrap()), [20]);
    assert_eq!(seqs(store.read(&s, Seq(20), 100, usize::MAX).await.unwrap()), none);
    assert_eq!(seqs(store.read(&s, Seq(u64::MAX - 1), 100, usize::MAX).await.unwrap()), none);
    assert_eq!(seqs(store.read_before(&s, Seq(8), 4).await.unwrap()), [4, 5, 6, 7]);
    assert_eq!(seqs(store.read_before(&s, Seq(3), 100).await.unwrap()), [1, 2]);
    assert_eq!(seqs(store.read_before(&s, Seq(u64::MAX), 3).await.unwrap()), [18, 19, 20]);
    assert_eq!(seqs(store.read_before(&s, Seq(1), 3).await.unwrap()), none);
    assert_eq!(seqs(store.read(&session(2), Seq(0), 100, usize::MAX).await.unwrap()), none);
}

async fn an_append_that_expects_another_end_is_told_the_end(place: Place) {
    let store = place.open();
    let s = session(1);
    store.append(append(&s, 0, 4)).await.unwrap();
    for expected in [0, 3, 5, 400] {
        let refused = store.append(append(&s, expected, 1)).await;
        assert_eq!(refused, Err(AppendError::Conflict { actual: Seq(4) }));
    }
    let refused = store.append(append(&session(2), 1, 1)).await;
    assert_eq!(refused, Err(AppendError::Conflict { actual: Seq(0) }));
    check_log(&store, &s, 4).await;
    check_log(&store, &session(2), 0).await;
}

async fn of_many_that_append_at_the_same_place_one_wins(place: Place) {
    let store = place.open();
    let s = session(1);
    for last in 0..20 {
        let mut tasks = JoinSet::new();
        for _ in 0..16 {
            let (store, append) = (store.clone(), append(&s, last, 1));
            tasks.spawn(async move { store.append(append).await });
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    }
    check_log(&store, &s, 20).await;
}

async fn malformed_appends_are_refused_and_change_nothing(place: Place) {
    let store = place.open();
    let s = session(1);
    let good = append(&s, 0, 2);
    let mut bad = vec![good.clone(); 7];
    bad[0].entries.clear();
    bad[1].entries[1] = Bytes::from_static(b"{\n}");
    bad[2].entries[0] = Bytes::new();
    bad[3].entries[0] = vec![b'x'; lamplight_store::APPEND_BYTES].into();
    bad[4].summary = Some(summary(&session(2), 2));
    bad[5].summary = Some(summary(&s, 3));
    bad[6].text = vec![(Seq(3), "of the next one".into())];
    for append in bad {
        let refused = store.append(append).await;
        assert!(matches!(refused, Err(AppendError::Refused(_))), "{refused:?}");
    }
    check_log(&store, &s, 0).await;
    store.append(good).await.unwrap();
    check_log(&store, &s, 2).await;
}

async fn a_key_makes_its_append_happen_once(place: Place) {
    let store = place.open();
    let answer = |at| Remembered {
        key: "create-1".into(),
        fingerprint: "abc".into(),
        response: session(1).to_string(),
        at: Timestamp(at),
    };
    let mut first = append(&session(1), 0, 1);
    first.once = Some(answer(NOON.0));
    store.append(first.clone()).await.unwrap();
    let mut again = append(&session(2), 0, 1);
    again.once = Some(answer(NOON.0 + 5));
    assert_eq!(store.append(again.clone()).await, Err(AppendError::Repeated(answer(NOON.0))));
    check_log(&store, &session(2), 0).await;
    assert_eq!(store.recall("create-1", NOON).await.unwrap(), Some(answer(NOON.0)));
    assert_eq!(store.recall("create-2", NOON).await.unwrap(), None);
    let tomorrow = NOON.plus_ms(REMEMBER_MS);
    assert_eq!(store.recall("create-1", tomorrow).await.unwrap(), None);
    again.once = Some(answer(tomorrow.0));
    store.append(again).await.unwrap();
    assert_eq!(store.remember(answer(tomorrow.0 + 1)).await.unwrap(), answer(tomorrow.0));
}

async fn a_second_server_is_refused_until_the_first_is_gone(place: Place) {
    let store = place.open();
    let refused = place.try_open().err().unwrap();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("another Lamplight server"), "{refused}");
    let clone = store.clone();
    store.close().await;
    let next = place.open();
    let closed = clone.append(append(&session(1), 0, 1)).await;
    assert!(matches!(closed, Err(AppendError::Failed(_))), "{closed:?}");
    assert!(clone.last_seq(&session(1)).await.is_err());
    drop(next);
    place.open();
}

async fn a_database_of_a_newer_version_is_refused(place: Place) {
    place.open().close().await;
    place.sql("PRAGMA user_version = 99", "UPDATE installation SET schema = 99");
    let refused = place.try_open().err().unwrap();
    assert!(matches!(refused, StoreError::TooNew { found: 99, .. }), "{refused}");
}

async fn readers_see_a_prefix_that_only_grows_while_others_write(place: Place) {
    const APPENDS: u64 = 300;
    let store = place.open();
    let s = session(1);
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (store, s) = (store.clone(), s.clone());
        tasks.spawn(async move {
            let mut at = 0;
            while at < APPENDS * 3 {
                for (seq, bytes) in store.read(&s, Seq(at), 50, 4096).await.unwrap() {
                    assert_eq!((seq, bytes), (Seq(at + 1), entry(&s, at + 1)));
                    at += 1;
                }
            }
        });
    }
    for n in 0..APPENDS {
        let committed = store.append(append(&s, n * 3, 3)).await.unwrap();
        assert_eq!(store.last_seq(&s).await.unwrap(), committed.last, "durable is visible");
    }
    tasks.join_all().await;
}
