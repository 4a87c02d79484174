//! A store without threads: whoever asks does the work, on their own thread, with the same writer and the same readers. It is for
//! simulations: there one thread has one clock, which moves on when nobody has anything to do, and must not while a disk is busy that it
//! knows nothing of.

use crate::StoreError;
use crate::jobs::{Job, Trouble};
use crate::quarantine::Quarantine;
use crate::schema::{self, Opened};
use crate::store::failed;
use crate::writer::Writer;
use anyhow::Context;
use futures::future::BoxFuture;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// What the disk below a store in place is like.
pub trait Disk: Send + Sync {
    /// Waited for before anything is written. One that is full takes nothing.
    fn write(&self) -> BoxFuture<'_, Result<(), DiskFull>>;

    /// Waited for after that, before whoever asked hears of it.
    fn written(&self) -> BoxFuture<'_, ()>;

    /// Waited for before anything is read.
    fn read(&self) -> BoxFuture<'_, ()>;
}

/// Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskFull;

/// The writer, where everybody has it in turn; `None` once it is closed.
pub(crate) struct InPlace {
    writer: Mutex<Option<Writer>>,
    disk: Arc<dyn Disk>,
}

impl InPlace {
    /// Gives where the database is, too.
    pub(crate) fn open(
        dir: &Path,
        quarantine: Arc<Quarantine>,
        disk: Arc<dyn Disk>,
    ) -> Result<(PathBuf, Self), StoreError> {
        let Opened { connection, lock, path } = schema::open(dir)?;
        let writer = Writer::new(connection, lock, quarantine).context("prepare to write");
        let writer = writer.map_err(|cause| failed(dir, cause))?;
        Ok((path, Self { writer: Mutex::new(Some(writer)), disk }))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.writer.try_lock().is_ok_and(|writer| writer.is_none())
    }

    /// Does it before this returns. An error means that the writer is closed.
    pub(crate) async fn take(&self, job: Job) -> Result<(), ()> {
        let mut place = self.writer.lock().await;
        let found = self.disk.write().await;
        let writer = place.as_mut().ok_or(())?;
        match job {
            Job::Record(record) => match found {
                Ok(()) => writer.take(vec![record], None),
                Err(DiskFull) => record.answer(Err(Trouble::StorageFull)),
            },
            Job::Close { reply } => {
                if let Some(writer) = place.take() {
                    writer.close(Some(reply));
                }
            }
            Job::Index { .. } | Job::Rebuild { .. } => writer.take(Vec::new(), Some(job)),
        }
        self.disk.written().await;
        Ok(())
    }
}
