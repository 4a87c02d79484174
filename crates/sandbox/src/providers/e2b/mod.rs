//! Sandboxes in a cloud that speaks E2B: E2B's own, another Lamplight (`lamplight serve --e2b`), or any that is compatible.
//!
//! ```text
//! E2b ──control plane──▶ sandboxes, snapshots   found again by metadata: deployment, session, generation
//!  │
//!  └──envd──▶ the guest, put in and run by root; for each link a relay, whose standard streams carry it
//! ```
//! A generation is a sandbox of the cloud. Between two of them the files are in a snapshot, and a checkpoint is another one. What the
//! cloud cannot know is written down here (`record`): which sandbox and which snapshots are a session's.
//!
//! ```text
//! made ──▶ runs ──▶ paused by us ──▶ runs          the next link to one that the cloud has paused wakes it
//!            └────▶ paused by the cloud, in its time ──▶ runs
//!            └────▶ its files in a snapshot, ended ──▶ the next generation is made from it
//! ```
//! The key stays in this process. Nothing inside is judged by us on its way out: see [`E2bConfig::internet`].

mod begin;
mod cloud;
mod config;
mod envd;
mod error;
mod files;
mod probe;
mod record;
mod sandboxes;
mod stream;
mod template;
mod walls;

pub use config::{E2bConfig, Key};
pub use probe::{Examined, FoundCloud, examine};
pub use template::make_template;

use crate::capability::Capabilities;
use crate::checkpoint::{Checkpoint, CheckpointContent};
use crate::egress::Egress;
use crate::error::{ErrorKind, SandboxError};
use crate::handle::{Handle, HandleContent};
use crate::provider::{ByteStream, Files, Inspection, Listed, ListedState, Provider, SandboxSpec, Used};
use async_trait::async_trait;
use cloud::Cloud;
use lamplight_domain::{Generation, ImageDigest, SessionId};
use record::Sessions;
use std::collections::BTreeMap;
use std::sync::Arc;
use stream::Ending;
use tokio_util::task::TaskTracker;

/// The provider's name in handles.
const NAME: &str = "e2b";

/// How sandboxes of ours are known in the cloud.
const DEPLOYMENT: &str = "lamplight_deployment";
const SESSION: &str = "lamplight_session";
const GENERATION: &str = "lamplight_generation";

/// Sandboxes of a cloud.
#[derive(Clone)]
pub struct E2b {
    inner: Arc<Inner>,
}

struct Inner {
    config: E2bConfig,
    cloud: Arc<Cloud>,
    sessions: Sessions,
    ending: Ending,
    /// What is begun is finished, also where nobody waits for it any more: otherwise nobody would know what the cloud has made of it.
    tasks: TaskTracker,
}

impl E2b {
    /// Prepares the data directory. Asks the cloud nothing.
    pub fn open(config: E2bConfig) -> Result<Self, SandboxError> {
        config::check(&config)?;
        let (cloud, sessions) = (Arc::new(Cloud::new(&config)?), Sessions::open(&config.data_dir)?);
        let inner = Inner { config, cloud, sessions, ending: Ending::default(), tasks: TaskTracker::new() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Sees something through, whoever waits for it.
    async fn through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, SandboxError>> + Send + 'static,
    ) -> Result<T, SandboxError> {
        let done = self.inner.tasks.spawn(work).await;
        done.unwrap_or_else(|panic| {
            Err(SandboxError::new(ErrorKind::Failed, "a call of the provider panicked").with_source(panic))
        })
    }
}

#[async_trait]
impl Provider for E2b {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        let snapshots = self.inner.config.snapshots;
        Capabilities {
            keeps_files: snapshots,
            checkpoints: snapshots,
            shares_files: false,
            host_mounts: false,
            egress: false,
            pauses: true,
            root_inside: false,
            shapes: false,
        }
    }

