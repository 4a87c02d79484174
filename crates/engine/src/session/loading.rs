//! A session from its log.

use super::writing;
use crate::CommandError;
use crate::engine::Shared;
use lamplight_domain::session::Session;
use lamplight_domain::{Entry, Seq, SessionId};
use lamplight_store::{Owner, ReadError};

/// What one reading of the log brings when a session wakes.
const WAKE_ENTRIES: usize = 2_000;
const WAKE_BYTES: usize = 4 << 20;

/// Makes the session this server's, and reads it. Waits while the database, or what it is packed in, is away; `None` if the engine is shut down meanwhile.
pub(super) async fn load_when_it_can_be(
    shared: &Shared,
    id: &SessionId,
    term: u64,
) -> Result<Option<Session>, CommandError> {
    let (mut resting, mut lease) = (shared.resting(), shared.servers.watch());
    loop {
        match claim_and_load(shared, id).await {
            Err(CommandError::Unreachable(why)) => {
                tracing::warn!(session.id = %id, "the session is woken when the database is there: {why}");
            }
            Err(CommandError::StorageUnavailable(why)) => {
                tracing::warn!(session.id = %id, "the session is woken when the object store is there, in which its log is: {why}");
            }
            loaded => return loaded.map(Some),
        }
        tokio::select! {
            () = crate::engine::closed(&mut resting) => return Ok(None),
            () = crate::servers::lapsed(&mut lease, term) => return Err(CommandError::Moved),
            () = tokio::time::sleep(writing::STORE_WAIT) => {}
        }
    }
}

async fn claim_and_load(shared: &Shared, id: &SessionId) -> Result<Session, CommandError> {
    if !shared.servers.is_held() {
        return Err(CommandError::Unreachable("the lease of this server has lapsed".into()));
    }
    let claimed = match shared.servers.is_settled() {
        true => shared.store.claim(id).await?,
        false => shared.store.claim_left(id).await?,
    };
    match claimed {
        Owner::Ours | Owner::Nobody => load(shared, id).await,
        Owner::Newer => Err(CommandError::Newer),
        Owner::Other(server) if server.is_alive => Err(CommandError::Moved),
        Owner::Other(_) => Err(CommandError::Unreachable("its server may be back in a moment".into())),
    }
}

/// Reads a session's log and replays it.
pub(crate) async fn load(shared: &Shared, id: &SessionId) -> Result<Session, CommandError> {
    let mut session: Option<Session> = None;
    loop {
        let after = session.as_ref().map_or(Seq(0), Session::last_seq);
        let page = shared.store.read(id, after, WAKE_ENTRIES, WAKE_BYTES).await?;
        if page.is_empty() {
            return session.ok_or(CommandError::NotFound);
        }
        for (seq, frame) in page {
            let entry: Entry = serde_json::from_slice(&frame).map_err(|error| unreadable(id, seq, &error))?;
            match &mut session {
                Some(session) => session.apply(&entry),
                None => session = Session::begin(&entry),
            }
        }
    }
}

fn unreadable(id: &SessionId, seq: Seq, error: &serde_json::Error) -> CommandError {
    CommandError::from(ReadError::Failed(format!(
        "entry {seq} of session {id} is not one that this version knows: {error}"
    )))
}
