//! How sandboxes end, and what is found of them.

use super::disk::{GenerationDir, Sandboxes, SessionDir};
use super::{handle, processes};
use crate::provider::{Listed, ListedState};
use crate::providers::local::disk::remove_tree;
use anyhow::{Context as _, Result};
use lamplight_domain::{Generation, SessionId};

pub(super) fn end(here: &GenerationDir) -> Result<()> {
    // Whatever the record says, or does not.
    processes::end(here.path()).context("end its processes")?;
    Ok(remove_tree(here.path())?)
}

pub(super) fn end_all(session: &SessionDir) -> Result<()> {
    session.generations()?.into_iter().try_for_each(|generation| end(&session.generation(generation)))
}

pub(super) fn leave_behind(session: &SessionDir, generation: Generation) -> Result<()> {
    let Some(_lock) = session.lock()? else { return Ok(()) };
    let is_older = session.had()?.is_some_and(|had| had < generation);
    if is_older && session.generations()?.is_empty() {
        session.settle()?;
        remove_tree(&session.files())?;
        session.forget_had()?;
    }
    Ok(())
}

pub(super) fn kept(sandboxes: &Sandboxes) -> Result<Vec<SessionId>> {
    let mut kept = Vec::new();
    for session in sandboxes.sessions()? {
        if sandboxes.session(&session).generations()?.is_empty() {
            kept.push(session);
        }
    }
    Ok(kept)
}

pub(super) fn list(sandboxes: &Sandboxes) -> Result<Vec<Listed>> {
    let mut all = Vec::new();
    for session in sandboxes.sessions()? {
        let folder = sandboxes.session(&session);
        for generation in folder.generations()? {
            let runs = match folder.generation(generation).record()? {
                Some(record) => record.runs()?,
                None => false,
            };
            let state = if runs { ListedState::Running } else { ListedState::LeftOver };
            let handle = handle(&session, generation);
            all.push(Listed { handle, session: session.clone(), generation, state });
        }
    }
    Ok(all)
}