    fn environment(&self, _image: Option<&ImageDigest>) -> BTreeMap<String, String> {
        config::environment(&self.inner.config.user)
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Handle, SandboxError> {
        check(spec)?;
        let (inner, spec) = (Arc::clone(&self.inner), spec.clone());
        self.through(async move { inner.create(&spec).await }).await
    }

    async fn inspect(&self, handle: &Handle) -> Result<Inspection, SandboxError> {
        let id = self.inner.sandbox(handle).await?;
        let record = self.inner.sessions.record(&handle.open(NAME)?.session).await?.unwrap_or_default();
        let notes = if self.inner.ending.has(&id) { vec![walls::IT_ENDS.to_owned()] } else { Vec::new() };
        Ok(Inspection { enforced: Some(walls::enforced(&record.limits)), hits: Vec::new(), notes })
    }

    async fn used(&self, handle: &Handle) -> Result<Used, SandboxError> {
        let id = self.inner.sandbox(handle).await?;
        let Some(metric) = self.inner.cloud.metric(&id).await? else { return Ok(Used::default()) };
        Ok(Used {
            memory_bytes: Some(metric.mem_used),
            disk_bytes: Some(metric.disk_used),
            ..Used::default()
        })
    }

    async fn dial(&self, handle: &Handle) -> Result<Box<dyn ByteStream>, SandboxError> {
        let id = self.inner.sandbox(handle).await?;
        let HandleContent { session, .. } = handle.open(NAME)?;
        if self.inner.sessions.record(&session).await?.is_some_and(|record| record.is_paused) {
            let message = format!("dial sandbox {handle}: it is paused");
            return Err(SandboxError::new(ErrorKind::Unavailable, message));
        }
        self.inner.dial(&id).await
    }

    async fn egress(&self, handle: &Handle) -> Result<Option<Egress>, SandboxError> {
        self.inner.sandbox(handle).await?;
        Ok(None)
    }

    async fn pause(&self, handle: &Handle) -> Result<(), SandboxError> {
        let (inner, handle) = (Arc::clone(&self.inner), handle.clone());
        self.through(async move {
            let (mut held, id) = inner.held(&handle).await?;
            let was_paused = std::mem::replace(&mut held.record.is_paused, true);
            // Before: the cloud cuts the link when it begins to, and whoever dialled again would wake it for good.
            held.save().await?;
            if let Err(error) = inner.cloud.pause(&id).await {
                held.record.is_paused = was_paused;
                held.save().await?;
                return Err(error);
            }
            Ok(())
        })
        .await
    }

    async fn resume(&self, handle: &Handle) -> Result<(), SandboxError> {
        let (inner, handle) = (Arc::clone(&self.inner), handle.clone());
        self.through(async move {
            let (mut held, id) = inner.held(&handle).await?;
            inner.cloud.resume(&id, inner.config.timeout).await?;
            held.record.is_paused = false;
            held.save().await
        })
        .await
    }

    async fn destroy(&self, handle: &Handle, files: Files) -> Result<(), SandboxError> {
        let HandleContent { session, generation, .. } = handle.open(NAME)?;
        let inner = Arc::clone(&self.inner);
        self.through(async move {
            match files {
                Files::Keep => inner.destroy(&session, generation).await,
                Files::Remove => inner.forget(&session).await,
            }
        })
        .await
    }

    async fn forget(&self, session: &SessionId) -> Result<(), SandboxError> {
        let (inner, session) = (Arc::clone(&self.inner), session.clone());
        self.through(async move { inner.forget(&session).await }).await
    }

    async fn leave_behind(&self, session: &SessionId, generation: Generation) -> Result<(), SandboxError> {
        let (inner, session) = (Arc::clone(&self.inner), session.clone());
        self.through(async move { inner.leave_behind(&session, generation).await }).await
    }

    async fn kept(&self) -> Result<Vec<SessionId>, SandboxError> {
        self.inner.kept().await
    }

    async fn list(&self) -> Result<Vec<Listed>, SandboxError> {
        self.inner.list().await
    }

    async fn checkpoint(&self, handle: &Handle, number: u32) -> Result<Checkpoint, SandboxError> {
        let HandleContent { session, generation, .. } = handle.open(NAME)?;
        self.has_snapshots("make a checkpoint")?;
        let (inner, handle) = (Arc::clone(&self.inner), handle.clone());
        self.through(async move {
            let held = inner.sessions.lock(&session).await?;
            let held = held.filter(|held| held.record.newest == generation.0).ok_or_else(|| gone(&handle))?;
            inner.checkpoint(held, number, &handle).await?;
            Ok(checkpoint_of(session, number))
        })
        .await
    }

    async fn restore(&self, checkpoint: &Checkpoint, session: &SessionId) -> Result<(), SandboxError> {
        let from = checkpoint.open(NAME)?;
        self.has_snapshots("restore a checkpoint")?;
        let (inner, name, to) = (Arc::clone(&self.inner), checkpoint.clone(), session.clone());
        self.through(async move { inner.restore(&from, &to, &name).await }).await
    }

    async fn checkpoints(&self, session: &SessionId) -> Result<Vec<Checkpoint>, SandboxError> {
        self.has_snapshots("list checkpoints")?;
        let record = self.inner.sessions.record(session).await?.unwrap_or_default();
        Ok(record.checkpoints.into_keys().map(|number| checkpoint_of(session.clone(), number)).collect())
    }

    async fn remove_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), SandboxError> {
        let CheckpointContent { session, number, .. } = checkpoint.open(NAME)?;
        self.has_snapshots("remove a checkpoint")?;
        let inner = Arc::clone(&self.inner);
        self.through(async move {
            let Some(mut held) = inner.sessions.lock(&session).await? else { return Ok(()) };
            held.record.left.extend(held.record.checkpoints.remove(&number));
            held.save().await?;
            inner.tidy(&mut held).await
        })
        .await
    }
}

impl E2b {
    fn has_snapshots(&self, what: &str) -> Result<(), SandboxError> {
        if self.inner.config.snapshots {
            return Ok(());
        }
        let message = format!("{what}: this cloud keeps no snapshots, as [e2b_provider] snapshots says");
        Err(SandboxError::new(ErrorKind::Unsupported, message))
    }
}

/// What is asked for and cannot be had of a cloud.
fn check(spec: &SandboxSpec) -> Result<(), SandboxError> {
    let refuse = |kind, why: &str| {
        let what = format!("create sandbox {} of session {}", spec.generation, spec.session);
        Err(SandboxError::new(kind, format!("{what}: {why}")))
    };
    if let Err(why) = spec.limits.check() {
        return refuse(ErrorKind::Invalid, &why);
    }
    if !spec.mounts.is_empty() {
        return refuse(ErrorKind::Invalid, "a cloud has no folder of this machine; its capabilities say so");
    }
    if spec.image.is_some() {
        let why =
            "images are this machine's: a sandbox in a cloud is made from what [e2b_provider] template names";
        return refuse(ErrorKind::Unsupported, why);
    }
    Ok(())
}

fn handle(session: &SessionId, generation: Generation) -> Handle {
    Handle::new(HandleContent { provider: NAME.to_owned(), session: session.clone(), generation })
}

fn listed(session: SessionId, generation: Generation, state: ListedState) -> Listed {
    Listed { handle: handle(&session, generation), session, generation, state }
}

fn checkpoint_of(session: SessionId, number: u32) -> Checkpoint {
    Checkpoint::new(CheckpointContent { provider: NAME.to_owned(), session, number })
}

fn gone(handle: &Handle) -> SandboxError {
    SandboxError::new(ErrorKind::Gone, format!("sandbox {handle}: it does not run any more"))
}
