//! How old a peer is. A guest stays in its sandbox while the host is upgraded, so the two are seldom of one age.

use serde::{Deserialize, Serialize};

/// A version of everything in this crate. Counted up when a peer of the generation before would misunderstand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u32);

/// The generations that one end speaks, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generations {
    pub oldest: Generation,
    pub newest: Generation,
}

impl Generations {
    /// What this crate speaks.
    pub const OURS: Self = Self { oldest: Generation(1), newest: Generation(1) };

    /// The newest generation that both ends speak.
    pub fn shared_with(self, other: Self) -> Option<Generation> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest && newest >= other.oldest).then_some(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generations(oldest: u32, newest: u32) -> Generations {
        Generations { oldest: Generation(oldest), newest: Generation(newest) }
    }

    #[test]
    fn the_newest_common_generation_is_spoken() {
        for (ours, theirs, shared) in [
            (generations(1, 1), generations(1, 1), Some(1)),
            (generations(1, 3), generations(1, 2), Some(2)),
            (generations(2, 3), generations(3, 5), Some(3)),
            (generations(3, 4), generations(1, 2), None),
            (generations(1, 2), generations(3, 4), None),
        ] {
            assert_eq!(ours.shared_with(theirs), shared.map(Generation), "{ours:?} with {theirs:?}");
            assert_eq!(theirs.shared_with(ours), shared.map(Generation), "{theirs:?} with {ours:?}");
        }
    }
}
