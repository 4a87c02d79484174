//! The public face: finds or wakes the session that a call is for, and passes it on.

use crate::budgets::Budgets;
use crate::checks::Holders;
use crate::config::{Config, DatabaseConfig};
use crate::create::Once;
use crate::elsewhere::Submodules;
use crate::error::{CommandError, StartError};
use crate::forge::{self, Forge};
use crate::hooks::{self, Hooks};
use crate::hub::Follower;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::on_behalf::OnBehalf;
use crate::prepared::Shelf;
use crate::queue::{self, Queue};
use crate::rights::Rights;
use crate::servers::{self, Servers};
use crate::session::{Awake, Message};
use crate::stopped::Stopped;
use crate::tokens::Tokens;
use crate::traces::{self, Traces};
use crate::{LogPage, LogRange, NewSession, SessionPage, SessionQuery};
use crate::{agents, archive, attempts, blobs, create, large_files, lent, pull_request, reconcile};
use lamplight_agent::Catalogue;
use lamplight_domain::session::{SessionSummary, SessionView};
use lamplight_domain::{Seq, SessionId};
use lamplight_gateway::Gateway;
use lamplight_integrations::GitHub;
use lamplight_sandbox::provider::Provider;
use lamplight_store::{AppendError, Places, Store, Whose};
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, broadcast, oneshot, watch};
use tokio_util::task::TaskTracker;

/// How long a caller waits for a session's answer.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// Changes of summaries that a slow listener may be behind before it has to list again.
const CHANGES: usize = 1024;
/// Most entries on one page of a log.
const PAGE_ENTRIES: usize = 2_000;
const PAGE_BYTES: usize = 8 << 20;

/// Everything that runs sessions. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

/// What every actor and effect may use.
pub(crate) struct Shared {
    pub config: Config,
    pub store: Store,
    pub provider: Arc<dyn Provider>,
    pub gateway: Gateway,
    pub github: Option<GitHub>,
    pub forge: Option<Forge>,
    pub rights: Option<Rights>,
    pub on_behalf: Option<OnBehalf>,
    pub submodules: Submodules,
    pub arriving: large_files::Arriving,
    pub keys: Keys,
    /// Where the gateway is reached over TCP, it knows sessions by these.
    pub tokens: OnceLock<Arc<Tokens>>,
    pub catalogue: Catalogue,
    pub prepared: Shelf,
    pub checks: Holders,
    pub budgets: Arc<Budgets>,
    /// Of two requests for one child the second finds what the first has made; both come to the server that has the parent.
    pub beginning: tokio::sync::Mutex<()>,
    /// How often people, or what lets them in, have changed.
    pub people_changes: watch::Sender<u64>,
    pub queue: Queue,
    /// There may be a run of an automation to begin.
    pub automations: Notify,
    pub lending: lent::Lending,
    pub hooks: Hooks,
    pub traces: Traces,
    pub metrics: Metrics,
    pub servers: Servers,
    /// Whether that was so at the last look; also where there is no bucket.
    pub is_bucket_there: AtomicBool,
    /// Why the store took nothing when it was asked last.
    pub refused_by_store: watch::Sender<Option<AppendError>>,
    pub awake: Mutex<HashMap<SessionId, Awake>>,
    pub stopped: Stopped,
    pub changes: broadcast::Sender<Arc<SessionSummary>>,
    /// What reaches in from sandboxes ends first, so that what it used is still written down.
    pub closing: watch::Sender<bool>,
    /// Then the actors.
    pub resting: watch::Sender<bool>,
    /// Connections from inside.
    pub streams: TaskTracker,
    pub tasks: TaskTracker,
}

impl Engine {
    /// Opens the store, wakes every session that something is owed to, and starts the reconciler.
    pub async fn open(config: Config) -> Result<Self, StartError> {
        let places = Places {
            database: config.database.as_ref().map(DatabaseConfig::address).transpose()?,
            bucket: config.bucket.as_ref().map(blobs::open).transpose().map_err(StartError::Bucket)?,
        };
        let store = Store::open_at(&config.data_dir, places)?;
        let provider = crate::provider::make(&config)?;
        Self::start(config, store, provider).await
    }

