//! Programs in a lent sandbox that somebody started, and who follows what they say. Unlike an agent's output, which waits for its reader,
//! this is heard by whoever is there and waits for nobody who is not: one of us reads all of it, and passes it on.

use super::{Entry, lock};
use crate::engine::Engine;
use crate::error::CommandError;
use crate::ids;
use bytes::Bytes;
use lamplight_domain::SessionId;
use lamplight_domain::agent::ExitStatus;
use lamplight_sandbox::link::{
    Code, Keyboard, Link, LinkError, Offsets, Output, ProcessSpec, ProcessState, Screen, Stdin, TerminalSize,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// What the guest calls such a process begins with this.
const PREFIX: &str = "lent-";

/// Pieces of output that somebody who follows may be behind; then everybody waits for them, and the process too.
const BEHIND: usize = 32;

/// Who follows one process.
const MAX_FOLLOWERS: usize = 16;

/// Bytes of output that are passed on before the guest may forget them.
const ACK_EVERY: u64 = 1024 * 1024;

/// One that has ended is known for so long.
const REMEMBERED: Duration = Duration::from_secs(30);

/// The longest tag, in bytes; with it the guest's name of a process still fits.
const MAX_TAG: usize = 64;

/// One that is asked for.
#[derive(Debug, Clone)]
pub struct NewProcess {
    pub argv: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub cwd: Option<String>,
    pub has_input: bool,
    /// With a terminal of this size, and no other input.
    pub terminal: Option<TerminalSize>,
    pub tag: Option<String>,
}

/// By its number inside, or its tag; or by the name that is no other's, whatever becomes of its number.
#[derive(Debug, Clone)]
pub enum WhichProcess {
    Pid(u32),
    Tag(String),
    Name(String),
}

/// One that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LentProcess {
    pub pid: u32,
    pub tag: Option<String>,
}

/// What a process says, and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Stdout(Bytes),
    Stderr(Bytes),
    Terminal(Bytes),
    Ended(ExitStatus),
}

/// Somebody who follows a process.
#[derive(Debug)]
pub struct Follower {
    pub pid: u32,
    /// No other process of the sandbox has, or had, this.
    pub name: String,
    pieces: mpsc::Receiver<Piece>,
}

impl Follower {
    /// The next piece; the last one is its end. `None` before that: the sandbox has stopped, or its link broke.
    pub async fn next(&mut self) -> Option<Piece> {
        self.pieces.recv().await
    }
}

/// Input for a process.
#[derive(Debug, Clone)]
pub enum Input {
    Pipe(Bytes),
    Terminal(Bytes),
    Size(TerminalSize),
    Close,
}

/// Why something with a process was not done.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("there is no such process")]
    NotFound,
    #[error("the directory is not there")]
    NoDirectory,
    #[error("{0}")]
    NotStarted(String),
    #[error("the process has no such input, or it is closed")]
    NoInput,
    #[error("too much runs in the sandbox")]
    TooMany,
    #[error(transparent)]
    Sandbox(#[from] CommandError),
}

/// All of one sandbox.
pub(super) struct Processes {
    known: Arc<Mutex<BTreeMap<u32, Arc<Known>>>>,
    tasks: TaskTracker,
}

struct Known {
    name: String,
    pid: u32,
    is_terminal: bool,
    followers: Mutex<Vec<mpsc::Sender<Piece>>>,
    ended: Mutex<Option<ExitStatus>>,
    stdin: tokio::sync::Mutex<Option<Stdin>>,
    keyboard: tokio::sync::Mutex<Option<Keyboard>>,
}

impl Known {
    fn new(state: &ProcessState) -> Arc<Self> {
        Arc::new(Self {
            name: state.process.clone(),
            pid: state.pid,
            is_terminal: is_terminal(&state.process),
            followers: Mutex::default(),
            ended: Mutex::new(None),
            stdin: tokio::sync::Mutex::new(None),
            keyboard: tokio::sync::Mutex::new(None),
        })
    }

    fn tag(&self) -> Option<&str> {
        tag(&self.name)
    }

