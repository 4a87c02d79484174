//! Which sessions are awake: found, woken, and forgotten when they sleep.

use crate::engine::Shared;
use crate::error::CommandError;
use crate::hub::Hub;
use crate::session::writing::STORE_WAIT;
use crate::session::{Actor, Awake, MAILBOX, Message};
use lamplight_domain::session::SessionView;
use lamplight_domain::{Seq, SessionId};
use lamplight_store::{AppendError, Owner};
use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};

/// A session that is falling asleep while it is called is called again this often.
const WAKE_TRIES: usize = 3;

/// Whether a session that stopped for this may go on at this server, though nothing changes.
fn may_go_on(error: &CommandError) -> bool {
    !matches!(error, CommandError::Moved | CommandError::Newer | CommandError::NotFound)
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Awake>> {
        self.awake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, id: &SessionId) -> Option<Awake> {
        self.lock().get(id).cloned()
    }

    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// For actors alone, which rest after everything else.
    pub(crate) fn resting(&self) -> watch::Receiver<bool> {
        self.resting.subscribe()
    }

    /// The session's actor, started if it sleeps.
    pub(crate) fn wake(self: &Arc<Self>, id: &SessionId) -> Awake {
        let mut sessions = self.lock();
        if let Some(awake) = sessions.get(id) {
            return awake.clone();
        }
        let (mailbox, messages) = mpsc::channel(MAILBOX);
        let term = self.servers.term();
        let awake = Awake { mailbox, hub: Arc::new(Hub::new(Seq(0))), term };
        sessions.insert(id.clone(), awake.clone());
        drop(sessions);
        let (shared, id, started, mailbox) =
            (self.clone(), id.clone(), awake.clone(), awake.mailbox.downgrade());
        self.tasks.spawn(async move {
            let hub = started.hub.clone();
            let ended = Actor::run(id.clone(), shared.clone(), started, messages).await;
            shared.queue.is_known(&id);
            match &ended {
                Ok(()) => {}
                Err(CommandError::Moved | CommandError::Newer) => {
                    tracing::info!(session.id = %id, "the session does not go on at this server for now");
                    shared.budgets.session_sleeps(&id);
                    shared.queue.session_sleeps(&id);
                }
                Err(error) => tracing::error!(session.id = %id, error = format!("{error:#}"), "the session had to stop; it is woken again"),
            }
            let pause = ended.as_ref().is_err_and(may_go_on).then(|| shared.stopped.note(&id));
            shared.forget(&id, &mailbox);
            if ended.is_err() {
                hub.end();
                shared.servers.left_over.notify_one();
            }
            // Whoever claimed it after it was found to be another's, and woke it, found this actor.
            let is_moved = matches!(ended, Err(CommandError::Moved));
            if is_moved && shared.store.is_shared() && shared.store.is_held(&id) {
                shared.wake(&id);
            }
            if let Some(pause) = pause {
                let mut closing = shared.closing();
                tokio::select! {
                    () = crate::engine::closed(&mut closing) => {}
                    () = tokio::time::sleep(pause) => drop(shared.wake(&id)),
                }
            }
        });
        awake
    }

    /// Takes the session out of the register if nobody has sent it anything; then its actor may end.
    pub(crate) fn fall_asleep(&self, id: &SessionId, messages: &mpsc::Receiver<Box<Message>>) -> bool {
        let mut sessions = self.lock();
        let followed = sessions.get(id).is_some_and(|awake| awake.hub.is_followed());
        let quiet = messages.is_empty() && !followed;
        if quiet {
            sessions.remove(id);
            self.store.let_go(id);
            self.budgets.session_sleeps(id);
            self.queue.session_sleeps(id);
        }
        quiet
    }

    /// Takes an actor that has ended out of the register, unless another has taken its place.
    fn forget(&self, id: &SessionId, mailbox: &mpsc::WeakSender<Box<Message>>) {
        let mut sessions = self.lock();
        let ended = mailbox.upgrade();
        if sessions.get(id).is_some_and(|awake| ended.is_some_and(|ended| ended.same_channel(&awake.mailbox)))
        {
            sessions.remove(id);
        }
    }

    pub(crate) async fn send(self: &Arc<Self>, id: &SessionId, message: Message) -> Result<(), CommandError> {
        let mut message = Box::new(message);
        for _ in 0..WAKE_TRIES {
            match self.wake(id).mailbox.send(message).await {
                Ok(()) => return Ok(()),
                Err(mpsc::error::SendError(back)) => message = back,
            }
        }
        Err(CommandError::Busy)
    }

    /// Whether an actor of an earlier term has not ended yet.
    pub(crate) fn has_actors_before(&self, term: u64) -> bool {
        self.lock().values().any(|awake| awake.term < term)
    }

    /// Resolves where the store takes nothing for longer than a session needs to say so itself: one that has something to write first
    /// waits for the store, and hears nobody until then.
    pub(crate) async fn store_refuses(&self) -> AppendError {
        tokio::time::sleep(STORE_WAIT).await;
        let mut refused = self.refused_by_store.subscribe();
        let why = refused.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        match why {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }

    /// Why a session whose actor has ended gave no answer.
    pub(crate) async fn unanswered(&self, id: &SessionId) -> CommandError {
        match self.store.owner(id).await {
            Ok(Owner::Other(_)) => CommandError::Moved,
            Ok(Owner::Newer) => CommandError::Newer,
            Ok(Owner::Ours | Owner::Nobody) | Err(_) => CommandError::Busy,
        }
    }

    /// Whether anybody hears of changes of summaries.
    pub(crate) fn is_listened_to(&self) -> bool {
        self.changes.receiver_count() > 0
    }

    pub(crate) fn changed(&self, view: &SessionView) {
        if self.changes.receiver_count() > 0 {
            let _ = self.changes.send(Arc::new(view.into()));
        }
    }
}
