//! Keeping files, going back to them, and forking.

use crate::world::{World, spec};
use lamplight_domain::agent::AgentInput;
use lamplight_domain::session::{Command, Effect, MAX_CHECKPOINTS, Phase, Refusal, Report};
use lamplight_domain::transcript::ToolStatus;
use lamplight_domain::{Event, FailureClass, Origin, SessionId};

fn id() -> SessionId {
    "01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap()
}

fn by() -> String {
    "Ada".into()
}

/// (number, turn, in the middle of it)
fn kept(world: &World) -> Vec<(u32, u32, bool)> {
    let view = world.session.view(id());
    view.checkpoints.iter().map(|kept| (kept.checkpoint, kept.turn.0, kept.in_turn)).collect()
}

#[test]
fn a_turn_is_kept_once_a_minute_between_its_calls_and_at_its_end() {
    let mut world = World::new(spec());
    world.settle(false);
    world.tool_call("1", "make", ToolStatus::Completed);
    world.tool_call("2", "make test", ToolStatus::InProgress);
    world.pass(60_000);
    world.settle(false);
    assert_eq!(kept(&world), [], "not while a call may be writing");
    world.tool_call("2", "make test", ToolStatus::Completed);
    world.settle(false);
    assert_eq!(kept(&world), [(1, 1, true)]);
    world.pass(120_000);
    world.settle(false);
    assert_eq!(kept(&world), [(1, 1, true)], "nothing has changed");
    world.tool_call("3", "ls", ToolStatus::Completed);
    world.settle(true);
    assert_eq!(kept(&world), [(1, 1, true), (2, 1, true), (3, 1, false)]);
}

#[test]
fn the_next_turn_waits_until_the_last_is_kept_but_not_for_ever() {
    let mut world = World::new(spec());
    world.settle(false);
    world.prompt("more").unwrap();
    until_requested(&mut world, 1);
    assert_eq!((world.turn().0, world.session.phase().0), (1, Phase::Starting));
    let due = world.now.plus_ms(spec().limits.start_ms);
    assert_eq!(world.session.next_deadline(world.now), Some((due, "files")));
    world.pass(spec().limits.start_ms);
    assert_eq!(world.turn().0, 2, "{:?}", world.story(0));
    world.report(Report::CheckpointKept { checkpoint: 1, name: "k1".into() });
    world.settle(true);
    assert_eq!(kept(&world), [], "what cannot be done is not tried again in this sandbox");
}

#[test]
fn going_back_brings_files_conversation_and_commits_back() {
    let mut world = World::new(spec());
    world.settle(true);
    let content = world.content;
    world.prompt("second").unwrap();
    world.settle(false);
    world.tool_call("1", "make", ToolStatus::Completed);
    world.settle(true);
    assert_eq!(kept(&world), [(1, 1, false), (2, 2, false)]);
    assert_eq!(world.session.commits().len(), 2);

    let before = world.log.len();
    world.command(Command::Restore { checkpoint: 1, by: by() }).unwrap();
    assert_eq!(world.command(Command::Restore { checkpoint: 2, by: by() }), Err(Refusal::RestoreRunning));
    assert_eq!(world.session.phase().0, Phase::Starting);
    world.settle(true);
    let story = ["restore_requested", "sandbox_released", "sandbox_destroyed", "files_restored"];
    assert_eq!(world.story(before), story);
    assert_eq!((world.content, world.session.commits().len()), (content, 1));
    assert!(world.running.is_empty());

    // Forward again, and on from there.
    world.command(Command::Restore { checkpoint: 2, by: by() }).unwrap();
    world.settle(true);
    assert_eq!((world.content, world.session.commits().len()), (content + 1, 2));
    world.prompt("third").unwrap();
    world.settle(true);
    assert_eq!((world.turn().0, world.session.commits().len()), (3, 3));
    let told = &world.agents[&world.session.run()].told;
    assert!(told.values().any(|input| matches!(input, AgentInput::LoadSession { .. })));
}

#[test]
fn what_is_being_kept_is_kept_before_the_files_go_back() {
    let mut world = World::new(spec());
    world.settle(true);
    world.prompt("second").unwrap();
    until_requested(&mut world, 2);
    world.command(Command::Restore { checkpoint: 1, by: by() }).unwrap();
    let before = world.log.len();
    world.settle(true);
    assert_eq!(
        world.story(before),
        ["checkpoint_kept", "sandbox_released", "sandbox_destroyed", "files_restored"]
    );
    assert_eq!(kept(&world), [(1, 1, false), (2, 2, false)]);
}

/// Does what is owed until the n-th checkpoint is.
fn until_requested(world: &mut World, checkpoint: usize) {
    let requested =
        |world: &World| world.story(0).iter().filter(|name| *name == "checkpoint_requested").count();
    while requested(world) < checkpoint {
        for effect in world.session.owed(world.now) {
            world.perform(&effect).into_iter().for_each(|report| world.report(report));
        }
        world.answer_next(world.session.run(), true).into_iter().for_each(|report| world.report(report));
    }
}

