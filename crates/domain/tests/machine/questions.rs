//! Questions of an agent: who is asked, what is an answer, and that nothing waits for one for ever.

use crate::agents::which;
use crate::world::{World, spec};
use lamplight_domain::Event;
use lamplight_domain::agent::AgentInput;
use lamplight_domain::permission::Policy;
use lamplight_domain::question::{QuestionAnswered, Reply};
use lamplight_domain::session::{Command, Phase, Refusal, Report};
use serde_json::{Value, json};

/// A world whose agent has asked question 7.
fn asking(policy: Policy, unfit: Option<&str>) -> World {
    let mut spec = spec();
    spec.permissions = policy;
    let mut world = World::new(spec);
    world.settle(false);
    let report = world.ask_question(7, unfit);
    world.report(report);
    world
}

fn reply(reply: Reply) -> Command {
    Command::AnswerQuestion { request: 7.into(), reply, by: "Ada".into() }
}

/// Every answer in the log, and that the agent was told each of them.
fn answered(world: &World) -> Vec<Value> {
    let of = |event: &Event| match event {
        Event::QuestionAnswered(QuestionAnswered { reply, by, why, .. }) => Some(json!([reply, by, why])),
        _ => None,
    };
    let told =
        |event: &Event| matches!(event, Event::InputQueued { input: AgentInput::AnswerQuestion { .. }, .. });
    let answers: Vec<Value> = world.log.iter().filter_map(|entry| of(&entry.event)).collect();
    assert_eq!(world.log.iter().filter(|entry| told(&entry.event)).count(), answers.len());
    answers
}

#[test]
fn a_person_answers_with_what_the_question_takes() {
    let mut world = asking(Policy::Ask, None);
    let phase = (Phase::WaitingForYou, Some("the agent asks: Left or right?".to_owned()));
    assert_eq!(world.session.phase(), phase);
    let misfit = |field: &str, why: &str| {
        Err(Refusal::AnswerDoesNotFit { field: Some(field.into()), why: why.into() })
    };
    assert_eq!(world.command(reply(which("up"))), misfit("which", "the agent did not offer \"up\""));
    let nothing = Reply::Accepted { content: Default::default() };
    assert_eq!(world.command(reply(nothing)), misfit("which", "it is required"));
    assert_eq!(world.session.phase(), phase, "what does not fit changes nothing");
    let other = Command::AnswerQuestion { request: 8.into(), reply: which("left"), by: "Ada".into() };
    assert_eq!(world.command(other), Err(Refusal::QuestionNotOpen));
    let leave = Command::AnswerPermission { request: 7.into(), option: None, by: "Ada".into() };
    assert_eq!(world.command(leave), Err(Refusal::PermissionNotOpen), "a question is no request for leave");

    world.command(reply(which("left"))).unwrap();
    let accepted = json!({ "reply": "accepted", "content": { "which": "left" } });
    assert_eq!(answered(&world), [json!([accepted, { "by": "person", "name": "Ada" }, null])]);
    assert_eq!(world.command(reply(which("left"))), Err(Refusal::QuestionNotOpen), "once");
    assert_eq!(world.session.phase().0, Phase::Planning);
}

#[test]
fn a_question_may_be_declined() {
    let mut world = asking(Policy::Ask, None);
    world.command(reply(Reply::Declined)).unwrap();
    let declined = json!({ "reply": "declined" });
    assert_eq!(answered(&world), [json!([declined, { "by": "person", "name": "Ada" }, null])]);
}

