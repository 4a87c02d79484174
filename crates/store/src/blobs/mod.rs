//! Large things, named by the SHA-256 of what is in them: `<first two digits>/<the other sixty-two>`.
//!
//! ```text
//! kept      put ─► whole under its name, for as long as the store ─► got, checked against its name
//! uploads   put, at a moment ─► got ─► put again: as old as a new one ─► swept, if it was put before a moment
//! ```
//! They are files of this server ([`disk`]), or objects in a bucket that several servers share ([`bucket`]). In a bucket what is swept is named by
//! when it was put too: whoever sweeps removes names that nobody gives any more, so nothing has to be locked between servers.

mod address;
mod bucket;
mod disk;
mod http;

pub use address::{BadBucket, BucketAddress, BucketSettings};
pub use bucket::Bucket;

use crate::Store;
use bucket::{Folder, Naming};
use bytes::Bytes;
use disk::Disk;
use lamplight_domain::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io;
use std::path::Path;
use std::str::FromStr;
use thiserror::Error;

/// SHA-256 in sixty-four lowercase hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobId(String);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} does not name a blob (sixty-four lowercase hexadecimal digits)")]
pub struct NotABlobId(String);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BlobError {
    #[error("no blob {0}")]
    Missing(BlobId),
    /// What is there is not what was put there.
    #[error("blob {0} is damaged")]
    Damaged(BlobId),
    #[error("no space left")]
    StorageFull,
    /// Passes when the object store is there again, or lets this server in again.
    #[error("the object store cannot be used: {0}")]
    Unavailable(String),
    #[error("the blob cannot be read or written: {0}")]
    Failed(String),
}

#[derive(Debug, Clone)]
enum Place {
    Disk(Disk),
    Bucket {
        folder: Folder,
        /// What this server kept on its disk before there was a bucket, as far as it was not taken along yet.
        before: Option<Disk>,
    },
}

impl Place {
    async fn put(&self, content: Bytes, at: Option<Timestamp>) -> Result<BlobId, BlobError> {
        match self {
            Self::Disk(disk) => disk.put(content, at).await,
            Self::Bucket { folder, .. } => folder.put(content, at).await,
        }
    }

    async fn get(&self, id: &BlobId) -> Result<Bytes, BlobError> {
        match self {
            Self::Disk(disk) => disk.get(id).await,
            Self::Bucket { folder, before } => match (folder.get(id).await, before) {
                (Err(BlobError::Missing(_)), Some(before)) => match before.get(id).await {
                    // It may have been taken along in between.
                    Err(BlobError::Missing(_)) => folder.get(id).await,
                    found => found,
                },
                (found, _) => found,
            },
        }
    }

    /// Takes along what was on the disk; how many files that were. Done again after a crash, it goes on.
    async fn take_along(&self) -> Result<u64, BlobError> {
        let Self::Bucket { folder, before: Some(before) } = self else { return Ok(0) };
        let mut taken = 0;
        for (id, put_at) in before.list().await? {
            match before.get(&id).await {
                Ok(content) => folder.take(content, put_at).await?,
                // Whoever asks for it is told that it is damaged, as before.
                Err(BlobError::Damaged(id)) => {
                    tracing::warn!("the file {id} on this disk is damaged and stays there");
                    continue;
                }
                Err(BlobError::Missing(_)) => continue,
                Err(other) => return Err(other),
            }
            before.remove(&id).await?;
            taken += 1;
        }
        Ok(taken)
    }
}

/// Blobs that are kept for as long as the store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs(Place);

impl Blobs {
    /// Stores `content`, durably, and names it. Putting the same again changes nothing.
    pub async fn put(&self, content: Bytes) -> Result<BlobId, BlobError> {
        self.0.put(content, None).await
    }

    /// What was put under `id`, checked against its name.
    pub async fn get(&self, id: &BlobId) -> Result<Bytes, BlobError> {
        self.0.get(id).await
    }

    /// Whether several servers have them, so that what is missing may be at another one still.
    pub(crate) fn are_in_bucket(&self) -> bool {
        matches!(self.0, Place::Bucket { .. })
    }
}

/// Blobs that are swept. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Uploads(Place);

