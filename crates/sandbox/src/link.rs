//! The host end of the link to one guest.
//!
//! ```text
//!  open ── hello ──► calls, attached processes, inputs, gateway streams ──► closed
//!                                                        (socket cut, guest gone, replaced by a newer link, `close`)
//! ```
//!
//! A link never heals: after `closed` a new byte stream is dialled and a new link opened on it. Nothing is lost by that. The
//! guest keeps output until it is acknowledged and has a number for each message to standard input, so that the caller goes on
//! with `attach` at the byte where its log ends, and writes again what was not confirmed.

mod attached;
mod driver;
mod error;
mod files;
mod names;
mod run;
mod stdin;
mod stream;
mod terminal;

pub use attached::{Acks, Attached, Output, Reader};
pub use error::LinkError;
pub use files::{FileReader, Folder};
pub use lamplight_wire::folder::{FileKind, FolderEntry};
pub use lamplight_wire::watch::{Change, WatchEvent, Watched};
pub use lamplight_wire::{Bounds, Code, Hello, Offsets, ProcessSpec, ProcessState, TerminalSize, Who};
pub use names::{Named, Watcher};
pub use run::{RunLimits, RunOutput};
pub use stdin::Stdin;
pub use stream::Stream;
pub use terminal::{Keyboard, Screen, Terminal};

use lamplight_domain::agent::ExitStatus;
use lamplight_wire::{Generations, Open, Reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use stream::{receive, send};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A connection that something inside made to the gateway's address. In a box, as a channel has room for 32 of what it carries from its beginning.
pub type GatewayStream = Box<Stream>;

/// From sending a call to its reply.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// Streams that this end may have open at a time; a further call waits for its deadline.
const MAX_CALLS: usize = 128;

/// Gateway streams that wait to be taken off the receiver; further ones are refused.
const GATEWAY_QUEUE: usize = 32;

/// A link to a guest; cheap to clone. It ends with its last clone.
#[derive(Clone)]
pub struct Link {
    inner: Arc<Inner>,
}

struct Inner {
    opener: Opener,
    hello: Hello,
    /// Numbers the runs on this link.
    runs: AtomicU64,
    closed: CancellationToken,
    stop: CancellationToken,
    _driver: JoinSet<()>,
}

/// Makes streams; the driver task owns the multiplexer.
struct Opener {
    requests: mpsc::Sender<oneshot::Sender<yamux::Stream>>,
    places: Arc<Semaphore>,
}

impl Link {
    /// Takes a byte stream to a guest. Gateway streams arrive on the receiver; what it does not take in time is refused.
    /// Replaces any other link to the same guest.
    pub async fn open(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(Link, mpsc::Receiver<GatewayStream>), LinkError> {
        let (requests, wanted) = mpsc::channel(MAX_CALLS);
        let (gateway, gateway_streams) = mpsc::channel(GATEWAY_QUEUE);
        let opener = Opener { requests, places: Arc::new(Semaphore::new(MAX_CALLS)) };
        let (closed, stop) = (CancellationToken::new(), CancellationToken::new());
        let mut driver = JoinSet::new();
        driver.spawn({
            let (closed, stop) = (closed.clone().drop_guard(), stop.clone());
            async move {
                let _closed = closed;
                let _ = stop.run_until_cancelled(driver::drive(stream, wanted, gateway)).await;
            }
        });
        let hello = greet(&opener).await?;
        let inner = Inner { opener, hello, runs: AtomicU64::new(0), closed, stop, _driver: driver };
        Ok((Link { inner: Arc::new(inner) }, gateway_streams))
    }

    /// What the guest said of itself.
    pub fn hello(&self) -> &Hello {
        &self.inner.hello
    }

    /// Starts a process that lives until it is forgotten. Idempotent by name: one that exists, running or ended, is returned
    /// as it is, whatever the specification says now.
    pub async fn spawn(&self, process: &str, spec: &ProcessSpec) -> Result<ProcessState, LinkError> {
        let spec = spec.clone();
        self.process_call("spawn", Open::Spawn { process: process.to_owned(), spec, transient: false }).await
    }

    /// Follows a process's output from these offsets on. Refused with `OutOfBounds` when they lie before what was acknowledged
    /// or after what was written.
    pub async fn attach(&self, process: &str, from: Offsets) -> Result<Attached, LinkError> {
        let open = Open::Attach { process: process.to_owned(), from };
        let (stream, reply) = self.call("attach", &open).await?;
        match reply {
            Reply::Process(state) => Ok(Attached::new(stream, from, state)),
            other => Err(unexpected("attach", other)),
        }
    }

    /// Opens the standard input of a process. A newer one on the same process ends the older.
    pub async fn stdin(&self, process: &str) -> Result<Stdin, LinkError> {
        let (stream, reply) = self.call("stdin", &Open::Stdin { process: process.to_owned() }).await?;
        match reply {
            Reply::Process(state) => Ok(Stdin::new(stream, state.stdin_written)),
            other => Err(unexpected("stdin", other)),
        }
    }

    /// Sends a signal to the process group of a running process.
    pub async fn signal(&self, process: &str, signal: i32) -> Result<(), LinkError> {
        self.done_call("signal", Open::Signal { process: process.to_owned(), signal }).await
    }

    /// Ends everything in the sandbox but the guest: SIGTERM, after `grace_ms` SIGKILL. Returns how many processes there were.
    /// Exit statuses and output of ours stay until they are forgotten.
    pub async fn kill_all(&self, grace_ms: u64) -> Result<u32, LinkError> {
        let deadline = CALL_DEADLINE + Duration::from_millis(grace_ms);
        let (_, reply) = self.call_within("kill_all", &Open::KillAll { grace_ms }, deadline).await?;
        match reply {
            Reply::Killed { count } => Ok(count),
            other => Err(unexpected("kill_all", other)),
        }
    }

    /// Drops what the guest keeps of an ended process. Refused with `StillRunning` for one that runs; fine for one unknown.
    pub async fn forget(&self, process: &str) -> Result<(), LinkError> {
        self.done_call("forget", Open::Forget { process: process.to_owned() }).await
    }

    /// All processes that the guest knows, by name.
    pub async fn processes(&self) -> Result<Vec<ProcessState>, LinkError> {
        let (_, reply) = self.call("processes", &Open::Processes).await?;
        match reply {
            Reply::Processes { processes } => Ok(processes),
            other => Err(unexpected("processes", other)),
        }
    }

    /// Connects to `port` of loopback inside. Refused with `NotFound` when nobody listens.
    pub async fn dial(&self, port: u16) -> Result<Stream, LinkError> {
        let (stream, reply) = self.call("dial", &Open::Dial { port }).await?;
        match reply {
            Reply::Done => Ok(stream),
            other => Err(unexpected("dial", other)),
        }
    }

    /// Resolves when the link is gone.
    pub async fn closed(&self) {
        self.inner.closed.cancelled().await;
    }

    /// Ends the link, for all clones.
    pub fn close(&self) {
        self.inner.stop.cancel();
    }

    async fn done_call(&self, what: &'static str, open: Open) -> Result<(), LinkError> {
        match self.call(what, &open).await?.1 {
            Reply::Done => Ok(()),
            other => Err(unexpected(what, other)),
        }
    }

    async fn process_call(&self, what: &'static str, open: Open) -> Result<ProcessState, LinkError> {
        match self.call(what, &open).await?.1 {
            Reply::Process(state) => Ok(state),
            other => Err(unexpected(what, other)),
        }
    }

    async fn call(&self, what: &'static str, open: &Open) -> Result<(Stream, Reply), LinkError> {
        self.call_within(what, open, CALL_DEADLINE).await
    }

    async fn call_within(
        &self,
        what: &'static str,
        open: &Open,
        deadline: Duration,
    ) -> Result<(Stream, Reply), LinkError> {
        within(what, deadline, self.inner.opener.call(open)).await
    }

    /// A name that no run of this or an earlier link has.
    fn run_name(&self) -> String {
        format!("run-{}-{}", self.inner.hello.link, self.inner.runs.fetch_add(1, Ordering::Relaxed))
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("hello", &self.inner.hello).finish_non_exhaustive()
    }
}

impl Opener {
    async fn open(&self) -> Result<Stream, LinkError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| LinkError::Closed)?;
        let (made, stream) = oneshot::channel();
        self.requests.send(made).await.map_err(|_| LinkError::Closed)?;
        // A request that is sent while the driver ends stays in the channel, neither taken nor dropped, for as long as we can send.
        tokio::select! {
            biased;
            stream = stream => Ok(Stream::new(stream.map_err(|_| LinkError::Closed)?, place)),
            () = self.requests.closed() => Err(LinkError::Closed),
        }
    }

    /// Sends `open` on a new stream and reads the reply; a refusal is an error.
    async fn call(&self, open: &Open) -> Result<(Stream, Reply), LinkError> {
        let mut stream = self.open().await?;
        send(&mut stream, open).await?;
        let reply = receive_reply(&mut stream).await?;
        Ok((stream, reply))
    }
}

