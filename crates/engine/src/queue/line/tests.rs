use super::*;
use lamplight_domain::session::{Input, Report};
use lamplight_domain::{Entry, Event, Generation, Limits, Network, Person, SandboxLimits, Seq, SessionSpec};

const GIB: u64 = 1 << 30;
const NOW: Timestamp = Timestamp(1_000_000_000);

fn id(n: u128) -> SessionId {
    format!("{n:026}").parse().unwrap()
}

fn number(id: &SessionId) -> u128 {
    id.as_str().parse().unwrap()
}

fn spec(person: &str) -> SessionSpec {
    SessionSpec {
        title: "x".into(),
        repository: "/repo".into(),
        base: "main".into(),
        branch: "lamplight/x".into(),
        agent: "goose".into(),
        model: None,
        mode: None,
        person: Person { name: person.into(), email: "a@example.org".into() },
        limits: Limits::default(),
        sandbox: SandboxLimits::default(),
        checks: Default::default(),
        permissions: lamplight_domain::permission::Policy::Allow,
        network: Network::Open,
        image: None,
        origin: None,
        attempts: None,
        parents: Vec::new(),
    }
}

/// Sessions before a line, as their actors tell of them.
struct World {
    line: Line,
    sessions: BTreeMap<u128, Session>,
    now: Timestamp,
}

impl World {
    fn new(sandboxes: u32, sandboxes_per_person: u32) -> Self {
        Self::of(QueueConfig { sandboxes, sandboxes_per_person, memory_bytes: 0 })
    }

    /// All together may use so many GiB.
    fn with_memory(gib: u64) -> Self {
        Self::of(QueueConfig { sandboxes: 0, sandboxes_per_person: 0, memory_bytes: gib * GIB })
    }

    fn of(config: QueueConfig) -> Self {
        Self { line: Line::new(config, 4 * GIB, []), sessions: BTreeMap::new(), now: NOW }
    }

    /// A session with a prompt; whether it may have a sandbox.
    fn prompted(&mut self, n: u128, person: &str) -> Room {
        self.wants(n, person, None)
    }

    /// With so many GiB of memory.
    fn wants(&mut self, n: u128, person: &str, gib: Option<u64>) -> Room {
        let sandbox = SandboxLimits { memory_bytes: gib.map(|gib| gib * GIB), ..SandboxLimits::default() };
        let spec = SessionSpec { sandbox, ..spec(person) };
        let prompt = format!("{n:026}").parse().unwrap();
        let events = Session::create(spec, prompt, "do it".into(), person.into(), Vec::new()).unwrap();
        let entries =
            (1..).zip(events).map(|(seq, event)| Entry { seq: Seq(seq), at: self.now, read: None, event });
        let session = Session::replay(&entries.collect::<Vec<_>>()).unwrap();
        self.sessions.insert(n, session);
        self.report(n, Report::Tick)
    }

    fn report(&mut self, n: u128, report: Report) -> Room {
        let session = self.sessions.get_mut(&n).unwrap();
        let room = self.line.room(&id(n), session, self.now);
        for event in session.decide(self.now, room, Input::Report(report)).unwrap() {
            apply(session, self.now, event);
        }
        let session = &self.sessions[&n];
        self.line.session_is(&id(n), session, self.now);
        room
    }

    fn told(&mut self, n: u128, event: Event) {
        apply(self.sessions.get_mut(&n).unwrap(), self.now, event);
        self.line.session_is(&id(n), &self.sessions[&n], self.now);
    }

    /// It gives its sandbox back, and wants none.
    fn gives_back(&mut self, n: u128) {
        let prompt = format!("{n:026}").parse().unwrap();
        self.told(n, Event::PromptRemoved { prompt, by: "Ada".into() });
        let (generation, reason) = (Generation(1), "done".to_owned());
        self.told(n, Event::SandboxReleased { generation, keep_files: true, reason });
        self.told(n, Event::SandboxDestroyed { generation });
    }

    fn order(&self) -> Vec<(u128, u32)> {
        self.line.entries(self.now).iter().map(|entry| (number(&entry.session), entry.position)).collect()
    }

    fn admissible(&self) -> Vec<u128> {
        self.line.admissible().iter().map(number).collect()
    }
}

fn apply(session: &mut Session, at: Timestamp, event: Event) {
    session.apply(&Entry { seq: session.last_seq().next(), at, read: None, event });
}

