//! Where those who wait stand, and how long they will wait, by how long places were held of late.

use super::{Full, Line, QueueEntry, Waiting};
use crate::queue::QueueConfig;
use lamplight_domain::sandbox::Bytes;
use lamplight_domain::{SessionId, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// What a place is held for, as long as none was given back.
const USUAL_MS: u64 = 5 * 60_000;

/// In how many milliseconds places will be given back, the first first, if each is held as long as places were.
struct GivenBack<'a> {
    usual: u64,
    all: Vec<u64>,
    of: BTreeMap<&'a str, Vec<u64>>,
}

impl GivenBack<'_> {
    /// When the n-th will be; of so many places, all of them or a person's.
    fn nth(&self, n: u32, places: u32, of: Option<&str>) -> u64 {
        let left = of.map_or(Some(&self.all), |person| self.of.get(person));
        let (before, places) = (n.saturating_sub(1), places.max(1));
        let first = left.and_then(|left| left.get((before % places) as usize)).copied();
        first.unwrap_or(self.usual) + self.usual * u64::from(before / places)
    }
}

impl Line {
    pub(in crate::queue) fn entries(&self, now: Timestamp) -> Vec<QueueEntry> {
        self.entries_of(now, |_| true)
    }

    /// The one of a session that waits.
    pub(in crate::queue) fn entry(&self, id: &SessionId, now: Timestamp) -> Option<QueueEntry> {
        self.entries_of(now, |waiting| waiting.id == id).pop()
    }

    fn entries_of(&self, now: Timestamp, is_wanted: impl Fn(&Waiting<'_>) -> bool) -> Vec<QueueEntry> {
        let (mut taken, mut of_persons) = (self.taken(), BTreeMap::<&str, u32>::new());
        let (waiting, given_back) = (self.waiting(), self.given_back(now));
        let waits = self.waits_for_memory(&waiting, now);
        let told = waiting.iter().zip(1..).zip(waits).filter_map(|((waiting, position), memory_ms)| {
            let of_person = of_persons.entry(waiting.person).or_default();
            *of_person += 1;
            let full = self.let_in(&mut taken, waiting);
            is_wanted(waiting).then(|| {
                let (wait_ms, why) = self.told(waiting, full, (position, *of_person), &given_back, memory_ms);
                QueueEntry {
                    session: waiting.id.clone(),
                    person: waiting.person.to_owned(),
                    priority: waiting.priority,
                    since: waiting.since,
                    position,
                    estimated_wait_ms: wait_ms,
                    why,
                }
            })
        });
        told.collect()
    }

    /// How long it will wait, and for what, in a few words. `position` is among all, and among those of its person.
    fn told(
        &self,
        waiting: &Waiting<'_>,
        full: Option<Full>,
        (position, of_person): (u32, u32),
        given_back: &GivenBack<'_>,
        memory_ms: u64,
    ) -> (u64, String) {
        let QueueConfig { sandboxes, sandboxes_per_person, memory_bytes } = self.config;
        let person = waiting.person;
        match full {
            None => (0, "its turn has come".to_owned()),
            Some(Full::All) => (
                given_back.nth(position, sandboxes, None).max(memory_ms),
                match sandboxes {
                    1 => "the only sandbox is in use".to_owned(),
                    all => format!("all {all} sandboxes are in use"),
                },
            ),
            Some(Full::OfPerson) => (
                given_back.nth(of_person, sandboxes_per_person, Some(person)),
                match sandboxes_per_person {
                    1 => format!("{person} has a sandbox already"),
                    most => format!("{person} has {most} sandboxes already"),
                },
            ),
            Some(Full::Memory) => {
                let (needed, all) = (Bytes(waiting.memory), Bytes(memory_bytes));
                (memory_ms, format!("it needs {needed} of the {all} of memory, and not so much is free"))
            }
        }
    }

    fn usual_ms(&self) -> u64 {
        match self.times.len() as u64 {
            0 => USUAL_MS,
            count => self.times.iter().sum::<u64>() / count,
        }
    }

    fn given_back(&self, now: Timestamp) -> GivenBack<'_> {
        let (usual, mut all) = (self.usual_ms(), Vec::new());
        let mut of = BTreeMap::<&str, Vec<u64>>::new();
        for standing in self.sessions.values() {
            let Some(since) = standing.held_since else { continue };
            let left = usual.saturating_sub(now.since_ms(since));
            all.push(left);
            of.entry(&standing.person).or_default().push(left);
        }
        of.values_mut().chain([&mut all]).for_each(|left| left.sort_unstable());
        GivenBack { usual, all, of }
    }

    /// When there will be enough memory for each of those who wait, in their order: what is taken is given back one after the other, each
    /// who waits takes what it needs as soon as it is there, and who waits because of its person's bound takes none.
    fn waits_for_memory(&self, waiting: &[Waiting<'_>], now: Timestamp) -> Vec<u64> {
        if self.config.memory_bytes == 0 {
            return vec![0; waiting.len()];
        }
        let (taken, usual) = (self.taken(), self.usual_ms());
        let (mut at, mut given_back) = (0, self.memory_given_back(now, usual));
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
    fn memory_given_back(&self, now: Timestamp, usual: u64) -> BinaryHeap<Reverse<(u64, u64)>> {
        let held = self.sessions.values().filter(|standing| standing.has_place()).map(|standing| {
            let held_ms = standing.held_since.map_or(0, |since| now.since_ms(since));
            Reverse((usual.saturating_sub(held_ms), standing.memory))
        });
        held.chain(self.lent.values().map(|(_, memory)| Reverse((usual, *memory)))).collect()
    }
}
