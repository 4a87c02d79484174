//! What the effects of one session share: the way back to the actor, and the link to the guest.

mod book;

use super::Trouble;
use crate::children;
use crate::elsewhere;
use crate::engine::Shared;
use crate::session::{Durable, Message};
use book::Book;
use futures::FutureExt as _;
use lamplight_domain::session::{Report, Session};
use lamplight_domain::{Generation, Network, SessionId, SessionSpec};
use lamplight_gateway::{Arrivals, Asker, Grant, Ledger, WayOut};
use lamplight_sandbox::egress::Egress;
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::link::{GatewayStream, Link};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{self, Arc};
use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::CancellationToken;

pub(crate) struct Context {
    pub id: SessionId,
    pub spec: SessionSpec,
    pub shared: Arc<Shared>,
    pub durable: watch::Receiver<Durable>,
    /// The session that this works for.
    owner: SessionId,
    mailbox: mpsc::WeakSender<Box<Message>>,
    /// Whether models may be asked from inside.
    models: bool,
    /// What may be reached of the outside; the session's, until another is set.
    network: sync::Mutex<Network>,
    /// Whether its sandboxes have a way out, whatever they may reach by it.
    has_way_out: bool,
    link: Mutex<Option<(Generation, Link)>>,
    /// The newest sandbox's, for all that comes from it.
    door: sync::Mutex<Option<(Generation, Door)>>,
    /// Our own commit is being pushed: it may replace what the agent pushed itself.
    committing: Arc<AtomicBool>,
    closed: CancellationToken,
}

impl Context {
    pub(crate) fn new(
        id: SessionId,
        session: &Session,
        shared: Arc<Shared>,
        mailbox: mpsc::WeakSender<Box<Message>>,
        durable: watch::Receiver<Durable>,
    ) -> Self {
        let spec = session.spec().clone();
        Self {
            owner: id.clone(),
            id,
            network: sync::Mutex::new(spec.network.clone()),
            has_way_out: !spec.network.is_none(),
            spec,
            shared,
            durable,
            mailbox,
            models: true,
            link: Mutex::new(None),
            door: sync::Mutex::default(),
            committing: Arc::default(),
            closed: CancellationToken::new(),
        }
    }

    /// For a sandbox that works for no session: nobody hears what is reported, and no model is asked.
    pub(crate) fn alone(id: SessionId, spec: SessionSpec, shared: Arc<Shared>) -> Self {
        Self {
            owner: id.clone(),
            id,
            network: sync::Mutex::new(spec.network.clone()),
            has_way_out: !spec.network.is_none(),
            spec,
            shared,
            durable: watch::channel(Durable::default()).1,
            mailbox: mpsc::channel(1).0.downgrade(),
            models: false,
            link: Mutex::new(None),
            door: sync::Mutex::default(),
            committing: Arc::default(),
            closed: CancellationToken::new(),
        }
    }

    /// For another sandbox that works for the same session, under an id and a branch of its own.
    pub(crate) fn beside(&self, id: SessionId, branch: String) -> Self {
        Self {
            id,
            spec: SessionSpec { branch, ..self.spec.clone() },
            shared: self.shared.clone(),
            durable: self.durable.clone(),
            owner: self.owner.clone(),
            mailbox: self.mailbox.clone(),
            models: self.models,
            network: sync::Mutex::new(self.spec.network.clone()),
            has_way_out: self.has_way_out,
            link: Mutex::new(None),
            door: sync::Mutex::default(),
            committing: Arc::default(),
            closed: CancellationToken::new(),
        }
    }

    /// The same for programs that have nobody's leave: no model is asked and nothing is pushed.
    pub(crate) fn without_leave(self) -> Self {
        Self { spec: SessionSpec { branch: String::new(), ..self.spec }, models: false, ..self }
    }

    /// Of sandboxes that are made with a way out also where nothing may be reached, as that may change.
    pub(crate) fn with_way_out(self) -> Self {
        Self { has_way_out: true, ..self }
    }

    /// What may be reached from now on; what is connected stays connected.
    pub(crate) fn set_network(&self, network: Network) {
        // A door is opened under this lock, so that it is either told here or has read what is set here.
        let door = self.lock_door();
        *self.network.lock().unwrap_or_else(sync::PoisonError::into_inner) = network.clone();
        if let Some((_, door)) = &*door {
            door.way_out.set_network(network);
        }
    }

    /// Ends what goes through the link; the sandbox lives on.
    pub(crate) fn close(&self) {
        self.closed.cancel();
        if let Ok(mut link) = self.link.try_lock()
            && let Some((_, link)) = link.take()
        {
            link.close();
        }
    }

    pub(crate) async fn report(&self, report: Report) {
        self.send(Message::Report(report)).await;
    }

    /// To the actor; nothing when it has ended, because whoever comes next asks the log.
    pub(crate) async fn send(&self, message: Message) {
        if let Some(mailbox) = self.mailbox.upgrade() {
            let _ = mailbox.send(Box::new(message)).await;
        }
    }

    /// The link to the guest of this generation, dialled when there is none.
    pub(crate) async fn link(&self, generation: Generation, handle: &str) -> Result<Link, Trouble> {
        let mut slot = self.link.lock().await;
        if let Some((of, link)) = slot.as_ref()
            && *of == generation
            && link.closed().now_or_never().is_none()
        {
            return Ok(link.clone());
        }
        let stream = self.shared.provider.dial(&Handle::from_log(handle)).await?;
        let (link, gateway) = Link::open(stream).await?;
        *slot = Some((generation, link.clone()));
        drop(slot);
        let door = self.door(generation);
        // In boxes: what waits for its end beside another holds it more than once.
        let serving = Box::pin(serve_gateway(door.clone(), gateway));
        self.shared.tasks.spawn(self.closed.clone().run_until_cancelled_owned(serving));
        if self.has_way_out {
            let serving = Box::pin(serve_web(door, handle.to_owned(), link.clone()));
            self.shared.tasks.spawn(self.closed.clone().run_until_cancelled_owned(serving));
        }
        Ok(link)
    }

