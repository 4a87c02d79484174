//! One process that the host asked for.
//!
//! ```text
//!  spawned ──► running ──► ended (exit status kept) ──► forgotten
//!                 └── transient, and its attached stream or link ended ──► SIGTERM ──► SIGKILL ──► forgotten
//! ```

use crate::agent::Agent;
use crate::guest::{Guest, failed, refusal};
use crate::pump::pump;
use crate::spool::Spool;
use crate::stdin::{self, Input};
use crate::terminal::{self, Terminal};
use lamplight_wire::{Code, ExitStatus, ProcessSpec, ProcessState, Refusal, TerminalSize};
use rustix::process::{Pid, Signal, kill_process_group};
use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Processes that are known at a time, those that ended and were not forgotten included.
const MAX_PROCESSES: usize = 128;

/// Bytes of a process's name.
const MAX_NAME: usize = 128;

/// What a transient process that nobody waits for any more gets between SIGTERM and SIGKILL.
const TRANSIENT_GRACE: Duration = Duration::from_secs(2);

pub(crate) struct Process {
    name: String,
    pub(crate) pid: Pid,
    pub(crate) stdout: Rc<Spool>,
    pub(crate) stderr: Rc<Spool>,
    pub(crate) input: Rc<Input>,
    /// Its own, in the place of its standard streams.
    pub(crate) terminal: Option<Rc<Terminal>>,
    exit: watch::Sender<Option<ExitStatus>>,
    /// The link that a transient process lives no longer than.
    transient: Option<u64>,
    abandoned: Cell<bool>,
    abandon: watch::Sender<bool>,
    /// The pumps, and the writer of its standard input.
    _tasks: JoinSet<()>,
}

impl Process {
    pub(crate) fn state(&self) -> ProcessState {
        ProcessState {
            process: self.name.clone(),
            pid: self.pid.as_raw_nonzero().get().unsigned_abs(),
            status: *self.exit.borrow(),
            stdin_written: self.input.written(),
            stdout: self.stdout.bounds(),
            stderr: self.stderr.bounds(),
        }
    }

    pub(crate) fn status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Changes once, when the process has ended.
    pub(crate) fn exit(&self) -> watch::Receiver<Option<ExitStatus>> {
        self.exit.subscribe()
    }

    pub(crate) fn ended(&self, status: ExitStatus) {
        self.exit.send_replace(Some(status));
    }

