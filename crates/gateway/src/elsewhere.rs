//! What lies elsewhere than in the session's repository, and makes its files whole: the repositories of its submodules, which are only read, and
//! large files (Git LFS). New ones of the session's own repository are kept for its branch.

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
    /// A large file, by the SHA-256 of what is in it (64 hexadecimal digits), and of this size: of the repository that
    /// [`Elsewhere::repository`] has under the name `of`, `None` is the session's own.
    async fn large_file(
        &self,
        of: Option<&str>,
        id: &str,
        bytes: u64,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>, NotBrought>;
    /// Whether the session's own repository has no such file yet, so that it is taken. Not allowed is what is too large, or too much with
    /// what the session has brought before.
    async fn lacks_large_file(&self, id: &str, bytes: u64) -> Result<bool, NotBrought>;
    /// Keeps one for the session's branch, if it is what its id and its size say.
    async fn keep_large_file(
        &self,
        id: &str,
        bytes: u64,
        content: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<(), NotBrought>;
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