impl Uploads {
    /// Stores `content`, durably, and names it. One that is there already is as old as a new one from here on.
    pub async fn put(&self, content: Bytes, now: Timestamp) -> Result<BlobId, BlobError> {
        self.0.put(content, Some(now)).await
    }

    /// What was put under `id`, checked against its name.
    pub async fn get(&self, id: &BlobId) -> Result<Bytes, BlobError> {
        self.0.get(id).await
    }

    /// Removes what was put before that moment, by whichever server, or some of it where that is much; how many bytes are left, those of
    /// each content once.
    pub async fn sweep(&self, before: Timestamp) -> Result<u64, BlobError> {
        match &self.0 {
            Place::Disk(disk) => disk.sweep(before).await,
            Place::Bucket { folder, .. } => folder.sweep(before).await,
        }
    }
}

/// All blobs of one store.
pub(crate) struct Rooms {
    pub(crate) blobs: Blobs,
    /// Files that prompts name.
    pub(crate) attachments: Blobs,
    /// Files that no prompt has named yet.
    pub(crate) uploads: Uploads,
    pub(crate) bucket: Option<Bucket>,
}

impl Rooms {
    /// In the store's directory, or in the bucket.
    pub(crate) fn open(store: &Path, bucket: Option<Bucket>) -> io::Result<Self> {
        let place = |name: &'static str, naming: Naming| -> io::Result<Place> {
            Ok(match &bucket {
                None => Place::Disk(Disk::open(store, name)?),
                Some(bucket) => Place::Bucket {
                    folder: bucket.folder(name, naming),
                    before: store.join(name).try_exists()?.then(|| Disk::open(store, name)).transpose()?,
                },
            })
        };
        let (blobs, attachments) =
            (place("blobs", Naming::ByContent)?, place("attachments", Naming::ByContent)?);
        let uploads = place("uploads", Naming::WithMoment)?;
        File::open(store)?.sync_all()?;
        Ok(Self { blobs: Blobs(blobs), attachments: Blobs(attachments), uploads: Uploads(uploads), bucket })
    }

    /// What was on this server's disk before there was a bucket goes there; how many files that were.
    pub(crate) async fn take_along(&self) -> Result<u64, BlobError> {
        let mut taken = 0;
        for place in [&self.blobs.0, &self.attachments.0, &self.uploads.0] {
            taken += place.take_along().await?;
        }
        Ok(taken)
    }
}

impl Store {
    /// What is kept, and is named by nobody but whoever put it.
    pub fn blobs(&self) -> &Blobs {
        &self.rooms().blobs
    }

    /// Files that prompts name.
    pub fn attachments(&self) -> &Blobs {
        &self.rooms().attachments
    }

    /// Files that no prompt has named yet; they are swept.
    pub fn uploads(&self) -> &Uploads {
        &self.rooms().uploads
    }

    /// Where blobs are, if not in the store's directory.
    pub fn bucket(&self) -> Option<&Bucket> {
        self.rooms().bucket.as_ref()
    }

    /// What was on this server's disk before there was a bucket goes there; how many files that were. Until then they are found where they are.
    pub async fn take_blobs_along(&self) -> Result<u64, BlobError> {
        self.rooms().take_along().await
    }
}

impl BlobId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(content: &[u8]) -> Self {
        let mut digits = String::with_capacity(64);
        for byte in Sha256::digest(content) {
            write!(digits, "{byte:02x}").expect("a String takes everything");
        }
        Self(digits)
    }

    /// Where it is: a folder, and the name in it.
    pub(crate) fn place(&self) -> (&str, &str) {
        self.0.split_at(2)
    }
}

impl FromStr for BlobId {
    type Err = NotABlobId;
    fn from_str(text: &str) -> Result<Self, NotABlobId> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for BlobId {
    type Error = NotABlobId;
    fn try_from(text: String) -> Result<Self, NotABlobId> {
        let good = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if good { Ok(Self(text)) } else { Err(NotABlobId(text)) }
    }
}

impl From<BlobId> for String {
    fn from(id: BlobId) -> String {
        id.0
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What takes longer than others may be kept waiting.
async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(BlobError::Failed(error.to_string())))
}
