//! What callers of the engine are told when something cannot be done.

use lamplight_domain::session::Refusal;
use lamplight_store::{AppendError, ReadError, WriteError};

/// Why a command or a question was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("there is no such session")]
    NotFound,
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request itself is wrong.
    #[error("{message}")]
    Invalid { code: &'static str, message: String, what_to_do: String },
    #[error("the disk is full; nothing was changed")]
    StorageFull,
    /// Passes when the database is there again.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// Passes when the object store is there again.
    #[error("the object store cannot be used: {0}")]
    StorageUnavailable(String),
    #[error("the session did not answer in time")]
    Busy,
    /// Another server has it, or may have it.
    #[error("the session is at another server now")]
    Moved,
    /// It waits for a server of that version.
    #[error("a server of a newer version has had the session")]
    Newer,
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl CommandError {
    pub fn invalid(code: &'static str, message: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self::Invalid { code, message: message.into(), what_to_do: what_to_do.into() }
    }

    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "session_not_found",
            Self::Refused(refusal) => refusal.code(),
            Self::Invalid { code, .. } => code,
            Self::StorageFull => "storage_full",
            Self::Unreachable(_) => "database_unreachable",
            Self::StorageUnavailable(_) => "storage_unavailable",
            Self::Busy => "busy",
            Self::Moved => "session_moved",
            Self::Newer => "session_newer",
            Self::Failed(_) => "internal",
        }
    }
}

impl From<AppendError> for CommandError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::StorageFull => Self::StorageFull,
            AppendError::Unreachable(why) => Self::Unreachable(why),
            AppendError::Fenced => Self::Moved,
            other => Self::Failed(anyhow::Error::new(other).context("append to the log")),
        }
    }
}

impl From<ReadError> for CommandError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unreachable(why) => Self::Unreachable(why),
            ReadError::Unavailable(why) => Self::StorageUnavailable(why),
            other => Self::Failed(anyhow::Error::new(other).context("read the log")),
        }
    }
}

impl From<WriteError> for CommandError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Unreachable(why) => Self::Unreachable(why),
            other => Self::Failed(anyhow::Error::new(other).context("write to the store")),
        }
    }
}

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the address of the database cannot be used: {0}")]
    Database(#[from] lamplight_store::BadAddress),
    #[error("the bucket for blobs cannot be used")]
    Bucket(#[source] anyhow::Error),
    #[error(transparent)]
    Store(#[from] lamplight_store::StoreError),
    #[error("the log could not be read")]
    Log(#[from] ReadError),
    #[error(transparent)]
    Agent(#[from] lamplight_agent::catalogue::BadAgent),
    #[error("sandboxes cannot be made on this machine")]
    Provider(#[source] anyhow::Error),
    #[error("the gateway could not be made")]
    Gateway(#[source] anyhow::Error),
    #[error("the gateway cannot be reached over TCP, because there is no key to make tokens with: {0}")]
    Tokens(String),
    #[error("the server cannot take its place among those that share the database")]
    Servers(#[source] lamplight_store::WriteError),
    #[error(
        "another server at {other} uses this database with another sealing key: give both the same (secrets.key_file, secrets.key_command or LAMPLIGHT_SECRETS_KEY); see docs/several-servers.md"
    )]
    OtherKey { other: String },
    #[error("sandboxes that are lent cannot be found again")]
    Lent(#[source] anyhow::Error),
    #[error("GitHub cannot be asked")]
    GitHub(#[source] anyhow::Error),
}
