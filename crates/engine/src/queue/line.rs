//! The line before the places: pure, so that it can be tried without sessions.

use super::QueueConfig;
use lamplight_domain::session::{Place, Room, Session};
use lamplight_domain::{SessionId, Timestamp};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// What a step of priority is worth.
const STEP_MS: i64 = 10 * 60_000;
/// A sandbox without work stays so long for whoever has just looked at it.
const IDLE_GRACE_MS: u64 = 10_000;
/// What a place is held for, as long as none was given back.
const USUAL_MS: u64 = 5 * 60_000;
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
    missing: HashSet<SessionId>,
    sessions: HashMap<SessionId, Standing>,
    /// Sandboxes with no session, and whose they are.
    lent: HashMap<SessionId, String>,
    /// How long places were held, in milliseconds; the newest last.
    times: VecDeque<u64>,
}

/// Places that are taken.
#[derive(Default)]
struct Taken<'a> {
    all: u32,
    of: BTreeMap<&'a str, u32>,
}

impl<'a> Taken<'a> {
    fn take(&mut self, person: &'a str) {
        self.all += 1;
        *self.of.entry(person).or_default() += 1;
    }

    fn of(&self, person: &str) -> u32 {
        self.of.get(person).copied().unwrap_or(0)
    }
}

/// One that waits.
struct Waiting<'a> {
    id: &'a SessionId,
    person: &'a str,
    since: Timestamp,
    priority: i8,
}

/// What keeps somebody waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    All,
    OfPerson,
}

impl Line {
    pub(super) fn new(config: QueueConfig, missing: impl IntoIterator<Item = SessionId>) -> Self {
        let missing = missing.into_iter().collect();
        Self { config, missing, sessions: HashMap::new(), lent: HashMap::new(), times: VecDeque::new() }
    }

