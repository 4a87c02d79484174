//! What comes late, from somebody who is gone, or never.

use crate::world::{World, spec};
use lamplight_domain::agent::{AgentReport, StopReason};
use lamplight_domain::permission::Policy;
use lamplight_domain::session::{Command, Phase, Report};
use lamplight_domain::{Generation, TurnNumber};

#[test]
fn what_an_earlier_process_says_changes_nothing() {
    let mut world = World::new(spec());
    world.settle(false);
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    world.settle(false);
    world.pass(spec().limits.cancel_grace_ms);
    world.settle(false);
    world.prompt("again").unwrap();
    world.settle(false);
    assert_eq!((world.session.run(), world.turn()), (2, TurnNumber(2)));
    let before = world.log.len();
    let ended = AgentReport::PromptEnded { turn: TurnNumber(2), result: Ok(StopReason::EndTurn) };
    world.report(Report::Agent { run: 1, report: Box::new(ended.clone()) });
    assert_eq!((world.log.len(), world.session.phase().0), (before, Phase::Planning));
    world.report(Report::Agent { run: 2, report: Box::new(ended) });
    assert!(world.log.len() > before, "of the process that is there it is taken");
}

#[test]
fn a_question_without_an_answer_is_looked_at_again_by_itself() {
    let mut spec = spec();
    spec.permissions = Policy::Ask;
    let mut world = World::new(spec.clone());
    world.settle(false);
    let asked = world.ask_permission(1);
    world.report(asked);
    assert_eq!(world.session.phase().0, Phase::WaitingForYou);
    let due = world.now.plus_ms(spec.limits.permission_ms);
    assert_eq!(world.session.next_deadline(world.now), Some((due, "answer")));
}

#[test]
fn a_setup_has_its_own_time_and_the_start_its_own_after_it() {
    let mut world = World::new(spec());
    let start_ms = spec().limits.start_ms;
    let generation = Generation(1);
    world.report(Report::SetupBegun { generation, command: "make".into(), timeout_ms: 900_000 });
    world.pass(start_ms);
    world.report(Report::SetupEnded { generation, failure: None });
    world.pass(start_ms - 1);
    world.report(Report::SetupEnded { generation: Generation(2), failure: None });
    assert_eq!(world.story(2), ["sandbox_requested", "setup_begun", "setup_ended"]);
    world.pass(1);
    assert_eq!(world.story(5), ["sandbox_released", "sandbox_failed"]);
}

#[test]
fn a_turn_is_stopped_when_the_sandbox_that_it_lost_is_known_to_be_gone() {
    let mut world = World::new(spec());
    world.settle(false);
    let detail = "it could not be resumed".into();
    world.report(Report::SandboxLost { generation: Generation(1), detail });
    assert!(world.agents[&1].alive, "nobody has ended it");
    let before = world.log.len();
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    world.pass(spec().limits.cancel_grace_ms);
    assert_eq!(world.story(before), ["stop_requested"]);
    assert_eq!(world.session.phase(), (Phase::Executing, Some("stopping".into())));
    world.settle(false);
    assert_eq!(world.story(before)[..3], ["stop_requested", "sandbox_destroyed", "turn_ended"]);
    assert!(!world.agents[&1].alive);
}
