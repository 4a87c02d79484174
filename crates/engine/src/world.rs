//! What the engine takes of the machine that it runs on without asking anybody: the time, chance, and the machine's git. A thread can be
//! given another world to live in, in which all three are somebody's: the simulation's, where every run of the same seed is the same run.
//!
//! It belongs to the thread and not to an engine, because a world has one clock for all that is in it.

use lamplight_domain::Timestamp;
use std::cell::RefCell;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

/// A machine that is not this one.
pub trait World: Send + Sync {
    /// Now, by its wall clock.
    fn now(&self) -> Timestamp;

    /// Bytes by chance.
    fn fill(&self, bytes: &mut [u8]);

    /// What its git answers, at once.
    fn git(&self, repository: &Path, arguments: &[&str]) -> Output;
}

thread_local! {
    static WORLD: RefCell<Option<Arc<dyn World>>> = const { RefCell::new(None) };
}

/// From here on this thread lives in that world, with all that a runtime of one thread runs on it.
pub fn live_in(world: Arc<dyn World>) {
    WORLD.with_borrow_mut(|here| *here = Some(world));
}

/// The world that this thread was given; `None` is the machine itself.
pub(crate) fn given() -> Option<Arc<dyn World>> {
    WORLD.with_borrow(Clone::clone)
}
