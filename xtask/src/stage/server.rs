//! A server of ours, a process of its own.

use super::{Model, Stage};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// The usual address, so that the page is where one has it open.
const LISTEN: &str = "127.0.0.1:7410";
const ANY_PORT: &str = "127.0.0.1:0";
/// For a server that was left behind to stop.
const LEFT_OVER: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    /// `http://127.0.0.1:7410`
    pub url: String,
    pid_file: PathBuf,
}

impl Server {
    pub(crate) fn start(stage: &Stage, model: &Model) -> Result<Self> {
        let pid_file = stage.directory.join("server.pid");
        stop_left_over(&pid_file)?;
        let listen = if std::net::TcpListener::bind(LISTEN).is_ok() {
            LISTEN
        } else {
            println!("{LISTEN} is taken; taking another port");
            ANY_PORT
        };
        let log = stage.directory.join("server.log");
        let mut command = stage.lamplight();
        command.args(["serve", "--listen", listen]).stdin(Stdio::null()).stdout(Stdio::piped());
        model.configure(&mut command);
        // A process group of its own: Ctrl-C is for this program, which then stops it.
        let mut process =
            command.stderr(File::create(&log)?).process_group(0).spawn().context("start the server")?;
        let stdout = process.stdout.take().context("read what the server says")?;
        let mut said = String::new();
        BufReader::new(stdout).read_line(&mut said)?;
        let Some(url) = said.split_whitespace().find(|word| word.starts_with("http://")) else {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            bail!("the server did not start: {}", said.trim());
        };
        std::fs::write(&pid_file, process.id().to_string())?;
        Ok(Self { url: url.to_owned(), process, pid_file })
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.ask()?;
        self.process.wait().context("wait for the server")?;
        std::fs::remove_file(&self.pid_file).context("forget the server")
    }

    fn ask(&self) -> Result<()> {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.context("the server has no process id")?, Signal::TERM)?)
    }
}

impl Drop for Server {
    /// Also when something failed halfway: a server that nobody knows of would hold the log.
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            let _ = self.ask();
            let _ = self.process.wait();
        }
    }
}

/// A demo that was killed leaves its server behind.
fn stop_left_over(pid_file: &Path) -> Result<()> {
    let Ok(text) = std::fs::read_to_string(pid_file) else { return Ok(()) };
    let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) else { return Ok(()) };
    let is_there = || {
        let words = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        let folder = pid_file.parent().unwrap_or(pid_file).as_os_str().as_encoded_bytes();
        // The number may have gone to another program since; ours names this very folder.
        words.windows(folder.len()).any(|window| window == folder)
    };
    if !is_there() {
        return Ok(());
    }
    println!("stopping the server that was left behind, process {}", pid.as_raw_nonzero());
    kill_process(pid, Signal::TERM)?;
    let mut waited = Duration::ZERO;
    while is_there() {
        if waited >= LEFT_OVER {
            bail!("process {} does not stop", pid.as_raw_nonzero());
        }
        std::thread::sleep(LOOK_AGAIN);
        waited += LOOK_AGAIN;
    }
    Ok(())
}
