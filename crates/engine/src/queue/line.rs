//! The line before the places: pure, so that it can be tried without sessions.

mod waits;

use super::{PlacesTaken, QueueConfig};
use lamplight_domain::session::{Place, Room, Session};
use lamplight_domain::{SandboxLimits, SessionId, Timestamp};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// What a step of priority is worth.
const STEP_MS: i64 = 10 * 60_000;
/// A sandbox without work stays so long for whoever has just looked at it.
const IDLE_GRACE_MS: u64 = 10_000;
/// How many of the last times are known.
const MAX_TIMES: usize = 64;

/// One that waits, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    pub session: SessionId,
    pub person: String,
    pub priority: i8,
    pub since: Timestamp,
    /// From 1.
    pub position: u32,
    pub estimated_wait_ms: u64,
    /// A sentence for people.
    pub why: String,
}

#[derive(Debug, Clone)]
struct Standing {
    person: String,
    memory: u64,
    place: Place,
    /// Since when it has its place.
    held_since: Option<Timestamp>,
    /// It was told that there is room, and has not said what it made of it.
    claims: bool,
}

impl Standing {
    fn has_place(&self) -> bool {
        self.claims || matches!(self.place, Place::Held { .. })
    }
}

pub(super) struct Line {
    config: QueueConfig,
    /// The memory limit of a sandbox that nobody has said one for.
    usual_memory: u64,
    missing: HashSet<SessionId>,
    sessions: HashMap<SessionId, Standing>,
    /// Sandboxes with no session: whose they are, and the memory of each.
    lent: HashMap<SessionId, (String, u64)>,
    /// How long places were held, in milliseconds; the newest last.
    times: VecDeque<u64>,
}

/// Places that are taken.
#[derive(Default)]
struct Taken<'a> {
    all: u32,
    of: BTreeMap<&'a str, u32>,
    memory: u64,
    /// Somebody waits for memory: whoever is behind waits too, so that a large one comes in at all.
    is_kept: bool,
}

impl<'a> Taken<'a> {
    fn take(&mut self, person: &'a str, memory: u64) {
        self.all += 1;
        *self.of.entry(person).or_default() += 1;
        self.memory = self.memory.saturating_add(memory);
    }

    fn of(&self, person: &str) -> u32 {
        self.of.get(person).copied().unwrap_or(0)
    }
}

/// One that waits.
struct Waiting<'a> {
    id: &'a SessionId,
    person: &'a str,
    memory: u64,
    since: Timestamp,
    priority: i8,
}

/// What keeps somebody waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    All,
    OfPerson,
    Memory,
}

impl Line {
    pub(super) fn new(
        config: QueueConfig,
        usual_memory: u64,
        missing: impl IntoIterator<Item = SessionId>,
    ) -> Self {
        let (missing, times) = (missing.into_iter().collect(), VecDeque::new());
        Self { config, usual_memory, missing, sessions: HashMap::new(), lent: HashMap::new(), times }
    }

    /// The memory that a sandbox within these limits may use, and what there is of it, where that is less.
    pub(super) fn is_too_large(&self, limits: &SandboxLimits) -> Option<(u64, u64)> {
        let (asked, most) = (limits.memory_bytes.unwrap_or(self.usual_memory), self.config.memory_bytes);
        (most > 0 && asked > most).then_some((asked, most))
    }

    /// What counts of it. One from before the bound was lowered takes all there is, and comes in when it is alone.
    fn memory(&self, limits: &SandboxLimits) -> u64 {
        let asked = limits.memory_bytes.unwrap_or(self.usual_memory);
        match self.config.memory_bytes {
            0 => asked,
            most => asked.min(most),
        }
    }

    pub(super) fn room(&mut self, id: &SessionId, session: &Session, now: Timestamp) -> Room {
        let place = session.place();
        if matches!(place, Place::Held { .. }) {
            return Room::Free;
        }
        let (person, memory) = (session.spec().person.name.clone(), self.memory(&session.spec().sandbox));
        let standing = self.sessions.entry(id.clone()).or_insert_with(|| Standing {
            person,
            memory,
            place: place.clone(),
            held_since: None,
            claims: false,
        });
        if standing.claims {
            return Room::Free;
        }
        // Behind all who wait already.
        let before = std::mem::replace(
            &mut standing.place,
            match place {
                Place::None => Place::Waits { since: now, priority: session.priority() },
                waits => waits,
            },
        );
        let is_first = self.admissible().contains(id);
        let standing = self.sessions.get_mut(id).expect("it was put there");
        (standing.place, standing.claims) = (before, is_first);
        if is_first { Room::Free } else { Room::Full }
    }

