//! Where attempts are made: a deployment of its own, and sandboxes in it.

use lamplight_domain::{Generation, SandboxLimits, SessionId};
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::link::{GatewayStream, Link, LinkError, ProcessSpec, RunLimits, RunOutput};
use lamplight_sandbox::provider::{Files, Provider, ReadOnlyMount, SandboxSpec, inside};
use lamplight_sandbox::providers::local::{DiskLimit, Launcher, Local, LocalConfig};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::mpsc;

/// When set, the container runtime that puts the sandboxes up.
pub(crate) const LAUNCHER: &str = "LAMPLIGHT_ESCAPE_LAUNCHER";

/// Where the folder with the attempts is inside.
const SHOWN: &str = "/opt/lamplight-escape";

const LIMITS: RunLimits = RunLimits { timeout_ms: 120_000, output_bytes: 1024 * 1024 };

/// What the attempts know about the host; written by the program that plays it.
#[derive(Debug, Deserialize)]
pub(crate) struct Facts {
    pub(crate) marker: String,
    pub(crate) secret: PathBuf,
    pub(crate) folder: PathBuf,
}

pub(crate) struct Place {
    pub(crate) local: Local,
    pub(crate) facts: Facts,
    data: PathBuf,
    shown: PathBuf,
    sessions: AtomicU32,
}

/// A sandbox with somebody to speak to inside.
pub(crate) struct Inside {
    pub(crate) handle: Handle,
    pub(crate) session: SessionId,
    pub(crate) link: Link,
    pub(crate) gateway: mpsc::Receiver<GatewayStream>,
}

impl Place {
    pub(crate) fn new(folder: &Path) -> Self {
        let launcher = Launcher { program: folder.join("launch"), arguments: Vec::new() };
        let data = folder.join("data");
        let local = Local::open(LocalConfig {
            data_dir: data.clone(),
            launcher,
            tools: Vec::new(),
            is_unsafe: false,
            runtime: std::env::var(LAUNCHER).ok(),
            disk_limit: DiskLimit::Watched,
        })
        .unwrap();
        let facts = std::fs::read(folder.join("facts.json")).unwrap();
        let shown = folder.join("shown");
        std::fs::write(shown.join("facts.json"), &facts).unwrap();
        leave_a_door_open();
        let facts = serde_json::from_slice(&facts).unwrap();
        Self { local, facts, data, shown, sessions: AtomicU32::new(0) }
    }

    pub(crate) async fn sandbox(&self) -> Inside {
        self.enter(&self.session(), 1).await
    }

    /// With limits that are below the bounds of what is tried there.
    pub(crate) async fn small_sandbox(&self) -> Inside {
        const MIB: u64 = 1024 * 1024;
        let limits = SandboxLimits {
            cpu_thousandths: Some(500),
            memory_bytes: Some(768 * MIB),
            processes: Some(256),
            disk_bytes: Some(256 * MIB),
            open_files: Some(4096),
            nested_sandboxes: None,
        };
        self.enter_within(&self.session(), 1, limits).await
    }

    /// Not that of any other test on this machine: cgroups are named after sessions.
    fn session(&self) -> SessionId {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        format!("{:016}{number:010}", std::process::id()).parse().unwrap()
    }

    pub(crate) async fn enter(&self, session: &SessionId, generation: u32) -> Inside {
        self.enter_within(session, generation, SandboxLimits::default()).await
    }

    async fn enter_within(&self, session: &SessionId, generation: u32, limits: SandboxLimits) -> Inside {
        let mount = ReadOnlyMount { host: self.shown.clone(), inside: SHOWN.into() };
        let spec = SandboxSpec {
            session: session.clone(),
            generation: Generation(generation),
            environment: [].into(),
            mounts: vec![mount],
            limits,
            image: None,
            // As sessions have it. Nobody serves it here: whom the host then dials, and whom not, is held by the gateway's tests.
            egress: true,
            gateway: true,
        };
        let handle = self.local.create(&spec).await.unwrap();
        let (link, gateway) = Link::open(self.local.dial(&handle).await.unwrap()).await.unwrap();
        Inside { handle, session: session.clone(), link, gateway }
    }

    /// Ends whatever is left.
    pub(crate) async fn clear(&self) {
        for left in self.local.list().await.unwrap() {
            self.local.destroy(&left.handle, Files::Remove).await.unwrap();
        }
    }

    pub(crate) async fn remove(&self, sandbox: &Inside) {
        self.local.destroy(&sandbox.handle, Files::Remove).await.unwrap();
    }

    /// Where the host keeps what a session can write.
    pub(crate) fn files(&self, sandbox: &Inside) -> PathBuf {
        self.folder_of(sandbox).join("files/root")
    }

    /// Where the host keeps what belongs to one sandbox.
    pub(crate) fn generation(&self, sandbox: &Inside) -> PathBuf {
        self.folder_of(sandbox).join("1")
    }

    fn folder_of(&self, sandbox: &Inside) -> PathBuf {
        self.data.join("sandboxes").join(sandbox.session.as_str())
    }
}

impl Inside {
    pub(crate) async fn escape(&self, arguments: &[&str]) -> RunOutput {
        self.try_escape(arguments).await.unwrap()
    }

    /// The same for what may end more than itself.
    pub(crate) async fn try_escape(&self, arguments: &[&str]) -> Result<RunOutput, LinkError> {
        let program = format!("{SHOWN}/lamplight-escape");
        let argv = std::iter::once(program.as_str()).chain(arguments.iter().copied()).map(str::to_owned);
        self.link.run(&spec(argv.collect()), None, LIMITS).await
    }

    /// What a shell command prints, whether it fails or not.
    pub(crate) async fn sh(&self, command: &str) -> String {
        self.try_sh(command).await.unwrap()
    }

    /// The same for what may end more than itself.
    pub(crate) async fn try_sh(&self, command: &str) -> Result<String, LinkError> {
        let output = self.link.run(&shell(command), None, LIMITS).await?;
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned())
    }

    /// Starts a shell command that goes on, and waits for its first bytes.
    pub(crate) async fn start(&self, name: &str, command: &str) {
        self.link.spawn(name, &shell(command)).await.unwrap();
        let mut attached = self.link.attach(name, Default::default()).await.unwrap();
        attached.next().await.unwrap();
    }
}

pub(crate) fn shell(command: &str) -> ProcessSpec {
    spec(["/bin/sh", "-c", command].map(str::to_owned).to_vec())
}

fn spec(argv: Vec<String>) -> ProcessSpec {
    ProcessSpec { argv, env: [].into(), cwd: Some(inside::WORKSPACE.to_owned()), stdin: false }
}

/// As a careless server would: a descriptor of the host's root that its children inherit.
fn leave_a_door_open() {
    let root = std::fs::File::open("/").unwrap();
    rustix::io::fcntl_setfd(&root, rustix::io::FdFlags::empty()).unwrap();
    std::mem::forget(root);
}
