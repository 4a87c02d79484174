//! What others put on the session's branch is in its files before the next turn.

use crate::world::{World, spec};
use lamplight_domain::session::{Command, Phase, Refusal};

fn done() -> World {
    let mut world = World::new(spec());
    world.settle(true);
    assert_eq!(world.session.phase().0, Phase::Done);
    world
}

#[test]
fn the_next_turn_begins_with_what_was_merged_and_nothing_runs_before_it_is_wanted() {
    let mut world = done();
    let before = world.log.len();
    world.update().unwrap();
    world.settle(true);
    assert_eq!((world.story(before), world.at.as_deref()), (vec!["branch_updated".to_owned()], None));
    world.prompt("go on").unwrap();
    world.settle(true);
    let story = world.story(before + 1);
    let place = |name: &str| story.iter().position(|event| event == name).unwrap();
    assert!(place("workspace_updated") < place("turn_started"), "{story:?}");
    assert_eq!(world.at.as_deref(), Some("u1"));
}

#[test]
fn it_is_refused_while_something_is_done_and_from_another_commit() {
    let mut world = World::new(spec());
    world.settle(false);
    assert!(matches!(world.update(), Err(Refusal::TurnRunning { .. })));
    let mut world = done();
    world.update().unwrap();
    let stale = world.log.iter().rev().find_map(|entry| match &entry.event {
        lamplight_domain::Event::BranchUpdated { commit, .. } => Some(commit.clone()),
        _ => None,
    });
    let (head, to_check, by) = ("c1".to_owned(), lamplight_domain::ToCheck::Off, "Ada".to_owned());
    let again = Command::UpdateBranch { head, commit: stale.unwrap(), to_check, by };
    assert_eq!(world.command(again), Err(Refusal::BranchMoved));
}

#[test]
fn whoever_goes_back_behind_it_goes_on_from_there() {
    let mut world = done();
    world.update().unwrap();
    world.command(Command::Restore { checkpoint: 1, by: "Ada".to_owned() }).unwrap();
    world.settle(true);
    world.prompt("go on").unwrap();
    world.settle(true);
    let ids: Vec<_> = world.session.commits().iter().map(|commit| commit.commit.id.as_str()).collect();
    assert_eq!(ids, ["c1", "c2"]);
}