#[test]
fn no_more_than_there_are_places_for_come_in_and_the_first_first() {
    let mut world = World::new(2, 0);
    let rooms: Vec<Room> = (1..=4).map(|n| world.prompted(n, &format!("person {n}"))).collect();
    assert_eq!(rooms, [Room::Free, Room::Free, Room::Full, Room::Full]);
    assert_eq!((world.order(), world.admissible()), (vec![(3, 1), (4, 2)], vec![]));
    world.gives_back(2);
    assert_eq!(world.admissible(), [3]);
    // Who comes now is behind those who wait.
    assert_eq!(world.prompted(5, "person 5"), Room::Full);
    assert_eq!(world.report(4, Report::Tick), Room::Full);
    assert_eq!(world.report(3, Report::Tick), Room::Free);
    assert_eq!((world.order(), world.admissible()), (vec![(4, 1), (5, 2)], vec![]));
}

#[test]
fn a_person_has_so_many_and_keeps_nobody_else_waiting() {
    let mut world = World::new(0, 2);
    let rooms: Vec<Room> = (1..=4).map(|n| world.prompted(n, "Ada")).collect();
    assert_eq!(rooms, [Room::Free, Room::Free, Room::Full, Room::Full]);
    assert_eq!(world.prompted(5, "Grace"), Room::Free);
    let why = &world.line.entries(world.now)[0].why;
    assert_eq!(why, "Ada has 2 sandboxes already");
    world.gives_back(1);
    assert_eq!(world.admissible(), [3]);
}

#[test]
fn there_is_a_place_if_one_more_of_anybody_would_come_in_behind_all_who_wait() {
    let mut world = World::of(QueueConfig { sandboxes: 3, sandboxes_per_person: 1, memory_bytes: 11 * GIB });
    assert!(world.line.places().has_place);
    assert_eq!([world.prompted(1, "Ada"), world.prompted(2, "Ada")], [Room::Free, Room::Full]);
    assert!(world.line.places().has_place, "who waits for a place of their own waits for no other");
    assert_eq!(world.wants(3, "Bo", Some(8)), Room::Full);
    assert!(!world.line.places().has_place, "what is free is kept for who needs more");
    let mut unknown = Line::new(QueueConfig::default(), 4 * GIB, [id(1)]);
    assert!(!unknown.places().has_place, "nobody is let in before all are known");
    unknown.is_known(&id(1));
    assert!(unknown.places().has_place);
}

#[test]
fn a_step_of_priority_is_ten_minutes_and_nobody_starves() {
    let mut world = World::new(1, 0);
    world.prompted(1, "Ada");
    world.prompted(2, "Ada");
    world.now = world.now.plus_ms(60_000);
    world.prompted(3, "Ada");
    world.told(3, Event::PrioritySet { priority: 1, by: "Ada".into() });
    assert_eq!(world.order(), [(3, 1), (2, 2)]);
    // Whoever comes with the same priority more than ten minutes later is behind.
    world.now = world.now.plus_ms(10 * 60_000);
    world.prompted(4, "Ada");
    world.told(4, Event::PrioritySet { priority: 1, by: "Ada".into() });
    assert_eq!(world.order(), [(3, 1), (2, 2), (4, 3)]);
    world.told(2, Event::PrioritySet { priority: -10, by: "Ada".into() });
    assert_eq!(world.order(), [(3, 1), (4, 2), (2, 3)]);
}

#[test]
fn a_wait_is_estimated_by_how_long_places_were_held() {
    let mut world = World::new(1, 0);
    world.prompted(1, "Ada");
    world.prompted(2, "Ada");
    world.prompted(3, "Ada");
    let waits = |world: &World| -> Vec<u64> {
        world.line.entries(world.now).iter().map(|entry| entry.estimated_wait_ms / 1000).collect()
    };
    assert_eq!(waits(&world), [300, 600], "before anything is known");
    world.now = world.now.plus_ms(60_000);
    world.gives_back(1);
    assert_eq!(world.report(2, Report::Tick), Room::Free);
    world.now = world.now.plus_ms(20_000);
    world.prompted(4, "Ada");
    assert_eq!(waits(&world), [40, 100], "a minute each, of which 20 s are over");
}

#[test]
fn after_a_start_nobody_comes_in_before_all_are_known() {
    let mut world = World::new(1, 0);
    world.line = Line::new(world.line.config, 0, [id(1), id(2)]);
    assert_eq!(world.prompted(2, "Ada"), Room::Full);
    assert_eq!(world.admissible(), []);
    world.line.is_known(&id(1));
    assert_eq!(world.admissible(), [2]);
}

