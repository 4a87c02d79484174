//! Blobs as files of this server.
//!
//! Under its name a file is whole: it gets the name when its content is on disk, and the name is on disk before anybody is told.

use super::{BlobError, BlobId, run};
use bytes::Bytes;
use lamplight_domain::Timestamp;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Debug, Clone)]
pub(super) struct Disk {
    dir: PathBuf,
    /// Names for files that are not whole yet.
    serial: Arc<AtomicU64>,
    /// Held while a file gets its name, and while an old one is judged and loses it.
    naming: Arc<Mutex<()>>,
}

impl Disk {
    /// Opens the directory `name` in that of the store, and removes what a process that died had not finished: only one
    /// process has a store open. Whoever opens it makes the store's own directory durable.
    pub(super) fn open(store: &Path, name: &str) -> io::Result<Self> {
        let dir = store.join(name);
        let unfinished = dir.join(UNFINISHED);
        if unfinished.try_exists()? {
            fs::remove_dir_all(&unfinished)?;
        }
        fs::create_dir_all(&unfinished)?;
        Ok(Self { dir, serial: Arc::default(), naming: Arc::default() })
    }

    /// With a moment it is as old as that says, also where the same is there already; without, what is there stays.
    pub(super) async fn put(&self, content: Bytes, at: Option<Timestamp>) -> Result<BlobId, BlobError> {
        let disk = self.clone();
        run(move || {
            let id = BlobId::of(&content);
            disk.write(&id, &content, at.map(moment)).map_err(failed)?;
            Ok(id)
        })
        .await
    }

    pub(super) async fn get(&self, id: &BlobId) -> Result<Bytes, BlobError> {
        let (path, id) = (self.path(id), id.clone());
        run(move || match fs::read(path) {
            Ok(content) if BlobId::of(&content) == id => Ok(content.into()),
            Ok(_) => Err(BlobError::Damaged(id)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(BlobError::Missing(id)),
            Err(error) => Err(failed(error)),
        })
        .await
    }

    pub(super) async fn sweep(&self, before: Timestamp) -> Result<u64, BlobError> {
        let disk = self.clone();
        run(move || disk.sweep_now(moment(before)).map_err(failed)).await
    }

    /// All that there are, and when each was put.
    pub(super) async fn list(&self) -> Result<Vec<(BlobId, Timestamp)>, BlobError> {
        let disk = self.clone();
        run(move || disk.list_now().map_err(failed)).await
    }

    pub(super) async fn remove(&self, id: &BlobId) -> Result<(), BlobError> {
        let path = self.path(id);
        run(move || fs::remove_file(path).map_err(failed)).await
    }

    fn path(&self, id: &BlobId) -> PathBuf {
        let (home, name) = id.place();
        self.dir.join(home).join(name)
    }

    fn write(&self, id: &BlobId, content: &[u8], at: Option<SystemTime>) -> io::Result<()> {
        let path = self.path(id);
        let home = self.dir.join(id.place().0);
        fs::create_dir_all(&home)?;
        if at.is_some() || !path.try_exists()? {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed);
            let unfinished = self.dir.join(UNFINISHED).join(serial.to_string());
            let written = write_whole(&unfinished, content, at).and_then(|()| {
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

    fn sweep_now(&self, before: SystemTime) -> io::Result<u64> {
        let mut left = 0;
        for home in self.homes()? {
            for file in fs::read_dir(home)? {
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

    fn list_now(&self) -> io::Result<Vec<(BlobId, Timestamp)>> {
        let mut found = Vec::new();
        for home in self.homes()? {
            for file in fs::read_dir(&home)? {
                let file = file?;
                let name = [home.file_name().unwrap_or_default(), &file.file_name()]
                    .map(|part| part.to_string_lossy().into_owned())
                    .concat();
                let put_at = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
                let put_at = Timestamp(put_at.as_millis().try_into().unwrap_or(i64::MAX));
                found.extend(name.parse().ok().map(|id| (id, put_at)));
            }
        }
        Ok(found)
    }

    fn homes(&self) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.dir)?.map(|entry| Ok(entry?.path()));
        let mut homes = entries.collect::<io::Result<Vec<_>>>()?;
        homes.retain(|home| !home.ends_with(UNFINISHED));
        Ok(homes)
    }
}

const UNFINISHED: &str = "unfinished";

fn moment(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.0.try_into().unwrap_or(0))
}

fn write_whole(path: &Path, content: &[u8], at: Option<SystemTime>) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    if let Some(at) = at {
        file.set_modified(at)?;
    }
    file.sync_all()
}

fn failed(error: io::Error) -> BlobError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BlobError::StorageFull,
        _ => BlobError::Failed(error.to_string()),
    }
}
