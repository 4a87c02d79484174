//! What is done to files and folders by their names, and what happens in a folder. Guests of before refuse all of it as `Unsupported`.

use super::stream::receive;
use super::{Link, LinkError, Stream, unexpected};
use lamplight_wire::folder::FolderEntry;
use lamplight_wire::watch::Watched;
use lamplight_wire::{Open, Reply, Who};

/// What there is of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Of a link, what it says of itself.
    pub entry: FolderEntry,
    /// The path of what is there, without any link in it; `None` of a link that leads nowhere.
    pub real: Option<String>,
}

/// Somebody who hears what happens in a folder.
pub struct Watcher {
    stream: Stream,
}

impl Watcher {
    /// The next that happens; a cut is an error. What was half heard is lost when this is dropped, so it is not to be dropped and
    /// called again.
    pub async fn next(&mut self) -> Result<Watched, LinkError> {
        receive(&mut self.stream).await
    }
}

impl Link {
    /// Refused with `NotFound` where there is nothing.
    pub async fn stat(&self, who: Who, path: &str) -> Result<Named, LinkError> {
        match self.call("stat", &Open::Stat { path: path.to_owned(), who }).await?.1 {
            Reply::Entry { entry, real } => Ok(Named { entry, real }),
            other => Err(unexpected("stat", other)),
        }
    }

    /// With the folders above it. Refused with `Exists` where there is a folder, and with `Unreadable` where something else is.
    pub async fn make_folder(&self, who: Who, path: &str) -> Result<(), LinkError> {
        self.done_call("make_folder", Open::MakeFolder { path: path.to_owned(), who }).await
    }

    /// Makes the folders above the new name. Refused with `NotFound` where there is nothing to rename.
    pub async fn rename(&self, who: Who, from: &str, to: &str) -> Result<(), LinkError> {
        self.done_call("rename", Open::Rename { from: from.to_owned(), to: to.to_owned(), who }).await
    }

    /// With all that is in it; fine where there is nothing.
    pub async fn remove(&self, who: Who, path: &str) -> Result<(), LinkError> {
        self.done_call("remove", Open::Remove { path: path.to_owned(), who }).await
    }

    /// Hears what happens in a folder from when this returns, and in those below it where `deep`; of folders that are made while it is
    /// heard, what happens at once may be missed. Refused with `NotFound`, or `Unreadable` for what is no folder.
    pub async fn watch(&self, who: Who, path: &str, deep: bool) -> Result<Watcher, LinkError> {
        let (stream, reply) = self.call("watch", &Open::Watch { path: path.to_owned(), deep, who }).await?;
        match reply {
            Reply::Done => Ok(Watcher { stream }),
            other => Err(unexpected("watch", other)),
        }
    }
}
