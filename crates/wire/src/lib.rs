//! What the host and the guest say to each other, as bytes. No IO, no clock: both ends of the link use these types and
//! functions and bring their own sockets.
//!
//! One link is one byte stream with a multiplexer on it (yamux; the host is its client side). Every stream starts with one
//! small JSON message that says what it is for ([`Open`] from the host, [`GuestOpen`] from the guest). The guest answers a
//! host's [`Open`] with one [`Reply`]; what follows on the stream depends on the operation:
//!
//! | operation | host sends | guest sends |
//! |---|---|---|
//! | `attach` | [`Acknowledge`]… | [`Output`]…, the last one `Exited` |
//! | `stdin` | [`stdin`] messages… | [`stdin`] answers… |
//! | `read_file` | | [`chunk`]s |
//! | `write_file` | [`chunk`]s before the reply | |
//! | `list_folder` | | [`folder::Listed`]…, the last one `End` |
//! | `terminal` | [`Typed`]… | [`Output`]…, the last one `Exited` |
//! | `watch` | | [`watch::Watched`]… |
//! | `dial` | raw bytes | raw bytes |
//! | `gateway` (opened by the guest, no reply) | raw bytes | raw bytes |
//!
//! An end of stream never carries a meaning of its own outside raw bytes: a cut link looks the same.
//! How the two ends may differ in age is told in `VERSIONING.md`.

pub mod chunk;
pub mod folder;
pub mod generation;
pub mod message;
pub mod open;
pub mod output;
pub mod reply;
pub mod stdin;
pub mod terminal;
pub mod watch;

pub use generation::{Generation, Generations};
pub use open::{GuestOpen, Offsets, Open, ProcessSpec, TerminalSize, Who};
pub use output::{Acknowledge, Output};
pub use reply::{Bounds, Code, ExitStatus, Hello, ProcessState, Refusal, Reply};
pub use terminal::Typed;

use std::fmt;

/// What a relay (`lamplight-guest --relay`) says before all else: from the next byte on, its output is the guest's end of a link.
pub const RELAY_READY: u8 = 1;

/// Bytes that no peer of any generation would have sent. The stream, and with it the link, is not to be trusted further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireError {
    /// A length above the bound that the constant of this name sets.
    TooLong { what: &'static str, length: u64, limit: u64 },
    /// A frame kind that does not exist.
    UnknownKind { what: &'static str, kind: u8 },
    /// JSON that does not parse as what it should be.
    Json { detail: String },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { what, length, limit } => {
                write!(f, "a {what} of {length} bytes is over the limit of {limit}")
            }
            Self::UnknownKind { what, kind } => write!(f, "there is no {what} of kind {kind}"),
            Self::Json { detail } => write!(f, "a message does not parse: {detail}"),
        }
    }
}

impl std::error::Error for WireError {}
