//! Sandboxes on this machine, without any other program: namespaces, an allow list of the machine's own toolchains,
//! and the session's writable files. Works as root and as an ordinary user.
//!
//! ```text
//!  Local ──starts──▶ launcher ──clone3──▶ init ──exec──▶ guest (PID 1 of the sandbox)
//!    │  (one short-lived process per create)                │ listens on an inherited socket
//!    └──dial: <data>/sandboxes/<session>/<generation>/link.sock
//! ```
//! Nothing is kept in memory: records in the data directory say what runs, so that a restarted server, or another
//! process, goes on where this one ended. `launch` and `init` tell how a sandbox comes to be, `record` how it ends.

mod ahead;
pub(super) mod attributes;
mod base;
mod blank;
mod blocking;
mod breach;
mod cgroup;
mod config;
mod container;
pub(super) mod copy;
mod dial;
pub(super) mod disk;
mod ending;
mod environment;
mod ground;
pub(super) mod guest_file;
mod hold;
mod identity;
mod image_base;
mod images;
mod init;
mod landlock;
mod launch;
mod launchers;
mod limits;
mod loop_device;
mod mapped;
mod masks;
mod memory;
mod meter;
mod mounts;
mod netlink;
mod network;
mod overlay;
mod own_files;
mod privileges;
mod probe;
mod processes;
pub(super) mod record;
mod redirect;
mod renewal;
mod request;
mod rights;
mod room;
mod root_fs;
mod search;
mod seccomp;
mod snapshot;
mod stack;
mod standstill;
mod system_calls;
mod tools;
mod usage;
mod userns;
mod volume;
mod walk;
mod watch;

pub use config::{DiskLimit, Launcher, LocalConfig};
pub use images::{Image, ImageProgress, ImageReference, Images, NoRepositories, RegistryLogin, Repositories};
pub use launch::launcher_main;
pub use limits::most as most_of_this_machine;
pub use probe::{Finding, Probe, probe};
pub use tools::Tool;

use crate::capability::Capabilities;
use crate::checkpoint::{Checkpoint, CheckpointContent};
use crate::egress::Egress;
use crate::error::{ErrorKind, SandboxError};
use crate::handle::{Handle, HandleContent};
use crate::provider::{
    ByteStream, Files, Inspection, Listed, Provider, ReadOnlyMount, SandboxSpec, Searched, Used,
};
use anyhow::Context as _;
use async_trait::async_trait;
use container::Runtime;
use disk::{GenerationDir, Sandboxes, private_dir};
use ending::{destroy, end_all, forget, list};
use guest_file::GuestFile;
use images::Unpacked;
use lamplight_domain::{Generation, ImageDigest, Redactor, SessionId};
use launchers::Launchers;
use limits::Limits;
use record::Record;
use renewal::Renewal;
use request::LaunchRequest;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use watch::Watch;

/// The provider's name in configuration and handles.
const NAME: &str = "local";

/// From starting the launcher to its reply: the launcher ends itself a little earlier.
const CREATE: Duration = Duration::from_secs(launch::LAUNCH_SECONDS as u64 + 2);

/// Sandboxes on this machine.
#[derive(Debug)]
pub struct Local {
    sandboxes: Sandboxes,
    guest: Arc<GuestFile>,
    launchers: Launchers,
    images: Images,
    tools: Vec<Tool>,
    is_unsafe: bool,
    root: bool,
    runtime: Option<Runtime>,
    disk_limit: DiskLimit,
    watch: Arc<Watch>,
    _renewal: Renewal,
}

impl Local {
    /// Prepares the data directory. Starts nothing.
    pub fn open(config: LocalConfig) -> Result<Self, SandboxError> {
        let root = identity::Identity::is_root()
            .map_err(|error| SandboxError::new(ErrorKind::Failed, format!("{error:#}")))?;
        let runtime = config.runtime.as_deref().map(|wanted| Runtime::find(wanted, root)).transpose()?;
        let at = |error| SandboxError::from_io(format!("prepare {}", config.data_dir.display()), error);
        let data = std::path::absolute(&config.data_dir).map_err(at)?;
        private_dir(&data).map_err(at)?;
        let sandboxes = Sandboxes(data.join("sandboxes"));
        private_dir(&sandboxes.0).map_err(at)?;
        if config.disk_limit == DiskLimit::Volume {
            blank::check(&sandboxes, root, runtime.is_some())?;
        }
        for directory in config.tools.iter().flat_map(Tool::hidden_directories) {
            root_fs::check_inside(directory)?;
        }
        let guest = Arc::new(GuestFile::new(data, crate::GUEST));
        let renewal = Renewal::begin(&sandboxes, root, Arc::clone(&guest)).map_err(at)?;
        let images = Images::beside(sandboxes.clone());
        ending::tidy(&sandboxes, &images).map_err(at)?;
        // Where it cannot be, the walls are told without it.
        let _ = (cgroup::make_way(), cgroup::sweep_parked());
        let watch = Watch::start(sandboxes.clone()).map_err(at)?;
        Ok(Self {
            sandboxes,
            guest,
            launchers: Launchers::new(config.launcher),
            images,
            tools: config.tools,
            is_unsafe: config.is_unsafe,
            root,
            runtime,
            disk_limit: config.disk_limit,
            watch: Arc::new(watch),
            _renewal: renewal,
        })
    }

