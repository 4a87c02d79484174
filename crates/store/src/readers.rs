//! The connections that read. They see what is committed, never wait for the writer and never make it wait.

use crate::schema::open_reader;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Connections, and so reads at the same time; the others wait their turn.
const READERS: usize = 4;

pub(crate) struct Readers {
    path: PathBuf,
    turns: Arc<Semaphore>,
    /// Opened when first needed; `None` once closed.
    idle: Arc<Mutex<Option<Vec<Connection>>>>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, turns: Arc::new(Semaphore::new(READERS)), idle: Arc::new(Mutex::new(Some(Vec::new()))) }
    }

    /// Runs `read` where blocking is allowed.
    pub(crate) async fn with<T, E, F>(&self, read: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<rusqlite::Error> + From<Closed> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Closed)?;
        let (idle, path) = (Arc::clone(&self.idle), self.path.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let ready = idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut().ok_or(Closed)?.pop();
            let connection = ready.map_or_else(|| open_reader(&path), Ok)?;
            let result = read(&connection);
            if let Some(idle) = idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                idle.push(connection);
            }
            drop(turn);
            result
        });
        reading.await.unwrap_or_else(|_| Err(Closed.into()))
    }

    /// What is being read is finished; nothing more is.
    pub(crate) fn close(&self) {
        self.turns.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The store is closed.
#[derive(Debug)]
pub(crate) struct Closed;
