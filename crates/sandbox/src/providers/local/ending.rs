//! How sandboxes end, and what is found of them.

use super::disk::{Sandboxes, SessionDir, remove_tree};
use super::images::Images;
use super::stack::{self, Shelf};
use super::{cgroup, handle};
use crate::handle::HandleContent;
use crate::provider::{Files, Listed, ListedState};
use lamplight_domain::{Generation, SessionId};
use std::io;

/// Ends the sandbox and removes its folder; with [`Files::Remove`] all that there is of the session. Folders that hold a
/// record go last, so that what was interrupted is still listed.
pub(super) fn destroy(sandboxes: &Sandboxes, what: &HandleContent, files: Files) -> io::Result<()> {
    let session = sandboxes.session(&what.session);
    let _lock = match session.lock() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        lock => lock?,
    };
    let generations = match files {
        Files::Keep => vec![what.generation],
        Files::Remove => session.generations()?,
    };
    generations.iter().try_for_each(|generation| end(&session, &what.session, *generation))?;
    if files == Files::Remove {
        for directory in [session.files(), session.scratch(), session.old_files()] {
            remove_tree(&directory)?;
        }
    }
    for generation in generations {
        remove_tree(&session.generation(generation).0)?;
    }
    if files == Files::Remove {
        let has_image = session.image_file().exists();
        let shelf =
            has_layers(&session)?.then(|| Shelf::lock(sandboxes)).transpose().map_err(io::Error::other)?;
        remove_tree(&session.0)?;
        shelf.map_or(Ok(()), |shelf| shelf.tidy()).map_err(io::Error::other)?;
        if has_image {
            Images::beside(sandboxes.clone()).tidy().map_err(io::Error::other)?;
        }
    }
    Ok(())
}

fn has_layers(session: &SessionDir) -> io::Result<bool> {
    Ok(!stack::named(session).map_err(io::Error::other)?.is_empty())
}

fn end(session: &SessionDir, id: &SessionId, generation: Generation) -> io::Result<()> {
    match session.generation(generation).record()? {
        Some(record) => record.end(),
        None => cgroup::remove_unrecorded(id, generation),
    }
}

/// Ends every sandbox of a session, and removes their folders.
pub(super) fn end_all(session: &SessionDir, id: &SessionId) -> io::Result<()> {
    for generation in session.generations()? {
        end(session, id, generation)?;
        remove_tree(&session.generation(generation).0)?;
    }
    Ok(())
}

/// Every generation that has a folder.
pub(super) fn list(sandboxes: &Sandboxes) -> io::Result<Vec<Listed>> {
    let mut all = Vec::new();
    for session in sandboxes.sessions()? {
        let folder = sandboxes.session(&session);
        for generation in folder.generations()? {
            let running = match folder.generation(generation).record()? {
                Some(record) => record.runs()?,
                None => false,
            };
            let state = if running { ListedState::Running } else { ListedState::LeftOver };
            all.push(Listed {
                handle: handle(&session, generation),
                session: session.clone(),
                generation,
                state,
            });
        }
    }
    Ok(all)
}
