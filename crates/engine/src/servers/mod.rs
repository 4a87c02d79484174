//! This server among those that share its database: it keeps its lease, stops by itself where it cannot, and takes over from those that are gone.
//!
//! ```text
//!          renewed every 2 s                    not renewed for 8 s                     the database is there again
//!  held ───────────────────────▶ held ─────────────────────────────▶ lapsed: no actor ───────────────────────────▶ held
//!   │                                                                                     what is still ours is woken
//!   └─ sessions of servers that are gone are claimed and woken, a few at a time
//! ```
//! Others take this server for dead after 10 s without renewal, and by then it has stopped by itself. What it should still append is refused by
//! the store all the same. A server that has only just got its lease takes nobody for dead for as long as a lease lasts: after the database was
//! away every lease has ended, and whoever came back first would have everything. On SQLite there are no others: it is always held, and nothing here runs.

mod face;
mod files;
mod news;
mod word;

pub use face::{ServerInfo, Whereabouts};
pub use files::{FILES, Neighbour};
pub(crate) use news::follow;

use crate::config::Config;
use crate::engine::{Shared, closed};
use crate::error::StartError;
use crate::forge;
use crate::keys::Keys;
use crate::passes::Passes;
use crate::tokens::derived;
use lamplight_domain::SessionId;
use lamplight_store::{Announced, CLAIMS, HOLD, LEASE, Owner, Standing, Store, Whose};
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// From one renewal to the next.
const RENEW: Duration = Duration::from_secs(2);
/// Before the next try while the lease has lapsed.
const AGAIN: Duration = Duration::from_millis(100);
/// Looks after which what others may have changed is read again.
const LOOKS: u32 = 5;
/// What the sealing key is used for among servers.
const BETWEEN: &[u8] = b"lamplight between servers 1";
const PREVIEWS: &[u8] = b"lamplight previews of several servers 1";
const CHECK: &[u8] = b"lamplight same key 1";

/// How this server stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    /// Actors end when this changes.
    term: u64,
    /// `None` where nobody else can have what is ours.
    until: Option<Instant>,
    is_held: bool,
    /// Since when, without a gap.
    since: Instant,
    is_first: bool,
}

pub(crate) struct Servers {
    state: watch::Sender<State>,
    /// What servers show one another; only where there may be several.
    between: Option<Passes>,
    /// Numbers of those that were there at the last look; `None` before the first.
    alive: watch::Sender<Option<Vec<i64>>>,
    /// How the others are asked.
    neighbour: OnceLock<Arc<dyn Neighbour>>,
    /// Previews that every server knows.
    previews: Option<[u8; 32]>,
    /// A session was found to be at another server: what it has here is nobody's.
    pub(crate) left_over: Notify,
}

impl Servers {
    /// Takes this server's place among the others. Fails where another that is alive has another sealing key.
    pub(crate) async fn join(config: &Config, store: &Store, keys: &Keys) -> Result<Self, StartError> {
        let begun = Instant::now();
        let mut state = State { term: 0, until: None, is_held: true, since: begun, is_first: true };
        let (mut between, mut previews) = (None, None);
        if store.is_shared() {
            let key = keys.token_key().await;
            if let Err(why) = &key {
                tracing::warn!(
                    "no other server can use this database at the same time, because there is no sealing key: {why}"
                );
            }
            let key = key.ok();
            let announced = Announced {
                address: config.servers_address.clone().unwrap_or_default(),
                key: key.as_ref().map(|key| digits(&derived(key, CHECK))).unwrap_or_default(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            };
            if let Some(other) = store.announce(announced).await.map_err(StartError::Servers)? {
                return Err(StartError::OtherKey { other });
            }
            between = key.as_ref().map(|key| Passes::of(derived(key, BETWEEN)));
            previews = key.as_ref().map(|key| derived(key, PREVIEWS));
            let standing = store.renew().await?;
            state = State { until: Some(begun + HOLD), is_first: standing.is_first, ..state };
        }
        Ok(Self {
            state: watch::Sender::new(state),
            between,
            alive: watch::Sender::new(None),
            neighbour: OnceLock::new(),
            previews,
            left_over: Notify::new(),
        })
    }

    /// Whether what this server has is its own at this moment.
    pub(crate) fn is_held(&self) -> bool {
        let state = self.state.borrow();
        state.is_held && state.until.is_none_or(|until| Instant::now() < until)
    }

    /// Whether those that have not renewed are gone: they have had time for it since this server could.
    pub(crate) fn is_settled(&self) -> bool {
        let state = self.state.borrow();
        state.until.is_none() || (state.is_held && state.since.elapsed() >= LEASE)
    }

    /// Whether this server does what is to be done once for all.
    pub(crate) fn is_first(&self) -> bool {
        self.is_held() && self.state.borrow().is_first
    }

    pub(crate) fn term(&self) -> u64 {
        self.state.borrow().term
    }

    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    fn lapse(&self) {
        self.state.send_modify(|state| {
            *state = State { term: state.term + 1, is_held: false, is_first: false, ..*state };
        });
    }

    fn renewed(&self, begun: Instant, standing: Standing) {
        self.state.send_modify(|state| {
            let since = if state.is_held { state.since } else { begun };
            let (until, is_first) = (Some(begun + HOLD), standing.is_first);
            *state = State { until, is_held: true, since, is_first, ..*state };
        });
    }
}

/// Resolves when what began in this term has to end.
pub(crate) async fn lapsed(state: &mut watch::Receiver<State>, term: u64) {
    let _ = state.wait_for(|state| state.term != term).await;
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _always = write!(text, "{byte:02x}");
        text
    })
}

