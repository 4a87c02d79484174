//! What came to nothing for want of a sandbox or the like, and is asked again.

use crate::world::{World, spec};
use lamplight_domain::agent::{AgentReport, ExitStatus};
use lamplight_domain::session::{Command, Phase, Refusal, Report};
use lamplight_domain::{Event, Failure, FailureClass, Generation, TurnNumber};

/// Whether lists call it a dead letter.
fn is_dead(world: &World) -> bool {
    world.session.view("01K00000000000000000000000".parse().unwrap()).dead
}

/// No sandbox can be made, however often it is tried.
fn fails(world: &mut World) {
    for attempt in 1..=3 {
        assert!(!is_dead(world));
        let failure = World::transient();
        world.report(Report::SandboxFailed { generation: Generation(attempt), failure });
        for effect in world.session.owed(world.now) {
            world.perform(&effect).into_iter().for_each(|report| world.report(report));
        }
        if let Some((at, _)) = world.session.next_deadline(world.now) {
            world.pass(at.since_ms(world.now));
        }
    }
    assert!(is_dead(world));
}

fn dead() -> World {
    let mut world = World::new(spec());
    fails(&mut world);
    world
}

#[test]
fn what_failed_three_times_is_asked_again_before_what_waits() {
    let mut world = World::new(spec());
    world.prompt("and then this").unwrap();
    assert_eq!(world.retry(), Err(Refusal::NothingToRetry));
    fails(&mut world);
    assert_eq!((world.session.phase().0, world.turn()), (Phase::Failed, TurnNumber(1)));
    world.retry().unwrap();
    assert!(!is_dead(&world));
    assert_eq!(world.retry(), Err(Refusal::NothingToRetry), "it is under way");
    let again: Vec<_> = world
        .log
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::PromptQueued { text, by, again: true, .. } => Some((text.as_str(), by.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(again, [("do it", "Ben")]);
    world.settle(true);
    assert_eq!(world.session.phase().0, Phase::Done);
    let order: Vec<_> = world
        .log
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::TurnStarted { prompt, .. } => Some(prompt.clone()),
            _ => None,
        })
        .collect();
    let queued = |wanted: &str| {
        let found = world.log.iter().rev().find_map(|entry| match &entry.event {
            Event::PromptQueued { text, prompt, .. } if text == wanted => Some(prompt.clone()),
            _ => None,
        });
        found.unwrap()
    };
    assert_eq!(order[1..], [queued("do it"), queued("and then this")]);
}

#[test]
fn who_says_something_or_ends_it_has_taken_it_up() {
    let mut world = dead();
    world.prompt("another way").unwrap();
    assert!(!is_dead(&world));
    let mut world = dead();
    world.command(Command::End { by: "Ada".into() }).unwrap();
    assert!(!is_dead(&world));
    assert_eq!(world.retry(), Err(Refusal::Ended));
}

#[test]
fn what_the_agent_did_is_no_dead_letter() {
    let mut world = World::new(spec());
    world.settle(false);
    let status = Some(ExitStatus::Code { code: 3 });
    world.report(Report::AgentExited { run: 1, status, detail: "exit 3".into() });
    world.settle(true);
    assert_eq!(world.session.phase().0, Phase::Failed);
    assert!(!is_dead(&world));
    assert_eq!(world.retry(), Err(Refusal::NothingToRetry));
}

#[test]
fn what_was_pushed_is_not_asked_again() {
    let mut world = World::new(spec());
    world.settle(false);
    world.report(Report::BranchPushed { run: 1, commit: "c".repeat(40) });
    world.lose(Generation(1));
    world.settle(false);
    assert_eq!(world.session.phase().0, Phase::Failed);
    assert!(!is_dead(&world));
}

/// It would be asked again on top of what lies there.
#[test]
fn what_cannot_be_committed_is_not_asked_again() {
    let mut world = World::new(spec());
    world.settle(false);
    let turn = world.turn();
    let away = || Failure::infrastructure(FailureClass::Persistent, "the model is away");
    let report = AgentReport::PromptEnded { turn, result: Err(away()) };
    world.report(Report::Agent { run: 1, report: Box::new(report) });
    world.report(Report::WorkNotCommitted { turn, failure: away() });
    assert_eq!(world.session.phase().0, Phase::Failed);
    assert!(!is_dead(&world));
    assert_eq!(world.retry(), Err(Refusal::NothingToRetry));
}
