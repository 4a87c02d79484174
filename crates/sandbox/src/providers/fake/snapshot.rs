//! Checkpoints are whole copies. What runs stands still while it is copied.

use super::disk::{GenerationDir, Sandboxes, SessionDir};
use super::ending::end_all;
use super::{copy, processes};
use crate::checkpoint::Checkpoint;
use crate::error::{ErrorKind, SandboxError};
use crate::providers::local::disk::{private_dir, remove_tree};
use anyhow::{Context as _, Result};
use lamplight_domain::SessionId;
use std::fs;
use std::io;

/// Keeps the files, unless there is a checkpoint of this number. The caller has the session's lock.
pub(super) fn checkpoint(session: &SessionDir, number: u32) -> Result<()> {
    let there = session.checkpoint(number);
    if there.exists() {
        return Ok(());
    }
    if session.restored().exists() {
        session.settle()?;
    }
    let new = there.with_extension("copying");
    remove_tree(&new)?;
    private_dir(&new)?;
    let running = session.generation(session.newest()?);
    // One that was paused stays so.
    let copied = if running.path().exists() && !processes::is_stopped(running.path())? {
        fs::write(running.held_mark(), "")?;
        let held = processes::stop(running.path()).context("hold the sandbox");
        let copied = held.and_then(|()| copy::files(&session.files(), &new));
        let_go(&running).context("let the sandbox go")?;
        copied
    } else {
        copy::files(&session.files(), &new)
    };
    copied?;
    Ok(fs::rename(new, there)?)
}

/// Lets a sandbox go that is held for a copy, or was when somebody was killed over it. The caller has the session's lock.
pub(super) fn let_go(here: &GenerationDir) -> io::Result<()> {
    if here.held_mark().exists() {
        processes::go_on(here.path())?;
    }
    forget_held(here)
}

/// Who is paused stays so, whatever a killed copy left.
pub(super) fn forget_held(here: &GenerationDir) -> io::Result<()> {
    match fs::remove_file(here.held_mark()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Of one that is gone is fine. The caller has the session's lock.
pub(super) fn remove(session: &SessionDir, number: u32) -> Result<()> {
    let there = session.checkpoint(number);
    if there.exists() {
        // Another name first: what is half removed is no checkpoint.
        let going = there.with_extension("removed");
        remove_tree(&going)?;
        fs::rename(&there, &going)?;
        remove_tree(&going)?;
    }
    Ok(())
}

/// Ends what runs of a session, and gives it the files of a checkpoint.
pub(super) fn restore(
    sandboxes: &Sandboxes,
    from: (&SessionId, u32),
    to: &SessionId,
    name: &Checkpoint,
) -> Result<()> {
    let (source, session) = (sandboxes.session(from.0), sandboxes.session(to));
    let kept = source.checkpoint(from.1);
    let needed = || match kept.exists() {
        true => Ok(()),
        false => Err(SandboxError::new(ErrorKind::Gone, format!("there is no checkpoint {name}"))),
    };
    // Before anything is made, and once more when nobody else can remove it.
    needed()?;
    // Always in the same order, so that two do not wait for each other.
    let mut locks = Vec::new();
    let mut both = vec![(from.0, &source), (to, &session)];
    both.sort_by_key(|(id, _)| id.as_str().to_owned());
    both.dedup_by_key(|(id, _)| id.as_str().to_owned());
    for (id, folder) in both {
        locks.push(if id == to { Some(folder.make_and_lock()?) } else { folder.lock()? });
    }
    needed()?;
    end_all(&session)?;
    session.settle()?;
    private_dir(&session.copying())?;
    copy::files(&kept, &session.copying())?;
    session.forget_had()?;
    // From here on it is decided.
    fs::rename(session.copying(), session.restored())?;
    Ok(session.settle()?)
}