/// Keeps the lease for as long as actors may write.
pub(crate) async fn run(shared: Arc<Shared>) {
    if !shared.store.is_shared() {
        return;
    }
    let mut resting = shared.resting();
    let mut looks = 0_u32;
    loop {
        let pause = tokio::select! {
            pause = look(&shared) => pause,
            () = closed(&mut resting) => return,
        };
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(LOOKS) && shared.servers.is_held() {
            tokio::select! {
                () = news::read_again(&shared) => {}
                () = tokio::time::sleep(RENEW) => {}
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = closed(&mut resting) => return,
        }
    }
}

/// One renewal and what follows from it; gives when to look again.
async fn look(shared: &Arc<Shared>) -> Duration {
    let servers = &shared.servers;
    let (begun, state) = (Instant::now(), *servers.state.borrow());
    let patience = if state.is_held { state.until.unwrap_or(begun) } else { begun + HOLD };
    let renewed = tokio::time::timeout_at(patience, shared.store.renew()).await;
    let is_late = Instant::now() >= patience;
    match renewed {
        Ok(Ok(standing)) if !is_late && !standing.was_gone && state.is_held => {
            servers.renewed(begun, standing);
            take_over(shared).await;
            note_who_is_there(shared).await;
            RENEW
        }
        // Somebody may have what was ours.
        Ok(Ok(_)) if state.is_held => {
            lapse(shared);
            AGAIN
        }
        Ok(Ok(standing)) if !is_late => {
            if shared.has_actors_before(servers.term()) {
                return AGAIN;
            }
            go_on(shared, begun, standing).await
        }
        other => {
            if let Ok(Err(error)) = other {
                tracing::warn!(%error, "the lease of this server could not be renewed");
            }
            if state.is_held && is_late {
                lapse(shared);
            }
            AGAIN.max(RENEW.min(patience.saturating_duration_since(Instant::now()) / 2))
        }
    }
}

/// Before anybody may take this server for dead, it ends what it does.
fn lapse(shared: &Shared) {
    tracing::warn!(
        "this server could not renew its lease in time: its sessions may be another's now, so it stops working on them"
    );
    shared.store.let_all_go();
    shared.servers.lapse();
}

/// What is still ours is woken; what is not has left something here.
async fn go_on(shared: &Arc<Shared>, begun: Instant, standing: Standing) -> Duration {
    let sessions = match shared.store.claim_open(Whose::Ours, usize::MAX).await {
        Ok(sessions) => sessions,
        Err(error) => {
            tracing::warn!(%error, "what is ours still could not be claimed");
            return AGAIN;
        }
    };
    tracing::info!(sessions = sessions.len(), "this server has its lease again");
    shared.servers.renewed(begun, standing);
    for id in sessions {
        shared.wake(&id);
    }
    shared.servers.left_over.notify_one();
    RENEW
}

async fn note_who_is_there(shared: &Shared) {
    if let Ok(servers) = shared.store.servers().await {
        let alive = servers.iter().filter(|server| server.is_alive).map(|server| server.number);
        shared.servers.alive.send_replace(Some(alive.collect()));
    }
}

/// A few sessions of servers that are gone.
async fn take_over(shared: &Arc<Shared>) {
    let of = if shared.servers.is_settled() { Whose::Gone } else { Whose::Left };
    match shared.store.claim_open(of, CLAIMS).await {
        Ok(sessions) if sessions.is_empty() => {}
        Ok(sessions) => {
            tracing::info!(sessions = sessions.len(), "taking over sessions of a server that is gone");
            for id in sessions {
                let shared = shared.clone();
                shared.clone().tasks.spawn(async move {
                    forge::bring_for(&shared, &id).await;
                    shared.wake(&id);
                });
            }
        }
        Err(error) => tracing::warn!(%error, "sessions of servers that are gone could not be claimed"),
    }
}

impl Shared {
    /// Whether what goes on by itself for a session is done by this server: it is the session's, or the session is nobody's.
    pub(crate) async fn is_done_here(&self, id: &SessionId) -> bool {
        self.servers.is_held()
            && match self.store.owner(id).await {
                Ok(Owner::Ours) => true,
                Ok(Owner::Nobody) => self.servers.is_first(),
                Ok(Owner::Other(_) | Owner::Newer) | Err(_) => false,
            }
    }
}
