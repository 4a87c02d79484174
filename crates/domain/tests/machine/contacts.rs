//! What the log names of the hosts that were asked for.

use crate::world::{World, spec};
use lamplight_domain::Generation;
use lamplight_domain::event::Contact;
use lamplight_domain::session::{MAX_CONTACTS, Report};

#[test]
fn each_host_is_told_once_with_each_answer_and_only_of_the_sandbox_that_is() {
    let mut world = World::new(spec());
    world.settle(false);
    let before = world.log.len();
    let contact = |host: &str, port, refused: Option<&str>| Contact {
        host: host.into(),
        port,
        known_as: None,
        refused: refused.map(str::to_owned),
    };
    let told = [
        contact("a.test", 443, None),
        contact("a.test", 80, None),
        contact("a.test", 443, Some("it moved")),
        contact("b.test", 0, Some("no")),
        contact("a.test", 443, None),
    ];
    for contact in told.clone() {
        world.report(Report::HostContacted { generation: Generation(1), contact });
    }
    world.report(Report::HostContacted { generation: Generation(2), contact: contact("c.test", 1, None) });
    assert_eq!(world.story(before), ["host_contacted"; 3]);
    assert_eq!(world.session.contacts()[..], [told[0].clone(), told[2].clone(), told[3].clone()]);
    for number in 0..2 * MAX_CONTACTS {
        let contact = contact(&format!("{number}.test"), 443, None);
        world.report(Report::HostContacted { generation: Generation(1), contact });
    }
    assert_eq!(world.session.contacts().len(), MAX_CONTACTS);
}
