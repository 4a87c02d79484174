//! The bucket in which blobs are, where there is one.

use crate::engine::{Engine, Shared, closed};
use crate::{CommandError, Config, clock};
use lamplight_store::{Bucket, BucketAddress, BucketSettings};
use std::sync::Arc;
use std::time::Duration;

/// Until it is tried again to take along what is on the disk.
const PAUSE: Duration = Duration::from_secs(30);
/// For an answer to whoever only asks whether there is one.
const ANSWER: Duration = Duration::from_secs(2);

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

impl Engine {
    /// Whether the bucket answers now, if there is one. Asks it once, and waits for two seconds at most.
    pub async fn is_bucket_there(&self) -> Result<(), CommandError> {
        let Some(bucket) = self.shared.store.bucket() else { return Ok(()) };
        match tokio::time::timeout(ANSWER, bucket.answers()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(CommandError::StorageUnavailable(error.to_string())),
            Err(_) => {
                let why = format!("there was no answer within {} s", ANSWER.as_secs());
                Err(CommandError::StorageUnavailable(why))
            }
        }
    }
}
