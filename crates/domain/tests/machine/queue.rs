//! Waiting for a sandbox.

use crate::world::{World, spec};
use lamplight_domain::session::{Command, Phase, Place, Report, Room, Session};
use lamplight_domain::{FailureClass, Timestamp};

/// A session for whose sandbox there was no room.
fn queued() -> World {
    let mut world = World::full(spec());
    world.settle(true);
    assert_eq!(world.session.phase().0, Phase::Queued);
    assert_eq!(world.session.place(), Place::Waits { since: Timestamp(1_000_000), priority: 0 });
    assert_eq!(world.story(2), ["sandbox_queued"]);
    world
}

#[test]
fn a_session_waits_until_there_is_room_and_then_goes_on() {
    let mut world = queued();
    world.pass(60_000);
    world.crash();
    assert_eq!(world.story(2), ["sandbox_queued"], "waiting is nothing new");
    world.room = Room::Free;
    world.report(Report::Tick);
    assert_eq!(world.session.place(), Place::Held { idle_since: None });
    world.settle(true);
    assert_eq!(world.session.phase().0, Phase::Done);
    assert_eq!(world.story(2)[..3], ["sandbox_queued", "sandbox_requested", "sandbox_created"]);
}

#[test]
fn what_is_taken_back_waits_no_more_and_what_comes_then_waits_anew() {
    let mut world = queued();
    world.pass(60_000);
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    assert_eq!((world.session.place(), world.session.next_deadline(world.now)), (Place::None, None));
    world.pass(60_000);
    world.prompt("again").unwrap();
    assert_eq!(world.session.place(), Place::Waits { since: world.now, priority: 0 });
    world.command(Command::SetPriority { priority: 3, by: "Ada".into() }).unwrap();
    assert_eq!(world.session.place(), Place::Waits { since: world.now, priority: 3 });
    let before = world.log.len();
    world.command(Command::SetPriority { priority: 3, by: "Ada".into() }).unwrap();
    assert_eq!(world.log.len(), before);
    world.command(Command::End { by: "Ada".into() }).unwrap();
    assert_eq!(world.session.place(), Place::None);
}

#[test]
fn nobody_waits_for_ever() {
    let mut world = queued();
    let (due, name) = world.session.next_deadline(world.now).unwrap();
    assert_eq!((due.since_ms(world.now), name), (24 * 3_600_000, "queue"));
    world.pass(due.since_ms(world.now));
    let (phase, reason) = world.session.phase();
    assert_eq!(
        (phase, reason.as_deref()),
        (Phase::Failed, Some("no sandbox was free for it for 24 h; prompt to wait again"))
    );
    assert_eq!(world.session.place(), Place::None);
    let failed = format!("{:?}", world.log.last().unwrap().event);
    assert!(failed.contains(&format!("{:?}", FailureClass::NeedsYou)), "{failed}");
    // A word of a person's, and it waits again.
    world.prompt("again").unwrap();
    assert_eq!(world.session.phase().0, Phase::Queued);
}

#[test]
fn a_sandbox_with_nothing_to_do_is_given_back_when_another_waits() {
    let mut world = World::new(spec());
    world.report(Report::PlaceWanted);
    assert!(matches!(world.session.place(), Place::Held { idle_since: None }), "not while there is work");
    world.settle(true);
    assert!(
        matches!(world.session.place(), Place::Held { idle_since: Some(_) }),
        "{:?}",
        world.session.place()
    );
    let before = world.log.len();
    world.report(Report::PlaceWanted);
    assert_eq!(world.story(before), ["sandbox_released"]);
    assert!(matches!(world.session.place(), Place::Held { .. }), "until it is gone");
    world.settle(true);
    assert_eq!((world.session.place(), world.files), (Place::None, true));
    // The next prompt needs a place again, and finds the files.
    world.room = Room::Full;
    world.prompt("more").unwrap();
    assert_eq!(world.session.phase().0, Phase::Queued);
    let replayed = Session::replay(&world.log).unwrap();
    assert_eq!(replayed.place(), world.session.place());
}
