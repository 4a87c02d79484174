//! What people put in order: prompts that wait, and sessions that are done with.

use crate::world::{World, spec};
use lamplight_domain::agent::AgentInput;
use lamplight_domain::session::{Command, Refusal};

fn edit(world: &mut World, text: &str) -> Result<(), Refusal> {
    let prompt = world.last_prompt();
    world.command(Command::EditPrompt { prompt, text: text.into(), by: "Ada".into() })
}

fn is_archived(world: &World) -> bool {
    world.session.view("01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap()).archived
}

#[test]
fn a_prompt_is_sent_as_it_was_changed_last_and_not_changed_once_it_is_sent() {
    let mut world = World::new(spec());
    world.settle(false);
    world.prompt("second").unwrap();
    assert_eq!(edit(&mut world, " \n"), Err(Refusal::EmptyPrompt));
    edit(&mut world, "second, and a test").unwrap();
    let before = world.log.len();
    edit(&mut world, "second, and a test").unwrap();
    assert_eq!(world.log.len(), before, "the same text again changes nothing");
    world.settle(true);
    let told = world.agents[&1].told.values();
    let mut prompts = told.filter_map(|input| match input {
        AgentInput::Prompt { text, .. } => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(prompts.next_back(), Some("second, and a test"));
    assert_eq!(edit(&mut world, "third"), Err(Refusal::PromptNotFound));
}

#[test]
fn what_is_archived_stays_so_until_it_is_put_back_or_prompted() {
    let mut world = World::new(spec());
    world.settle(true);
    let archive = |world: &mut World| world.command(Command::Archive { by: "Ada".into() });
    archive(&mut world).unwrap();
    assert!(is_archived(&world));
    let before = world.log.len();
    archive(&mut world).unwrap();
    assert_eq!(world.log.len(), before, "asking again changes nothing");
    world.command(Command::Unarchive { by: "Ada".into() }).unwrap();
    assert!(!is_archived(&world));
    archive(&mut world).unwrap();
    world.prompt("more").unwrap();
    assert!(!is_archived(&world), "a prompt brings it back");
    world.settle(true);
    world.command(Command::End { by: "Ada".into() }).unwrap();
    archive(&mut world).unwrap();
    assert!(is_archived(&world), "one that has ended can be put aside too");
}
