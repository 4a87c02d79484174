//! The awake session: one task owns its state; everybody else holds a mailbox.

mod actor;
mod gathering;
mod loading;
mod running;
pub(crate) mod writing;

pub(crate) use actor::{Actor, Awake};
pub(crate) use loading::load;

use crate::CommandError;
use crate::audit::{Auditing, HeldEntry};
use crate::effects::Trouble;
use lamplight_domain::agent::AgentReport;
use lamplight_domain::event::Contact;
use lamplight_domain::session::view::Child;
use lamplight_domain::session::{Command, NumberedInput, Report, Session, SessionView};
use lamplight_domain::{Event, Generation};
use lamplight_gateway::Asker;
use lamplight_sandbox::link::Link;
use lamplight_store::Remembered;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Messages that may wait for one session; who sends more waits too, down to the agent's own standard output.
pub(crate) const MAILBOX: usize = 64;

/// A channel has room for 32 of what it carries, from its beginning: here of addresses.
pub(crate) type Mailbox = mpsc::Sender<Box<Message>>;

/// A command on its way: whoever gave it may take it back until the actor has taken it.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    command: Arc<Mutex<Option<Command>>>,
    auditing: Option<Auditing>,
}

impl Offer {
    pub(crate) fn new(command: Command, auditing: Option<Auditing>) -> Self {
        Self { command: Arc::new(Mutex::new(Some(command))), auditing }
    }

    /// `None` where the other side was first.
    pub(crate) fn take(&self) -> Option<Command> {
        self.command.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Its entry of the audit log, where that is to be written with what it changes.
    pub(crate) fn entry(&self) -> Option<HeldEntry> {
        self.auditing.as_ref()?.hold()
    }
}

/// To whoever gave a command: the session as it is after it, once that is durable.
pub(crate) type Reply = oneshot::Sender<Result<SessionView, CommandError>>;

/// What a session's actor is sent.
pub(crate) enum Message {
    Command {
        offer: Offer,
        reply: Reply,
    },
    /// A command that is done once for this key.
    Once {
        offer: Offer,
        once: Remembered,
        reply: Reply,
    },
    Report(Report),
    /// Lines of the agent's output, in order.
    Heard {
        run: u32,
        lines: Vec<Heard>,
    },
    /// Standard error of the agent, up to this byte of it.
    Logged {
        run: u32,
        text: String,
        end: u64,
    },
    /// Facts that are neither from the agent's output nor decided, such as metered tokens.
    Facts(Vec<Event>),
    View {
        reply: oneshot::Sender<SessionView>,
    },
    /// The way into the sandbox; `None` while none runs.
    Link {
        reply: oneshot::Sender<Option<Result<Link, Trouble>>>,
    },
    /// The gateway, as this session may use it; `None` while it has no sandbox that could.
    Admit {
        reply: oneshot::Sender<Option<Asker>>,
    },
    /// Whether this sandbox is the session's, so that nobody takes it for an orphan.
    Claims {
        generation: Generation,
        reply: oneshot::Sender<bool>,
    },
}

/// One line of an agent's output, understood.
#[derive(Debug)]
pub(crate) struct Heard {
    pub events: Vec<Event>,
    pub reports: Vec<AgentReport>,
    /// Bytes of the output up to the end of this line.
    pub end: u64,
}

/// What the log holds of the conversation with the agent process, for the task that has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Durable {
    /// Bytes of output that are in the log or have nothing that belongs there, so that the guest may let go of them.
    pub read: u64,
    /// Of whose standard error how many bytes are in the log, so far as this process knows.
    pub logged: Option<(u32, u64)>,
    /// Messages that may not have been written yet.
    pub inputs: Vec<NumberedInput>,
    pub run: u32,
    /// What the agent sends now is its past conversation, told again.
    pub loading: bool,
    pub turn: lamplight_domain::TurnNumber,
    /// Hosts that programs inside know already.
    pub contacts: Arc<Vec<Contact>>,
    pub children: Arc<Vec<Child>>,
}

impl Durable {
    pub(crate) fn of(session: &Session) -> Self {
        Self {
            read: session.read(),
            logged: None,
            inputs: session.inputs().cloned().collect(),
            run: session.run(),
            loading: session.is_loading(),
            turn: session.turn_number(),
            contacts: session.contacts().clone(),
            children: session.children().clone(),
        }
    }
}
