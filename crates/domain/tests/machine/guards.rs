//! Guards of tokens, money and the whole session, and going on past them once.

use crate::world::{World, spec};
use lamplight_domain::event::{Event, Guard, GuardTripped};
use lamplight_domain::session::{Asked, Command, Phase, Refusal, SessionView};
use lamplight_domain::transcript::ToolStatus;
use lamplight_domain::{Limits, PromptId, Role, SomeLimits, TurnNumber};

const NOBODY_ELSE: fn() -> SomeLimits = SomeLimits::default;

impl World {
    /// A person lets it go on past what ended this turn.
    pub(crate) fn go_on(&mut self, turn: TurnNumber, role: Role, at_most: SomeLimits) -> Result<(), Refusal> {
        let (prompt, by, at_most) = (self.next_prompt(), "Ada".into(), Box::new(at_most));
        self.command(Command::Continue { turn, prompt, asked: None, by, role, at_most })
    }

    /// The same, and says what for.
    pub(crate) fn go_on_to(&mut self, turn: TurnNumber, text: &str) -> Result<(), Refusal> {
        let (prompt, by, role) = (self.next_prompt(), "Ada".into(), Role::Member);
        let asked = Some(Asked { text: text.into(), attachments: Vec::new() });
        self.command(Command::Continue { turn, prompt, asked, by, role, at_most: Box::default() })
    }
}

fn working(limits: Limits) -> World {
    let mut spec = spec();
    spec.limits = limits;
    let mut world = World::new(spec);
    world.settle(false);
    world
}

