//! What happens in a folder, as the guest tells it: [`Watched`] messages after the reply, until the host leaves.

use serde::{Deserialize, Serialize};

/// Events in one message; with names as long as they can be, it still fits.
pub const MAX_EVENTS: usize = 2;

/// The longest name that is told, in bytes; what happens under a longer one is not.
pub const MAX_NAME: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "watched", rename_all = "snake_case")]
pub enum Watched {
    /// At most [`MAX_EVENTS`], in their order.
    Events { events: Vec<WatchEvent> },
    /// So much happened that some of it is not told.
    Lost,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchEvent {
    pub what: Change,
    /// Below the folder that is watched; empty of itself.
    pub name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is there now, also by a name that it got.
    Created,
    Written,
    Removed,
    /// It is not there under this name any more.
    Renamed,
    /// Its mode, owner or times.
    Attributes,
}
