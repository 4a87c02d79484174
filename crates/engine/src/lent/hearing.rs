//! What programs in a lent sandbox say, and who hears it. Unlike an agent's output, which waits for its reader, this is heard by whoever
//! is there and waits for nobody who is not: one of us reads all of it, and passes it on.

use super::journal::Journal;
use super::lock;
use super::processes::{Follower, Piece, WhichProcess};
use crate::ids;
use lamplight_domain::agent::ExitStatus;
use lamplight_sandbox::link::{Keyboard, Link, LinkError, Offsets, Output, ProcessState, Screen, Stdin};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{RwLock, mpsc};
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

/// All of one sandbox.
pub(super) struct Processes {
    pub(super) known: Arc<Mutex<BTreeMap<u32, Arc<Known>>>>,
    /// Held by who starts one, until it is known; and alone by who looks for those that nobody knows.
    pub(super) starting: RwLock<()>,
    tasks: TaskTracker,
    journal: Arc<Journal>,
}

pub(super) struct Known {
    pub(super) name: String,
    pub(super) pid: u32,
    pub(super) is_terminal: bool,
    followers: Mutex<Vec<mpsc::Sender<Piece>>>,
    pub(super) ended: Mutex<Option<ExitStatus>>,
    pub(super) stdin: tokio::sync::Mutex<Option<Stdin>>,
    pub(super) keyboard: tokio::sync::Mutex<Option<Keyboard>>,
}

impl Known {
    pub(super) fn new(state: &ProcessState) -> Arc<Self> {
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

    pub(super) fn tag(&self) -> Option<&str> {
        tag(&self.name)
    }

    pub(super) fn follow(&self) -> Option<Follower> {
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

/// Whole lines of what comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

/// A line that does not end is told when it is so long, in bytes.
const LONGEST_LINE: usize = 4096;

impl Lines {
    /// Those that have come to their end by this.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => lines.extend(self.rest()),
                byte => self.0.push(*byte),
            }
            if self.0.len() >= LONGEST_LINE {
                lines.extend(self.rest());
            }
        }
        lines
    }

    /// What has no end yet, if there is anything.
    pub(super) fn rest(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.0);
        let text = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        (!text.is_empty()).then_some(text)
    }
}

/// `lent-p-<id>` of a pipe, `lent-t-<id>` of a terminal, and `-<tag>` behind it.
pub(super) fn name(is_terminal: bool, tag: Option<&str>) -> String {
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
    pub(super) fn new(tasks: TaskTracker, journal: Arc<Journal>) -> Self {
        Self { known: Arc::default(), starting: RwLock::default(), tasks, journal }
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
        // One that is being started would be taken for one of before; and forgotten, were it short.
        let _alone = self.starting.write().await;
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
    pub(super) async fn begin(&self, link: &Link, known: Arc<Known>, from: Offsets) -> Result<(), LinkError> {
        let screen = match known.is_terminal {
            true => {
                let (screen, keyboard) = link.terminal(&known.name, from.stdout).await?.split();
                *known.keyboard.lock().await = Some(keyboard);
                Some(screen)
            }
            false => None,
        };
        lock(&self.known).insert(known.pid, Arc::clone(&known));
        let (all, link, journal) = (Arc::clone(&self.known), link.clone(), Arc::clone(&self.journal));
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
            if let Some(status) = *lock(&known.ended) {
                journal.say(format!("process {} ended: {}", known.pid, told(status)));
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

    pub(super) fn find(&self, which: &WhichProcess) -> Option<Arc<Known>> {
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
    pub(super) async fn make_room(&self, link: &Link) -> Result<(), LinkError> {
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

pub(super) fn told(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code { code } => format!("exit code {code}"),
        ExitStatus::Signal { signal } => format!("signal {signal}"),
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

#[cfg(test)]
mod tests {
    use super::super::processes::MAX_TAG;
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
