//! A server as a process: started, ready, weighed, ended.

use super::http;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// For a server to answer its first request; some look for a network that is not there.
const READY: Duration = Duration::from_secs(60);
/// Between two looks whether it answers.
const LOOK: Duration = Duration::from_micros(500);

/// A running server; it and all that it started end with this value.
#[derive(Debug)]
pub(super) struct Running {
    process: Child,
    /// Of the `spawn`, to the first answer.
    pub ready: Duration,
    pub url: String,
}

impl Running {
    /// Starts a command that is to answer on that port with success.
    pub(super) fn start(command: Command, port: u16, path: &str, log: &Path) -> Result<Self> {
        let url = format!("http://127.0.0.1:{port}{path}");
        Self::start_until(command, port, log, || http::answers(&url).is_ok())
    }

    /// Starts a command that is to listen on that port, whatever it speaks.
    pub(super) fn start_listening(command: Command, port: u16, log: &Path) -> Result<Self> {
        Self::start_until(command, port, log, || TcpStream::connect(("127.0.0.1", port)).is_ok())
    }

    /// Starts a command that is ready once that is so.
    pub(super) fn start_until(
        mut command: Command,
        port: u16,
        log: &Path,
        is_ready: impl Fn() -> bool,
    ) -> Result<Self> {
        let url = format!("http://127.0.0.1:{port}");
        command
            .stdin(Stdio::null())
            .stdout(File::create(log)?)
            .stderr(File::create(log.with_extension("err"))?);
        let start = now();
        let process = command.process_group(0).spawn().context("start it")?;
        let mut running = Self { process, ready: Duration::ZERO, url };
        while !is_ready() {
            if start.elapsed() > READY {
                bail!("it did not answer within {} s", READY.as_secs());
            }
            if let Some(status) = running.process.try_wait()? {
                bail!("it ended with {status}");
            }
            std::thread::sleep(LOOK);
        }
        running.ready = start.elapsed();
        Ok(running)
    }

    /// Proportional set size of it and its descendants, in KiB.
    pub(super) fn pss(&self) -> Result<f64> {
        Ok(self.tree()?.into_iter().map(pss_of).sum())
    }

    /// Of itself alone, whatever it has started.
    pub(super) fn own_pss(&self) -> f64 {
        pss_of(self.process.id())
    }

    /// Processor time of it and its descendants, in milliseconds. Source: proc_pid_stat(5), 100 ticks a second.
    pub(super) fn cpu_ms(&self) -> Result<f64> {
        let mut ticks = 0.0;
        for pid in self.tree()? {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            let used = after_name.split_whitespace().skip(11).take(2);
            ticks += used.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>();
        }
        Ok(ticks * 10.0)
    }

    /// At once, as by a power cut of this one process; what it started lives on.
    pub(super) fn kill(mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    fn tree(&self) -> Result<Vec<u32>> {
        let mut children = BTreeMap::<u32, Vec<u32>>::new();
        for entry in std::fs::read_dir("/proc")? {
            let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent =
                stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
            children.entry(parent.unwrap_or(0)).or_default().push(pid);
        }
        let mut tree = vec![self.process.id()];
        let mut next = 0;
        while let Some(pid) = tree.get(next) {
            tree.extend(children.remove(pid).unwrap_or_default());
            next += 1;
        }
        Ok(tree)
    }
}

/// Proportional set size of a process, in KiB; 0 of one that is gone. Source: proc_pid_smaps_rollup(5).
fn pss_of(pid: u32) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    pss.and_then(|pss| pss.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0)
}

impl Drop for Running {
    fn drop(&mut self) {
        if let (Ok(None), Some(group)) =
            (self.process.try_wait(), i32::try_from(self.process.id()).ok().and_then(Pid::from_raw))
        {
            // A group of its own, made above; gone is fine.
            let _ = kill_process_group(group, Signal::KILL);
            let _ = self.process.wait();
        }
    }
}

/// A port that nobody has now.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
pub(super) fn now() -> Instant {
    Instant::now()
}
