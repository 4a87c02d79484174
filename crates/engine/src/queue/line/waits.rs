//! How long those who wait will wait, by how long places were held of late.

use super::{Full, Line, Standing, Waiting};
use lamplight_domain::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a place is held for, as long as none was given back.
const USUAL_MS: u64 = 5 * 60_000;

impl Line {
    fn usual_ms(&self) -> u64 {
        match self.times.len() as u64 {
            0 => USUAL_MS,
            count => self.times.iter().sum::<u64>() / count,
        }
    }

    /// When the n-th of these places will be given back, if each is held as long as places were.
    pub(super) fn estimate(&self, now: Timestamp, n: u32, places: u32, of: Option<&str>) -> u64 {
        let usual = self.usual_ms();
        let is_it = |standing: &&Standing| of.is_none_or(|person| standing.person == person);
        let left = self.sessions.values().filter(is_it).filter_map(|standing| {
            let held_ms = now.since_ms(standing.held_since?);
            Some(usual.saturating_sub(held_ms))
        });
        let mut left: Vec<u64> = left.collect();
        left.sort_unstable();
        let (before, places) = (n.saturating_sub(1), places.max(1));
        let first = left.get((before % places) as usize).copied().unwrap_or(usual);
        first + usual * u64::from(before / places)
    }

    /// When there will be enough memory for each of those who wait, in their order: what is taken is given back one after the other, each
    /// who waits takes what it needs as soon as it is there, and who waits because of its person's bound takes none.
    pub(super) fn waits_for_memory(&self, now: Timestamp) -> Vec<u64> {
        let (waiting, taken, usual) = (self.waiting(), self.taken(), self.usual_ms());
        if self.config.memory_bytes == 0 {
            return vec![0; waiting.len()];
        }
        let (mut at, mut given_back) = (0, self.given_back(now, usual));
        let mut free = self.config.memory_bytes.saturating_sub(taken.memory);
        let waits = waiting.iter().map(|Waiting { person, memory, .. }| {
            if self.full(&taken, person, 0) != Some(Full::OfPerson) {
                while free < *memory
                    && let Some(Reverse((then, memory))) = given_back.pop()
                {
                    (at, free) = (then.max(at), free.saturating_add(memory));
                }
                free = free.saturating_sub(*memory);
                given_back.push(Reverse((at + usual, *memory)));
            }
            at
        });
        waits.collect()
    }

    /// In how many milliseconds what has a place will give back its memory, and how much that is.
    fn given_back(&self, now: Timestamp, usual: u64) -> BinaryHeap<Reverse<(u64, u64)>> {
        let held = self.sessions.values().filter(|standing| standing.has_place()).map(|standing| {
            let held_ms = standing.held_since.map_or(0, |since| now.since_ms(since));
            Reverse((usual.saturating_sub(held_ms), standing.memory))
        });
        held.chain(self.lent.values().map(|(_, memory)| Reverse((usual, *memory)))).collect()
    }
}
