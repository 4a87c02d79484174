//! The daemon inside a sandbox: it starts processes, keeps what they say until somebody has stored it, gives them each message
//! once, and carries connections in and out. It knows nothing of what it runs.
//!
//! One thread, one event loop. As PID 1 it also reaps whatever loses its parent.

mod attach;
mod calls;
mod files;
mod guest;
mod hand_out;
mod kill;
mod link;
mod options;
mod ports;
mod process;
mod pump;
mod reaper;
mod ring;
mod spool;
mod stdin;
mod stream;

use anyhow::Context;
use guest::Guest;
use options::Options;
use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

fn main() -> anyhow::Result<()> {
    let options = Options::parse(std::env::args_os().skip(1))?;
    // Processes of the same user inside may neither trace the guest nor open what it holds.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("forbid tracing of the guest")?;
    let init = getpid().is_init();
    if !init {
        set_child_subreaper(Some(getpid())).context("become the parent of orphans")?;
    }
    let runtime = Builder::new_current_thread().enable_all().build().context("start the event loop")?;
    LocalSet::new().block_on(&runtime, serve(options, init))
}

async fn serve(options: Options, init: bool) -> anyhow::Result<()> {
    let listener = options.listener()?;
    let hand_out = options.hand_out()?;
    let guest = Guest::new(init, options.spool);
    let gateway = ports::listen(options.gateway).await?;
    guest.tasks.spawn_local(reaper::reap(guest.clone(), reaper::signals()?));
    guest.tasks.spawn_local(ports::carry_out(guest.clone(), gateway));
    if let Some((socket, handed)) = hand_out {
        guest.tasks.spawn_local(hand_out::serve(guest.clone(), socket, handed));
    }
    link::accept(guest, listener).await
}
