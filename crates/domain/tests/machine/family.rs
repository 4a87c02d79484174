//! Children of a session, and one that is a child itself.

use crate::budgets::working;
use crate::world::{World, spec};
use lamplight_domain::event::{Event, Guard};
use lamplight_domain::session::{Command, Phase, Refusal, Report};
use lamplight_domain::{ChildBegun, ChildBounds, SessionId, SessionSpec, SomeLimits};

const BOUNDS: ChildBounds = ChildBounds { depth: 2, number: 2 };

pub(crate) fn id(number: u32) -> SessionId {
    format!("{number:026}").parse().unwrap()
}

/// Of the fifth session.
pub(crate) fn child() -> SessionSpec {
    SessionSpec { parents: vec![id(5)], ..spec() }
}

pub(crate) fn begin(world: &mut World, number: u32) -> Result<(), Refusal> {
    begin_within(world, number, BOUNDS)
}

fn begin_within(world: &mut World, number: u32, bounds: ChildBounds) -> Result<(), Refusal> {
    let branch = format!("lamplight/child-{number}");
    let child = ChildBegun { session: id(number), branch, by: "Ada".into(), by_agent: false };
    world.command(Command::BeginChild { child, bounds })
}

fn spent(world: &mut World, number: u32, cost_micros: u64) {
    world.report(Report::ChildSpent { session: id(number), cost_micros });
}

#[test]
fn how_many_children_there_may_be_is_counted_in_the_parents_log() {
    let mut world = World::new(spec());
    begin(&mut world, 7).unwrap();
    begin(&mut world, 8).unwrap();
    world.crash();
    assert_eq!(begin(&mut world, 9), Err(Refusal::TooManyChildren { number: 2 }));
    let family = world.session.view(id(5)).family;
    assert_eq!(family.children.iter().map(|child| &child.session).collect::<Vec<_>>(), [&id(7), &id(8)]);
    world.settle(true);
    assert_eq!(world.session.view(id(5)).who_ended(), None);
    world.command(Command::End { by: "Grace".into() }).unwrap();
    assert_eq!(begin(&mut world, 10), Err(Refusal::Ended));
    let mut view = world.session.view(id(5));
    assert_eq!((view.who_ended(), view.person.name.as_str()), (Some("Grace"), "Ada"));
    // As it was written before that was kept.
    view.ended_by = None;
    assert_eq!(view.who_ended(), Some("Ada"));
}

#[test]
fn below_the_bound_nobody_has_children() {
    for (above, depth, expected) in [
        (0, 1, Ok(())),
        (1, 2, Ok(())),
        (1, 1, Err(Refusal::ChildTooDeep { depth: 1 })),
        (2, 2, Err(Refusal::ChildTooDeep { depth: 2 })),
        (0, 0, Err(Refusal::ChildTooDeep { depth: 0 })),
    ] {
        let mut world = World::new(SessionSpec { parents: (1..=above).map(id).collect(), ..spec() });
        let bounds = ChildBounds { depth, ..BOUNDS };
        assert_eq!(begin_within(&mut world, 7, bounds), expected, "{above} above, of {depth}");
    }
}

#[test]
fn what_children_spend_counts_for_their_parents_budget() {
    let mut world = working(1_000_000);
    begin(&mut world, 7).unwrap();
    let before = world.log.len();
    world.spend(300_000);
    spent(&mut world, 7, 400_000);
    // Told late, twice, or by somebody else's child: nothing.
    spent(&mut world, 7, 200_000);
    spent(&mut world, 7, 400_000);
    spent(&mut world, 9, 900_000);
    assert_eq!(world.story(before), ["tokens_used", "child_spent"]);
    world.crash();
    assert_eq!(world.session.cost_micros(), 700_000);
    assert_eq!(world.session.view(id(5)).cost.micros, 300_000, "what it spent itself is told apart");
    spent(&mut world, 7, 700_000);
    let tripped = world.log.iter().any(
        |entry| matches!(&entry.event, Event::GuardTripped(tripped) if tripped.guard == Guard::Budget && tripped.counted == Some(1_000_000)),
    );
    assert!(tripped, "{:?}", world.story(before));
    world.settle(true);
    assert_eq!(begin(&mut world, 8), Err(Refusal::BudgetSpent { budget_micros: 1_000_000 }));
    assert_eq!(world.prompt("more"), Err(Refusal::BudgetSpent { budget_micros: 1_000_000 }));
}

#[test]
fn a_child_begins_with_no_more_than_is_left() {
    let mut world = working(1_000_000);
    begin(&mut world, 7).unwrap();
    world.spend(300_000);
    spent(&mut world, 7, 100_000);
    let check = |asked: Option<u64>, expected: u64| {
        let asked = SomeLimits { budget_micros: asked, ..SomeLimits::default() };
        assert_eq!(world.session.limits_of_a_child(&asked).unwrap().budget_micros, expected, "{asked:?}");
    };
    check(None, 600_000);
    check(Some(200_000), 200_000);
    check(Some(2_000_000), 600_000);
    check(Some(0), 600_000);
    let unbounded = working(0);
    let asked = SomeLimits { budget_micros: Some(5), ..SomeLimits::default() };
    assert_eq!(unbounded.session.limits_of_a_child(&asked).unwrap().budget_micros, 5);
}

#[test]
fn a_child_stops_records_its_work_and_ends_with_its_parent() {
    let mut world = World::new(child());
    world.settle(false);
    world.prompt("and a test").unwrap();
    let before = world.log.len();
    world.report(Report::ParentEnded { by: "Ada".into() });
    world.report(Report::ParentEnded { by: "Ada".into() });
    assert_eq!(world.story(before)[..3], ["parent_ended", "prompt_removed", "stop_requested"]);
    assert_eq!(world.prompt("more"), Err(Refusal::Ended));
    world.crash();
    world.settle(true);
    let story = world.story(before);
    let at = |name: &str| story.iter().position(|one| one == name).unwrap_or_else(|| panic!("{story:?}"));
    assert!(at("turn_ended") < at("work_committed") && at("work_committed") < at("session_ended"));
    assert_eq!(story.iter().filter(|name| *name == "parent_ended").count(), 1);

    // Of nobody's child nobody is the parent.
    let mut alone = World::new(spec());
    alone.settle(true);
    let before = alone.log.len();
    alone.report(Report::ParentEnded { by: "Ada".into() });
    assert_eq!((alone.log.len(), alone.session.phase().0), (before, Phase::Done));
}
