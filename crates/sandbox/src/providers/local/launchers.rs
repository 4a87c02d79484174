//! Starting launchers, some of them ahead of time: what a launcher does before it is asked for anything (being executed, entering
//! cgroups of version 1) takes longer than the rest.
//!
//! ```text
//! create ─▶ the one that waits, else a new one ─▶ request ─▶ reply
//!                                                              └─ a moment later the next one is started, and waits
//! ```
//! As many wait as were wanted at once before.
//! A launcher that waits holds nothing of a sandbox, and ends by itself when its standard input does.

use super::cgroup;
use super::config::Launcher;
use super::request::{LaunchReply, LaunchRequest};
use std::collections::VecDeque;
use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::task::TaskTracker;

#[derive(Debug)]
pub(super) struct Launchers {
    waiting: Arc<Waiting>,
    tasks: TaskTracker,
}

/// That wait at the most; each is a small process.
const MOST: usize = 8;
/// From a reply to starting the next one, which would otherwise take a processor from the guest that is about to answer.
const MOMENT: Duration = Duration::from_millis(5);

#[derive(Debug)]
struct Waiting {
    launcher: Launcher,
    those: Mutex<Those>,
}

#[derive(Debug)]
struct Those {
    launchers: VecDeque<Child>,
    /// As many are to wait.
    wanted: usize,
}

impl Launchers {
    pub(super) fn new(launcher: Launcher) -> Self {
        Self {
            waiting: Arc::new(Waiting {
                launcher,
                those: Mutex::new(Those { launchers: VecDeque::new(), wanted: 0 }),
            }),
            tasks: TaskTracker::new(),
        }
    }

    pub(super) async fn launch(&self, request: &LaunchRequest) -> io::Result<LaunchReply> {
        let text = serde_json::to_vec(request)?;
        let mut launcher = match self.waiting.take() {
            Some(waiting) => waiting,
            None => {
                self.waiting.want_more();
                self.waiting.start()?
            }
        };
        let mut stdin = launcher.stdin.take().expect("it was asked for");
        // A launcher that does not read its request says why below.
        let _ = stdin.write_all(&text).await;
        drop(stdin);
        let mut reply = String::new();
        BufReader::new(launcher.stdout.take().expect("it was asked for")).read_line(&mut reply).await?;
        // It ends now; there is nothing to wait for.
        if let Ok(reply) = serde_json::from_str(&reply) {
            self.keep_one_waiting();
            return Ok(reply);
        }
        let output = launcher.wait_with_output().await?;
        // Best effort, as at the start of a server.
        let _ = cgroup::sweep_parked();
        let said = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("the launcher ended with {} and said {:?}", output.status, said.trim())))
    }

    /// By a task of its own, as nobody waits for it.
    fn keep_one_waiting(&self) {
        let waiting = Arc::downgrade(&self.waiting);
        self.tasks.spawn(async move {
            tokio::time::sleep(MOMENT).await;
            if let Some(waiting) = waiting.upgrade() {
                waiting.fill();
            }
        });
    }
}

impl Waiting {
    fn start(&self) -> io::Result<Child> {
        Command::new(&self.launcher.program)
            .args(&self.launcher.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }

    /// The one that has waited longest, unless it has ended meanwhile.
    fn take(&self) -> Option<Child> {
        let mut those = self.those.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut launcher) = those.launchers.pop_front() {
            if matches!(launcher.try_wait(), Ok(None)) {
                return Some(launcher);
            }
            let _ = cgroup::sweep_parked();
        }
        None
    }

    /// When somebody was in need of one, and none waited.
    fn want_more(&self) {
        let mut those = self.those.lock().unwrap_or_else(PoisonError::into_inner);
        those.wanted = MOST.min(those.wanted + 1);
    }

    fn fill(&self) {
        let mut those = self.those.lock().unwrap_or_else(PoisonError::into_inner);
        while those.launchers.len() < those.wanted {
            // Whoever needs one and finds none starts it, and is told why that fails.
            let Ok(launcher) = self.start() else { return };
            those.launchers.push_back(launcher);
        }
    }
}
