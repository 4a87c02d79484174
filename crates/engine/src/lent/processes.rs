//! Programs in a lent sandbox, for whoever it is lent to: started, followed, given input and ended.

use super::hearing::{Known, name};
use super::{Entry, lock};
use crate::engine::Engine;
use crate::error::CommandError;
use bytes::Bytes;
use lamplight_domain::SessionId;
use lamplight_domain::agent::ExitStatus;
use lamplight_sandbox::link::{
    Code, Link, LinkError, Offsets, ProcessSpec, ProcessState, Stdin, TerminalSize,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The longest tag, in bytes; with it the guest's name of a process still fits.
pub(super) const MAX_TAG: usize = 64;

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

impl NewProcess {
    /// One of ours: it has no input, and nobody calls it by a tag.
    pub(super) fn of(spec: ProcessSpec) -> Self {
        let ProcessSpec { argv, env, cwd, stdin: _ } = spec;
        Self { argv, environment: env, cwd, has_input: false, terminal: None, tag: None }
    }
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
    pub(super) pieces: mpsc::Receiver<Piece>,
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

impl Engine {
    /// Starts a process, and follows it from its first byte on. It goes on where nobody does any more.
    pub async fn lent_start(&self, id: &SessionId, new: NewProcess) -> Result<Follower, ProcessError> {
        let entry = self.lent_entry(id)?;
        let link = entry.link().await?;
        if new.tag.as_ref().is_some_and(|tag| tag.len() > MAX_TAG) {
            return Err(ProcessError::NotStarted(format!("a tag has at most {MAX_TAG} bytes")));
        }
        started(&entry, &link, &new).await
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

/// Starts one, makes room for it where that is needed, and follows it.
pub(super) async fn started(entry: &Entry, link: &Link, new: &NewProcess) -> Result<Follower, ProcessError> {
    let _starting = entry.processes.starting.read().await;
    let started = match spawn(link, new).await {
        Err(LinkError::Refused { code: Code::TooMany, .. }) => {
            entry.processes.make_room(link).await.map_err(failed)?;
            spawn(link, new).await
        }
        started => started,
    };
    let state = match started {
        Ok(state) => state,
        Err(error) => return Err(not_started(entry, link, new, error).await),
    };
    entry.journal.say(format!("process {} started: {}", state.pid, new.argv.join(" ")));
    let known = Known::new(&state);
    let follower = known.follow().ok_or(ProcessError::TooMany)?;
    entry.processes.begin(link, known, Offsets::default()).await.map_err(failed)?;
    Ok(follower)
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
        LinkError::TooLarge { length, limit, .. } => ProcessError::NotStarted(format!(
            "a command, its arguments and its environment have {limit} bytes together at the most, and not {length}; write it to a file and run that"
        )),
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
