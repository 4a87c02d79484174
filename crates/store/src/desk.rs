//! How what is to be written comes to the writer.

use crate::StoreError;
use crate::in_place::InPlace;
use crate::jobs::Job;
use crate::quarantine::Quarantine;
use crate::schema::{self, Opened, Others};
use crate::store::failed;
use crate::wal::Wal;
use crate::writer::Writer;
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::mpsc;

pub(crate) enum Desk {
    /// The writer has a thread of its own, and takes what is queued.
    Thread(mpsc::Sender<Job>),
    InPlace(Box<InPlace>),
}

impl Desk {
    /// An error means that the writer is closed.
    pub(crate) async fn send(&self, job: Job) -> Result<(), ()> {
        match self {
            Self::Thread(jobs) => jobs.send(job).await.map_err(|_| ()),
            Self::InPlace(writer) => writer.take(job).await,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Thread(jobs) => jobs.is_closed(),
            Self::InPlace(writer) => writer.is_closed(),
        }
    }
}

/// Starts the writer on SQLite; gives where the database is, too.
pub(crate) fn start(
    dir: &Path,
    quarantine: Arc<Quarantine>,
    queue: mpsc::Receiver<Job>,
) -> Result<(PathBuf, JoinHandle<()>), StoreError> {
    let Opened { connection, lock, path } = schema::open(dir, Others::Readers)?;
    let writer = Writer::new(connection, lock, quarantine);
    let writer = writer.context("prepare to write").map_err(|cause| failed(dir, cause))?;
    let wal = Wal::of(&path);
    let writer = thread::Builder::new().name("store-writer".into()).spawn(move || writer.run(wal, queue));
    Ok((path, writer.context("start the writer").map_err(|cause| failed(dir, cause))?))
}
