//! Files given along with a prompt reach the agent with it, and again with the same prompt, and with no other message.

use crate::world::{World, spec};
use lamplight_domain::agent::AgentInput;
use lamplight_domain::session::Report;
use lamplight_domain::{Attachment, Entry, Event, Generation};

fn attachment(name: &str, media_type: &str) -> Attachment {
    let (name, media_type) = (name.to_owned(), media_type.to_owned());
    Attachment { blob: "ab".repeat(32), name, media_type, bytes: 3 }
}

/// What the agent was told to do, the files that came with it, and whether it was shown the images among them.
fn prompts(world: &World) -> Vec<String> {
    let told = world.log.iter().filter_map(|Entry { event, .. }| match event {
        Event::InputQueued { input: AgentInput::Prompt { text, attachments, images, .. }, .. } => {
            let names: Vec<_> = attachments.iter().map(|attachment| attachment.name.as_str()).collect();
            Some(format!("{text}: {} {images}", names.join(" ")))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn images_are_shown_to_whoever_takes_them_and_files_are_told_to_all() {
    for takes_images in [true, false] {
        let mut world = World::new(spec());
        world.takes_images = takes_images;
        world.settle(true);
        let log = attachment("log.txt", "text/plain");
        world.prompt_with("look", vec![attachment("shot.png", "image/png"), log.clone()]).unwrap();
        world.prompt_with("no picture", vec![log]).unwrap();
        world.settle(true);
        let look = format!("look: shot.png log.txt {takes_images}");
        assert_eq!(prompts(&world), ["do it:  false", &look, "no picture: log.txt false"]);
    }
}

#[test]
fn a_prompt_that_is_sent_again_brings_its_files_again() {
    let mut world = World::new(spec());
    world.settle(true);
    world.prompt_with("look", vec![attachment("log.txt", "text/plain")]).unwrap();
    world.settle(false);
    world.report(Report::SandboxLost { generation: Generation(1), detail: "gone".into() });
    world.prompt_with("then", vec![attachment("more.txt", "text/plain")]).unwrap();
    let view = world.session.view("01JD0000000000000000000000".parse().unwrap());
    assert_eq!(view.queued[0].attachments, [attachment("more.txt", "text/plain")]);
    world.settle(true);
    let looked = "look: log.txt false";
    assert_eq!(prompts(&world), ["do it:  false", looked, looked, "then: more.txt false"]);
}
