//! Large things, kept as files named by the SHA-256 of what is in them: `<first two digits>/<the other sixty-two>`.

use bytes::Bytes;
use lamplight_domain::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};
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
    /// What is on disk is not what was put there.
    #[error("blob {0} is damaged")]
    Damaged(BlobId),
    #[error("no space left")]
    StorageFull,
    #[error("the blob cannot be read or written: {0}")]
    Failed(String),
}

/// The blobs of one store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {
    dir: PathBuf,
    /// Names for files that are not whole yet.
    serial: Arc<AtomicU64>,
    /// Held while a file gets its name, and while an old one is judged and loses it.
    naming: Arc<Mutex<()>>,
}

impl Blobs {
    /// Opens the directory `name` in that of the store, and removes what a process that died had not finished: only one
    /// process has a store open.
    pub(crate) fn open(store: &Path, name: &str) -> io::Result<Self> {
        let dir = store.join(name);
        let unfinished = dir.join(UNFINISHED);
        if unfinished.try_exists()? {
            fs::remove_dir_all(&unfinished)?;
        }
        fs::create_dir_all(&unfinished)?;
        File::open(store)?.sync_all()?;
        Ok(Self { dir, serial: Arc::default(), naming: Arc::default() })
    }

    /// Stores `content`, durably, and names it. Putting the same again changes nothing.
    pub async fn put(&self, content: Bytes) -> Result<BlobId, BlobError> {
        let blobs = self.clone();
        run(move || {
            let id = BlobId::of(&content);
            blobs.write(&id, &content, false).map_err(failed)?;
            Ok(id)
        })
        .await
    }

    /// Like [`Blobs::put`], of what is swept: one that is there already is as old as a new one from here on.
    pub async fn renew(&self, content: Bytes) -> Result<BlobId, BlobError> {
        let blobs = self.clone();
        run(move || {
            let id = BlobId::of(&content);
            blobs.write(&id, &content, true).map_err(failed)?;
            Ok(id)
        })
        .await
    }

    /// Removes what was put before that moment; how many bytes are left.
    pub async fn sweep(&self, before: Timestamp) -> Result<u64, BlobError> {
        let blobs = self.clone();
        run(move || blobs.sweep_now(before).map_err(failed)).await
    }

    fn sweep_now(&self, before: Timestamp) -> io::Result<u64> {
        let before = UNIX_EPOCH + Duration::from_millis(before.0.try_into().unwrap_or(0));
        let mut left = 0;
        for home in fs::read_dir(&self.dir)? {
            let home = home?;
            if home.file_name() == UNFINISHED {
                continue;
            }
            for file in fs::read_dir(home.path())? {
                let file = file?;
                let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
                let metadata = file.metadata()?;
                if metadata.modified()? < before {
                    fs::remove_file(file.path())?;
                } else {
                    left += metadata.len();
                }
            }
        }
        Ok(left)
    }

    /// What was put under `id`, checked against its name.
    pub async fn get(&self, id: &BlobId) -> Result<Bytes, BlobError> {
        let (path, id) = (self.path(id), id.clone());
        run(move || match fs::read(path) {
            Ok(content) if BlobId::of(&content) == id => Ok(content.into()),
            Ok(_) => Err(BlobError::Damaged(id)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(BlobError::Missing(id)),
            Err(error) => Err(failed(error)),
        })
        .await
    }

    fn path(&self, id: &BlobId) -> PathBuf {
        self.dir.join(&id.0[..2]).join(&id.0[2..])
    }

    /// Under its name a file is whole: it gets the name when its content is on disk, and the name is on disk before
    /// anybody is told.
    fn write(&self, id: &BlobId, content: &[u8], anew: bool) -> io::Result<()> {
        let path = self.path(id);
        let home = self.dir.join(&id.0[..2]);
        fs::create_dir_all(&home)?;
        if anew || !path.try_exists()? {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed);
            let unfinished = self.dir.join(UNFINISHED).join(serial.to_string());
            let written = write_whole(&unfinished, content).and_then(|()| {
                let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
                fs::rename(&unfinished, &path)
            });
            if let Err(error) = written {
                // What it holds of the disk is given back at the latest when the store is opened again.
                let _ = fs::remove_file(&unfinished);
                return Err(error);
            }
        }
        for dir in [&home, &self.dir] {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    }
}

const UNFINISHED: &str = "unfinished";

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

fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn failed(error: io::Error) -> BlobError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BlobError::StorageFull,
        _ => BlobError::Failed(error.to_string()),
    }
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(BlobError::Failed(error.to_string())))
}
