//! The repository's own checks: what follows from what they say, and who ends them.

use crate::world::{World, spec};
use lamplight_domain::session::{Command, Effect, Phase, Refusal, Report};
use lamplight_domain::{CheckPlan, CheckState, Event, ToCheck, Verdict};

fn plan() -> CheckPlan {
    CheckPlan { commands: vec!["make check".into()], detected: None, timeout_ms: 60_000 }
}

/// A session whose first turn is committed, and whose checks are about to run.
fn committed(to_check: ToCheck) -> World {
    let mut world = World::new(spec());
    world.to_check = to_check;
    while world.story(0).last().map(String::as_str) != Some("checkpoint_kept") && world.log.len() < 100 {
        for effect in world.session.owed(world.now) {
            if !matches!(effect, Effect::RunChecks { .. }) {
                world.perform(&effect).into_iter().for_each(|report| world.report(report));
            }
        }
        while let Some(report) = world.answer_next(world.session.run(), true) {
            world.report(report);
        }
    }
    world
}

fn checks(world: &World) -> Vec<Event> {
    let is_one = |event: &Event| {
        matches!(
            event,
            Event::ChecksRequested { .. } | Event::ChecksEnded { .. } | Event::NothingToCheck { .. }
        )
    };
    world.log.iter().map(|entry| entry.event.clone()).filter(is_one).collect()
}

fn by() -> String {
    "Ada".to_owned()
}

#[test]
fn a_session_is_done_when_its_checks_have_passed() {
    let mut world = committed(ToCheck::Plan(plan()));
    let (phase, reason) = world.session.phase();
    assert_eq!((phase, reason.as_deref()), (Phase::Executing, Some("the repository's own checks run at c1")));
    world.settle(true);
    assert_eq!(world.session.phase(), (Phase::Done, None));
    let commit = "c1".to_owned();
    let asked = Event::ChecksRequested { check: 1, turn: world.turn(), commit, plan: plan() };
    assert_eq!(checks(&world)[0], asked);
}

#[test]
fn nothing_to_check_is_told_at_once_and_nothing_is_owed() {
    let world = committed(ToCheck::Nothing { why: None });
    let (turn, commit) = (world.turn(), "c1".to_owned());
    assert_eq!(checks(&world), [Event::NothingToCheck { turn, commit, why: None }]);
    assert_eq!(world.session.phase(), (Phase::Done, None));
    let view = world.session.view("01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap());
    assert_eq!(view.checked.unwrap().state, CheckState::Nothing { why: None });
    assert_eq!(committed(ToCheck::Off).session.phase(), (Phase::Done, None));
}

#[test]
fn a_failure_is_told_twice_and_then_a_person_is_asked_who_begins_anew() {
    let mut world = committed(ToCheck::Plan(plan()));
    world.passes = false;
    world.settle(true);
    let told = |world: &World| {
        let texts = world.log.iter().filter_map(|entry| match &entry.event {
            Event::PromptQueued { text, by, .. } if by == "the checks" => Some(text.clone()),
            _ => None,
        });
        texts.collect::<Vec<_>>()
    };
    assert_eq!((told(&world).len(), world.turn().0), (2, 3));
    assert!(told(&world)[0].contains("$ make check\nexit 1\n> ignore what"), "{}", told(&world)[0]);
    let stuck = (Phase::Stuck, Some("the repository's own checks failed at c3; prompt to go on".to_owned()));
    assert_eq!(world.session.phase(), stuck);
    world.prompt("try this").unwrap();
    world.settle(true);
    assert_eq!((told(&world).len(), world.session.phase().0), (4, Phase::Stuck));
    world.passes = true;
    world.prompt("and this").unwrap();
    world.settle(true);
    assert_eq!(world.session.phase(), (Phase::Done, None));
}

#[test]
fn whoever_speaks_first_is_heard_and_a_failure_is_not_told_beside() {
    let mut world = committed(ToCheck::Plan(plan()));
    world.passes = false;
    world.prompt("something else").unwrap();
    let effect =
        world.session.owed(world.now).into_iter().find(|one| matches!(one, Effect::RunChecks { .. }));
    world.perform(&effect.unwrap()).into_iter().for_each(|report| world.report(report));
    assert!(matches!(checks(&world)[1], Event::ChecksEnded { verdict: Verdict::Failed, prompt: None, .. }));
}

#[test]
fn a_newer_commit_another_past_and_the_end_of_the_session_end_them() {
    let why = |world: &World| match checks(world).pop() {
        Some(Event::ChecksEnded { verdict: Verdict::NotRun { why }, prompt: None, .. }) => why,
        other => panic!("{other:?}"),
    };
    let mut world = committed(ToCheck::Plan(plan()));
    world.command(Command::Restore { checkpoint: 1, by: by() }).unwrap();
    assert_eq!(why(&world), "the session goes back to what it was");
    let mut world = committed(ToCheck::Plan(plan()));
    world.command(Command::End { by: by() }).unwrap();
    assert_eq!(why(&world), "the session has ended");
    let mut world = committed(ToCheck::Plan(plan()));
    world.pass(60 * 60_000 + 60_000 - 1);
    assert_eq!(checks(&world).len(), 1);
    world.pass(1);
    assert_eq!(why(&world), "they did not come to an end in time");
    assert_eq!(world.session.phase(), (Phase::Done, None));
}

#[test]
fn a_person_stops_them_and_what_they_say_later_counts_for_nothing() {
    let mut world = committed(ToCheck::Plan(plan()));
    world.command(Command::Stop { by: by() }).unwrap();
    let report = Report::ChecksEnded {
        check: 1,
        verdict: Verdict::Failed,
        commands: Vec::new(),
        prompt: world.last_prompt(),
    };
    world.report(report);
    assert!(matches!(checks(&world)[1], Event::ChecksEnded { verdict: Verdict::Stopped { .. }, .. }));
    assert_eq!(checks(&world).len(), 2);
    assert_eq!(world.command(Command::Stop { by: by() }), Err(Refusal::NoTurnRunning));
    assert!(!world.session.owed(world.now).iter().any(|one| matches!(one, Effect::RunChecks { .. })));
}

#[test]
fn a_turn_that_somebody_stopped_is_not_checked() {
    let mut world = World::new(spec());
    world.to_check = ToCheck::Plan(plan());
    world.settle(false);
    world.command(Command::Stop { by: by() }).unwrap();
    world.settle(true);
    world.pass(10_000);
    world.settle(true);
    assert_eq!((checks(&world), world.session.phase().0), (Vec::new(), Phase::Paused));
}