    /// To the group that it leads; its number is ours as long as the process itself has not been reaped.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Refusal> {
        if self.status().is_some() {
            return Err(refusal(Code::NotRunning, format!("process {} has ended", self.name)));
        }
        kill_process_group(self.pid, signal)
            .map_err(|error| failed(format!("signal process {}", self.name), &error.into()))
    }

    /// Who runs a command to its end may begin it again where a signal ended it: what it had started must not go on beside that. Its
    /// number was free only just now, and numbers are given out in turn, so the group is still the one that it led.
    pub(crate) fn end_what_is_left(&self, status: ExitStatus) {
        if self.transient.is_some() && matches!(status, ExitStatus::Signal { .. }) {
            // Most leave nothing.
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// The process itself, if it has an input that can still be written to or was written to.
    pub(crate) fn with_input(self: Rc<Self>) -> Result<Rc<Self>, Refusal> {
        if self.input.is_absent() {
            let message = format!("process {} was started without a standard input", self.name);
            return Err(refusal(Code::NoStdin, message));
        }
        Ok(self)
    }

    /// Nobody waits for it any more; matters to a transient process only.
    pub(crate) fn abandon(&self) {
        if self.transient.is_some() {
            self.abandoned.set(true);
            self.abandon.send_replace(true);
        }
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.get()
    }

    pub(crate) fn is_transient_of(&self, link: u64) -> bool {
        self.transient == Some(link)
    }
}

/// Starts a process, or returns the one that has this name. `transient` carries the link that it is to end with.
pub(crate) fn spawn(
    guest: &Rc<Guest>,
    name: String,
    spec: &ProcessSpec,
    transient: Option<u64>,
) -> Result<Rc<Process>, Refusal> {
    if let Ok(existing) = guest.process(&name) {
        return Ok(existing);
    }
    let process = add(guest, name, spec, |name| start(guest, name, spec, transient))?;
    if transient.is_some() {
        guest.tasks.spawn_local(end_when_abandoned(Rc::clone(guest), Rc::clone(&process)));
    }
    Ok(process)
}

/// The same, with a terminal of its own. It lives until it is forgotten.
pub(crate) fn spawn_on_terminal(
    guest: &Rc<Guest>,
    name: String,
    spec: &ProcessSpec,
    size: TerminalSize,
) -> Result<Rc<Process>, Refusal> {
    match guest.process(&name) {
        Ok(existing) => Ok(existing),
        Err(_) => add(guest, name, spec, |name| start_on_terminal(guest, name, spec, size)),
    }
}

/// Starts one more, if there is a place for it.
fn add(
    guest: &Guest,
    name: String,
    spec: &ProcessSpec,
    start: impl FnOnce(&str) -> io::Result<Process>,
) -> Result<Rc<Process>, Refusal> {
    if guest.processes.borrow().len() >= MAX_PROCESSES {
        return Err(refusal(Code::TooMany, format!("there are {MAX_PROCESSES} processes already")));
    }
    if name.len() > MAX_NAME {
        return Err(refusal(Code::TooMany, format!("a process name has at most {MAX_NAME} bytes")));
    }
    let program = spec.argv.first().cloned().unwrap_or_default();
    let process = start(&name).map_err(|error| {
        failed(format!("start {program} in {}", spec.cwd.as_deref().unwrap_or(".")), &error)
    })?;
    let process = Rc::new(process);
    guest.processes.borrow_mut().insert(name, Rc::clone(&process));
    Ok(process)
}

fn start(guest: &Guest, name: &str, spec: &ProcessSpec, transient: Option<u64>) -> io::Result<Process> {
    let (stdout, stderr) = (Rc::new(Spool::new(&guest.spool)), Rc::new(Spool::new(&guest.spool)));
    let mut command = command(guest, spec, Streams::Pipes)?;
    command.stdin(if spec.stdin { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());

    // Nobody else waits for this child before this function returns: the reaper runs on the same thread.
    let mut child = command.spawn()?;
    let exit = watch::Sender::new(None);
    let mut tasks = JoinSet::new();
    for (output, spool) in
        [(child.stdout.take().map(OwnedFd::from), &stdout), (child.stderr.take().map(OwnedFd::from), &stderr)]
    {
        let output = output.expect("both outputs were asked to be pipes");
        let receiver = pipe::Receiver::from_owned_fd(output)?;
        tasks.spawn_local(pump(receiver, Rc::clone(spool), exit.subscribe()));
    }
    let input = match child.stdin.take() {
        Some(pipe) => {
            let (input, work) = Input::open(pipe::Sender::from_owned_fd(pipe.into())?, exit.subscribe());
            tasks.spawn_local(work);
            input
        }
        None => stdin::Input::absent(),
    };
    Ok(Process {
        name: name.to_owned(),
        pid: pid_of(&child),
        stdout,
        stderr,
        input: Rc::new(input),
        terminal: None,
        exit,
        transient,
        abandoned: Cell::new(false),
        abandon: watch::Sender::new(false),
        _tasks: tasks,
    })
}

fn start_on_terminal(
    guest: &Guest,
    name: &str,
    spec: &ProcessSpec,
    size: TerminalSize,
) -> io::Result<Process> {
    let (terminal, inner) = Terminal::open(size)?;
    let (terminal, stdout) = (Rc::new(terminal), Rc::new(Spool::in_memory(terminal::KEPT_BYTES)));
    let stderr = Rc::new(Spool::in_memory(terminal::KEPT_BYTES));
    stderr.process_ended(0);
    let mut command = command(guest, spec, Streams::Terminal)?;
    command.stdin(inner.try_clone()?).stdout(inner.try_clone()?).stderr(inner);
    let child = command.spawn()?;
    // With it go the copies that the child was to get: only those inside are open from here on.
    drop(command);
    let exit = watch::Sender::new(None);
    let mut tasks = JoinSet::new();
    tasks.spawn_local(terminal::pump(Rc::clone(&terminal), Rc::clone(&stdout), exit.subscribe()));
    Ok(Process {
        name: name.to_owned(),
        pid: pid_of(&child),
        stdout,
        stderr,
        input: Rc::new(Input::absent()),
        terminal: Some(terminal),
        exit,
        transient: None,
        abandoned: Cell::new(false),
        abandon: watch::Sender::new(false),
        _tasks: tasks,
    })
}

/// What a process gets as its standard streams.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Streams {
    Pipes,
    /// It becomes the terminal of the process's session.
    Terminal,
}

fn command(guest: &Guest, spec: &ProcessSpec, streams: Streams) -> io::Result<Command> {
    let Some((program, arguments)) = spec.argv.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "argv is empty"));
    };
    let mut command = Command::new(program);
    command.args(arguments).envs(&spec.env);
    if let Some(cwd) = &spec.cwd {
        command.current_dir(cwd);
    }
    let agent = guest.agent;
    let prepare = move || {
        rustix::process::setsid()?;
        heed_signals();
        if streams == Streams::Terminal {
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
        }
        agent.map_or(Ok(()), Agent::become_for_good)
    };
    // SAFETY: between fork and exec it only makes system calls, which are async-signal-safe.
    unsafe { command.pre_exec(prepare) };
    Ok(command)
}

/// Whoever started the guest may have ignored signals, as shells do for what they start in the background; what is ignored stays so in
/// every process that comes from it, and an interrupt that is typed would end nothing. `SIGXFSZ` is ignored on purpose. Between fork and
/// exec: makes system calls and nothing else.
fn heed_signals() {
    for signal in (1..=libc::SIGSYS).filter(|&signal| signal != libc::SIGXFSZ) {
        // SAFETY: no handler is set. Those that cannot be changed stay as they are.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

fn pid_of(child: &Child) -> Pid {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.expect("a child has a positive number")
}

/// Ends and forgets a transient process once nobody waits for it.
async fn end_when_abandoned(guest: Rc<Guest>, process: Rc<Process>) {
    // The sender lives in `process`, so neither wait can fail.
    let _ = process.abandon.subscribe().wait_for(|abandoned| *abandoned).await;
    process.stdout.discard();
    process.stderr.discard();
    let mut exit = process.exit();
    if process.signal(Signal::TERM).is_ok()
        && tokio::time::timeout(TRANSIENT_GRACE, exit.wait_for(Option::is_some)).await.is_err()
    {
        let _ = process.signal(Signal::KILL);
    }
    let _ = exit.wait_for(Option::is_some).await;
    guest.forget(&process.name);
}
