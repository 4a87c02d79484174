//! Why a statement came to nothing.

use thiserror::Error;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Lite(#[from] rusqlite::Error),
    /// PostgreSQL refused it; the connection is good.
    #[error("{}", said(.0))]
    Postgres(tokio_postgres::Error),
    /// There is no connection, or there is none any more. What was asked may have been done.
    #[error("the database cannot be reached: {0}")]
    Lost(String),
    /// What is stored is not what was ever written.
    #[error("{0}")]
    Damaged(String),
}

impl Error {
    /// There is no space; nothing was stored.
    pub(crate) fn is_full(&self) -> bool {
        use tokio_postgres::error::SqlState;
        match self {
            Self::Lite(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Postgres(error) => error.code() == Some(&SqlState::DISK_FULL),
            Self::Lost(_) | Self::Damaged(_) => false,
        }
    }

    /// Nothing was stored, because somebody else waited for the same rows in another order; it can be asked again.
    pub(crate) fn gives_way(&self) -> bool {
        use tokio_postgres::error::SqlState;
        matches!(self, Self::Postgres(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED))
    }
}

/// What PostgreSQL says of itself, which its `Display` leaves out.
pub(crate) fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        }
    }
}
