//! The connections that read. They see what is committed, never wait for the writer and never make it wait.

use crate::in_place::{Away, Disk, Place};
use crate::postgres::{PostgresAddress, Session};
use crate::schema::open_reader;
use crate::sql::{self, Connection};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Connections, and so reads at the same time; the others wait their turn.
const READERS: usize = 4;

/// What is read.
#[derive(Clone)]
pub(crate) enum Source {
    Lite(PathBuf),
    Postgres(Box<PostgresAddress>),
}

impl Source {
    fn open(&self) -> sql::Result<Connection> {
        match self {
            Self::Lite(path) => Ok(Connection::Lite(open_reader(path)?)),
            Self::Postgres(address) => Session::open(address).map(Connection::Postgres),
        }
    }
}

pub(crate) struct Readers {
    turns: Arc<Semaphore>,
    place: Reading,
}

enum Reading {
    /// Where blocking is allowed, over connections of its own.
    Aside {
        source: Source,
        /// Opened when first needed; `None` once closed.
        idle: Arc<Mutex<Option<Vec<Connection>>>>,
    },
    /// Whoever asks reads by themselves.
    InPlace { place: Place, disk: Arc<dyn Disk> },
}

impl Readers {
    pub(crate) fn new(source: Source) -> Self {
        Self::of(Reading::Aside { source, idle: Arc::new(Mutex::new(Some(Vec::new()))) })
    }

    pub(crate) fn in_place(place: Place, disk: Arc<dyn Disk>) -> Self {
        Self::of(Reading::InPlace { place, disk })
    }

    fn of(place: Reading) -> Self {
        Self { turns: Arc::new(Semaphore::new(READERS)), place }
    }

    /// Runs `read`; once more if the connection turned out to be lost while nobody used it.
    pub(crate) async fn with<T, E, F>(&self, read: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<sql::Error> + From<Closed> + Send + 'static,
        F: Fn(&Connection) -> Result<T, E> + Send + 'static,
    {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Closed)?;
        let (idle, source) = match &self.place {
            Reading::Aside { source, idle } => (Arc::clone(idle), source.clone()),
            Reading::InPlace { place, disk } => {
                disk.read().await.map_err(|Away| sql::Error::Lost(Away.to_string()))?;
                return place.read(read).ok_or(Closed)?;
            }
        };
        let reading = move || {
            let ready = idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut().ok_or(Closed)?.pop();
            let was_idle = ready.is_some();
            let mut connection = ready.map_or_else(|| source.open(), Ok)?;
            let mut result = read(&connection);
            if was_idle && connection.is_lost() {
                // The others were lost with it.
                idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(std::mem::take);
                connection = source.open()?;
                result = read(&connection);
            }
            if let Some(idle) = idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
                && !connection.is_lost()
            {
                idle.push(connection);
            }
            drop(turn);
            result
        };
        tokio::task::spawn_blocking(reading).await.unwrap_or_else(|_| Err(Closed.into()))
    }

    /// What is being read is finished; nothing more is.
    pub(crate) fn close(&self) {
        self.turns.close();
        if let Reading::Aside { idle, .. } = &self.place {
            idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

/// The store is closed.
#[derive(Debug)]
pub(crate) struct Closed;
