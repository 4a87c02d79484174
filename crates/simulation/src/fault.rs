//! What goes wrong, counted: runs in which nothing of a kind ever did would show nothing about it.

use std::fmt;

/// A kind of thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A server, at any step.
    Crash,
    /// A link, between any two bytes.
    Cut,
    /// A sandbox.
    Loss,
    /// A server that stands still, or is cut off from the database.
    Partition,
    /// Two servers that do not reach each other: what one passes on to the other is lost.
    Apart,
    /// Something that one server passes on to another, and that comes late.
    Delayed,
    /// A request that comes twice.
    Doubled,
    FullDisk,
    /// A wait for the disk: nobody knows what is on it.
    FailedSync,
    ClockSet,
    /// Nobody reaches the model for a while.
    ModelAway,
    /// Nobody reaches the provider for a while.
    ProviderAway,
}

/// How often each did.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults([usize; Fault::ALL.len()]);

impl Fault {
    pub const ALL: [Self; 12] = [
        Self::Crash,
        Self::Cut,
        Self::Loss,
        Self::Partition,
        Self::Apart,
        Self::Delayed,
        Self::Doubled,
        Self::FullDisk,
        Self::FailedSync,
        Self::ClockSet,
        Self::ModelAway,
        Self::ProviderAway,
    ];
}

impl Faults {
    pub fn of(&self, fault: Fault) -> usize {
        self.0[fault as usize]
    }

    pub fn add(&mut self, fault: Fault, times: usize) {
        self.0[fault as usize] += times;
    }

    pub fn all(&self) -> impl Iterator<Item = (Fault, usize)> {
        Fault::ALL.into_iter().zip(self.0)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.all()).finish()
    }
}
