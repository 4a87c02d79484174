//! Standing still: when idle, and when a person says so.

use crate::world::{World, spec};
use lamplight_domain::event::{Guard, Outcome};
use lamplight_domain::session::{Command, Effect, Phase, Refusal, Report, SandboxState};
use lamplight_domain::{Event, Generation};

fn pause(world: &mut World) -> Result<(), Refusal> {
    world.command(Command::Pause { by: "Ada".into() })
}

fn resume(world: &mut World) -> Result<(), Refusal> {
    world.command(Command::Resume { by: "Ada".into() })
}

fn state(world: &World) -> SandboxState {
    world.session.view("01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap()).sandbox_state
}

#[test]
fn an_idle_sandbox_is_paused_then_announced_then_released_and_a_prompt_wakes_it() {
    let mut world = World::new(spec());
    let limits = spec().limits;
    world.settle(true);
    let before = world.log.len();
    world.pass(limits.pause_ms - 1);
    world.settle(true);
    assert_eq!(world.story(before), [""; 0]);
    world.pass(1);
    world.settle(true);
    assert_eq!(world.story(before), ["pause_requested", "sandbox_paused"]);
    assert_eq!((state(&world), world.session.phase().0), (SandboxState::Paused, Phase::Done));

    let before = world.log.len();
    world.prompt("more").unwrap();
    world.settle(true);
    let story = world.story(before);
    assert_eq!(
        story,
        [
            "resume_requested",
            "prompt_queued",
            "sandbox_resumed",
            "turn_started",
            "turn_ended",
            "work_committed",
            "checkpoint_requested",
            "checkpoint_kept"
        ]
    );
    assert_eq!(world.session.run(), 1, "the agent is the one that was there before");

    let before = world.log.len();
    world.pass(limits.pause_ms);
    world.settle(true);
    world.pass(limits.idle_ms - limits.pause_ms - limits.idle_warning_ms);
    world.settle(true);
    world.pass(limits.idle_warning_ms);
    world.settle(true);
    let story = world.story(before);
    let expected =
        ["pause_requested", "sandbox_paused", "release_announced", "sandbox_released", "sandbox_destroyed"];
    assert_eq!(story, expected);
    assert_eq!(state(&world), SandboxState::Stopped);
}

#[test]
fn a_paused_turn_is_not_held_to_account_for_the_time() {
    let mut world = World::new(spec());
    world.settle(false);
    assert_eq!(resume(&mut world), Err(Refusal::NotPaused));
    pause(&mut world).unwrap();
    pause(&mut world).expect("once more changes nothing");
    world.settle(false);
    assert_eq!(world.session.phase(), (Phase::Paused, Some("paused by Ada; resume to go on".into())));
    assert!(world.session.owed(world.now).is_empty());
    world.pass(spec().limits.wall_clock_ms * 2);
    world.prompt("and this").unwrap();
    world.settle(true);
    assert_eq!(world.session.phase().0, Phase::Paused, "a queued prompt waits with the turn");
    resume(&mut world).unwrap();
    world.settle(false);
    assert_eq!(world.session.phase().0, Phase::Planning);
    world.settle(true);
    let outcomes = world
        .log
        .iter()
        .filter(|entry| matches!(entry.event, Event::TurnEnded { outcome: Outcome::Completed { .. }, .. }));
    assert_eq!(outcomes.count(), 2);
}

#[test]
fn stop_ends_what_stands_still() {
    let mut world = World::new(spec());
    world.settle(false);
    pause(&mut world).unwrap();
    world.settle(false);
    let before = world.log.len();
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    world.settle(false);
    let story = world.story(before);
    assert_eq!(story[..3], ["resume_requested", "stop_requested", "sandbox_resumed"], "{story:?}");
    assert!(story.contains(&"turn_ended".into()), "{story:?}");
}

#[test]
fn what_is_being_stopped_cannot_be_paused_and_ends() {
    let mut world = World::new(spec());
    world.settle(false);
    let before = world.log.len();
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    assert_eq!(pause(&mut world), Err(Refusal::TurnStopping { turn: world.turn() }));
    world.pass(spec().limits.cancel_grace_ms);
    world.settle(false);
    let story = world.story(before);
    assert_eq!(story[..3], ["stop_requested", "agent_exited", "turn_ended"], "{story:?}");
    pause(&mut world).expect("then it can be");
}

/// In a log of when it still could.
#[test]
fn stop_ends_what_was_paused_while_it_was_being_stopped() {
    let mut world = World::new(spec());
    world.settle(false);
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    world.append(Event::PauseRequested { generation: Generation(1), by: Some("Bo".into()) });
    world.settle(false);
    assert_eq!(world.session.phase(), (Phase::Paused, Some("paused by Bo; resume to go on".into())));
    let before = world.log.len();
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    world.settle(false);
    let story = world.story(before);
    assert_eq!(story[..2], ["resume_requested", "sandbox_resumed"], "{story:?}");
    assert!(story.contains(&"turn_ended".into()), "{story:?}");
}

#[test]
fn a_turn_that_nobody_resumes_is_stopped() {
    let mut world = World::new(spec());
    world.settle(false);
    pause(&mut world).unwrap();
    world.settle(false);
    world.pass(spec().limits.paused_ms);
    world.settle(false);
    world.pass(spec().limits.cancel_grace_ms);
    world.settle(false);
    assert_eq!(world.session.phase().0, Phase::Stuck);
    assert!(
        world.log.iter().any(
            |entry| matches!(&entry.event, Event::GuardTripped(tripped) if tripped.guard == Guard::Paused)
        )
    );
}

#[test]
fn what_cannot_be_paused_goes_on_and_is_not_tried_again_and_again() {
    let mut world = World::new(spec());
    world.settle(true);
    world.pass(spec().limits.pause_ms);
    let generation = world.running.first().copied().unwrap();
    world.report(Report::PauseFailed { generation, pause: 1, detail: "there is no freezer".into() });
    world.settle(true);
    assert_eq!(state(&world), SandboxState::Running, "what half stood still goes on");
    world.pass(1_000);
    assert!(world.session.owed(world.now).iter().all(|owed| !matches!(owed, Effect::PauseSandbox { .. })));
    assert_eq!(pause(&mut world), Err(Refusal::NothingToPause));
}

#[test]
fn a_sandbox_that_dies_while_paused_is_replaced_when_there_is_work() {
    let mut world = World::new(spec());
    world.settle(false);
    pause(&mut world).unwrap();
    world.settle(false);
    let generation = world.running.first().copied().unwrap();
    world.lose(generation);
    resume(&mut world).unwrap();
    world.settle(true);
    assert_eq!(world.session.phase().0, Phase::Done);
    assert_eq!(world.running.first().copied(), Some(generation.next()));
}

#[test]
fn who_works_in_the_sandbox_by_hand_keeps_it_and_wakes_it() {
    let by_hand = |world: &mut World| world.command(Command::UseSandbox { by: "Ada".into() });
    let mut world = World::new(spec());
    let limits = spec().limits;
    assert_eq!(by_hand(&mut world), Err(Refusal::SandboxStarting));
    world.settle(true);
    let before = world.log.len();
    // Every second for half an hour: told to the log now and then, never taken for idle.
    for _ in 0..1_800 {
        world.pass(1_000);
        by_hand(&mut world).unwrap();
        world.settle(true);
    }
    let story = world.story(before);
    assert!(story.iter().all(|event| event == "sandbox_used"), "{story:?}");
    assert!((4..=30).contains(&story.len()), "{} of them", story.len());

    // Who only looks is nobody.
    let before = world.log.len();
    world.pass(limits.pause_ms);
    world.settle(true);
    assert_eq!(world.story(before), ["pause_requested", "sandbox_paused"]);
    let before = world.log.len();
    by_hand(&mut world).unwrap();
    world.settle(true);
    assert_eq!(world.story(before), ["resume_requested", "sandbox_resumed"]);

    world.pass(limits.idle_ms);
    world.settle(true);
    assert_eq!(state(&world), SandboxState::Stopped);
    assert_eq!(by_hand(&mut world), Err(Refusal::NoSandbox));
}

#[test]
fn a_person_gives_a_sandbox_back_between_turns_and_the_next_prompt_makes_one() {
    let release = |world: &mut World| world.command(Command::Release { by: "Ada".into() });
    let mut world = World::new(spec());
    world.settle(false);
    assert_eq!(release(&mut world), Err(Refusal::TurnRunning { turn: lamplight_domain::TurnNumber(1) }));
    world.settle(true);
    let before = world.log.len();
    release(&mut world).unwrap();
    assert_eq!(release(&mut world), Err(Refusal::NoSandbox));
    world.settle(true);
    assert_eq!(state(&world), SandboxState::Stopped);
    assert_eq!(world.story(before), ["sandbox_released", "sandbox_destroyed"]);
    world.prompt("more").unwrap();
    world.settle(true);
    assert!(world.story(before).iter().any(|event| event == "turn_ended"));

    // Paused or not makes no difference.
    pause(&mut world).unwrap();
    world.settle(true);
    release(&mut world).unwrap();
    world.settle(true);
    assert_eq!(state(&world), SandboxState::Stopped);
}
