//! The real engine and the real store in a world that is made up: one thread, a clock that moves on when nobody has anything to do, and a
//! seed from which everything else follows.
//!
//! ```text
//!  story (people, crashes) ──▶ engine ── store in place ── disk: slow, full, broken
//!                                │ provider: late, failing, its answers lost, away
//!                                ▼
//!                     link: a stream in memory, cut anywhere
//!                                ▼
//!                     guest ── agent: says, edits, asks, falls silent, ends, has no model      ◀── misfortune: sandboxes and agents die, clocks jump
//! ```
//! The world outlives the server: a crash drops the runtime with all that runs on it, wherever each of it waits, and the next life opens
//! what was committed and finds sandboxes whose agents have gone on. When the story is told, nothing goes wrong any more, everything has to
//! come to rest, and then the logs, what the agents were told, what they said and what is on the branches have to agree ([`check`]).
//!
//! Each seed is run in a process of its own that begins with the same memory ([`isolated`]), so that it is the same run every time: see
//! `docs/decisions/0046-simulation.md`.

mod agent;
mod asking;
mod check;
mod clock;
mod config;
mod disk;
mod fault;
mod guest;
mod isolated;
mod misfortune;
mod outage;
mod provider;
mod reader;
mod repository;
mod servers;
mod shell;
mod story;
mod sync;
mod universe;
mod weather;

pub use fault::{Fault, Faults};
pub use isolated::{Running, Seed, isolated};
pub use weather::Flaw;

use std::path::Path;

/// What came of one seed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The same for the same run: of every entry of every log, and of all that the agents were told.
    pub trace: u64,
    pub sessions: usize,
    pub entries: usize,
    pub turns: usize,
    /// Turns that were to end at once, and ran then, and had nothing in their way.
    pub stops: usize,
    pub faults: Faults,
}

/// One story in so many is of several servers.
const WITH_SERVERS: u64 = 4;

/// Runs the seed in `dir`, in which there is the database of a new installation; an error is what was found.
pub fn run(seed: u64, flaw: Option<Flaw>, dir: &Path) -> Result<Told, String> {
    if seed % WITH_SERVERS == WITH_SERVERS - 1 {
        servers::run(seed, flaw, dir)
    } else {
        story::run(seed, flaw, dir)
    }
}