#[test]
fn who_has_nothing_to_do_is_asked_for_its_place() {
    let mut world = World::new(1, 0);
    world.prompted(1, "Ada");
    let (generation, handle) = (Generation(1), "h".to_owned());
    world.told(1, Event::SandboxCreated { generation, handle, enforced: None });
    world.told(1, Event::WorkspacePrepared { generation, base_commit: "c".into() });
    world.prompted(2, "Grace");
    let asked = |world: &World| world.line.asked_to_give_back(world.now.plus_ms(IDLE_GRACE_MS));
    assert_eq!(asked(&world), [], "it works");
    world.told(1, Event::PromptRemoved { prompt: format!("{:026}", 1).parse().unwrap(), by: "Ada".into() });
    assert_eq!(world.line.asked_to_give_back(world.now), [], "it has just become idle");
    assert_eq!(asked(&world), [id(1)]);
    world.report(1, Report::PlaceWanted);
    assert_eq!(world.admissible(), [], "its sandbox is not gone yet");
    world.told(1, Event::SandboxDestroyed { generation });
    assert_eq!(world.admissible(), [2]);
    // Nobody waits for it.
    let mut world = World::new(1, 0);
    world.prompted(1, "Ada");
    assert_eq!(asked(&world), []);
}

#[test]
fn what_is_lent_has_a_place_like_a_session() {
    let mut world = World::new(3, 2);
    assert_eq!(world.prompted(1, "Ada"), Room::Free);
    assert!(world.line.lend(&id(11), "Ada", &SandboxLimits::default()));
    assert!(!world.line.lend(&id(12), "Ada", &SandboxLimits::default()), "she has two");
    assert!(world.line.lend(&id(13), "Bo", &SandboxLimits::default()));
    assert!(!world.line.lend(&id(14), "Bo", &SandboxLimits::default()), "there are three");
    assert_eq!(world.prompted(2, "Cy"), Room::Full);
    assert!(world.line.give_back(&id(11)));
    assert!(!world.line.give_back(&id(11)));
    assert!(!world.line.lend(&id(15), "Ada", &SandboxLimits::default()), "somebody waits for it");
    assert_eq!(world.line.admissible(), [id(2)]);
}

#[test]
fn memory_that_all_may_use_together_is_a_bound_like_the_number() {
    let mut world = World::with_memory(8);
    assert_eq!(world.wants(1, "Ada", Some(3)), Room::Free);
    assert_eq!(world.wants(2, "Bo", None), Room::Free, "4 GiB are usual");
    assert_eq!(world.wants(3, "Cy", Some(2)), Room::Full);
    assert!(!world.line.lend(&id(11), "Di", &SandboxLimits::default()), "somebody waits");
    let entries = world.line.entries(world.now);
    assert_eq!(entries[0].why, "it needs 2 GiB of the 8 GiB of memory, and not so much is free");
    assert_eq!(entries[0].estimated_wait_ms, 300_000);
    let places = world.line.places();
    assert_eq!((places.sandboxes, places.memory_bytes), (2, 7 * GIB));
    world.gives_back(1);
    assert_eq!(world.admissible(), [3]);
    assert_eq!(world.report(3, Report::Tick), Room::Free);
    let small = SandboxLimits { memory_bytes: Some(2 * GIB), ..SandboxLimits::default() };
    assert!(world.line.lend(&id(11), "Di", &small), "that is all of it");
    assert_eq!(world.wants(4, "Ed", Some(1)), Room::Full);
    assert!(world.line.give_back(&id(11)));
    assert_eq!(world.admissible(), [4]);
}

#[test]
fn nobody_small_comes_in_before_a_large_one_that_was_there_first() {
    let mut world = World::with_memory(8);
    assert_eq!(world.wants(1, "Ada", Some(3)), Room::Free);
    assert_eq!(world.wants(2, "Bo", Some(3)), Room::Free);
    assert_eq!(world.wants(3, "Cy", Some(8)), Room::Full);
    assert_eq!(world.wants(4, "Di", Some(1)), Room::Full, "2 GiB are free, for who is before it");
    world.now = world.now.plus_ms(60_000);
    world.gives_back(1);
    assert_eq!((world.admissible(), world.order()), (vec![], vec![(3, 1), (4, 2)]));
    let waits: Vec<u64> =
        world.line.entries(world.now).iter().map(|entry| entry.estimated_wait_ms / 1000).collect();
    assert_eq!(waits, [0, 60], "Bo is due, and then a minute of Cy's");
    // A person lets it go first.
    world.told(4, Event::PrioritySet { priority: 1, by: "Ada".into() });
    assert_eq!(world.admissible(), [4]);
    assert_eq!(world.report(4, Report::Tick), Room::Free);
    world.gives_back(2);
    assert_eq!(world.admissible(), []);
    world.gives_back(4);
    assert_eq!(world.admissible(), [3]);
}

