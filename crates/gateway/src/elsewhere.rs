//! What lies elsewhere than in the session's repository, and makes its files whole: the repositories of its submodules, and its large files
//! (Git LFS). All of it is only read.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Fetches it, with credentials that stay on this side.
#[async_trait]
pub trait Elsewhere: Send + Sync + fmt::Debug {
    /// A bare repository on this machine with what this one has now. `name` is `owner/name` as in an address, without `.git`; or the last part
    /// alone, as a submodule's address that is relative to the session's repository leads to.
    async fn repository(&self, name: &str) -> Result<PathBuf, NotBrought>;
    /// Whether there are large files at all.
    fn has_large_files(&self) -> bool;
    /// A large file of the session's repository, by the SHA-256 of what is in it (64 hexadecimal digits), and of this size.
    async fn large_file(
        &self,
        id: &str,
        bytes: u64,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>, NotBrought>;
}

/// Why it was not fetched. Each holds a sentence for people, or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotBrought {
    /// The session may not have it.
    NotAllowed(String),
    /// It is another repository than those that the session may have, whose address begins like one of theirs; it is here, for everybody.
    Beside(String),
    NotThere(String),
    Failed(String),
}
