//! One of several sessions with the same task: a person takes it, or another.

use crate::world::{World, spec};
use lamplight_domain::session::{Command, Phase, Refusal};
use lamplight_domain::{Attempts, Event, SessionId, SessionSpec};

pub(crate) fn id(number: u32) -> SessionId {
    format!("{number:026}").parse().unwrap()
}

/// The second of three.
pub(crate) fn second() -> SessionSpec {
    SessionSpec { attempts: Some(Attempts { number: 2, sessions: (1..=3).map(id).collect() }), ..spec() }
}

fn take(world: &mut World, number: u32) -> Result<(), Refusal> {
    world.command(Command::TakeAttempt { session: id(number), by: "Ada".into() })
}

/// What is in the log of that, and of what follows, by name.
fn told(world: &World, from: usize) -> Vec<String> {
    let names = world.log[from..].iter().map(|entry| serde_json::to_value(&entry.event).unwrap());
    names.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_one_that_is_taken_goes_on_as_before() {
    let mut world = World::new(second());
    world.settle(true);
    let before = world.log.len();
    take(&mut world, 2).unwrap();
    take(&mut world, 2).unwrap();
    assert_eq!(told(&world, before), ["attempt_taken"]);
    assert_eq!(take(&mut world, 3), Err(Refusal::AttemptTaken { number: 2, by: "Ada".into() }));
    let taken = world.session.view(id(2)).attempts.unwrap();
    assert_eq!((taken.of.number, taken.taken.unwrap().session), (2, id(2)));
    world.prompt("and a test").unwrap();
    world.settle(true);
    assert_eq!(world.session.view(id(2)).phase, Phase::Done);
}

#[test]
fn one_that_is_left_stops_records_its_work_and_ends() {
    let mut world = World::new(second());
    world.settle(false);
    world.prompt("and a test").unwrap();
    let before = world.log.len();
    take(&mut world, 1).unwrap();
    take(&mut world, 1).unwrap();
    let names = told(&world, before);
    assert_eq!(names[..3], ["attempt_taken", "prompt_removed", "stop_requested"]);
    assert!(!names.contains(&"session_ended".to_owned()), "its work is not recorded yet");
    assert_eq!(world.prompt("more"), Err(Refusal::Ended));
    world.crash();
    world.settle(true);
    let names = told(&world, before);
    let at =
        |name: &str| names.iter().position(|one| one == name).unwrap_or_else(|| panic!("{name}: {names:?}"));
    assert!(
        at("turn_ended") < at("work_committed") && at("work_committed") < at("session_ended"),
        "{names:?}"
    );
    assert!(world.running.is_empty() && !world.files, "nothing of it is left but its log and its branch");
    let ended = world.log.iter().find_map(|entry| match &entry.event {
        Event::SessionEnded { by } => Some(by.as_str()),
        _ => None,
    });
    assert_eq!(ended, Some("Ada"));
}

#[test]
fn one_that_is_left_with_nothing_under_way_ends_at_once() {
    let mut waiting = World::full(second());
    take(&mut waiting, 3).unwrap();
    assert!(waiting.session.view(id(2)).ended && waiting.session.view(id(2)).queued.is_empty());

    let mut idle = World::new(second());
    idle.settle(true);
    take(&mut idle, 3).unwrap();
    assert!(idle.session.view(id(2)).ended);
    idle.settle(true);
    assert!(idle.running.is_empty() && !idle.files);

    // A person has ended it before; it says all the same which was taken.
    let mut ended = World::new(second());
    ended.settle(true);
    ended.command(Command::End { by: "Ada".into() }).unwrap();
    let before = ended.log.len();
    take(&mut ended, 3).unwrap();
    assert_eq!(told(&ended, before), ["attempt_taken"]);
}

#[test]
fn only_one_of_them_can_be_taken() {
    assert_eq!(take(&mut World::new(spec()), 1), Err(Refusal::NotAnAttempt));
    assert_eq!(take(&mut World::new(second()), 4), Err(Refusal::NotAnAttempt));
}
