//! A disk that is full, and has space again.

use crate::support::*;
use bytes::Bytes;
use lamplight_domain::Seq;
use lamplight_store::{AppendError, BlobError};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A file system of its own, of eight mebibytes.
struct Small(TempDir);

impl Small {
    /// `None` where this process may not mount.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "small"]).arg(dir.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status().unwrap();
        assert!(unmounted.success());
    }
}

/// Takes all space but for about `left` bytes.
fn ballast(dir: &Path, left: u64) {
    let path = dir.join("ballast");
    let _ = std::fs::write(&path, vec![0; 16 << 20]);
    let size = std::fs::metadata(&path).unwrap().len();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(size - left).unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_appends_until_there_is_space_and_nothing_else_stops() {
    let Some(small) = Small::mount() else {
        println!("skipped: mounting a small file system needs root");
        return;
    };
    let store = open(&small.0);
    let s = session(1);
    let mut last = store.append(full_append(&s, 0, 10)).await.unwrap().last.0;
    for round in 0..3 {
        ballast(small.0.path(), 300_000);
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

        std::fs::remove_file(small.0.path().join("ballast")).unwrap();
        last = store.append(full_append(&s, last, 10)).await.unwrap().last.0;
        check_survived(&store, &s, last, 0).await;
        store.blobs().put(Bytes::from(vec![round; 1000])).await.unwrap();
    }
    store.close().await;
    let store = open(&small.0);
    assert_eq!(store.last_seq(&s).await.unwrap(), Seq(last));
    store.close().await;
    check_database(small.0.path());
}