    /// Whether others may have to look again.
    pub(super) fn session_is(&mut self, id: &SessionId, session: &Session, now: Timestamp) -> bool {
        let was_missing = self.missing.remove(id);
        let place = session.place();
        let before = self.sessions.remove(id);
        // A place that was kept for it and not taken is nobody's news: it may be told of it again and again.
        let had_place = before.as_ref().is_some_and(|before| matches!(before.place, Place::Held { .. }));
        let held_since = before.as_ref().and_then(|before| before.held_since);
        if place == Place::None && before.is_none() {
            return was_missing;
        }
        let is_held = matches!(place, Place::Held { .. });
        if let (Some(since), false) = (held_since, is_held) {
            self.times.push_back(now.since_ms(since));
            let excess = self.times.len().saturating_sub(MAX_TIMES);
            self.times.drain(..excess);
        }
        let is_news = was_missing
            || had_place && !is_held
            || before.is_none_or(|before| before.place != place && !matches!(place, Place::None));
        if place != Place::None {
            let held_since = is_held.then(|| held_since.unwrap_or(now));
            let (person, memory) = (session.spec().person.name.clone(), self.memory(&session.spec().sandbox));
            let standing = Standing { person, memory, place, held_since, claims: false };
            self.sessions.insert(id.clone(), standing);
        }
        is_news
    }

    pub(super) fn is_known(&mut self, id: &SessionId) -> bool {
        self.missing.remove(id)
    }

    pub(super) fn forget(&mut self, id: &SessionId) -> bool {
        self.missing.remove(id) | self.sessions.remove(id).is_some()
    }

    /// Whether there is a place beside those that are taken, and those who wait and may come in. It is taken then.
    pub(super) fn lend(&mut self, id: &SessionId, person: &str, limits: &SandboxLimits) -> bool {
        if !self.missing.is_empty() {
            return false;
        }
        let mut taken = self.taken();
        for waiting in self.waiting() {
            let _ = self.let_in(&mut taken, &waiting);
        }
        let is_free = self.full(&taken, person, self.memory(limits)).is_none();
        if is_free {
            self.is_lent(id, person, limits);
        }
        is_free
    }

    pub(super) fn is_lent(&mut self, id: &SessionId, person: &str, limits: &SandboxLimits) {
        let memory = self.memory(limits);
        self.lent.insert(id.clone(), (person.to_owned(), memory));
    }

    /// Whether others may have to look again.
    pub(super) fn give_back(&mut self, id: &SessionId) -> bool {
        self.lent.remove(id).is_some()
    }

    /// Those who wait and may come in now.
    pub(super) fn admissible(&self) -> Vec<SessionId> {
        if !self.missing.is_empty() {
            return Vec::new();
        }
        let mut taken = self.taken();
        // Who finds no place now finds none behind the others either: of many who wait, few have to be put in order.
        let mut waiting = self.those_who_wait();
        waiting.retain(|waiting| {
            !matches!(self.full(&taken, waiting.person, 0), Some(Full::All | Full::OfPerson))
        });
        in_order(&mut waiting);
        waiting.retain(|waiting| self.let_in(&mut taken, waiting).is_none());
        waiting.into_iter().map(|waiting| waiting.id.clone()).collect()
    }