    /// Like [`Engine::open`], with a store and a provider of the caller's.
    pub async fn start(
        config: Config,
        store: Store,
        provider: Arc<dyn Provider>,
    ) -> Result<Self, StartError> {
        let (models, cloud) = (config.models.clone(), config.sandbox.cloud.clone());
        let keys =
            Keys::load(models, cloud, config.sealing.clone(), config.redaction.clone(), &store).await?;
        let config = keys.complete(config);
        let gateway = Gateway::new(keys.upstreams(), config.outside.clone()).map_err(StartError::Gateway)?;
        let github = pull_request::open(&config)?;
        let prepared = Shelf::open(&config.data_dir);
        prepared.clear(&provider).await;
        let budgets = Budgets::load(&config, &store).await?;
        let servers = Servers::join(&config, &store, &keys).await?;
        let unfinished = store.claim_open(Whose::Ours, usize::MAX).await?;
        let queue = Queue::new(config.queue, provider.usual_memory(), unfinished.iter().cloned());
        let on_behalf = OnBehalf::open(config.on_behalf.clone(), &store).await?;
        let shared = Arc::new(Shared {
            forge: Forge::open(&config),
            hooks: Hooks::new(config.hooks.clone(), &config.outside, config.redaction.clone()),
            traces: Traces::new(config.traces.as_ref()),
            rights: Rights::open(&config),
            on_behalf,
            submodules: Submodules::default(),
            arriving: large_files::Arriving::default(),
            catalogue: agents::catalogue(&config)?,
            config,
            store,
            provider,
            gateway,
            github,
            keys,
            tokens: OnceLock::new(),
            prepared,
            checks: Holders::default(),
            budgets,
            beginning: Default::default(),
            people_changes: watch::Sender::new(0),
            queue,
            automations: Notify::new(),
            lending: lent::Lending::new(),
            metrics: Metrics::new(),
            servers,
            is_bucket_there: AtomicBool::new(true),
            refused_by_store: watch::Sender::new(None),
            awake: Mutex::default(),
            stopped: Stopped::default(),
            changes: broadcast::Sender::new(CHANGES),
            closing: watch::Sender::new(false),
            resting: watch::Sender::new(false),
            streams: TaskTracker::new(),
            tasks: TaskTracker::new(),
        });
        lent::begin(&shared).await.map_err(StartError::Lent)?;
        for id in unfinished {
            shared.wake(&id);
        }
        shared.tasks.spawn(reconcile::run(shared.clone()));
        shared.tasks.spawn(queue::run(shared.clone()));
        shared.tasks.spawn(attempts::run(shared.clone()));
        shared.tasks.spawn(hooks::run(shared.clone()));
        shared.tasks.spawn(traces::run(shared.clone()));
        shared.tasks.spawn(blobs::take_along(shared.clone()));
        shared.tasks.spawn(blobs::look(shared.clone()));
        shared.tasks.spawn(archive::run(shared.clone()));
        shared.tasks.spawn(servers::run(shared.clone()));
        shared.tasks.spawn(servers::follow(shared.clone()));
        Ok(forge::started(Self { shared }))
    }

    /// Makes a session; when this returns it is on disk.
    pub async fn create(&self, new: NewSession) -> Result<SessionView, CommandError> {
        create::create(&self.shared, new, Once::Never).await
    }

    /// Makes a session once for this key: the same request again gives the same session, another request is refused.
    pub async fn create_once(
        &self,
        key: &str,
        fingerprint: &str,
        new: NewSession,
    ) -> Result<SessionView, CommandError> {
        create::create(&self.shared, new, Once::For { key, fingerprint }).await
    }

    pub async fn view(&self, id: &SessionId) -> Result<SessionView, CommandError> {
        if let Some(awake) = self.shared.find(id) {
            let (reply, answer) = oneshot::channel();
            let asked = async {
                awake.mailbox.send(Box::new(Message::View { reply })).await.ok()?;
                tokio::time::timeout(ANSWER_WAIT, answer).await.ok()?.ok()
            };
            let view = tokio::select! {
                biased;
                view = asked => view,
                _ = self.shared.store_refuses() => None,
            };
            if let Some(view) = view {
                return Ok(view);
            }
        }
        let row = self.shared.store.summary(id).await?.ok_or(CommandError::NotFound)?;
        parse_view(&row.body)
    }

    /// Sessions, newest first.
    pub async fn sessions(&self, query: SessionQuery) -> Result<SessionPage, CommandError> {
        let page = self.shared.store.sessions(query.into()).await?;
        let items =
            page.items.iter().map(|row| parse_view(&row.body).map(|view| SessionSummary::from(&view)));
        Ok(SessionPage { items: items.collect::<Result<_, _>>()?, next_cursor: page.next })
    }

    pub async fn log(&self, id: &SessionId, range: LogRange) -> Result<LogPage, CommandError> {
        let store = &self.shared.store;
        let last_seq = self.existing(id).await?;
        let entries = match range {
            LogRange::After { seq, limit } => {
                store.read(id, seq, limit.min(PAGE_ENTRIES), PAGE_BYTES).await?
            }
            LogRange::Before { seq, limit } => store.read_before(id, seq, limit.min(PAGE_ENTRIES)).await?,
        };
        Ok(LogPage { entries, last_seq })
    }

    /// A reader of everything after `after`, for as long as it likes.
    pub async fn follow(&self, id: &SessionId, after: Seq) -> Result<Follower, CommandError> {
        self.existing(id).await?;
        let hub = self.shared.wake(id).hub;
        Ok(Follower::new(id.clone(), hub, self.shared.store.clone(), after))
    }

    pub(crate) async fn existing(&self, id: &SessionId) -> Result<Seq, CommandError> {
        let last = self.shared.store.last_seq(id).await?;
        if last == Seq(0) { Err(CommandError::NotFound) } else { Ok(last) }
    }

    /// Every change of any session's summary. Who falls behind lists again.
    pub fn changes(&self) -> broadcast::Receiver<Arc<SessionSummary>> {
        self.shared.changes.subscribe()
    }

    /// Stops deciding and doing. Sandboxes and the agents in them live on, and are found again at the next start.
    pub async fn shutdown(&self) {
        self.shared.closing.send_replace(true);
        self.shared.streams.close();
        self.shared.streams.wait().await;
        self.shared.gateway.settled().await;
        self.shared.resting.send_replace(true);
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        self.shared.store.close().await;
    }
}

pub(crate) fn parse_view(body: &str) -> Result<SessionView, CommandError> {
    serde_json::from_str(body)
        .map_err(|error| CommandError::Failed(anyhow::Error::new(error).context("read a session's summary")))
}

/// Resolves when the engine is being shut down.
pub(crate) async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}