    fn follow(&self) -> Option<Follower> {
        let (sender, pieces) = mpsc::channel(BEHIND);
        let mut followers = lock(&self.followers);
        followers.retain(|follower| !follower.is_closed());
        match *lock(&self.ended) {
            Some(status) => drop(sender.try_send(Piece::Ended(status))),
            None if followers.len() >= MAX_FOLLOWERS => return None,
            None => followers.push(sender),
        }
        Some(Follower { pid: self.pid, name: self.name.clone(), pieces })
    }

    /// To everybody who is there; waits for those who are slow.
    async fn tell(&self, piece: Piece) {
        let followers = lock(&self.followers).clone();
        for follower in followers {
            // Who has left, has.
            let _ = follower.send(piece.clone()).await;
        }
        lock(&self.followers).retain(|follower| !follower.is_closed());
    }

    async fn end(&self, status: ExitStatus) {
        // Whoever comes from here on finds the end itself.
        let followers = {
            let mut followers = lock(&self.followers);
            *lock(&self.ended) = Some(status);
            std::mem::take(&mut *followers)
        };
        for follower in followers {
            let _ = follower.send(Piece::Ended(status)).await;
        }
    }
}

/// `lent-p-<id>` of a pipe, `lent-t-<id>` of a terminal, and `-<tag>` behind it.
fn name(is_terminal: bool, tag: Option<&str>) -> String {
    let kind = if is_terminal { 't' } else { 'p' };
    let tag = tag.map(|tag| format!("-{tag}")).unwrap_or_default();
    format!("{PREFIX}{kind}-{}{tag}", ids::terminal_id())
}

fn is_terminal(name: &str) -> bool {
    name[PREFIX.len()..].starts_with('t')
}

fn tag(name: &str) -> Option<&str> {
    name.splitn(4, '-').nth(3)
}

impl Processes {
    pub(super) fn new(tasks: TaskTracker) -> Self {
        Self { known: Arc::default(), tasks }
    }

    /// Nothing is heard any more, until they are found again.
    pub(super) fn clear(&self) {
        let known = std::mem::take(&mut *lock(&self.known));
        for process in known.into_values() {
            lock(&process.followers).clear();
        }
    }

    /// Those of before, on a new link: what they say is heard from now on.
    pub(super) async fn find_again(&self, link: &Link) -> Result<(), LinkError> {
        for state in link.processes().await? {
            if !state.process.starts_with(PREFIX) || lock(&self.known).contains_key(&state.pid) {
                continue;
            }
            if state.status.is_some() {
                link.forget(&state.process).await?;
                continue;
            }
            let from = Offsets { stdout: state.stdout.end, stderr: state.stderr.end };
            self.begin(link, Known::new(&state), from).await?;
        }
        Ok(())
    }

    /// Reads what a process says until it ends, and then forgets it. When this returns, it takes input.
    async fn begin(&self, link: &Link, known: Arc<Known>, from: Offsets) -> Result<(), LinkError> {
        let screen = match known.is_terminal {
            true => {
                let (screen, keyboard) = link.terminal(&known.name, from.stdout).await?.split();
                *known.keyboard.lock().await = Some(keyboard);
                Some(screen)
            }
            false => None,
        };
        lock(&self.known).insert(known.pid, Arc::clone(&known));
        let (all, link) = (Arc::clone(&self.known), link.clone());
        self.tasks.spawn(async move {
            let heard = async {
                match screen {
                    Some(screen) => hear_terminal(screen, &known).await,
                    None => hear(&link, &known, from).await,
                }
            };
            let heard = tokio::select! {
                heard = heard => heard,
                () = link.closed() => Err(LinkError::Closed),
            };
            if heard.is_err() {
                lock(&known.followers).clear();
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(REMEMBERED) => {}
                () = link.closed() => {}
            }
            // One that runs now may have its number.
            lock(&all).retain(|_, now| !Arc::ptr_eq(now, &known));
            let _ = link.forget(&known.name).await;
        });
        Ok(())
    }

    fn find(&self, which: &WhichProcess) -> Option<Arc<Known>> {
        let known = lock(&self.known);
        match which {
            WhichProcess::Pid(pid) => known.get(pid).cloned(),
            WhichProcess::Name(name) => known.values().find(|process| process.name == *name).cloned(),
            WhichProcess::Tag(tag) => {
                let mut all = known.values().filter(|process| process.tag() == Some(tag));
                all.find(|process| lock(&process.ended).is_none()).cloned()
            }
        }
    }