    pub(super) fn room(&mut self, id: &SessionId, session: &Session, now: Timestamp) -> Room {
        let place = session.place();
        if matches!(place, Place::Held { .. }) {
            return Room::Free;
        }
        let person = session.spec().person.name.clone();
        let standing = self.sessions.entry(id.clone()).or_insert_with(|| Standing {
            person,
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
            let person = session.spec().person.name.clone();
            self.sessions.insert(id.clone(), Standing { person, place, held_since, claims: false });
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
    pub(super) fn lend(&mut self, id: &SessionId, person: &str) -> bool {
        if !self.missing.is_empty() {
            return false;
        }
        let mut taken = self.taken();
        for waiting in self.waiting() {
            if self.full(&taken, waiting.person).is_none() {
                taken.take(waiting.person);
            }
        }
        let is_free = self.full(&taken, person).is_none();
        if is_free {
            self.is_lent(id, person);
        }
        is_free
    }

    pub(super) fn is_lent(&mut self, id: &SessionId, person: &str) {
        self.lent.insert(id.clone(), person.to_owned());
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
        let mut admitted = Vec::new();
        for Waiting { id, person, .. } in self.waiting() {
            if self.full(&taken, person).is_none() {
                taken.take(person);
                admitted.push(id.clone());
            }
        }
        admitted
    }

    /// Those with a place and nothing to do, one for each who waits because of it.
    pub(super) fn asked_to_give_back(&self, now: Timestamp) -> Vec<SessionId> {
        let idle = self.sessions.iter().filter_map(|(id, standing)| {
            let Place::Held { idle_since: Some(since) } = standing.place else { return None };
            (now.since_ms(since) >= IDLE_GRACE_MS).then_some((since, id, standing.person.as_str()))
        });
        let mut idle: Vec<_> = idle.collect();
        idle.sort();
        let mut taken = self.taken();
        let mut asked = Vec::new();
        for Waiting { person: waiting, .. } in self.waiting() {
            let found = match self.full(&taken, waiting) {
                Some(Full::OfPerson) => idle.iter().position(|(.., person)| *person == waiting),
                Some(Full::All) => (!idle.is_empty()).then_some(0),
                None => {
                    taken.take(waiting);
                    None
                }
            };
            asked.extend(found.map(|found| idle.remove(found).1.clone()));
        }
        asked
    }

    pub(super) fn entries(&self, now: Timestamp) -> Vec<QueueEntry> {
        let taken = self.taken();
        self.standing().map(|standing| self.entry(&taken, standing, now)).collect()
    }

    /// Where one will stand that waits from now on. Nothing is changed.
    pub(super) fn expected(
        &mut self,
        id: &SessionId,
        session: &Session,
        now: Timestamp,
    ) -> Option<QueueEntry> {
        let person = session.spec().person.name.clone();
        let standing = Standing { person, place: session.place(), held_since: None, claims: false };
        let before = self.sessions.insert(id.clone(), standing);
        let mut line = self.standing();
        let entry = line.find(|(waiting, ..)| waiting.id == id);
        let entry = entry.map(|standing| self.entry(&self.taken(), standing, now));
        drop(line);
        match before {
            Some(before) => drop(self.sessions.insert(id.clone(), before)),
            None => drop(self.sessions.remove(id)),
        }
        entry
    }

    /// Those who wait, in their order: each with its place, and its place among those of the same person, from 1.
    fn standing(&self) -> impl Iterator<Item = (Waiting<'_>, u32, u32)> {
        let mut ahead: BTreeMap<&str, u32> = BTreeMap::new();
        self.waiting().into_iter().zip(1..).map(move |(waiting, position)| {
            let of_person = ahead.entry(waiting.person).or_default();
            *of_person += 1;
            (waiting, position, *of_person)
        })
    }

    fn entry(
        &self,
        taken: &Taken<'_>,
        (waiting, position, of_person): (Waiting<'_>, u32, u32),
        now: Timestamp,
    ) -> QueueEntry {
        let Waiting { id, person, since, priority } = waiting;
        let QueueConfig { sandboxes, sandboxes_per_person } = self.config;
        let (estimated_wait_ms, why) = match self.full(taken, person) {
            None => (0, "its turn has come".to_owned()),
            Some(Full::All) => (
                self.estimate(now, position, sandboxes, None),
                match sandboxes {
                    1 => "the only sandbox is in use".to_owned(),
                    all => format!("all {all} sandboxes are in use"),
                },
            ),
            Some(Full::OfPerson) => (
                self.estimate(now, of_person, sandboxes_per_person, Some(person)),
                match sandboxes_per_person {
                    1 => format!("{person} has a sandbox already"),
                    most => format!("{person} has {most} sandboxes already"),
                },
            ),
        };
        let (session, person) = (id.clone(), person.to_owned());
        QueueEntry { session, person, priority, since, position, estimated_wait_ms, why }
    }

    /// When the n-th of these places will be given back, if each is held as long as places were.
    fn estimate(&self, now: Timestamp, n: u32, places: u32, of: Option<&str>) -> u64 {
        let usual = match self.times.len() as u64 {
            0 => USUAL_MS,
            count => self.times.iter().sum::<u64>() / count,
        };
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

    /// The first first.
    fn waiting(&self) -> Vec<Waiting<'_>> {
        let waiting = self.sessions.iter().filter_map(|(id, standing)| match standing.place {
            Place::Waits { since, priority } if !standing.claims => {
                Some(Waiting { id, person: &standing.person, since, priority })
            }
            Place::Waits { .. } | Place::None | Place::Held { .. } => None,
        });
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_by_key(|waiting| (waiting.since.0 - i64::from(waiting.priority) * STEP_MS, waiting.id));
        waiting
    }

    fn taken(&self) -> Taken<'_> {
        let mut taken = Taken::default();
        for standing in self.sessions.values().filter(|standing| standing.has_place()) {
            taken.take(&standing.person);
        }
        self.lent.values().for_each(|person| taken.take(person));
        taken
    }

    fn full(&self, taken: &Taken<'_>, person: &str) -> Option<Full> {
        let is_over = |bound: u32, taken: u32| bound > 0 && taken >= bound;
        if is_over(self.config.sandboxes_per_person, taken.of(person)) {
            return Some(Full::OfPerson);
        }
        is_over(self.config.sandboxes, taken.all).then_some(Full::All)
    }
}

#[cfg(test)]
mod tests;
