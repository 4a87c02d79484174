//! What a session may cost.

use crate::world::{World, spec};
use lamplight_domain::event::{Event, Guard, Outcome};
use lamplight_domain::session::{Command, Dollars, Phase, Refusal, Report};
use lamplight_domain::{BudgetOf, MonthBudget, Timestamp};

pub(crate) fn working(budget_micros: u64) -> World {
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

fn month(of: BudgetOf, spent_micros: u64) -> Report {
    Report::MonthBudget(MonthBudget {
        of,
        budget_micros: 50_000_000,
        spent_micros,
        until: Timestamp(2_000_000),
    })
}

fn ada() -> BudgetOf {
    BudgetOf::Person { name: "Ada".into() }
}

#[test]
fn people_are_told_once_of_each_budget_that_they_share() {
    let mut world = working(0);
    let before = world.log.len();
    world.report(month(ada(), 39_999_999));
    assert_eq!(world.story(before), [""; 0]);
    world.report(month(ada(), 40_000_000));
    world.report(month(ada(), 45_000_000));
    world.report(month(BudgetOf::Deployment, 41_000_000));
    world.crash();
    world.report(month(ada(), 46_000_000));
    assert_eq!(world.story(before), ["budget_neared"; 2]);
    let told = |entry: usize| match &world.log[before + entry].event {
        Event::BudgetNeared(near) => (near.of.clone(), near.spent_micros, near.until),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(0), (ada(), 40_000_000, Some(Timestamp(2_000_000))));
    assert_eq!(told(1), (BudgetOf::Deployment, 41_000_000, Some(Timestamp(2_000_000))));
    let next = MonthBudget {
        of: ada(),
        budget_micros: 50_000_000,
        spent_micros: 41_000_000,
        until: Timestamp(3_000_000),
    };
    world.report(Report::MonthBudget(next));
    assert_eq!(world.story(before).len(), 3, "and again in the next month");
}

#[test]
fn a_turn_ends_when_a_shared_budget_is_spent_and_what_waits_goes_on_waiting() {
    let mut world = working(0);
    world.prompt("queued in time").unwrap();
    let of = BudgetOf::Repository { path: "/repo".into() };
    world.report(month(of.clone(), 50_000_000));
    world.settle(true);
    let detail = "this month's budget of $50.00 for the repository /repo is spent";
    let tripped = Outcome::Tripped { guard: Guard::MonthBudget, detail: detail.into() };
    assert!(
        world
            .log
            .iter()
            .any(|entry| entry.event == Event::TurnEnded { turn: world.turn(), outcome: tripped.clone() })
    );
    let what_to_do = "raise it in the configuration or wait for the next month, then prompt to go on";
    assert_eq!(world.session.phase(), (Phase::Stuck, Some(format!("{detail}; {what_to_do}"))));
    let before = world.log.len();
    world.report(month(of, 60_000_000));
    assert_eq!((world.turn().0, world.story(before)), (1, vec![]), "without a turn there is nothing to stop");
    world.prompt("go on").unwrap();
    world.settle(true);
    assert_eq!((world.turn().0, world.session.phase().0), (3, Phase::Done));
}

#[test]
fn what_stands_still_is_stopped_only_when_it_goes_on() {
    let mut world = working(0);
    world.command(Command::Pause { by: "Ada".into() }).unwrap();
    world.settle(false);
    let before = world.log.len();
    world.report(month(ada(), 50_000_000));
    assert_eq!(world.story(before), [""; 0]);
    world.command(Command::Resume { by: "Ada".into() }).unwrap();
    world.settle(false);
    world.report(month(ada(), 50_000_000));
    assert!(world.story(before).contains(&"guard_tripped".to_owned()));
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
