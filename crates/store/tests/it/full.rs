//! A disk that is full, and has space again.

use crate::small::Small;
use crate::support::*;
use bytes::Bytes;
use lamplight_domain::Seq;
use lamplight_store::{AppendError, BlobError, Store};
use std::time::Duration;

#[tokio::test]
async fn a_full_disk_refuses_appends_until_there_is_space_and_nothing_else_stops() {
    let Some(small) = Small::mount("8m") else { return };
    let store = Store::open(small.path()).unwrap();
    let s = session(1);
    let mut last = store.append(full_append(&s, 0, 10)).await.unwrap().last.0;
    for round in 0..3 {
        small.fill(300_000);
        let refused = loop {
            let append = store.append(full_append(&s, last, 10));
            match tokio::time::timeout(Duration::from_secs(1), append)
                .await
                .expect("an answer within a second")
            {
                Ok(committed) => last = committed.last.0,
                Err(error) => break error,
            }
            assert!(last < 100_000, "the disk never became full");
        };
        assert_eq!(refused, AppendError::StorageFull, "round {round}");
        let again = store.append(full_append(&s, last, 10)).await;
        assert_eq!(again, Err(AppendError::StorageFull));
        assert_eq!(store.blobs().put(Bytes::from(vec![1; 500_000])).await, Err(BlobError::StorageFull));
        check_log(&store, &s, last).await;
        store.search("entry", None, 5).await.expect("search goes on");

        small.give_back();
        last = store.append(full_append(&s, last, 10)).await.unwrap().last.0;
        check_survived(&store, &s, last, 0).await;
        store.blobs().put(Bytes::from(vec![round; 1000])).await.unwrap();
    }
    store.close().await;
    let store = Store::open(small.path()).unwrap();
    assert_eq!(store.last_seq(&s).await.unwrap(), Seq(last));
    store.close().await;
    check_database(small.path());
}