    /// Those that have ended make room in the guest.
    async fn make_room(&self, link: &Link) -> Result<(), LinkError> {
        let ended: Vec<_> = {
            let known = lock(&self.known);
            known.values().filter(|process| lock(&process.ended).is_some()).cloned().collect()
        };
        for process in ended {
            link.forget(&process.name).await?;
            lock(&self.known).remove(&process.pid);
        }
        Ok(())
    }
}

async fn hear(link: &Link, known: &Known, from: Offsets) -> Result<(), LinkError> {
    let mut attached = link.attach(&known.name, from).await?;
    let (mut read, mut acknowledged) = (from, from.stdout + from.stderr);
    while let Some(output) = attached.next().await? {
        match output {
            Output::Stdout { offset, bytes } => {
                read.stdout = offset + bytes.len() as u64;
                known.tell(Piece::Stdout(bytes)).await;
            }
            Output::Stderr { offset, bytes } => {
                read.stderr = offset + bytes.len() as u64;
                known.tell(Piece::Stderr(bytes)).await;
            }
            Output::Exited { status } => known.end(status).await,
        }
        if read.stdout + read.stderr - acknowledged >= ACK_EVERY {
            attached.ack(read).await?;
            acknowledged = read.stdout + read.stderr;
        }
    }
    Ok(())
}

async fn hear_terminal(mut screen: Screen, known: &Known) -> Result<(), LinkError> {
    while let Some(output) = screen.next().await? {
        match output {
            Output::Stdout { bytes, .. } | Output::Stderr { bytes, .. } => {
                known.tell(Piece::Terminal(bytes)).await;
            }
            Output::Exited { status } => known.end(status).await,
        }
    }
    *known.keyboard.lock().await = None;
    Ok(())
}

impl Engine {
    /// Starts a process, and follows it from its first byte on. It goes on where nobody does any more.
    pub async fn lent_start(&self, id: &SessionId, new: NewProcess) -> Result<Follower, ProcessError> {
        let entry = self.lent_entry(id)?;
        let link = entry.link().await?;
        if new.tag.as_ref().is_some_and(|tag| tag.len() > MAX_TAG) {
            return Err(ProcessError::NotStarted(format!("a tag has at most {MAX_TAG} bytes")));
        }
        let started = match spawn(&link, &new).await {
            Err(LinkError::Refused { code: Code::TooMany, .. }) => {
                entry.processes.make_room(&link).await.map_err(failed)?;
                spawn(&link, &new).await
            }
            started => started,
        };
        let state = match started {
            Ok(state) => state,
            Err(error) => return Err(not_started(&entry, &link, &new, error).await),
        };
        let known = Known::new(&state);
        let follower = known.follow().ok_or(ProcessError::TooMany)?;
        entry.processes.begin(&link, known, Offsets::default()).await.map_err(failed)?;
        Ok(follower)
    }

    /// Follows one that was started: what it says from now on, or its end.
    pub async fn lent_follow(&self, id: &SessionId, which: &WhichProcess) -> Result<Follower, ProcessError> {
        let (_, known) = self.lent_known(id, which).await?;
        known.follow().ok_or(ProcessError::TooMany)
    }

    /// Those that run.
    pub async fn lent_processes(&self, id: &SessionId) -> Result<Vec<LentProcess>, ProcessError> {
        let entry = self.lent_entry(id)?;
        entry.link().await?;
        let known = lock(&entry.processes.known);
        let running = known.values().filter(|process| lock(&process.ended).is_none());
        let told = running.map(|one| LentProcess { pid: one.pid, tag: one.tag().map(str::to_owned) });
        Ok(told.collect())
    }

    /// To everything that the process has started, as far as it stayed in its group.
    pub async fn lent_signal(
        &self,
        id: &SessionId,
        which: &WhichProcess,
        signal: i32,
    ) -> Result<(), ProcessError> {
        let (link, known) = self.lent_known(id, which).await?;
        match link.signal(&known.name, signal).await {
            Err(LinkError::Refused {
                code: Code::UnknownProcess | Code::NotRunning | Code::NotFound,
                ..
            }) => Err(ProcessError::NotFound),
            signalled => signalled.map_err(failed),
        }
    }

