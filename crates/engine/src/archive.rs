//! Logs that nobody asks for any more go from the database into blobs. It takes no input: each look goes through all sessions and finds what is
//! not packed yet, so it may end anywhere. Time alone makes a log old enough, so there is a timer and no signal.

use crate::clock;
use crate::engine::{Shared, closed};
use lamplight_domain::{SessionId, Timestamp};
use lamplight_store::{PackError, Packable, Packed, ReadError};
use std::sync::Arc;
use std::time::Duration;

/// From one look that came to the end to the next,
const PERIOD: Duration = Duration::from_secs(60 * 60);
/// and from one that did not.
const PAUSE: Duration = Duration::from_secs(60);
/// Packs of one look, of a mebibyte each.
const PACKS: usize = 64;
/// Sessions that the store looks at at a time.
const PAGE: usize = 500;

/// How long after something was written to them last logs are packed; `None` is never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ArchiveConfig {
    /// Of sessions that are archived.
    pub after: Option<Duration>,
    /// Of those that are not, and have nothing to do.
    pub untouched_after: Option<Duration>,
}

/// Whether a look came to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Over,
    CutShort,
}

pub(crate) async fn run(shared: Arc<Shared>) {
    if shared.config.archive == ArchiveConfig::default() {
        return;
    }
    if shared.store.is_shared() && shared.store.bucket().is_none() {
        tracing::info!(
            "old logs stay in the database: there is no bucket in which other servers would find them"
        );
        return;
    }
    let mut closing = shared.closing();
    loop {
        let looked = tokio::select! {
            looked = look(&shared) => looked,
            () = closed(&mut closing) => return,
        };
        let pause = match looked {
            Ok(Look::Over) => PERIOD,
            Ok(Look::CutShort) => PAUSE,
            Err(error) => {
                tracing::warn!(%error, "old logs stay in the database for now; the next look tries again");
                PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = closed(&mut closing) => return,
        }
    }
}

async fn look(shared: &Shared) -> Result<Look, PackError> {
    if !shared.servers.is_held() || is_among_others(shared).await? {
        return Ok(Look::CutShort);
    }
    let ArchiveConfig { after, untouched_after } = shared.config.archive;
    let mut left = PACKS;
    for (archived, after) in [(true, after), (false, untouched_after)] {
        let Some(after) = after else { continue };
        let before = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp(clock::now().0.saturating_sub(before));
        let mut page: Option<SessionId> = None;
        loop {
            let Packable { sessions, next } =
                shared.store.packable(archived, before, page.as_ref(), PAGE).await?;
            for id in sessions {
                left = pack(shared, &id, left).await?;
                if left == 0 {
                    return Ok(Look::CutShort);
                }
            }
            if next.is_none() {
                break;
            }
            page = next;
        }
    }
    Ok(Look::Over)
}

/// Packs a log, with as many packs as there may be; gives how many of those are left.
async fn pack(shared: &Shared, id: &SessionId, most: usize) -> Result<usize, PackError> {
    if !shared.is_done_here(id).await {
        return Ok(most);
    }
    let mut all = Packed::default();
    let mut left = most;
    let mut trouble = None;
    while left > 0 {
        match shared.store.pack(id).await {
            Ok(Some(packed)) => {
                shared.metrics.packed(packed.entries);
                all += packed;
                left -= 1;
            }
            Ok(None) => break,
            Err(error) => {
                trouble = Some(error);
                break;
            }
        }
    }
    if left < most {
        let Packed { entries, bytes, packed_bytes } = all;
        tracing::info!(session.id = %id, "packed {entries} entries of an old log, {bytes} bytes into {packed_bytes}");
    }
    match trouble {
        Some(error) if error.is_of_one_log() => {
            tracing::warn!(session.id = %id, %error, "an old log stays in the database");
            Ok(left)
        }
        Some(error) => Err(error),
        None => Ok(left),
    }
}

/// Whether a server of another version is there, which may look for logs in the database alone.
async fn is_among_others(shared: &Shared) -> Result<bool, ReadError> {
    let servers = shared.store.servers().await?;
    Ok(servers.iter().any(|server| server.is_alive && server.version != env!("CARGO_PKG_VERSION")))
}
