//! Waits for every child, our own and the orphans that fall to PID 1. Nobody else in this program waits for a process.

use crate::guest::Guest;
use anyhow::Context;
use lamplight_wire::ExitStatus;
use rustix::process::{Pid, WaitOptions, WaitStatus, wait};
use std::rc::Rc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// To be asked for before the first process is started.
pub(crate) fn signals() -> anyhow::Result<Signal> {
    signal(SignalKind::child()).context("listen for ended processes")
}

pub(crate) async fn reap(guest: Rc<Guest>, mut signals: Signal) {
    loop {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            ended(&guest, pid, status);
        }
        guest.reaped.notify_waiters();
        signals.recv().await;
    }
}

fn ended(guest: &Guest, pid: Pid, status: WaitStatus) {
    let processes = guest.processes.borrow();
    let ours = processes.values().find(|process| process.pid == pid && process.status().is_none());
    let status = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitStatus::Code { code },
        (None, Some(signal)) => ExitStatus::Signal { signal },
        (None, None) => return,
    };
    if let Some(process) = ours {
        process.ended(status);
        process.end_what_is_left(status);
    }
    if let Some(asker) = guest.root_commands.borrow_mut().remove(&pid) {
        // It may have gone.
        let _ = asker.send(status);
    }
}
