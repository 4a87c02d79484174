//! How sandboxes end, and what is found of them.

use super::blank;
use super::disk::{Sandboxes, SessionDir, remove_tree};
use super::images::Images;
use super::stack::{self, Shelf};
use super::{container, handle, snapshot};
use crate::handle::HandleContent;
use crate::provider::{Files, Listed, ListedState};
use lamplight_domain::{Generation, ImageDigest, SessionId};
use std::fs::File;
use std::io;

/// Ends the sandbox and removes its folder; with [`Files::Remove`] all that there is of the session.
pub(super) fn destroy(sandboxes: &Sandboxes, what: &HandleContent, files: Files) -> io::Result<()> {
    if files == Files::Remove {
        return forget(sandboxes, &what.session);
    }
    let session = sandboxes.session(&what.session);
    let Some(_lock) = lock(&session)? else { return Ok(()) };
    end(&session, &what.session, what.generation)?;
    remove_tree(&session.generation(what.generation).0)
}

/// Ends and removes all that there is of a session. Folders that hold a record go last, so that what was interrupted is still listed.
pub(super) fn forget(sandboxes: &Sandboxes, id: &SessionId) -> io::Result<()> {
    let session = sandboxes.session(id);
    let Some(_lock) = lock(&session)? else { return Ok(()) };
    let generations = session.generations()?;
    generations.iter().try_for_each(|generation| end(&session, id, *generation))?;
    let shelf = remove_files(sandboxes, &session, id)?;
    for generation in generations {
        remove_tree(&session.generation(generation).0)?;
    }
    let shelf = match shelf {
        None if has_layers(&session)? => Some(Shelf::lock(sandboxes).map_err(io::Error::other)?),
        shelf => shelf,
    };
    let image: Option<ImageDigest> = stack::read(&session.image_file()).map_err(io::Error::other)?;
    session.remove()?;
    shelf.map_or(Ok(()), |shelf| shelf.tidy()).map_err(io::Error::other)?;
    let images = Images::beside(sandboxes.clone());
    image.map_or(Ok(()), |digest| images.let_go(&digest)).map_err(io::Error::other)
}

/// With its volume, if it has one, but for layers that others stand on. Then nobody may come to need another until the session is gone.
fn remove_files<'a>(
    sandboxes: &'a Sandboxes,
    session: &SessionDir,
    id: &SessionId,
) -> io::Result<Option<Shelf<'a>>> {
    let trees = || {
        let all = [session.files(), session.scratch(), session.old_files()];
        all.iter().try_for_each(|directory| remove_tree(directory))
    };
    let volume = session.volume();
    if !volume.is_begun() {
        return trees().map(|()| None);
    }
    let shelf = Shelf::lock(sandboxes).map_err(io::Error::other)?;
    if !shelf.is_stood_on(id).map_err(io::Error::other)? {
        volume.remove()?;
    } else if let Err(error) = session.within(|| Ok(trees()?)) {
        // They go with the last layer.
        tracing::warn!(session.id = %id, error = format!("{error:#}"), "files are left in a volume");
    }
    Ok(Some(shelf))
}

/// See [`Provider::leave_behind`](crate::provider::Provider::leave_behind).
pub(super) fn leave_behind(
    sandboxes: &Sandboxes,
    id: &SessionId,
    generation: Generation,
) -> anyhow::Result<()> {
    let session = sandboxes.session(id);
    let Some(_lock) = lock(&session)? else { return Ok(()) };
    match session.generations()?.is_empty() {
        true => session.within(|| snapshot::leave_behind(sandboxes, &session, generation)),
        // It is asked again before the next.
        false => Ok(()),
    }
}

/// The sessions that have a folder, and no sandbox in it.
pub(super) fn kept(sandboxes: &Sandboxes) -> io::Result<Vec<SessionId>> {
    let mut kept = Vec::new();
    for session in sandboxes.sessions()? {
        if sandboxes.session(&session).generations()?.is_empty() {
            kept.push(session);
        }
    }
    Ok(kept)
}

/// Removes what nobody needs, and what was left by whoever was killed before they removed it.
pub(super) fn tidy(sandboxes: &Sandboxes, images: &Images) -> io::Result<()> {
    let tidied = images.tidy().and_then(|()| Shelf::lock(sandboxes)?.tidy());
    let tidied = tidied.and_then(|()| blank::tidy(sandboxes));
    tidied.map_err(|error| io::Error::other(format!("{error:#}")))
}

/// `None` of a session that is gone.
fn lock(session: &SessionDir) -> io::Result<Option<File>> {
    match session.lock() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        lock => lock.map(Some),
    }
}

fn has_layers(session: &SessionDir) -> io::Result<bool> {
    Ok(!stack::named(session).map_err(io::Error::other)?.is_empty())
}

fn end(session: &SessionDir, id: &SessionId, generation: Generation) -> io::Result<()> {
    match session.generation(generation).record()? {
        Some(record) => record.end(),
        None => container::end_unrecorded(&session.generation(generation), id, generation),
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
