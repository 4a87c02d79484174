//! The files of a lent sandbox, for whoever it is lent to.

use crate::engine::Engine;
use crate::error::CommandError;
use bytes::Bytes;
use futures::Stream as Pieces;
use lamplight_domain::SessionId;
use lamplight_sandbox::link::{Code, FileReader, Folder, Link, LinkError, Named, Stream, Watcher, Who};
use std::collections::BTreeMap;

/// Things in one folder that are told.
const FOLDER_ENTRIES: u32 = 100_000;

/// The way to the files of one that runs, as the agent or as root.
pub struct LentFiles {
    link: Link,
    who: Who,
}

/// Why something with files was not done.
#[derive(Debug, thiserror::Error)]
pub enum Unfiled {
    #[error("it is not there")]
    NotFound,
    #[error("it is there already")]
    Exists,
    /// It is of another kind.
    #[error("{0}")]
    Another(String),
    #[error("{0}")]
    Denied(String),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Sandbox(#[from] CommandError),
}

impl From<LinkError> for Unfiled {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Refused { code, message } => match code {
                Code::NotFound => Self::NotFound,
                Code::Exists => Self::Exists,
                Code::Unreadable => Self::Another(message),
                Code::Denied => Self::Denied(message),
                _ => Self::Refused(message),
            },
            LinkError::Deadline { .. } | LinkError::Closed => Self::Sandbox(CommandError::Busy),
            other => {
                let error = anyhow::Error::new(other).context("reach files of a lent sandbox");
                Self::Sandbox(CommandError::Failed(error))
            }
        }
    }
}

impl Engine {
    /// Those of one that runs.
    pub async fn lent_files(&self, id: &SessionId, as_root: bool) -> Result<LentFiles, CommandError> {
        let link = self.lent_entry(id)?.link().await?;
        Ok(LentFiles { link, who: if as_root { Who::Root } else { Who::Agent } })
    }

    /// A connection to a port of loopback inside; `None` where nobody listens.
    pub async fn lent_dial(&self, id: &SessionId, port: u16) -> Result<Option<Stream>, CommandError> {
        let link = self.lent_entry(id)?.link().await?;
        match link.dial(port).await {
            Err(LinkError::Refused { .. }) => Ok(None),
            dialled => Ok(Some(dialled.map_err(crate::by_hand::explain)?)),
        }
    }
}

impl LentFiles {
    /// What there is of a name.
    pub async fn stat(&self, path: &str) -> Result<Named, Unfiled> {
        Ok(self.link.stat(self.who, path).await?)
    }

    pub async fn make_folder(&self, path: &str) -> Result<(), Unfiled> {
        Ok(self.link.make_folder(self.who, path).await?)
    }

    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Unfiled> {
        Ok(self.link.rename(self.who, from, to).await?)
    }

    pub async fn remove(&self, path: &str) -> Result<(), Unfiled> {
        Ok(self.link.remove(self.who, path).await?)
    }

    pub async fn list(&self, path: &str) -> Result<Folder, Unfiled> {
        Ok(self.link.as_list_folder(self.who, path, FOLDER_ENTRIES).await?)
    }

    /// A regular file of any length.
    pub async fn read(&self, path: &str) -> Result<FileReader, Unfiled> {
        Ok(self.link.as_open_file(self.who, path, u64::MAX).await?)
    }

    /// Makes or replaces a file when `content` has come to its end; where that is an error, it is given back and nothing has changed.
    /// These attributes are kept with it, and no others.
    pub async fn write<E>(
        &self,
        path: &str,
        mode: u32,
        attributes: BTreeMap<String, String>,
        content: impl Pieces<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Result<(), E>, Unfiled> {
        Ok(self.link.as_write_file_from(self.who, path, mode, attributes, content).await?)
    }

    pub async fn watch(&self, path: &str, deep: bool) -> Result<Watcher, Unfiled> {
        Ok(self.link.watch(self.who, path, deep).await?)
    }
}
