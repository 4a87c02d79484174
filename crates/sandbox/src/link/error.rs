//! Why something did not work over the link.

use lamplight_wire::{Code, Generations, WireError};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Dial and open a new one; what was asked for may or may not have happened.
    #[error("the link to the sandbox was cut")]
    Closed,
    /// The guest understood and says no.
    #[error("the sandbox refused: {message}")]
    Refused { code: Code, message: String },
    /// The guest sent what no guest should.
    #[error("the guest broke the protocol: {detail}")]
    Protocol { detail: String },
    /// Ours to send, and over a bound of the protocol or of the caller.
    #[error("a {what} of {length} bytes is over the limit of {limit}")]
    TooLarge { what: &'static str, length: u64, limit: u64 },
    #[error("{what} took longer than {} s", after.as_secs())]
    Deadline { what: &'static str, after: Duration },
    #[error("the guest speaks generations {} to {} of the link, which this release does not", guest.oldest.0, guest.newest.0)]
    NoSharedGeneration { guest: Generations },
}

impl LinkError {
    /// What the peer sent is wrong.
    pub(super) fn received(error: WireError) -> Self {
        Self::Protocol { detail: error.to_string() }
    }

    /// What we wanted to send is wrong.
    pub(super) fn sending(error: WireError) -> Self {
        match error {
            WireError::TooLong { what, length, limit } => Self::TooLarge { what, length, limit },
            WireError::UnknownKind { .. } | WireError::Json { .. } => Self::received(error),
        }
    }
}

/// A stream fails in one way: it is cut, with or without the rest of the link.
impl From<std::io::Error> for LinkError {
    fn from(_: std::io::Error) -> Self {
        Self::Closed
    }
}