    /// Forgets the link of a sandbox that is to go.
    pub(crate) async fn unlink(&self, generation: Generation) {
        let mut slot = self.link.lock().await;
        if let Some((_, link)) = slot.take_if(|(of, _)| *of == generation) {
            link.close();
        }
        let door = self.lock_door().take_if(|(of, _)| *of == generation);
        if let Some((_, door)) = door {
            door.gone.cancel();
        }
    }

    /// Until this is dropped, connections from inside may replace the session's branch.
    pub(crate) fn committing(&self) -> impl Drop + use<> {
        self.committing.store(true, Ordering::Relaxed);
        Committing(self.committing.clone())
    }

    /// The gateway, for one who has the session's token.
    pub(crate) fn asker(&self, generation: Generation) -> Asker {
        let door = self.door(generation);
        Asker { grant: door.grant(), ledger: door.ledger, way_out: door.way_out, gone: door.gone }
    }

    /// Neither one beside it, such as for checks, nor one that works for no session.
    fn is_the_sessions_own(&self) -> bool {
        self.models && self.id == self.owner
    }

    fn lock_door(&self) -> sync::MutexGuard<'_, Option<(Generation, Door)>> {
        self.door.lock().unwrap_or_else(sync::PoisonError::into_inner)
    }

    fn door(&self, generation: Generation) -> Door {
        let mut slot = self.lock_door();
        if let Some((_, door)) = slot.as_ref().filter(|(of, _)| *of == generation) {
            return door.clone();
        }
        let door = self.open_door(generation);
        if let Some((_, before)) = slot.replace((generation, door.clone())) {
            before.gone.cancel();
        }
        door
    }

    fn open_door(&self, generation: Generation) -> Door {
        let grant = Grant {
            session: self.id.clone(),
            repository: PathBuf::from(&self.spec.repository),
            branch: self.spec.branch.clone(),
            base: self.spec.base.clone(),
            rewrite: false,
            elsewhere: elsewhere::of(&self.shared, &self.id, &self.spec),
            children: self
                .is_the_sessions_own()
                .then(|| children::of(&self.shared, &self.id, self.durable.clone())),
            models: self.models,
            network: self.network.lock().unwrap_or_else(sync::PoisonError::into_inner).clone(),
        };
        let (config, person) = (&self.shared.config, &self.spec.person.name);
        let money = self.shared.budgets.money(
            config,
            (&self.owner, &self.spec.parents),
            person,
            &self.spec.repository,
        );
        let ledger = Arc::new(Book {
            generation,
            shared: self.shared.clone(),
            owner: self.owner.clone(),
            above: self.spec.parents.clone(),
            money,
            mailbox: self.mailbox.clone(),
            durable: self.durable.clone(),
        });
        let contacts = self.durable.borrow().contacts.clone();
        let way_out = self.shared.gateway.way_out(Arc::new(grant.clone()), ledger.clone(), &contacts);
        Door {
            shared: self.shared.clone(),
            grant,
            committing: self.committing.clone(),
            ledger,
            way_out,
            gone: self.closed.child_token(),
        }
    }
}

/// The gateway as one session may use it.
#[derive(Clone)]
struct Door {
    shared: Arc<Shared>,
    grant: Grant,
    committing: Arc<AtomicBool>,
    ledger: Arc<dyn Ledger>,
    way_out: WayOut,
    /// Cancelled with the sandbox.
    gone: CancellationToken,
}

impl Door {
    /// As it is for what begins now.
    fn grant(&self) -> Arc<Grant> {
        Arc::new(Grant { rewrite: self.committing.load(Ordering::Relaxed), ..self.grant.clone() })
    }
}

/// Takes the leave to replace the branch back.
struct Committing(Arc<AtomicBool>);

impl Drop for Committing {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Serves what programs inside connect to, until the link is gone.
async fn serve_gateway(door: Door, mut streams: mpsc::Receiver<GatewayStream>) {
    while let Some(stream) = streams.recv().await {
        let grant = door.grant();
        let (shared, ledger) = (door.shared.clone(), door.ledger.clone());
        door.shared.streams.spawn(async move {
            let mut closing = shared.closing();
            tokio::select! {
                served = shared.gateway.serve(grant.clone(), ledger, stream) => {
                    if let Err(error) = served {
                        tracing::debug!(session.id = %grant.session, error = format!("{error:#}"), "a connection from inside ended early");
                    }
                }
                () = crate::engine::closed(&mut closing) => {}
            }
        });
    }
}

/// Serves what programs inside ask of the outside, until the link is gone: then the sandbox is, or another link follows.
async fn serve_web(door: Door, handle: String, link: Link) {
    let egress = match door.shared.provider.egress(&Handle::from_log(handle)).await {
        Ok(Some(egress)) => egress,
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(session.id = %door.grant.session, %error, "the sandbox has no network but the gateway");
            return;
        }
    };
    let arrivals = Arrivals { tcp: egress.tcp, dns: egress.dns, destination: Egress::destination };
    let mut closing = door.shared.closing();
    tokio::select! {
        () = door.shared.gateway.serve_web(door.way_out, arrivals) => {}
        () = link.closed() => {}
        () = crate::engine::closed(&mut closing) => {}
    }
}