#[test]
fn going_back_is_refused_while_a_turn_runs_and_to_what_is_not_there() {
    let mut world = World::new(spec());
    world.settle(false);
    let turn = world.turn();
    assert_eq!(
        world.command(Command::Restore { checkpoint: 1, by: by() }),
        Err(Refusal::TurnRunning { turn })
    );
    world.settle(true);
    let refused = world.command(Command::Restore { checkpoint: 7, by: by() });
    assert_eq!(refused, Err(Refusal::CheckpointNotFound { checkpoint: 7, known: vec![1] }));
}

#[test]
fn what_cannot_be_restored_stays_what_it_was() {
    let mut world = World::new(spec());
    world.settle(true);
    world.command(Command::Restore { checkpoint: 1, by: by() }).unwrap();
    for effect in world.session.owed(world.now) {
        world.perform(&effect).into_iter().for_each(|report| world.report(report));
    }
    assert!(matches!(&world.session.owed(world.now)[..], [Effect::RestoreFiles { restore: 1, .. }]));
    world.report(Report::RestoreFailed { restore: 1, detail: "it is gone".into() });
    assert_eq!(world.session.phase().0, Phase::Done);
    // Of the one before: too late.
    world.command(Command::Restore { checkpoint: 1, by: by() }).unwrap();
    world.report(Report::FilesRestored { restore: 1 });
    assert!(matches!(&world.session.owed(world.now)[..], [Effect::RestoreFiles { restore: 2, .. }]));
}

#[test]
fn only_so_many_are_kept_and_the_middles_of_old_turns_go_first() {
    let mut world = World::new(spec());
    world.settle(false);
    world.tool_call("1", "make", ToolStatus::Completed);
    world.pass(60_000);
    world.settle(true);
    for _ in 1..MAX_CHECKPOINTS {
        world.prompt("more").unwrap();
        world.settle(true);
    }
    let all = kept(&world);
    assert_eq!((all.len(), all[0], all[1]), (MAX_CHECKPOINTS, (2, 1, false), (3, 2, false)));
    world.prompt("more").unwrap();
    world.settle(true);
    assert_eq!(kept(&world)[0], (3, 2, false));
    assert_eq!(world.kept.len(), MAX_CHECKPOINTS + 1, "what is not needed any more goes with the next");
}

#[test]
fn a_fork_starts_with_the_files_of_its_origin() {
    let mut parent = World::new(spec());
    parent.settle(true);
    let origin = parent.session.origin(&id(), None).unwrap();
    let expected = Origin {
        session: id(),
        checkpoint: 1,
        name: "k1".into(),
        commit: "c1".into(),
        agent_session: Some("conversation".into()),
    };
    assert_eq!(origin, expected);
    assert!(matches!(parent.session.origin(&id(), Some(9)), Err(Refusal::CheckpointNotFound { .. })));

    let mut spec = spec();
    spec.origin = Some(origin);
    let mut fork = World::new(spec);
    fork.kept.insert("k1".into(), (17, None));
    fork.settle(true);
    assert_eq!(fork.content, 17);
    let story = fork.story(0);
    assert_eq!(story[..4], ["session_created", "prompt_queued", "files_restored", "sandbox_requested"]);
    assert_eq!(fork.session.phase().0, Phase::Done);
    let told = &fork.agents[&1].told;
    assert!(told.values().any(|input| matches!(input, AgentInput::LoadSession { .. })));
}

#[test]
fn a_fork_without_its_files_fails_and_tries_again_when_it_is_asked() {
    let mut spec = spec();
    let name = "k1".to_owned();
    let origin = Origin { session: id(), checkpoint: 1, name, commit: "c1".into(), agent_session: None };
    spec.origin = Some(origin);
    let mut fork = World::new(spec);
    fork.report(Report::RestoreFailed { restore: 0, detail: "it is gone".into() });
    let (phase, reason) = fork.session.phase();
    assert_eq!(phase, Phase::Failed);
    assert!(reason.unwrap().contains("it is gone"));
    assert!(fork.session.owed(fork.now).is_empty(), "nothing is tried until somebody asks");
    let failed = |entry: &lamplight_domain::Entry| match &entry.event {
        Event::TurnEnded { outcome: lamplight_domain::event::Outcome::Failed { failure }, .. } => {
            Some(failure.class)
        }
        _ => None,
    };
    assert_eq!(fork.log.iter().find_map(failed), Some(FailureClass::Persistent));
    fork.kept.insert("k1".into(), (3, None));
    fork.prompt("again").unwrap();
    fork.settle(true);
    assert_eq!((fork.session.phase().0, fork.content), (Phase::Done, 3));
    fork.command(Command::End { by: by() }).unwrap();
    fork.settle(true);
    assert!(!fork.files);
}