fn view(world: &World) -> SessionView {
    world.session.view("01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap())
}

/// The last that tripped.
fn tripped(world: &World) -> Option<GuardTripped> {
    world.log.iter().rev().find_map(|entry| match &entry.event {
        Event::GuardTripped(tripped) => Some(tripped.clone()),
        _ => None,
    })
}

fn calls(world: &mut World, n: u64, from: u64) {
    for call in from..from + n {
        world.tool_call(&call.to_string(), &call.to_string(), ToolStatus::Completed);
    }
}

#[test]
fn each_guard_trips_with_what_it_counted_and_allows_the_same_again_once() {
    let check = |limits: Limits, guard: Guard, counted: u64, reason: &str, work: &dyn Fn(&mut World)| {
        let mut world = working(limits);
        let limit = world.session.spec().limits.of(guard).unwrap();
        work(&mut world);
        world.settle(false);
        let (phase, why) = world.session.phase();
        assert_eq!((phase, why.as_deref()), (Phase::Stuck, Some(reason)), "{guard:?}");
        let tripped = tripped(&world).unwrap();
        assert_eq!((tripped.guard, tripped.limit, tripped.counted), (guard, Some(limit), Some(counted)));
        assert_eq!(view(&world).tripped, Some(tripped), "people are told where it stands");
        let refused = world.prompt("more").err();
        assert_eq!(refused.is_some(), guard.is_of_session(), "{guard:?}: {refused:?}");
        if guard.is_of_session() {
            let refused = refused.unwrap().to_string();
            assert!(refused.ends_with(guard.what_to_do()), "{refused}");
            world.go_on(TurnNumber(1), Role::Admin, NOBODY_ELSE()).unwrap();
            world.settle(false);
            assert_eq!((world.turn().0, world.session.phase().0), (2, Phase::Planning), "{guard:?}");
            assert_eq!(view(&world).tripped, None);
            work(&mut world);
            world.settle(false);
            assert_eq!((world.turn().0, world.session.phase().0), (2, Phase::Stuck), "{guard:?} trips again");
        }
    };
    let limits = Limits::default;
    check(
        Limits { turn_tokens: 1_000, ..limits() },
        Guard::Tokens,
        1_200,
        "the 1000 tokens of one turn are used up; prompt to go on",
        &|world| (0..2).for_each(|_| world.spend_tokens(0, 600)),
    );
    check(
        Limits { turn_cost_micros: 500_000, ..limits() },
        Guard::Cost,
        600_000,
        "the $0.50 that one turn may cost are spent; prompt to go on",
        &|world| (0..2).for_each(|_| world.spend(300_000)),
    );
    check(
        Limits { session_tokens: 1_000, ..limits() },
        Guard::SessionTokens,
        1_200,
        "the 1000 tokens of the whole session are used up; continue it once to go on",
        &|world| (0..2).for_each(|_| world.spend_tokens(0, 600)),
    );
    check(
        Limits { session_steps: 3, ..limits() },
        Guard::SessionSteps,
        4,
        "the 3 tool calls of the whole session are used up; continue it once to go on",
        &|world| calls(world, 4, 0),
    );
    check(
        Limits { session_wall_clock_ms: 60_000, ..limits() },
        Guard::SessionWallClock,
        60_000,
        "all turns together took longer than 60 s; continue it once to go on",
        &|world| world.pass(60_000),
    );
    check(
        Limits { budget_micros: 500_000, ..limits() },
        Guard::Budget,
        600_000,
        "the budget of $0.50 is spent; raise it to go on",
        &|world| (0..2).for_each(|_| world.spend(300_000)),
    );
}

#[test]
fn guards_of_the_session_count_all_turns_and_no_pauses() {
    let mut world = working(Limits { session_steps: 5, session_wall_clock_ms: 90_000, ..Limits::default() });
    calls(&mut world, 3, 0);
    world.pass(30_000);
    world.settle(true);
    assert_eq!(world.session.phase().0, Phase::Done);
    world.pass(600_000);
    world.prompt("more").unwrap();
    world.settle(false);
    calls(&mut world, 2, 10);
    assert_eq!(world.session.phase().0, Phase::Executing, "five calls are what there may be");
    calls(&mut world, 1, 20);
    assert_eq!(tripped(&world).map(|tripped| tripped.guard), Some(Guard::SessionSteps));

    let mut world = working(Limits { session_wall_clock_ms: 90_000, ..Limits::default() });
    world.pass(50_000);
    world.settle(true);
    world.prompt("more").unwrap();
    world.settle(false);
    let due = world.now.plus_ms(40_000);
    assert_eq!(world.session.next_deadline(world.now), Some((due, "guard")));
}

#[test]
fn the_same_request_again_continues_nothing() {
    let mut world = working(Limits { session_tokens: 1_000, ..Limits::default() });
    world.prompt("queued in time").unwrap();
    world.spend_tokens(0, 1_000);
    world.settle(false);
    assert_eq!(world.turn().0, 1, "what waits goes on waiting");
    let first = TurnNumber(1);
    world.go_on(first, Role::Member, NOBODY_ELSE()).unwrap();
    let before = world.log.len();
    world.go_on(first, Role::Member, NOBODY_ELSE()).unwrap();
    assert_eq!(world.log.len(), before, "while it is about to");
    world.settle(false);
    let started = world.log.iter().rev().find_map(|entry| match &entry.event {
        Event::TurnStarted { prompt, .. } => Some(prompt.clone()),
        _ => None,
    });
    let continued = world.log.iter().find_map(|entry| match &entry.event {
        Event::TurnContinued(continued) => Some(continued.prompt.clone()),
        _ => None,
    });
    assert_eq!(started, continued, "before what waits");
    world.go_on(first, Role::Member, NOBODY_ELSE()).unwrap();
    world.spend_tokens(0, 1_000);
    world.settle(false);
    assert_eq!(world.turn().0, 2);
    let before = world.log.len();
    world.go_on(first, Role::Member, NOBODY_ELSE()).unwrap();
    assert_eq!(world.log.len(), before, "and after it has tripped again");
    world.go_on(TurnNumber(2), Role::Member, NOBODY_ELSE()).unwrap();
    world.settle(true);
    assert_eq!((world.turn().0, world.session.phase().0), (3, Phase::Stuck), "what waits goes on waiting");

    let mut done = working(Limits::default());
    done.settle(true);
    assert_eq!(done.go_on(TurnNumber(1), Role::Member, NOBODY_ELSE()), Err(Refusal::NothingToContinue));
}

/// What the turns were of, in their order.
fn texts(world: &World) -> Vec<String> {
    let queued = |wanted: &PromptId| {
        world.log.iter().find_map(|entry| match &entry.event {
            Event::PromptQueued { prompt, text, .. } if prompt == wanted => {
                Some(text.lines().next().unwrap_or_default().to_owned())
            }
            _ => None,
        })
    };
    let started = world.log.iter().filter_map(|entry| match &entry.event {
        Event::TurnStarted { prompt, .. } => queued(prompt),
        _ => None,
    });
    started.collect()
}

#[test]
fn what_a_spent_session_goes_on_with() {
    // It is used up by a turn that comes to its end.
    let spent = || {
        let mut world = working(Limits { session_steps: 2, ..Limits::default() });
        world.prompt("then this").unwrap();
        calls(&mut world, 2, 0);
        world.settle(true);
        assert_eq!(world.turn().0, 1);
        let stands = view(&world).tripped.unwrap();
        assert_eq!((stands.turn.0, stands.guard), (1, Guard::SessionSteps), "although nothing has tripped");
        assert_eq!(tripped(&world), None);
        world
    };
    let mut waits = spent();
    waits.go_on(TurnNumber(1), Role::Member, NOBODY_ELSE()).unwrap();
    waits.go_on(TurnNumber(1), Role::Member, NOBODY_ELSE()).unwrap();
    waits.settle(true);
    assert_eq!(texts(&waits), ["do it", "then this"], "what waits, as nothing was interrupted");

    let mut asked = spent();
    asked.go_on_to(TurnNumber(1), "first this").unwrap();
    let again = asked.go_on_to(TurnNumber(1), "and this");
    assert_eq!(again, Err(Refusal::TurnRunning { turn: TurnNumber(2) }), "nothing that is asked for is lost");
    asked.settle(true);
    assert_eq!(texts(&asked), ["do it", "first this"], "and what waits goes on waiting");
    assert_eq!(asked.go_on_to(TurnNumber(1), "and this"), Err(Refusal::NothingToContinue));

    let mut nothing = spent();
    let (prompt, by) = (nothing.last_prompt(), "Ada".to_owned());
    nothing.command(Command::RemovePrompt { prompt, by }).unwrap();
    nothing.go_on(TurnNumber(1), Role::Member, NOBODY_ELSE()).unwrap();
    nothing.settle(true);
    assert_eq!(texts(&nothing), ["do it", "Go on, if anything is left to do."]);

    let mut cut = working(Limits { session_steps: 2, ..Limits::default() });
    cut.prompt("then this").unwrap();
    calls(&mut cut, 3, 0);
    cut.settle(false);
    for turn in 1..=2 {
        cut.go_on(TurnNumber(turn), Role::Member, NOBODY_ELSE()).unwrap();
        cut.settle(true);
    }
    assert_eq!(texts(&cut), ["do it", "Go on with the interrupted work.", "then this"]);
}

#[test]
fn nobody_goes_further_than_they_might_themselves() {
    let mut world = working(Limits { session_tokens: 10_000, ..Limits::default() });
    world.spend_tokens(0, 10_000);
    world.settle(false);
    let most = SomeLimits { session_tokens: Some(500), ..SomeLimits::default() };
    world.go_on(TurnNumber(1), Role::Member, most).unwrap();
    let guards = view(&world).guards;
    let tokens = guards.iter().find(|row| row.guard == Guard::SessionTokens).unwrap();
    assert_eq!((tokens.limit, tokens.counted, tokens.is_raised), (10_500, 10_000, true));

    let mut world = working(Limits { budget_micros: 1_000, ..Limits::default() });
    world.spend(1_000);
    world.settle(false);
    assert_eq!(
        world.go_on(TurnNumber(1), Role::Member, NOBODY_ELSE()),
        Err(Refusal::NotTheirsToRaise { guard: Guard::Budget, role: Role::Member })
    );
    world.go_on(TurnNumber(1), Role::Owner, NOBODY_ELSE()).unwrap();
    assert_eq!(world.session.budget_micros(), 2_000, "as the gateway counts it");
    world.settle(true);
    assert_eq!((world.session.budget_micros(), world.turn().0), (1_000, 2), "until the end of that turn");
}

#[test]
fn a_budget_that_is_set_holds_at_once() {
    let continued = || {
        let mut world = working(Limits { budget_micros: 1_000, ..Limits::default() });
        world.spend(1_000);
        world.settle(false);
        world.go_on(TurnNumber(1), Role::Owner, NOBODY_ELSE()).unwrap();
        world.settle(false);
        assert_eq!((world.turn().0, world.session.budget_micros()), (2, 2_000));
        world
    };
    let set = |world: &mut World, budget_micros: u64| {
        let by = "Ada".to_owned();
        world.command(Command::SetBudget { budget_micros, by }).unwrap();
        world.settle(false);
    };
    let mut more = continued();
    set(&mut more, 10_000);
    more.spend(5_000);
    more.settle(false);
    assert_eq!((more.session.budget_micros(), more.session.phase().0), (10_000, Phase::Planning));

    let mut less = continued();
    set(&mut less, 500);
    assert_eq!(less.session.phase().0, Phase::Stuck, "a budget stops what runs");
    assert_eq!(tripped(&less).map(|tripped| (tripped.turn.0, tripped.limit)), Some((2, Some(500))));

    let mut none = continued();
    set(&mut none, 0);
    none.spend(1_000_000);
    none.settle(false);
    assert_eq!(none.session.phase().0, Phase::Planning);
}

#[test]
fn what_was_let_go_on_and_taken_back_can_be_let_again() {
    let mut world = working(Limits { session_steps: 2, ..Limits::default() });
    calls(&mut world, 3, 0);
    world.settle(false);
    world.go_on(TurnNumber(1), Role::Member, NOBODY_ELSE()).unwrap();
    let (prompt, by) = (world.last_prompt(), "Ada".to_owned());
    world.command(Command::RemovePrompt { prompt, by }).unwrap();
    assert_eq!(world.prompt("more").map_err(|refusal| refusal.code()), Err("guard_spent"));
    world.go_on(TurnNumber(1), Role::Member, NOBODY_ELSE()).unwrap();
    world.settle(true);
    assert_eq!(world.turn().0, 2);
}

#[test]
fn a_fork_begins_with_what_is_left() {
    let mut world = working(Limits { session_tokens: 1_000, session_steps: 9, ..Limits::default() });
    world.spend_tokens(0, 400);
    calls(&mut world, 2, 0);
    world.settle(true);
    let left = world.session.limits_of_a_fork(&SomeLimits::default()).unwrap();
    assert_eq!((left.session_tokens, left.session_steps, left.steps), (600, 7, 25));
    world.prompt("more").unwrap();
    world.settle(false);
    world.spend_tokens(0, 700);
    world.settle(true);
    let refused = world.session.limits_of_a_fork(&SomeLimits::default()).map_err(|refusal| refusal.code());
    assert_eq!(refused, Err("guard_spent"));
    let asked = SomeLimits { session_tokens: Some(50), ..SomeLimits::default() };
    assert_eq!(world.session.limits_of_a_fork(&asked).unwrap().session_tokens, 50);
}