#[test]
fn what_needs_more_than_there_is_comes_in_alone() {
    let mut world = World::with_memory(8);
    let large = SandboxLimits { memory_bytes: Some(9 * GIB), ..SandboxLimits::default() };
    assert_eq!(world.line.is_too_large(&large), Some((9 * GIB, 8 * GIB)));
    assert_eq!(world.line.is_too_large(&SandboxLimits::default()), None);
    // It is from before the bound was lowered.
    assert_eq!(world.wants(1, "Ada", Some(1)), Room::Free);
    assert_eq!(world.wants(2, "Bo", Some(9)), Room::Full);
    world.gives_back(1);
    assert_eq!(world.report(2, Report::Tick), Room::Free);
    assert_eq!(world.wants(3, "Cy", Some(1)), Room::Full);
}

#[test]
fn as_many_idle_ones_give_back_as_a_large_one_needs() {
    let mut world = World::with_memory(8);
    for n in 1..=4 {
        assert_eq!(world.wants(n, "Ada", Some(2)), Room::Free);
        let (generation, handle) = (Generation(1), "h".to_owned());
        world.told(n, Event::SandboxCreated { generation, handle, enforced: None });
        world.told(n, Event::WorkspacePrepared { generation, base_commit: "c".into() });
        let prompt = format!("{n:026}").parse().unwrap();
        world.told(n, Event::PromptRemoved { prompt, by: "Ada".into() });
        world.now = world.now.plus_ms(1_000);
    }
    assert_eq!(world.wants(5, "Bo", Some(3)), Room::Full);
    assert_eq!(world.wants(6, "Cy", Some(1)), Room::Full);
    assert_eq!(world.line.asked_to_give_back(world.now.plus_ms(IDLE_GRACE_MS)), [id(1), id(2)]);
}

/// Sessions of all sizes come and go: the bounds hold at every moment, and everybody comes in.
#[test]
fn whoever_waits_comes_in_and_no_bound_is_passed() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let config = QueueConfig {
            sandboxes: random.u32(0..4),
            sandboxes_per_person: random.u32(0..3),
            memory_bytes: random.u64(4..9) * GIB,
        };
        let mut world = World::of(config);
        let (mut running, mut came): (Vec<u128>, u128) = (Vec::new(), 0);
        for step in 0.. {
            let is_over = came == 30 && world.order().is_empty();
            if is_over || step > 1_000 {
                assert!(is_over, "seed {seed}: somebody waits for ever: {:?}", world.order());
                break;
            }
            world.now = world.now.plus_ms(1_000);
            if came < 30 && random.bool() {
                came += 1;
                let person = ["Ada", "Bo", "Cy"][random.usize(..3)];
                let gib = random.bool().then(|| random.u64(1..=4));
                running.extend((world.wants(came, person, gib) == Room::Free).then_some(came));
            } else if !running.is_empty() && random.bool() {
                let gone = running.swap_remove(random.usize(..running.len()));
                world.gives_back(gone);
            }
            let entries = world.line.entries(world.now);
            for entry in &entries {
                assert_eq!(world.line.entry(&entry.session, world.now).as_ref(), Some(entry), "seed {seed}");
            }
            let due = entries.iter().filter(|entry| entry.why == "its turn has come");
            let due: Vec<u128> = due.map(|entry| number(&entry.session)).collect();
            let admissible = world.admissible();
            assert_eq!(admissible, due, "seed {seed}");
            for n in admissible {
                assert_eq!(
                    world.report(n, Report::Tick),
                    Room::Free,
                    "seed {seed}: it was said to be its turn"
                );
                running.push(n);
            }
            let places = world.line.places();
            let of = |person: &str| {
                running.iter().filter(|n| world.sessions[n].spec().person.name == person).count() as u32
            };
            let holds = |bound: u32, taken: u32| bound == 0 || taken <= bound;
            assert_eq!(places.sandboxes, running.len() as u32, "seed {seed}");
            assert!(places.memory_bytes <= config.memory_bytes, "seed {seed}: {places:?}");
            assert!(holds(config.sandboxes, places.sandboxes), "seed {seed}: {places:?}");
            assert!(["Ada", "Bo", "Cy"].iter().all(|one| holds(config.sandboxes_per_person, of(one))));
        }
    }
}