    /// Those with a place and nothing to do: one for each who waits because of it, and for who is the first to wait for memory as many
    /// as it takes.
    pub(super) fn asked_to_give_back(&self, now: Timestamp) -> Vec<SessionId> {
        let idle = self.sessions.iter().filter_map(|(id, standing)| {
            let Place::Held { idle_since: Some(since) } = standing.place else { return None };
            let is_it = now.since_ms(since) >= IDLE_GRACE_MS;
            is_it.then_some((since, id, standing.person.as_str(), standing.memory))
        });
        let mut idle: Vec<_> = idle.collect();
        if idle.is_empty() {
            return Vec::new();
        }
        idle.sort();
        let mut taken = self.taken();
        let mut asked = Vec::new();
        for waiting in self.waiting() {
            let was_kept = taken.is_kept;
            let found = match self.let_in(&mut taken, &waiting) {
                Some(Full::OfPerson) => idle.iter().position(|(.., person, _)| *person == waiting.person),
                Some(Full::All) => (!idle.is_empty()).then_some(0),
                Some(Full::Memory) if !was_kept => {
                    let mut missing = self.missing_memory(&taken, waiting.memory);
                    while missing > 0 && !idle.is_empty() {
                        let (_, id, _, memory) = idle.remove(0);
                        missing = missing.saturating_sub(memory);
                        asked.push(id.clone());
                    }
                    None
                }
                Some(Full::Memory) | None => None,
            };
            asked.extend(found.map(|found| idle.remove(found).1.clone()));
        }
        asked
    }

    pub(super) fn places(&self) -> PlacesTaken {
        let mut taken = self.taken();
        let (sandboxes, memory_bytes) = (taken.all, taken.memory);
        for waiting in self.waiting() {
            self.let_in(&mut taken, &waiting);
        }
        let has_place = self.missing.is_empty() && self.full(&taken, "", self.usual_memory).is_none();
        PlacesTaken { sandboxes, memory_bytes, of: self.config, has_place }
    }

    /// Where one will stand that waits from now on. Nothing is changed.
    pub(super) fn expected(
        &mut self,
        id: &SessionId,
        session: &Session,
        now: Timestamp,
    ) -> Option<QueueEntry> {
        let (person, memory) = (session.spec().person.name.clone(), self.memory(&session.spec().sandbox));
        let standing = Standing { person, memory, place: session.place(), held_since: None, claims: false };
        let before = self.sessions.insert(id.clone(), standing);
        let entry = self.entry(id, now);
        match before {
            Some(before) => drop(self.sessions.insert(id.clone(), before)),
            None => drop(self.sessions.remove(id)),
        }
        entry
    }

    /// The first first.
    fn waiting(&self) -> Vec<Waiting<'_>> {
        let mut waiting = self.those_who_wait();
        in_order(&mut waiting);
        waiting
    }

    fn those_who_wait(&self) -> Vec<Waiting<'_>> {
        let waiting = self.sessions.iter().filter_map(|(id, standing)| match standing.place {
            Place::Waits { since, priority } if !standing.claims => {
                Some(Waiting { id, person: &standing.person, memory: standing.memory, since, priority })
            }
            Place::Waits { .. } | Place::None | Place::Held { .. } => None,
        });
        waiting.collect()
    }

    fn taken(&self) -> Taken<'_> {
        let mut taken = Taken::default();
        for standing in self.sessions.values().filter(|standing| standing.has_place()) {
            taken.take(&standing.person, standing.memory);
        }
        self.lent.values().for_each(|(person, memory)| taken.take(person, *memory));
        taken
    }

    /// Takes a place for it; or says why it waits on.
    fn let_in<'a>(&self, taken: &mut Taken<'a>, waiting: &Waiting<'a>) -> Option<Full> {
        let full = self.full(taken, waiting.person, waiting.memory);
        match full {
            None => taken.take(waiting.person, waiting.memory),
            Some(Full::Memory) => taken.is_kept = true,
            Some(Full::All | Full::OfPerson) => {}
        }
        full
    }

    fn full(&self, taken: &Taken<'_>, person: &str, memory: u64) -> Option<Full> {
        let is_over = |bound: u32, taken: u32| bound > 0 && taken >= bound;
        if is_over(self.config.sandboxes_per_person, taken.of(person)) {
            return Some(Full::OfPerson);
        }
        if is_over(self.config.sandboxes, taken.all) {
            return Some(Full::All);
        }
        (taken.is_kept || self.missing_memory(taken, memory) > 0).then_some(Full::Memory)
    }

    /// How much has to become free before so much is.
    fn missing_memory(&self, taken: &Taken<'_>, memory: u64) -> u64 {
        match self.config.memory_bytes {
            0 => 0,
            most => taken.memory.saturating_add(memory).saturating_sub(most),
        }
    }
}

fn in_order(waiting: &mut [Waiting<'_>]) {
    waiting.sort_by_key(|waiting| (waiting.since.0 - i64::from(waiting.priority) * STEP_MS, waiting.id));
}

#[cfg(test)]
mod tests;
