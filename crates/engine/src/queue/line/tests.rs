use super::*;
use lamplight_domain::session::{Input, Report};
use lamplight_domain::{Entry, Event, Generation, Limits, Network, Person, SandboxLimits, Seq, SessionSpec};

const NOW: Timestamp = Timestamp(1_000_000_000);

fn id(n: u128) -> SessionId {
    format!("{n:026}").parse().unwrap()
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
        let line = Line::new(QueueConfig { sandboxes, sandboxes_per_person }, []);
        Self { line, sessions: BTreeMap::new(), now: NOW }
    }

    /// A session with a prompt; whether it may have a sandbox.
    fn prompted(&mut self, n: u128, person: &str) -> Room {
        let prompt = format!("{n:026}").parse().unwrap();
        let events =
            Session::create(spec(person), prompt, "do it".into(), person.into(), Vec::new()).unwrap();
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
        let number = |entry: &QueueEntry| entry.session.to_string().parse().unwrap();
        self.line.entries(self.now).iter().map(|entry| (number(entry), entry.position)).collect()
    }

    fn admissible(&self) -> Vec<u128> {
        self.line.admissible().iter().map(|id| id.to_string().parse().unwrap()).collect()
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
    world.line = Line::new(world.line.config, [id(1), id(2)]);
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
    assert!(world.line.lend(&id(11), "Ada"));
    assert!(!world.line.lend(&id(12), "Ada"), "she has two");
    assert!(world.line.lend(&id(13), "Bo"));
    assert!(!world.line.lend(&id(14), "Bo"), "there are three");
    assert_eq!(world.prompted(2, "Cy"), Room::Full);
    assert!(world.line.give_back(&id(11)));
    assert!(!world.line.give_back(&id(11)));
    assert!(!world.line.lend(&id(15), "Ada"), "somebody waits for it");
    assert_eq!(world.line.admissible(), [id(2)]);
}
