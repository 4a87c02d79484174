//! What the guest knows, shared by all of its tasks on the one thread.

use crate::agent::Agent;
use crate::link::Opener;
use crate::options::Options;
use crate::process::Process;
use lamplight_wire::{Code, ExitStatus, Refusal};
use rustix::process::Pid;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio_util::task::TaskTracker;

/// Bytes of standard input messages that are held at a time, of all processes; at least one message fits.
const STDIN_BUDGET: usize = 64 * 1024 * 1024;

pub(crate) struct Guest {
    /// Whether this is PID 1.
    pub(crate) init: bool,
    /// Whether a host is known by its having no number in here: to PID 1, at a socket that was bound outside. Whoever has the guest
    /// make the socket sees to it that nobody else gets there.
    pub(crate) knows_hosts: bool,
    pub(crate) spool: PathBuf,
    /// Who the processes run as that the host asks for; as this program itself where it is nobody else.
    pub(crate) agent: Option<Agent>,
    /// Whether anything is done as root where somebody asks for it.
    pub(crate) has_root: bool,
    /// Who waits for a command that runs as root.
    pub(crate) root_commands: RefCell<HashMap<Pid, oneshot::Sender<ExitStatus>>>,
    pub(crate) processes: RefCell<BTreeMap<String, Rc<Process>>>,
    /// Notified whenever children were reaped.
    pub(crate) reaped: Notify,
    /// Notified whenever a process is dropped from `processes`.
    pub(crate) forgotten: Notify,
    /// Opens streams on the current link; `None` while there is none.
    pub(crate) opener: watch::Sender<Option<Opener>>,
    pub(crate) stdin_budget: Arc<Semaphore>,
    pub(crate) tasks: TaskTracker,
}

impl Guest {
    pub(crate) fn new(init: bool, options: &Options) -> Rc<Self> {
        Rc::new(Self {
            init,
            knows_hosts: init && options.inherits_listener(),
            spool: options.spool.clone(),
            agent: options.agent,
            has_root: options.agent.is_some() && options.root.is_some(),
            root_commands: RefCell::default(),
            processes: RefCell::default(),
            reaped: Notify::new(),
            forgotten: Notify::new(),
            opener: watch::Sender::new(None),
            stdin_budget: Arc::new(Semaphore::new(STDIN_BUDGET)),
            tasks: TaskTracker::new(),
        })
    }

    pub(crate) fn process(&self, name: &str) -> Result<Rc<Process>, Refusal> {
        let process = self.processes.borrow().get(name).cloned();
        process.ok_or_else(|| refusal(Code::UnknownProcess, format!("there is no process {name}")))
    }

    pub(crate) fn forget(&self, name: &str) {
        self.processes.borrow_mut().remove(name);
        self.forgotten.notify_waiters();
    }
}

pub(crate) fn refusal(code: Code, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into() }
}

/// What the operating system said about `what`.
pub(crate) fn failed(what: impl Display, error: &std::io::Error) -> Refusal {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => Code::NotFound,
        std::io::ErrorKind::PermissionDenied => Code::Denied,
        _ => Code::Failed,
    };
    refusal(code, format!("{what}: {error}"))
}
