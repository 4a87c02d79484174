//! Checkpoints within a session's limit on disk. What the host copies for one counts, and is not held against the agent: it is taken
//! back where there is no room for it. Whether there is, says the watch; in a volume, the kernel.

use super::disk::{Sandboxes, SessionDir};
use super::snapshot::{self, forget_copies, kind};
use super::stack::{self, Copies, Shelf};
use super::usage::{self, Uncounted, Use};
use super::watch::{Copied, Watch};
use crate::error::ErrorKind;
use anyhow::{Context, Result};
use lamplight_domain::SessionId;
use std::io;

/// What was copied takes the session over its limit on disk.
#[derive(Debug, thiserror::Error)]
#[error("there is no room for it within the session's limit on disk; remove an earlier one, or files")]
pub(super) struct NoRoom;

/// Keeps the session's files as they are, as `snapshot` tells. The caller has the session's lock.
pub(super) fn checkpoint(watch: &Watch, sandboxes: &Sandboxes, id: &SessionId, number: u32) -> Result<()> {
    let session = sandboxes.session(id);
    let in_volume = session.volume().exists();
    if in_volume && !session.checkpoint_file(number).exists() {
        look_ahead(&session)?;
    }
    let made = snapshot::checkpoint(sandboxes, id, number);
    let has_room = match &made {
        Ok(()) => {
            in_volume || is_within(watch, sandboxes, id).context("look whether there is room for it")?
        }
        // Else it is the host's disk that is full.
        Err(error) => !in_volume || kind(error) != ErrorKind::Exhausted,
    };
    if has_room {
        return made;
    }
    // Its copy would be kept for the next to go on from.
    forget_copies(&session)?;
    snapshot::remove(sandboxes, id, number)?;
    // Of one that did not come to be there is a part.
    Shelf::lock(sandboxes)?.tidy()?;
    Err(NoRoom.into())
}

fn is_within(watch: &Watch, sandboxes: &Sandboxes, id: &SessionId) -> io::Result<bool> {
    let copies: Copies =
        stack::read(&sandboxes.session(id).copies_file()).map_err(io::Error::other)?.unwrap_or_default();
    let taken =
        copies.layers.first().map_or(Ok(Use::NONE), |newest| usage::of_tree(&sandboxes.layer(newest)));
    match taken {
        Ok(taken) => watch.is_within(id, &Copied { taken, is_of_all: copies.layers.len() == 1 }),
        Err(Uncounted::Bottomless) => Ok(false),
        Err(Uncounted::Io(error)) => Err(error),
    }
}

/// The first copy of what runs is of everything. One that does not fit is not begun, or an agent would be told that its disk is full
/// until the copy is taken back.
fn look_ahead(session: &SessionDir) -> Result<()> {
    if session.copies_file().exists() || snapshot::running(session)?.is_none() {
        return Ok(());
    }
    let all = rustix::fs::statvfs(session.top()).context("look how much room there is")?;
    let room = all.f_bavail.saturating_mul(all.f_frsize);
    let needed = usage::of_tree(&session.files()).context("look how much there is to be copied")?.bytes;
    if needed > room { Err(NoRoom.into()) } else { Ok(()) }
}