    /// Waits until the process has taken it.
    pub async fn lent_input(
        &self,
        id: &SessionId,
        which: &WhichProcess,
        input: Input,
    ) -> Result<(), ProcessError> {
        let (link, known) = self.lent_known(id, which).await?;
        let done = match input {
            Input::Pipe(_) | Input::Close if known.is_terminal => return Err(ProcessError::NoInput),
            Input::Pipe(bytes) => write(&link, &known, bytes).await,
            Input::Close => {
                let mut slot = known.stdin.lock().await;
                match opened(&link, &known, &mut slot).await {
                    Ok(stdin) => stdin.close().await,
                    Err(error) => Err(error),
                }
            }
            Input::Terminal(_) | Input::Size(_) if !known.is_terminal => return Err(ProcessError::NoInput),
            Input::Terminal(bytes) => match &mut *known.keyboard.lock().await {
                Some(keyboard) => keyboard.write(&bytes).await,
                None => return Err(ProcessError::NotFound),
            },
            Input::Size(size) => match &mut *known.keyboard.lock().await {
                Some(keyboard) => keyboard.resize(size).await,
                None => return Err(ProcessError::NotFound),
            },
        };
        match done {
            Err(LinkError::Refused { code: Code::NoStdin, .. }) => Err(ProcessError::NoInput),
            Err(LinkError::Refused { code: Code::UnknownProcess, .. }) => Err(ProcessError::NotFound),
            done => done.map_err(failed),
        }
    }

    async fn lent_known(
        &self,
        id: &SessionId,
        which: &WhichProcess,
    ) -> Result<(Link, Arc<Known>), ProcessError> {
        let entry = self.lent_entry(id)?;
        let link = entry.link().await?;
        Ok((link, entry.processes.find(which).ok_or(ProcessError::NotFound)?))
    }
}

async fn spawn(link: &Link, new: &NewProcess) -> Result<ProcessState, LinkError> {
    let name = name(new.terminal.is_some(), new.tag.as_deref());
    let spec = ProcessSpec {
        argv: new.argv.clone(),
        env: new.environment.clone(),
        cwd: new.cwd.clone(),
        stdin: new.has_input && new.terminal.is_none(),
    };
    match new.terminal {
        Some(size) => link.spawn_terminal(&name, &spec, size).await,
        None => link.spawn(&name, &spec).await,
    }
}

/// The guest says the same of a folder and of a program that is not there.
async fn not_started(entry: &Entry, link: &Link, new: &NewProcess, error: LinkError) -> ProcessError {
    match error {
        LinkError::Refused { code: Code::TooMany, .. } => ProcessError::TooMany,
        LinkError::Refused { message, .. } => match &new.cwd {
            Some(cwd) if link.stat(lamplight_sandbox::link::Who::Agent, cwd).await.is_err() => {
                ProcessError::NoDirectory
            }
            Some(_) | None => ProcessError::NotStarted(message),
        },
        error => {
            tracing::debug!(sandbox = %entry.id, %error, "a process could not be started");
            failed(error)
        }
    }
}

async fn write(link: &Link, known: &Known, bytes: Bytes) -> Result<(), LinkError> {
    let mut slot = known.stdin.lock().await;
    let stdin = opened(link, known, &mut slot).await?;
    let next = stdin.written() + 1;
    stdin.write(next, bytes).await
}

async fn opened<'a>(
    link: &Link,
    known: &Known,
    slot: &'a mut Option<Stdin>,
) -> Result<&'a mut Stdin, LinkError> {
    match slot {
        Some(stdin) => Ok(stdin),
        empty => Ok(empty.insert(link.stdin(&known.name).await?)),
    }
}

fn failed(error: LinkError) -> ProcessError {
    ProcessError::Sandbox(match error {
        LinkError::Deadline { .. } | LinkError::Closed => CommandError::Busy,
        other => CommandError::Failed(anyhow::Error::new(other).context("talk to a lent sandbox")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_it_is_and_its_tag() {
        let check = |terminal, given: Option<&str>| {
            let name = name(terminal, given);
            assert_eq!((is_terminal(&name), tag(&name)), (terminal, given), "{name}");
            assert!(name.len() <= PREFIX.len() + 2 + 26 + 1 + MAX_TAG);
        };
        check(true, None);
        check(false, Some("my-own tag"));
        check(false, Some(&"x".repeat(MAX_TAG)));
    }
}