    fn request(&self, spec: &SandboxSpec) -> Result<LaunchRequest, SandboxError> {
        self.runtime.as_ref().map_or(Ok(()), Runtime::check)?;
        for mount in &spec.mounts {
            root_fs::check_inside(&mount.inside)?;
        }
        let image = spec.image.as_ref().map(|image| self.images.open(&image.digest)).transpose();
        let image = image.map_err(|error| SandboxError::new(ErrorKind::Unsupported, format!("{error:#}")))?;
        let tools = self.tools_on(image.as_ref());
        let shown = tools.iter().flat_map(Tool::hidden_directories);
        let shown =
            shown.map(|directory| ReadOnlyMount { host: directory.clone(), inside: directory.clone() });
        Ok(LaunchRequest {
            sandboxes: self.sandboxes.0.clone(),
            session: spec.session.clone(),
            generation: spec.generation,
            guest: self.guest.path()?,
            environment: environment::of(tools, image.as_ref(), &spec.environment),
            mounts: shown.chain(spec.mounts.iter().cloned()).collect(),
            egress: spec.egress,
            gateway: spec.gateway,
            image: spec.image.as_ref().map(|image| image.digest.clone()),
            limits: Limits::of(&spec.limits)?,
            disk_limit: self.disk_limit,
            is_unsafe: self.is_unsafe,
            runtime: self.runtime.clone(),
        })
    }

    /// The machine's toolchains, which need its libraries: an image brings its own.
    fn tools_on(&self, image: Option<&Unpacked>) -> &[Tool] {
        if image.is_some() { &[] } else { &self.tools }
    }

    /// The record of a sandbox that runs. Read here and not in a task of its own, so that a call that was given up does nothing
    /// later.
    fn running(&self, handle: &Handle) -> Result<(GenerationDir, Record), SandboxError> {
        let content = handle.open(NAME)?;
        let here = self.sandboxes.session(&content.session).generation(content.generation);
        let look = || match here.record()? {
            Some(record) if record.runs()? => Ok(Some(record)),
            Some(_) | None => Ok(None),
        };
        let found: Option<Record> =
            look().map_err(|error| SandboxError::from_io(format!("look at sandbox {handle}"), error))?;
        found.map(|record| (here, record)).ok_or_else(|| {
            SandboxError::new(ErrorKind::Gone, format!("sandbox {handle}: does not run any more"))
        })
    }
}

