//! Who may not use the repository any more.

use crate::world::{World, spec};
use lamplight_domain::event::{Event, Guard, Outcome};
use lamplight_domain::session::{Command, Phase, Report};

fn lost(by: &str) -> Report {
    Report::RightLost { by: by.into(), detail: format!("{by} was removed") }
}

fn prompt(world: &mut World, n: u128, by: &str) {
    let prompt = crate::world::prompt_id(n);
    let (text, attachments) = ("more".into(), Vec::new());
    world.command(Command::Prompt { prompt, text, by: by.into(), attachments }).unwrap();
}

#[test]
fn what_they_asked_for_ends_and_what_others_asked_for_goes_on() {
    let mut world = World::new(spec());
    world.settle(false);
    prompt(&mut world, 801, "Ada");
    prompt(&mut world, 802, "Bo");
    let before = world.log.len();
    world.report(lost("Cy"));
    assert_eq!(world.story(before), [""; 0], "nothing is theirs");
    world.report(lost("Ada"));
    assert_eq!(world.story(before)[..2], ["prompt_removed", "guard_tripped"]);
    let told = world.log.len();
    world.report(lost("Ada"));
    assert_eq!(world.story(told), [""; 0], "it is being stopped");
    world.settle(false);
    let tripped = Outcome::Tripped { guard: Guard::Right, detail: "Ada was removed".into() };
    let ended = |entry: &lamplight_domain::Entry| matches!(&entry.event, Event::TurnEnded { outcome, .. } if *outcome == tripped);
    assert!(world.log.iter().any(ended));
    assert_eq!(world.turn().0, 2, "Bo's turn follows");
    world.report(lost("Ada"));
    world.settle(true);
    assert_eq!(world.session.phase().0, Phase::Done);
}

#[test]
fn what_stands_still_or_waits_alone_ends_too() {
    let mut world = World::new(spec());
    world.settle(false);
    world.command(Command::Pause { by: "Ada".into() }).unwrap();
    world.settle(false);
    let before = world.log.len();
    world.report(lost("Ada"));
    assert_eq!(world.story(before)[..2], ["resume_requested", "guard_tripped"]);
    world.settle(true);
    let reason = "Ada was removed; whoever may use it can prompt to go on";
    assert_eq!(world.session.phase(), (Phase::Stuck, Some(reason.into())));

    let mut world = World::full(spec());
    let before = world.log.len();
    world.report(lost("Ada"));
    assert_eq!(world.story(before), ["noted", "prompt_removed"], "no turn has begun");
}