async fn receive_reply(stream: &mut Stream) -> Result<Reply, LinkError> {
    match receive(stream).await? {
        Reply::Refused(refusal) => Err(LinkError::Refused { code: refusal.code, message: refusal.message }),
        reply => Ok(reply),
    }
}

async fn greet(opener: &Opener) -> Result<Hello, LinkError> {
    let open = Open::Hello { generations: Generations::OURS };
    match within("hello", CALL_DEADLINE, opener.call(&open)).await?.1 {
        Reply::Hello(hello) if Generations::OURS.shared_with(hello.generations).is_some() => Ok(hello),
        Reply::Hello(hello) => Err(LinkError::NoSharedGeneration { guest: hello.generations }),
        other => Err(unexpected("hello", other)),
    }
}

async fn within<T>(
    what: &'static str,
    deadline: Duration,
    work: impl Future<Output = Result<T, LinkError>>,
) -> Result<T, LinkError> {
    match tokio::time::timeout(deadline, work).await {
        Ok(result) => result,
        Err(_) => Err(LinkError::Deadline { what, after: deadline }),
    }
}

fn unexpected(what: &'static str, reply: Reply) -> LinkError {
    LinkError::Protocol { detail: format!("{what} was answered with {reply:?}") }
}

/// The exit status in the session's own words.
pub fn exit_status(status: lamplight_wire::ExitStatus) -> ExitStatus {
    match status {
        lamplight_wire::ExitStatus::Code { code } => ExitStatus::Code { code },
        lamplight_wire::ExitStatus::Signal { signal } => ExitStatus::Signal { signal },
    }
}
