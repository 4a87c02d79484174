//! Files that came in at another server, and are on its disk.

use crate::engine::{Engine, Shared};
use crate::error::CommandError;
use crate::{attachments, clock};
use async_trait::async_trait;
use bytes::Bytes;
use lamplight_store::BlobId;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Under this other servers ask for a file, by its id.
pub const FILES: &str = "/between/files/";

/// Asks another server; whoever starts the engine knows how.
#[async_trait]
pub trait Neighbour: Send + Sync {
    /// The body of a good answer to `GET` of this path, with this word; `None` without one.
    async fn get(&self, address: &str, path: &str, word: &str) -> Option<Bytes>;
}

impl Engine {
    /// How other servers are asked from now on.
    pub fn ask_neighbours_by(&self, neighbour: Arc<dyn Neighbour>) {
        // Whoever was first stays.
        let _ = self.shared.servers.neighbour.set(neighbour);
    }

    /// What is in a file, without asking other servers.
    pub async fn file_here(&self, blob: &str) -> Result<Bytes, CommandError> {
        attachments::find_here(&self.shared.store, blob).await
    }
}

impl Shared {
    /// The file from whichever server has it; it waits here for a prompt too then, or is swept.
    pub(crate) async fn file_elsewhere(&self, id: &BlobId) -> Option<Bytes> {
        let neighbour = self.servers.neighbour.get()?;
        let path = format!("{FILES}{id}");
        for server in self.store.servers().await.ok()? {
            if server.is_us || !server.is_alive || server.address.is_empty() {
                continue;
            }
            let nobody = IpAddr::from(Ipv4Addr::UNSPECIFIED);
            let word = self.servers.word_for(server.number, nobody, ("GET", &path))?;
            let Some(content) = neighbour.get(&server.address, &path, &word).await else { continue };
            // Named by its content: what is another file is not taken for it.
            if self.store.uploads().put(content.clone(), clock::now()).await.as_ref() == Ok(id) {
                return Some(content);
            }
        }
        None
    }
}
