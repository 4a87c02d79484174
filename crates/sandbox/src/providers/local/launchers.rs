//! Starting launchers, one of them ahead of time: what a launcher does before it is asked for anything (being executed, entering
//! cgroups of version 1) takes longer than the rest.
//!
//! ```text
//! create ─▶ the one that waits, else a new one ─▶ request ─▶ reply, its end ─▶ the next one is started
//! ```
//! A launcher that waits holds nothing of a sandbox, and ends by itself when its standard input does.

use super::config::Launcher;
use super::request::{LaunchReply, LaunchRequest};
use std::io;
use std::process::Stdio;
use std::sync::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

#[derive(Debug)]
pub(super) struct Launchers {
    launcher: Launcher,
    waiting: Mutex<Option<Child>>,
}

impl Launchers {
    pub(super) fn new(launcher: Launcher) -> Self {
        Self { launcher, waiting: Mutex::default() }
    }

    pub(super) async fn launch(&self, request: &LaunchRequest) -> io::Result<LaunchReply> {
        let text = serde_json::to_vec(request)?;
        let mut launcher = match self.take() {
            Some(waiting) => waiting,
            None => self.start()?,
        };
        let mut stdin = launcher.stdin.take().expect("it was asked for");
        // A launcher that does not read its request says why below.
        let _ = stdin.write_all(&text).await;
        drop(stdin);
        let output = launcher.wait_with_output().await?;
        let reply = serde_json::from_slice(&output.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            io::Error::other(format!("the launcher ended with {} and said {:?}", output.status, said.trim()))
        })?;
        self.keep_one_waiting();
        Ok(reply)
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.launcher.program)
            .args(&self.launcher.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }

    /// The one that waits, unless it has ended meanwhile.
    fn take(&self) -> Option<Child> {
        let waiting = self.waiting.lock().expect("nobody panics with it").take();
        waiting.and_then(|mut launcher| matches!(launcher.try_wait(), Ok(None)).then_some(launcher))
    }

    fn keep_one_waiting(&self) {
        let mut waiting = self.waiting.lock().expect("nobody panics with it");
        if waiting.is_none() {
            // Whoever needs one and finds none starts it, and is told why that fails.
            *waiting = self.start().ok();
        }
    }
}
