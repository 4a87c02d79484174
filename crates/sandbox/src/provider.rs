//! What every kind of sandbox can do, in the words that the engine uses.
//!
//! A provider creates, reaches and destroys; it never retries, sleeps or swallows, and it keeps nothing in memory that
//! a restart would lose: a [`Handle`] from the log is enough to go on.

use crate::capability::Capabilities;
use crate::checkpoint::Checkpoint;
use crate::egress::Egress;
use crate::error::{ErrorKind, SandboxError};
use crate::handle::Handle;
use async_trait::async_trait;
use lamplight_domain::sandbox::LimitHit;
use lamplight_domain::{Enforced, Generation, ImageDigest, Redactor, SandboxLimits, SessionId, SessionImage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Creates, reaches and destroys sandboxes.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The word in the configuration, such as `local`.
    fn name(&self) -> &'static str;

    /// What callers may count on, and what they have to do without.
    fn capabilities(&self) -> Capabilities;

    /// How much of this machine's memory a sandbox may use whose limits say nothing of it; 0 where it runs elsewhere.
    fn usual_memory(&self) -> u64 {
        0
    }

    /// The environment that every process inside starts with: `PATH`, and what the toolchains of the machine, or of this image, need.
    /// What a process is given beside it comes on top.
    fn environment(&self, image: Option<&ImageDigest>) -> BTreeMap<String, String>;

    /// Starts the sandbox of a session's generation, its guest listening. Idempotent by (session, generation): the same
    /// call again gives the same sandbox while it runs. A later generation finds the files of the one before it.
    async fn create(&self, spec: &SandboxSpec) -> Result<Handle, SandboxError>;

    /// What keeps the sandbox in, and what it has run into; also of one that has ended, until it is destroyed.
    async fn inspect(&self, handle: &Handle) -> Result<Inspection, SandboxError>;

    /// What it uses now.
    async fn used(&self, _handle: &Handle) -> Result<Used, SandboxError> {
        Ok(Used::default())
    }

    /// A byte stream to the guest. Fails with [`ErrorKind::Gone`](crate::error::ErrorKind::Gone) when the sandbox no
    /// longer runs.
    async fn dial(&self, handle: &Handle) -> Result<Box<dyn ByteStream>, SandboxError>;

    /// The sockets at which programs inside ask for the outside, for the caller to serve. They outlive every caller: whoever asks
    /// again gets them again. `None` where a sandbox has no way out but the gateway.
    async fn egress(&self, handle: &Handle) -> Result<Option<Egress>, SandboxError>;

    /// Lets everything that runs in the sandbox stand still, in memory, before it returns. Again is fine.
    async fn pause(&self, handle: &Handle) -> Result<(), SandboxError>;

    /// Lets it go on before it returns; of one that is not paused is fine.
    async fn resume(&self, handle: &Handle) -> Result<(), SandboxError>;

    /// Ends everything that runs in the sandbox, paused or not, before it returns. Destroying what is gone is fine.
    async fn destroy(&self, handle: &Handle, files: Files) -> Result<(), SandboxError>;

    /// Ends whatever runs of a session, and removes all that there is of it, its checkpoints too. Of one that is gone is fine.
    async fn forget(&self, session: &SessionId) -> Result<(), SandboxError>;

    /// Looks for secrets of the host in everything of a session that can be read from outside: its files, and the command lines,
    /// environments and memory of its processes; for so long at the most. Fails with [`ErrorKind::Unsupported`] where the files are
    /// not here.
    async fn search(
        &self,
        session: &SessionId,
        _redactor: Arc<Redactor>,
        _at_most: Duration,
    ) -> Result<Searched, SandboxError> {
        let message = format!("session {session} cannot be searched: its files are not on this machine");
        Err(SandboxError::new(ErrorKind::Unsupported, message))
    }

    /// Lets go of the files that a session has here, where the last sandbox with them comes before this generation: that one was made
    /// elsewhere, and what was done there is not in them. Files that a checkpoint brought since stay, and so do checkpoints. The next
    /// sandbox finds nothing of what is let go of.
    async fn leave_behind(&self, session: &SessionId, generation: Generation) -> Result<(), SandboxError>;

    /// The sessions of which something is here and nothing runs, or is left of what ran.
    async fn kept(&self) -> Result<Vec<SessionId>, SandboxError>;

    /// Every sandbox of this deployment, running or left over.
    async fn list(&self) -> Result<Vec<Listed>, SandboxError>;

    /// Keeps the files of the handle's session as they are now, as its checkpoint of this number; one of this number that is there
    /// already stays what it is. What runs is held for as long as that takes, and goes on; it need not run. These four fail with [`ErrorKind::Unsupported`] where [`Capabilities::checkpoints`] is not there.
    async fn checkpoint(&self, handle: &Handle, number: u32) -> Result<Checkpoint, SandboxError>;

    /// Gives a session the files of a checkpoint: its own, to go back, or another session's, to fork that. What the session had is
    /// gone, and its sandbox is ended; the next generation starts with these files. Nothing that can be written is shared with
    /// anybody. Doing it again does it again.
    async fn restore(&self, checkpoint: &Checkpoint, session: &SessionId) -> Result<(), SandboxError>;

    /// The checkpoints of a session, by number. They end with it, at the latest.
    async fn checkpoints(&self, session: &SessionId) -> Result<Vec<Checkpoint>, SandboxError>;

    /// Forgets a checkpoint. Sessions that were given its files keep them. Removing what is gone is fine.
    async fn remove_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), SandboxError>;
}

