//! The bucket in which blobs are, where there is one.

use crate::engine::{Engine, Shared, closed};
use crate::{Config, clock};
use lamplight_store::{Bucket, BucketAddress, BucketSettings};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Until it is tried again to take along what is on the disk.
const PAUSE: Duration = Duration::from_secs(30);
/// From one look whether it is there to the next.
const LOOK: Duration = Duration::from_secs(10);
/// For its answer to that; one that comes later is of no use to anybody who waits.
const ANSWER: Duration = Duration::from_secs(5);

pub(crate) fn open(settings: &BucketSettings) -> anyhow::Result<Bucket> {
    BucketAddress::new(settings.clone())?.open()
}

/// Tries whether this server may do in its bucket what it needs to; `None` where blobs are on the disk.
pub async fn examine_bucket(config: &Config) -> Option<anyhow::Result<()>> {
    let bucket = match open(config.bucket.as_ref()?) {
        Ok(bucket) => bucket,
        Err(error) => return Some(Err(error)),
    };
    Some(bucket.try_out(clock::now()).await.map_err(anyhow::Error::from))
}

/// Blobs that were on this server's disk before there was a bucket go there, while everything else goes on.
pub(crate) async fn take_along(shared: Arc<Shared>) {
    let mut closing = shared.closing();
    loop {
        let taken = tokio::select! {
            taken = shared.store.take_blobs_along() => taken,
            () = closed(&mut closing) => return,
        };
        match taken {
            Ok(0) => return,
            Ok(count) => {
                tracing::info!("{count} files that were in the data directory are in the bucket now");
                return;
            }
            Err(error) => tracing::warn!(%error, "files of the data directory wait for the bucket"),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = closed(&mut closing) => return,
        }
    }
}

/// Looks now and then whether the bucket is there, so that nobody who asks waits for it, and tells when that changes.
pub(crate) async fn look(shared: Arc<Shared>) {
    let Some(bucket) = shared.store.bucket() else { return };
    let mut closing = shared.closing();
    loop {
        let answered = tokio::select! {
            answered = tokio::time::timeout(ANSWER, bucket.answers()) => answered,
            () = closed(&mut closing) => return,
        };
        let late = |_| format!("the object store gave no answer within {} s", ANSWER.as_secs());
        let answered = answered.map_err(late).and_then(|answer| answer.map_err(|error| error.to_string()));
        let is_there = answered.is_ok();
        let was_there = shared.is_bucket_there.swap(is_there, Ordering::Relaxed);
        match answered {
            Ok(()) if !was_there => tracing::info!("the object store can be used again"),
            Err(why) if was_there => tracing::warn!("files wait or are refused: {why}"),
            Ok(()) | Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = closed(&mut closing) => return,
        }
    }
}

impl Engine {
    /// Whether the bucket was there at the last look, if there is one.
    pub fn is_bucket_there(&self) -> bool {
        self.shared.is_bucket_there.load(Ordering::Relaxed)
    }
}
