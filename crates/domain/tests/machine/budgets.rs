//! What a session may cost.

use crate::world::{World, spec};
use lamplight_domain::session::{Command, Dollars, Phase, Refusal};

fn working(budget_micros: u64) -> World {
    let mut spec = spec();
    spec.limits.budget_micros = budget_micros;
    let mut world = World::new(spec);
    world.settle(false);
    world
}

#[test]
fn people_are_told_once_and_the_turn_ends_when_it_is_spent() {
    let mut world = working(1_000_000);
    let before = world.log.len();
    world.spend(799_999);
    assert_eq!(world.story(before), ["tokens_used"]);
    world.spend(1);
    world.spend(100_000);
    assert_eq!(world.story(before)[2..], ["budget_neared", "tokens_used"]);
    world.prompt("queued in time").unwrap();
    world.spend(100_000);
    world.settle(false);
    let (phase, reason) = world.session.phase();
    assert_eq!(
        (phase, reason.as_deref()),
        (Phase::Stuck, Some("the budget of $1.00 is spent; raise it to go on"))
    );
    assert_eq!(world.prompt("more"), Err(Refusal::BudgetSpent { budget_micros: 1_000_000 }));
    assert_eq!(world.turn().0, 1, "what waits goes on waiting");
    assert!(world.session.next_deadline(world.now).is_some_and(|(_, what)| what == "pause when idle"));

    world.command(Command::SetBudget { budget_micros: 2_000_000, by: "Ada".into() }).unwrap();
    world.settle(true);
    assert_eq!((world.turn().0, world.session.phase().0), (2, Phase::Done));
}

#[test]
fn without_a_budget_nothing_is_bounded() {
    let mut world = working(0);
    world.spend(u64::MAX);
    world.spend(1);
    world.settle(true);
    assert_eq!(world.session.phase().0, Phase::Done);
}

#[test]
fn money_is_written_as_people_write_it() {
    for (micros, text) in [
        (0, "$0.00"),
        (1, "$0.0001"),
        (4_150, "$0.0042"),
        (9_999, "$0.0100"),
        (10_000, "$0.01"),
        (1_239_999, "$1.23"),
        (120_000_000, "$120.00"),
    ] {
        assert_eq!(Dollars(micros).to_string(), text);
    }
}