/// What they say steers the work, so that they had a hand in it; who only takes the question away had not.
#[test]
fn who_answers_has_worked_at_it() {
    let worked_by = |reply: Reply| {
        let mut world = asking(Policy::Ask, None);
        let command = Command::AnswerQuestion { request: 7.into(), reply, by: "Bob".into() };
        world.command(command).unwrap();
        let view = world.session.view("01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap());
        view.worked_by.contains("Bob")
    };
    assert!(worked_by(which("left")));
    assert!(!worked_by(Reply::Declined) && !worked_by(Reply::Cancelled));
}

#[test]
fn where_nobody_is_asked_a_question_waits_for_nobody() {
    for policy in [Policy::Allow, Policy::Reject] {
        let world = asking(policy, None);
        assert_eq!(world.session.phase().0, Phase::Planning);
        let cancelled = json!({ "reply": "cancelled" });
        let why = "nobody is asked in this session";
        assert_eq!(answered(&world), [json!([cancelled, { "by": "policy" }, why])]);
    }
}

#[test]
fn what_cannot_be_asked_is_declined_and_says_why() {
    for policy in [Policy::Ask, Policy::Allow] {
        let world = asking(policy, Some("it wants a page to be opened"));
        let declined = json!({ "reply": "declined" });
        assert_eq!(answered(&world), [json!([declined, { "by": "policy" }, "it wants a page to be opened"])]);
    }
}

#[test]
fn a_question_is_cancelled_at_its_deadline_and_by_a_stop() {
    let cancelled = json!({ "reply": "cancelled" });
    let mut world = asking(Policy::Ask, None);
    let limit = world.session.spec().limits.permission_ms;
    world.pass(limit - 1);
    assert_eq!((world.session.phase().0, answered(&world).len()), (Phase::WaitingForYou, 0));
    world.pass(1);
    assert_eq!(answered(&world), [json!([cancelled, { "by": "deadline" }, null])]);

    let mut world = asking(Policy::Ask, None);
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    assert_eq!(answered(&world), [json!([cancelled, { "by": "stop" }, null])]);
    let late = world.ask_question(8, None);
    world.report(late);
    assert_eq!(answered(&world).len(), 2, "nobody is asked while the turn is being stopped");
}

#[test]
fn silence_is_the_persons_while_a_question_waits() {
    let mut spec = spec();
    spec.permissions = Policy::Ask;
    spec.limits.permission_ms = 4 * spec.limits.silence_ms;
    let mut world = World::new(spec.clone());
    world.settle(false);
    let report = world.ask_question(7, None);
    world.report(report);
    world.pass(2 * spec.limits.silence_ms);
    assert_eq!(world.session.phase().0, Phase::WaitingForYou);
}

#[test]
fn a_pause_puts_the_deadline_off() {
    let mut world = asking(Policy::Ask, None);
    let limit = world.session.spec().limits.permission_ms;
    world.command(Command::Pause { by: "Ada".into() }).unwrap();
    world.settle(false);
    world.pass(2 * limit);
    world.command(Command::Resume { by: "Ada".into() }).unwrap();
    world.settle(false);
    assert_eq!((world.session.phase().0, answered(&world).len()), (Phase::WaitingForYou, 0));
    world.pass(limit);
    assert_eq!(answered(&world).len(), 1);
}

#[test]
fn a_crash_asks_nothing_twice_and_answers_nothing_twice() {
    let mut world = asking(Policy::Ask, None);
    world.crash();
    assert_eq!(world.session.phase().0, Phase::WaitingForYou);
    world.command(reply(which("right"))).unwrap();
    let told = |world: &World| {
        let inputs =
            world.session.inputs().filter(|told| matches!(told.input, AgentInput::AnswerQuestion { .. }));
        inputs.map(|told| told.n).collect::<Vec<_>>()
    };
    let before = told(&world);
    assert_eq!(before.len(), 1);
    world.crash();
    assert_eq!(told(&world), before, "the same message under the same number");
    // The agent's process keeps what it was told by number; another text under the same number would be noticed.
    world.settle(false);
    assert_eq!(answered(&world).len(), 1);
}

#[test]
fn questions_and_requests_for_leave_share_one_bound() {
    let mut world = asking(Policy::Ask, None);
    for request in 0..10_000 {
        let report = match request % 2 {
            0 => world.ask_permission(request),
            _ => world.ask_question(request, None),
        };
        world.report(report);
    }
    world.settle(false);
    assert!(world.session.phase().1.unwrap().contains("more than 500 questions"));
}

#[test]
fn a_question_outside_of_a_turn_is_cancelled_and_not_told_to_anybody() {
    let mut world = asking(Policy::Ask, None);
    world.command(reply(Reply::Declined)).unwrap();
    world.settle(true);
    let before = world.log.len();
    let late = world.ask_question(9, None);
    world.report(late);
    assert!(world.log[before..].iter().all(|entry| !matches!(entry.event, Event::QuestionAsked(_))));
    let told = world.session.inputs().last().map(|told| told.input.clone());
    assert_eq!(told, Some(AgentInput::AnswerQuestion { request: 9.into(), reply: Reply::Cancelled }));
    world.report(Report::Tick);
}
