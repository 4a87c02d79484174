//! One guest-opened stream, served as HTTP/1.1.

use crate::models::Backend;
use crate::slots::Slots;
use crate::{
    Arrivals, Grant, Ledger, Model, ModelPrice, Outside, Unlisted, Upstream, UpstreamName, Upstreams, WayOut,
    children, git, install_tls_provider, models, web,
};
use anyhow::{Context, Result};
use axum::Router;
use axum::http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use lamplight_domain::event::Contact;
use lamplight_domain::{KnownSecret, Redactor};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio_util::task::TaskTracker;

/// How long a connection may take to send the head of a request, or stay idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// The most that one connection buffers in each direction; also the longest head of a request.
pub(crate) const MAX_BUFFER_BYTES: usize = 64 * 1024;

/// The one door: made once, serving the streams of every sandbox. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    door: Arc<Door>,
    router: Router<Link>,
    outside: Arc<Outside>,
    places: web::Places,
}

/// What all links share.
pub(crate) struct Door {
    /// Made when the first model is asked: reading the machine's root certificates takes tens of milliseconds, which a
    /// start should not wait for.
    client: OnceCell<reqwest::Client>,
    /// For which an upstream may say nothing.
    silence: Duration,
    upstreams: RwLock<Arc<Backends>>,
    pub(crate) prices: Arc<[ModelPrice]>,
    /// The public ones: they take memory that a server without models does not need.
    lists: OnceCell<()>,
    /// Git processes.
    pub(crate) git_slots: Slots,
    /// Large files of git's that are under way.
    pub(crate) large_slots: Slots,
    /// Memory for chats that are looked at.
    pub(crate) chat_slots: Slots,
    /// What is finished though the request that began it is gone: pushes, and entries of the ledger.
    pub(crate) tasks: TaskTracker,
}

/// The upstreams as they are now.
struct Backends {
    ready: BTreeMap<UpstreamName, Arc<Backend>>,
    /// As they were given.
    upstreams: Upstreams,
    /// Knows the keys of all of them.
    redactor: Arc<Redactor>,
}

impl Backends {
    fn new(upstreams: Upstreams) -> Result<Self> {
        let (mut ready, mut secrets) = (BTreeMap::new(), Vec::new());
        for (name, upstream) in upstreams.iter() {
            let value = upstream.key.expose().to_owned();
            secrets.push(KnownSecret { name: format!("{name} key"), value });
            ready.insert(name.clone(), Arc::new(Backend::new(name, upstream)?));
        }
        Ok(Self { ready, redactor: Arc::new(Redactor::new(secrets)), upstreams })
    }
}

/// What a request is answered with: the door, and what the link that it came over may do.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) door: Arc<Door>,
    pub(crate) grant: Arc<Grant>,
    pub(crate) ledger: Arc<dyn Ledger>,
}

impl Gateway {
    /// Fails when an upstream's address or key cannot be used.
    pub fn new(upstreams: Upstreams, outside: Outside) -> Result<Self> {
        Self::with_patience(upstreams, outside, models::SILENCE_TIMEOUT)
    }

    /// Like [`Gateway::new`], with another time for which an upstream may say nothing, before its answer or within it.
    pub fn with_patience(upstreams: Upstreams, outside: Outside, silence: Duration) -> Result<Self> {
        install_tls_provider();
        let prices = upstreams.prices.as_slice().into();
        let door = Door {
            client: OnceCell::new(),
            silence,
            upstreams: RwLock::new(Arc::new(Backends::new(upstreams)?)),
            prices,
            lists: OnceCell::new(),
            git_slots: Slots::new(git::MAX_PROCESSES),
            large_slots: Slots::new(git::large_files::AT_A_TIME),
            chat_slots: Slots::new(models::asking::UNITS),
            tasks: TaskTracker::new(),
        };
        let router = Router::new()
            .merge(git::routes())
            .merge(models::routes())
            .merge(children::routes())
            .fallback(nothing_here);
        Ok(Self {
            door: Arc::new(door),
            router,
            outside: Arc::new(outside),
            places: web::Places::of_this_process(),
        })
    }

    /// Asks these from now on; what is under way goes on with what it began with. Prices stay as they were. Fails, and changes
    /// nothing, when an address or key cannot be used.
    pub fn set_upstreams(&self, upstreams: Upstreams) -> Result<()> {
        let backends = Arc::new(Backends::new(upstreams)?);
        *self.door.upstreams.write().unwrap_or_else(PoisonError::into_inner) = backends;
        Ok(())
    }

    /// The upstreams that are asked now.
    pub fn upstreams(&self) -> Upstreams {
        self.door.backends().upstreams.clone()
    }

    /// The models that an upstream says it has, with what they cost. Takes 10 s at most.
    pub async fn models(&self, name: &UpstreamName) -> Result<Vec<Model>, Unlisted> {
        models::list(&self.door, name).await
    }

    /// Serves the requests that come over `stream` until it ends. An error means that the connection broke in the middle
    /// of one.
    pub async fn serve(
        &self,
        grant: Arc<Grant>,
        ledger: Arc<dyn Ledger>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<()> {
        let session = grant.session.clone();
        let router = self.router(grant, ledger);
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
            .await;
        match served {
            // A client that says nothing more is not news.
            Err(error) if error.is_timeout() => Ok(()),
            served => served.with_context(|| format!("serving a gateway stream of session {session}")),
        }
    }

    /// All requests are answered by the same.
    pub(crate) fn router(&self, grant: Arc<Grant>, ledger: Arc<dyn Ledger>) -> Router {
        self.router.clone().with_state(Link { door: self.door.clone(), grant, ledger })
    }

    /// One session's way to the outside. `contacts` are the hosts that its programs know already.
    pub fn way_out(&self, grant: Arc<Grant>, ledger: Arc<dyn Ledger>, contacts: &[Contact]) -> WayOut {
        WayOut::new(self.outside.clone(), &self.places, grant, ledger, contacts)
    }

    /// Serves what programs inside ask of the outside, until it is dropped.
    pub async fn serve_web(&self, way_out: WayOut, arrivals: Arrivals) {
        web::serve(way_out, arrivals).await;
    }

    /// Waits for what outlives its request: pushes that have arrived, and entries of the ledger. For a shutdown, after the
    /// last stream has ended.
    pub async fn settled(&self) {
        self.door.tasks.close();
        self.door.tasks.wait().await;
    }
}

impl Door {
    pub(crate) async fn client(&self) -> Result<&reqwest::Client, reqwest::Error> {
        self.client.get_or_try_init(|| async { models::client(self.silence) }).await
    }

    /// Resolves once what models cost can be told.
    pub(crate) async fn price_lists(&self) {
        let read = || async { tokio::task::spawn_blocking(models::price::read_lists).await.unwrap_or(()) };
        self.lists.get_or_init(read).await;
    }

    pub(crate) fn backend(&self, name: &UpstreamName) -> Option<Arc<Backend>> {
        self.backends().ready.get(name).cloned()
    }

    pub(crate) fn upstream(&self, name: &UpstreamName) -> Option<Upstream> {
        self.backends().upstreams.get(name).cloned()
    }

    /// For what comes back: the keys do not.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        self.backends().redactor.clone()
    }

    fn backends(&self) -> Arc<Backends> {
        self.upstreams.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn nothing_here() -> (StatusCode, &'static str) {
    (
        StatusCode::NOT_FOUND,
        "Nothing is served here: the gateway has /git/repository.git, /openai/v1, /anthropic/v1, /gemini/v1beta, /compatible/NAME/v1 and /sessions.\n",
    )
}