/// What a sandbox is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxSpec {
    pub session: SessionId,
    pub generation: Generation,
    /// Added to the environment that every process inside starts with; may override it. Never holds a secret.
    pub environment: BTreeMap<String, String>,
    pub mounts: Vec<ReadOnlyMount>,
    /// Whether programs inside have a way to ask for the outside, by [`Provider::egress`].
    pub egress: bool,
    /// Whether programs inside reach the gateway over the link. Without it, its address is free for what runs inside.
    pub gateway: bool,
    pub limits: SandboxLimits,
    /// What its files begin with; `None` is the machine that it runs on. The same for all generations of a session.
    pub image: Option<SessionImage>,
}

/// What a provider knows of one sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// What was really enforced when it was made; `None` of one that a release made which did not ask.
    pub enforced: Option<Enforced>,
    /// The limits that were run into since, each once.
    pub hits: Vec<LimitHit>,
    /// What people should know of it beside, as sentences.
    pub notes: Vec<String>,
}

/// What one sandbox uses. `None` is what nobody here knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Without what the kernel keeps of files and gives back as soon as somebody needs it.
    pub memory_bytes: Option<u64>,
    /// With threads.
    pub processes: Option<u64>,
    /// Processor time since it was made.
    pub cpu_ms: Option<u64>,
    /// All files of the session, as they were within the last minute.
    pub disk_bytes: Option<u64>,
    /// Since it was made.
    pub age_ms: Option<u64>,
}

/// Where secrets were looked for, and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Searched {
    pub processes: u64,
    pub files: u64,
    /// Of files and memory together.
    pub bytes: u64,
    /// At most a hundred.
    pub found: Vec<FoundSecret>,
    /// What could not be read, and why; at most a hundred.
    pub unread: Vec<String>,
    /// Whether the time was enough.
    pub is_complete: bool,
}

/// A secret where none should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSecret {
    /// What it is called, such as `openai key`.
    pub name: String,
    /// In words.
    pub place: String,
}

/// A host directory that can be read, and never changed, inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOnlyMount {
    /// Absolute, on the host.
    pub host: PathBuf,
    /// Absolute, in the sandbox.
    pub inside: PathBuf,
}

/// Both directions of a connection to a guest.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// What happens to the writable files of a session when its sandbox is destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// The session's next generation finds them.
    Keep,
    /// Nothing of the session is left; another generation of it, if one runs, is ended too.
    Remove,
}

/// A sandbox that a provider found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub handle: Handle,
    pub session: SessionId,
    pub generation: Generation,
    pub state: ListedState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListedState {
    Running,
    /// Nothing runs, but something is left that only [`Provider::destroy`] removes.
    LeftOver,
}

/// Where things are inside every sandbox, whatever the provider.
pub mod inside {
    use std::net::Ipv4Addr;

    /// The repository.
    pub const WORKSPACE: &str = "/workspace";
    /// `$HOME` of the agent.
    pub const HOME: &str = "/home/agent";
    /// The user that everything but the kernel runs as.
    pub const USER: &str = "agent";
    /// Where the gateway is reached.
    pub const GATEWAY: &str = "127.0.0.1:7411";
    /// Where connections for the outside arrive; also a proxy for programs that know of proxies.
    pub const PROXY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 7412);
    /// Where questions for names arrive.
    pub const DNS: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 7413);
    /// Where VS Code is served while somebody wants it.
    pub const CODE: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 7414);
    /// The sandbox's own address beside loopback's, where it has a way out. It is known inside only.
    pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
    /// The name server that programs are told of; there is no machine behind it, and any other would be answered alike.
    pub const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
    /// Our own read-only and run-time files.
    pub const LAMPLIGHT: &str = "/run/lamplight";
    /// What runs a command as root, where [`root_inside`](crate::capability::Capabilities::root_inside) says that there is one.
    pub const SUDO: &str = "/run/lamplight/bin/sudo";
}
