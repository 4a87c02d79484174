//! The daemon inside a sandbox: it starts processes, keeps what they say until somebody has stored it, gives them each message
//! once, and carries connections in and out. It knows nothing of what it runs.
//!
//! One thread, one event loop. As PID 1 it also reaps whatever loses its parent.

mod agent;
mod attach;
mod attributes;
mod calls;
mod files;
mod folder;
mod guest;
mod hand_out;
mod kill;
mod link;
mod listening;
mod names;
mod options;
mod ports;
mod process;
mod pump;
mod reaper;
mod relay;
mod ring;
mod root;
mod spool;
mod stdin;
mod stream;
mod terminal;
mod watch;

use anyhow::Context;
use guest::Guest;
use options::Options;
use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitCode, Termination};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// The word with which this program is started beside a guest that runs already.
const RELAY: &str = "--relay";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    if Path::new(&name).file_name() == Some(OsStr::new("sudo")) {
        return root::ask(arguments);
    }
    if arguments.next().as_deref() == Some(OsStr::new(RELAY)) {
        let path = arguments.next().unwrap_or_default();
        return relay::run(Path::new(&path)).report();
    }
    be_the_guest().report()
}

fn be_the_guest() -> anyhow::Result<()> {
    let options = Options::parse(std::env::args_os().skip(1))?;
    // Processes of the same user inside may neither trace the guest nor open what it holds.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("forbid tracing of the guest")?;
    ignore_faults_of_others();
    ignore_file_limit();
    let init = getpid().is_init();
    if !init {
        set_child_subreaper(Some(getpid())).context("become the parent of orphans")?;
    }
    let runtime = Builder::new_current_thread().enable_all().build().context("start the event loop")?;
    LocalSet::new().block_on(&runtime, serve(options, init))
}

/// The standard library tells of an overflow of the stack by handlers for these two signals, which run on a small stack of
/// their own. Whoever sends many of them lets that one overflow, and the kernel then ends even PID 1. Without a handler, signals
/// from inside do nothing to PID 1, and a fault of its own ends it as before. Source: pid_namespaces(7).
fn ignore_faults_of_others() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: no handler is set, and this process has one thread.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// A file that grows past its limit is an error to whoever writes it (EFBIG), and no reason to end. What is ignored stays so in every
/// process that comes from this one, whoever started it. Source: setrlimit(2), `RLIMIT_FSIZE`.
fn ignore_file_limit() {
    // SAFETY: no handler is installed, and this process has one thread.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

async fn serve(options: Options, init: bool) -> anyhow::Result<()> {
    // Before the link: whoever can connect to that finds the others there.
    let way_out = options.way_out()?;
    let listener = options.listener()?;
    let hand_out = options.hand_out()?;
    let guest = Guest::new(init, &options);
    if let Some(agent) = options.agent {
        let asked = options.root.as_deref().map(|path| root::listen(path, agent)).transpose()?;
        agent.touch_files();
        if let Some(asked) = asked {
            guest.tasks.spawn_local(root::serve(guest.clone(), asked, agent.0));
        }
    }
    let gateway = match options.gateway {
        Some(address) => Some(ports::listen(address).await?),
        None => None,
    };
    guest.tasks.spawn_local(reaper::reap(guest.clone(), reaper::signals()?));
    if let Some(gateway) = gateway {
        guest.tasks.spawn_local(ports::carry_out(guest.clone(), gateway));
    }
    if let Some((socket, handed)) = hand_out {
        guest.tasks.spawn_local(hand_out::serve(guest.clone(), socket, handed));
    }
    let ended = link::accept(guest, listener).await;
    drop(way_out);
    ended
}
