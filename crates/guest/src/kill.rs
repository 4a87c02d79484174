//! Ending everything that runs in the sandbox. As PID 1 that is every process the kernel lets us see; otherwise, in tests and
//! where a provider starts the guest beside others, it is every descendant, orphans included (they fall to us as subreaper).

use crate::guest::{Guest, refusal};
use lamplight_wire::{Code, Refusal};
use rustix::process::{Pid, Signal, getpid, kill_process};
use std::collections::HashMap;
use std::io;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long the kernel is given to end what got SIGKILL.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at what is left: not every end is ours to reap.
const POLL: Duration = Duration::from_millis(10);

/// The longest grace that a caller can give.
const MAX_GRACE: Duration = Duration::from_secs(60);

/// SIGTERM, after `grace` SIGKILL, until nothing is left. Returns how many processes there were.
pub(crate) async fn everything(guest: &Guest, grace: Duration) -> Result<u32, Refusal> {
    let count = u32::try_from(others(guest).len()).unwrap_or(u32::MAX);
    if !grace.is_zero() {
        signal_all(guest, Signal::TERM);
        if timeout(grace.min(MAX_GRACE), until_none_is_left(guest, None)).await.is_ok() {
            return Ok(count);
        }
    }
    match timeout(KILL_PATIENCE, until_none_is_left(guest, Some(Signal::KILL))).await {
        Ok(()) => Ok(count),
        Err(_) => {
            let message = format!("{} processes outlive SIGKILL", others(guest).len());
            Err(refusal(Code::Failed, message))
        }
    }
}

/// What is started in between gets the signal too.
async fn until_none_is_left(guest: &Guest, signal: Option<Signal>) {
    loop {
        let reaped = guest.reaped.notified();
        if let Some(signal) = signal {
            signal_all(guest, signal);
        }
        if is_alone(guest) {
            return;
        }
        let _ = timeout(POLL, reaped).await;
        // A storm of reaped processes is not to make this spin.
        sleep(Duration::from_millis(1)).await;
    }
}

fn is_alone(guest: &Guest) -> bool {
    if guest.init { kill_every_other(0) == Err(libc::ESRCH) } else { others(guest).is_empty() }
}

fn signal_all(guest: &Guest, signal: Signal) {
    if guest.init {
        let _ = kill_every_other(signal.as_raw());
    } else {
        for pid in others(guest) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// kill(2) with pid -1: every process that this one may signal, but for itself. Fails with the errno.
fn kill_every_other(signal: i32) -> Result<(), i32> {
    // SAFETY: takes two numbers. As PID 1 it reaches this PID namespace and nothing outside of it, and only then is it called.
    match unsafe { libc::kill(-1, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
    }
}

/// All other processes of this PID namespace, or all descendants.
fn others(guest: &Guest) -> Vec<Pid> {
    let parents = parents();
    let this = getpid();
    let is_ours = |pid: Pid| {
        let mut at = pid;
        // A chain is no longer than the table, whatever changed while it was read.
        for _ in 0..=parents.len() {
            match parents.get(&at) {
                Some(Some(parent)) if *parent == this => return true,
                Some(Some(parent)) => at = *parent,
                Some(None) | None => return false,
            }
        }
        false
    };
    let all = parents.keys().copied().filter(|pid| *pid != this);
    all.filter(|pid| guest.init || is_ours(*pid)).collect()
}

/// Every process and its parent. Source: proc_pid_stat(5); the name in parentheses may hold anything.
fn parents() -> HashMap<Pid, Option<Pid>> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return HashMap::new() };
    let numbers = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter_map(|number| {
            let stat = std::fs::read(format!("/proc/{number}/stat")).ok()?;
            let stat = String::from_utf8_lossy(&stat);
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((Pid::from_raw(number)?, Pid::from_raw(parent)))
        })
        .collect()
}