#[async_trait]
impl Provider for Local {
    fn name(&self) -> &'static str {
        NAME
    }

    fn environment(&self, image: Option<&ImageDigest>) -> BTreeMap<String, String> {
        // Nothing runs on an image that is not there any more.
        let image = image.and_then(|digest| self.images.open(digest).ok());
        environment::of(self.tools_on(image.as_ref()), image.as_ref(), &BTreeMap::new())
    }

    fn usual_memory(&self) -> u64 {
        limits::usual_memory()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            keeps_files: true,
            checkpoints: true,
            shares_files: self.disk_limit == DiskLimit::Watched,
            host_mounts: true,
            egress: true,
            root_inside: self.root,
            pauses: true,
            shapes: true,
        }
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Handle, SandboxError> {
        let request = self.request(spec)?;
        let what = || format!("create sandbox {} of session {}", spec.generation, spec.session);
        let reply = match tokio::time::timeout(CREATE, self.launchers.launch(&request)).await {
            Ok(reply) => reply.map_err(|error| SandboxError::from_io(what(), error))?,
            Err(_) => {
                return Err(SandboxError::new(ErrorKind::Unavailable, format!("{}: took too long", what())));
            }
        };
        reply.into_result(&what())?;
        self.watch.begin(&spec.session);
        Ok(handle(&spec.session, spec.generation))
    }

    async fn inspect(&self, handle: &Handle) -> Result<Inspection, SandboxError> {
        let content = handle.open(NAME)?;
        let here = self.sandboxes.session(&content.session).generation(content.generation);
        let what = || format!("look at sandbox {handle}");
        match here.record().map_err(|error| SandboxError::from_io(what(), error))? {
            Some(record) => {
                // What is looked at now and then is looked at for whoever asks; else it is as it was the last time.
                let _ = volume::note_full(&self.sandboxes.session(&content.session), &here, &record);
                Ok(record.inspect(&here))
            }
            None => Err(SandboxError::new(ErrorKind::Gone, format!("sandbox {handle}: was destroyed"))),
        }
    }

    async fn used(&self, handle: &Handle) -> Result<Used, SandboxError> {
        self.measure(handle).await
    }

    async fn dial(&self, handle: &Handle) -> Result<Box<dyn ByteStream>, SandboxError> {
        let content = handle.open(NAME)?;
        let here = self.sandboxes.session(&content.session).generation(content.generation);
        if here.held_mark().exists() {
            let here = here.clone();
            let what = format!("let go of sandbox {handle}");
            self.blocking(what, move |_| Ok(hold::let_go_of_forgotten(&here)?)).await?;
        }
        dial::dial(&here, handle).await
    }

    async fn egress(&self, handle: &Handle) -> Result<Option<Egress>, SandboxError> {
        let content = handle.open(NAME)?;
        network::ask(&self.sandboxes.session(&content.session).generation(content.generation)).await
    }

    async fn destroy(&self, handle: &Handle, files: Files) -> Result<(), SandboxError> {
        let content = handle.open(NAME)?;
        let sandboxes = self.sandboxes.clone();
        let done = tokio::task::spawn_blocking(move || destroy(&sandboxes, &content, files)).await;
        done.unwrap_or_else(|panic| Err(io::Error::other(panic)))
            .map_err(|error| SandboxError::from_io(format!("destroy sandbox {handle}"), error))
    }

    async fn forget(&self, session: &SessionId) -> Result<(), SandboxError> {
        let (what, session) = (format!("remove all of session {session}"), session.clone());
        self.blocking(what, move |sandboxes| Ok(forget(sandboxes, &session)?)).await
    }

    async fn pause(&self, handle: &Handle) -> Result<(), SandboxError> {
        let (here, record) = self.running(handle)?;
        let pause = || here.lock_freezer().and_then(|_lock| record.pause());
        pause().map_err(|error| SandboxError::from_io(format!("pause sandbox {handle}"), error))
    }

    async fn resume(&self, handle: &Handle) -> Result<(), SandboxError> {
        let (here, record) = self.running(handle)?;
        let resume = || here.lock_freezer().and_then(|_lock| record.resume());
        resume().map_err(|error| SandboxError::from_io(format!("resume sandbox {handle}"), error))
    }

    async fn leave_behind(&self, session: &SessionId, generation: Generation) -> Result<(), SandboxError> {
        let what = format!("let go of what session {session} had before it was elsewhere");
        let session = session.clone();
        self.blocking(what, move |sandboxes| ending::leave_behind(sandboxes, &session, generation)).await
    }

    async fn kept(&self) -> Result<Vec<SessionId>, SandboxError> {
        self.blocking("list what is kept".to_owned(), |sandboxes| Ok(ending::kept(sandboxes)?)).await
    }

    async fn search(
        &self,
        session: &SessionId,
        redactor: Arc<Redactor>,
        at_most: Duration,
    ) -> Result<Searched, SandboxError> {
        let what = format!("search session {session}");
        let session = session.clone();
        self.blocking(what, move |sandboxes| {
            sandboxes.session(&session).within(|| search::search(sandboxes, &session, &redactor, at_most))
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Listed>, SandboxError> {
        self.blocking("list sandboxes".to_owned(), |sandboxes| Ok(list(sandboxes)?)).await
    }

    async fn checkpoint(&self, handle: &Handle, number: u32) -> Result<Checkpoint, SandboxError> {
        let session = handle.open(NAME)?.session;
        let of = session.clone();
        let what = format!("make a checkpoint of sandbox {handle}");
        let watch = Arc::clone(&self.watch);
        self.blocking(what, move |sandboxes| {
            let session = sandboxes.session(&of);
            let _lock = session.lock().context("lock the session")?;
            session.within(|| room::checkpoint(&watch, sandboxes, &of, number))
        })
        .await?;
        Ok(Checkpoint::new(CheckpointContent { provider: NAME.to_owned(), session, number }))
    }

    async fn restore(&self, checkpoint: &Checkpoint, session: &SessionId) -> Result<(), SandboxError> {
        let CheckpointContent { session: from, number, .. } = checkpoint.open(NAME)?;
        let to = session.clone();
        self.blocking(
            format!("give session {session} the files of checkpoint {checkpoint}"),
            move |sandboxes| {
                let session = sandboxes.session(&to);
                let _lock = session.make_and_lock().context("lock the session")?;
                session.within(|| {
                    end_all(&session, &to).context("end what runs")?;
                    snapshot::restore(sandboxes, (&from, number), &to)
                })
            },
        )
        .await
    }

    async fn checkpoints(&self, session: &SessionId) -> Result<Vec<Checkpoint>, SandboxError> {
        let of = session.clone();
        let what = format!("list the checkpoints of session {session}");
        let numbers = self.blocking(what, move |sandboxes| Ok(sandboxes.session(&of).checkpoints()?)).await?;
        let content =
            |number| CheckpointContent { provider: NAME.to_owned(), session: session.clone(), number };
        Ok(numbers.into_iter().map(|number| Checkpoint::new(content(number))).collect())
    }

    async fn remove_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), SandboxError> {
        let CheckpointContent { session: of, number, .. } = checkpoint.open(NAME)?;
        self.blocking(format!("remove checkpoint {checkpoint}"), move |sandboxes| {
            let _lock = match sandboxes.session(&of).lock() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                lock => lock?,
            };
            sandboxes.session(&of).within(|| snapshot::remove(sandboxes, &of, number))
        })
        .await
    }
}

fn handle(session: &SessionId, generation: Generation) -> Handle {
    Handle::new(HandleContent { provider: NAME.to_owned(), session: session.clone(), generation })
}
