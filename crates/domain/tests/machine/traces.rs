//! The stories of the module's documentation, one by one.

use crate::world::{World, spec};
use lamplight_domain::agent::{AgentInput, AgentReport, ExitStatus, RequestKind, StopReason};
use lamplight_domain::permission::Policy;
use lamplight_domain::session::{Command, Effect, Phase, Refusal, Report};
use lamplight_domain::transcript::ToolStatus;
use lamplight_domain::{Event, Failure, FailureClass, Generation, ToCheck, TurnNumber};

/// A world whose first prompt is with the agent.
fn working() -> World {
    working_with(spec())
}

fn working_with(spec: lamplight_domain::SessionSpec) -> World {
    let mut world = World::new(spec);
    world.settle(false);
    assert_eq!(world.session.phase().0, Phase::Planning);
    world
}

fn agent(world: &World, report: AgentReport) -> Report {
    Report::Agent { run: world.session.run(), report: Box::new(report) }
}

#[test]
fn a_prompt_becomes_a_commit() {
    let mut world = World::new(spec());
    assert_eq!(world.session.phase().0, Phase::Starting);
    world.settle(true);
    let story = [
        "session_created",
        "prompt_queued",
        "sandbox_requested",
        "sandbox_created",
        "workspace_prepared",
        "agent_requested",
        "turn_started",
        "turn_ended",
        "work_committed",
        "checkpoint_requested",
        "checkpoint_kept",
    ];
    assert_eq!(world.story(0), story);
    assert_eq!(world.session.phase(), (Phase::Done, None));
    let before = world.log.len();
    world.pass(world.session.spec().limits.idle_ms);
    world.settle(true);
    let released = ["sandbox_released", "sandbox_destroyed"];
    assert_eq!(world.story(before), released, "the time of all else has passed too");
    assert_eq!(world.session.next_deadline(world.now), None);
    assert!(world.session.owed(world.now).is_empty() && world.running.is_empty());
    world.prompt("more").unwrap();
    world.settle(true);
    assert_eq!(world.turn(), TurnNumber(2));
    assert!(world.agents[&2].told.values().any(|input| matches!(input, AgentInput::LoadSession { .. })));
}

#[test]
fn follow_ups_wait_and_go_in_order() {
    let mut world = working();
    world.prompt("second").unwrap();
    world.prompt("third").unwrap();
    let third = world.last_prompt();
    world.prompt("fourth").unwrap();
    world.command(Command::RemovePrompt { prompt: third.clone(), by: "Ada".into() }).unwrap();
    assert_eq!(
        world.command(Command::RemovePrompt { prompt: third, by: "Ada".into() }),
        Err(Refusal::PromptNotFound)
    );
    world.settle(true);
    let prompts: Vec<String> = world.agents[&1]
        .told
        .values()
        .filter_map(|input| match input {
            AgentInput::Prompt { text, .. } => Some(text.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(prompts, ["do it", "second", "fourth"]);
}

#[test]
fn stop_ends_the_turn_when_nothing_of_it_runs() {
    let mut world = working();
    let before = world.log.len();
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    world.settle(false);
    assert_eq!(
        world.story(before),
        [
            "stop_requested",
            "cancel_answered",
            "agent_exited",
            "turn_ended",
            "work_committed",
            "checkpoint_requested",
            "checkpoint_kept"
        ]
    );
    assert_eq!(world.session.phase().0, Phase::Paused);
    assert!(!world.agents[&1].alive);
    assert_eq!(world.command(Command::Stop { by: "Ada".into() }), Err(Refusal::NoTurnRunning));
}

#[test]
fn an_agent_that_ignores_cancel_is_killed_after_its_grace() {
    let mut world = working();
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    assert!(!world.session.owed(world.now).iter().any(|effect| matches!(effect, Effect::KillAgent { .. })));
    let (at, name) = world.session.next_deadline(world.now).unwrap();
    assert_eq!((at.since_ms(world.now), name), (world.session.spec().limits.cancel_grace_ms, "cancel"));
    world.pass(at.since_ms(world.now));
    assert!(world.session.owed(world.now).iter().any(|effect| matches!(effect, Effect::KillAgent { .. })));
}

#[test]
fn stop_before_the_first_turn_takes_the_prompt_back() {
    let mut world = World::new(spec());
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    world.settle(true);
    assert_eq!(world.turn(), TurnNumber(0));
    assert_eq!(world.session.phase().0, Phase::Paused);
}

#[test]
fn each_guard_ends_the_turn_with_its_reason() {
    let check = |act: &dyn Fn(&mut World), reason: &str| {
        let mut world = working();
        act(&mut world);
        world.settle(false);
        let (phase, why) = world.session.phase();
        assert_eq!(phase, Phase::Stuck);
        assert!(why.as_deref().unwrap().contains(reason), "{why:?}");
        assert!(!world.agents[&1].alive);
    };
    let calls = |world: &mut World, count: u32, status: ToolStatus| {
        (0..count).for_each(|n| world.tool_call(&n.to_string(), &n.to_string(), status));
    };
    check(&|world| calls(world, 26, ToolStatus::Completed), "more than 25 tool calls");
    check(&|world| calls(world, 3, ToolStatus::Failed), "shell failed 3 times in a row");
    check(
        &|world| (0..3).for_each(|n| world.tool_call(&n.to_string(), "same", ToolStatus::Completed)),
        "3 times in a row with the same input",
    );
    check(&|world| world.pass(10 * 60_000), "no word from the agent for 600 s");
    let busy = |world: &mut World| {
        world.tool_call("one", "x", ToolStatus::InProgress);
        world.pass(5 * 60_000);
    };
    check(&|world| (0..30).for_each(|_| busy(world)), "longer than 7200 s");
}

#[test]
fn a_success_of_the_same_tool_ends_a_row_of_failures() {
    use ToolStatus::{Completed, Failed};
    let mut world = working();
    for (n, status) in [Failed, Failed, Completed, Failed, Failed].into_iter().enumerate() {
        world.tool_call(&n.to_string(), &n.to_string(), status);
    }
    assert_eq!(world.session.phase().0, Phase::Executing);
}

#[test]
fn a_lost_sandbox_is_replaced_and_the_prompt_sent_again() {
    let mut world = working();
    let before = world.log.len();
    world.lose(Generation(1));
    world.settle(false);
    let story = [
        "sandbox_lost",
        "sandbox_released",
        "noted",
        "sandbox_requested",
        "sandbox_destroyed",
        "sandbox_created",
        "workspace_prepared",
        "agent_requested",
        "turn_started",
    ];
    assert_eq!(world.story(before), story);
    assert_eq!(world.turn(), TurnNumber(1));
    world.settle(true);
    assert_eq!(world.session.phase().0, Phase::Done);
}

#[test]
fn a_lost_sandbox_after_a_push_asks_a_person() {
    let mut world = working();
    world.report(Report::BranchPushed { run: 1, commit: "abc".into() });
    world.lose(Generation(1));
    world.settle(false);
    let (phase, why) = world.session.phase();
    assert_eq!(phase, Phase::Failed);
    assert!(why.unwrap().contains("had pushed"));
}

#[test]
fn what_fails_in_passing_is_tried_three_times() {
    let mut world = World::new(spec());
    for attempt in 1..=3_u32 {
        let generation = Generation(attempt);
        world.report(Report::SandboxFailed { generation, failure: World::transient() });
        for effect in world.session.owed(world.now) {
            assert!(matches!(effect, Effect::DestroySandbox { .. }));
            world.perform(&effect).into_iter().for_each(|report| world.report(report));
        }
        if attempt < 3 {
            let (at, name) = world.session.next_deadline(world.now).unwrap();
            assert_eq!(name, "sandbox retry");
            let wait = at.since_ms(world.now);
            assert!((1000 << attempt..(1000 << attempt) + 500).contains(&wait), "{wait}");
            world.pass(wait);
        }
    }
    let (phase, why) = world.session.phase();
    assert_eq!((phase, why.as_deref()), (Phase::Failed, Some("busy")));
    assert_eq!(world.turn(), TurnNumber(1), "the person whose prompt waited is told");
}

#[test]
fn a_model_that_is_away_for_a_moment_is_asked_again_three_times() {
    let cut = |world: &mut World| {
        let result = Err(World::transient());
        world.report(agent(world, AgentReport::PromptEnded { turn: TurnNumber(1), result }));
    };
    let mut world = working();
    for retry in 1..=3_u32 {
        cut(&mut world);
        let (at, name) = world.session.next_deadline(world.now).unwrap();
        assert_eq!(name, "retry");
        assert!((1000 << retry..(1000 << retry) + 500).contains(&at.since_ms(world.now)));
        assert_eq!(world.session.phase().0, Phase::Executing);
        world.pass(at.since_ms(world.now));
        let told = world.session.inputs().last().unwrap().input.clone();
        assert!(matches!(told, AgentInput::Prompt { text, .. } if text.contains("Go on")));
    }
    cut(&mut world);
    world.settle(false);
    assert_eq!(world.session.phase(), (Phase::Failed, Some("busy".into())));

    let mut world = working();
    cut(&mut world);
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    world.settle(false);
    assert_eq!(world.session.phase().0, Phase::Paused);
}

#[test]
fn an_agent_that_exits_fails_its_turn_and_the_queue_waits() {
    let mut world = working();
    world.prompt("second").unwrap();
    world.report(Report::AgentExited {
        run: 1,
        status: Some(ExitStatus::Code { code: 3 }),
        detail: "exit 3".into(),
    });
    world.settle(true);
    let (phase, why) = world.session.phase();
    assert_eq!(phase, Phase::Failed);
    assert!(why.unwrap().contains("exit 3"));
    assert_eq!(world.turn(), TurnNumber(1));
    world.prompt("third").unwrap();
    world.settle(true);
    assert_eq!(world.turn(), TurnNumber(3));
}

#[test]
fn broken_protocol_ends_the_agent_and_the_turn() {
    let mut world = working();
    let failure = Failure::agent(FailureClass::Persistent, "a line without end");
    world.report(agent(&world, AgentReport::ProtocolBroken { failure }));
    world.settle(false);
    assert_eq!(world.session.phase(), (Phase::Failed, Some("a line without end".into())));
    assert!(!world.agents[&1].alive);
}

#[test]
fn ten_thousand_questions_end_the_turn_long_before() {
    let mut world = working();
    for request in 0..10_000 {
        let report = world.ask_permission(request);
        world.report(report);
    }
    world.settle(false);
    assert!(world.session.phase().1.unwrap().contains("more than 500 questions"));
    assert!(world.log.len() < 2_000, "{}", world.log.len());
}

#[test]
fn a_question_is_answered_by_policy_by_a_person_or_by_its_deadline() {
    let ask = || {
        let mut spec = spec();
        spec.permissions = Policy::Ask;
        let mut world = working_with(spec);
        let report = world.ask_permission(7);
        world.report(report);
        assert_eq!(world.session.phase().0, Phase::WaitingForYou);
        world
    };
    let answered = |world: &World| {
        world.log.iter().rev().find_map(|entry| match &entry.event {
            Event::PermissionAnswered { by, answer, .. } => Some(serde_json::json!([by, answer])),
            _ => None,
        })
    };
    let mut world = working();
    let report = world.ask_permission(7);
    world.report(report);
    assert_eq!(answered(&world).unwrap()[0]["by"], "policy");

    let mut world = ask();
    let answer = |option: Option<&str>| Command::AnswerPermission {
        request: 7.into(),
        option: option.map(str::to_owned),
        by: "Ada".into(),
    };
    assert!(matches!(world.command(answer(Some("maybe"))), Err(Refusal::OptionNotOffered { .. })));
    world.command(answer(Some("yes"))).unwrap();
    assert_eq!(answered(&world).unwrap()[1]["option"], "yes");
    assert_eq!(world.command(answer(None)), Err(Refusal::PermissionNotOpen));

    let mut world = ask();
    world.pass(world.session.spec().limits.permission_ms);
    assert_eq!(
        answered(&world).unwrap(),
        serde_json::json!([{"by": "deadline"}, {"answer": "selected", "option": "no"}])
    );

    let mut world = ask();
    world.command(Command::Stop { by: "Ada".into() }).unwrap();
    assert_eq!(answered(&world).unwrap(), serde_json::json!([{"by": "stop"}, {"answer": "cancelled"}]));
}

#[test]
fn an_agent_without_memory_gets_a_digest() {
    let mut world = working();
    world.append(Event::AgentSpoke { turn: TurnNumber(1), text: "I renamed it.".into(), message: None });
    world.settle(true);
    world.report(Report::AgentExited { run: 1, status: None, detail: "gone".into() });
    world.prompt("and now?").unwrap();
    for effect in world.session.owed(world.now) {
        world.perform(&effect);
    }
    world.report(agent(&world, AgentReport::Initialized { can_load: true, takes_images: false }));
    let failure = Failure::agent(FailureClass::Persistent, "no such session");
    world.report(agent(&world, AgentReport::RequestFailed { what: RequestKind::LoadSession, failure }));
    world.report(agent(&world, AgentReport::SessionOpened(Box::default())));
    let told = world.session.inputs().last().unwrap().input.clone();
    let AgentInput::Prompt { text, .. } = told else { panic!("{told:?}") };
    assert!(text.contains("do it") && text.contains("I renamed it.") && text.ends_with("and now?"), "{text}");
}

#[test]
fn ending_gives_everything_back() {
    let mut world = working();
    assert_eq!(
        world.command(Command::End { by: "Ada".into() }),
        Err(Refusal::TurnRunning { turn: TurnNumber(1) })
    );
    world.settle(true);
    world.command(Command::End { by: "Ada".into() }).unwrap();
    world.settle(true);
    assert!(world.running.is_empty() && !world.files);
    assert_eq!(world.prompt("more"), Err(Refusal::Ended));

    let mut world = working();
    world.settle(true);
    world.pass(world.session.spec().limits.idle_ms);
    world.settle(true);
    assert!(world.running.is_empty() && world.files, "an idle sandbox leaves its files");
    world.command(Command::End { by: "Ada".into() }).unwrap();
    world.settle(true);
    assert!(!world.files);
}

#[test]
fn late_and_foreign_reports_change_nothing() {
    let mut world = working();
    world.settle(true);
    let before = world.log.len();
    let stale = [
        Report::SandboxCreated { generation: Generation(1), handle: "other".into(), enforced: None },
        Report::SandboxLost { generation: Generation(9), detail: "x".into() },
        Report::SandboxDestroyed { generation: Generation(1), keep_files: true },
        Report::WorkspacePrepared { generation: Generation(1), base_commit: "other".into() },
        Report::AgentExited { run: 9, status: None, detail: "x".into() },
        Report::WorkCommitted { turn: TurnNumber(1), commit: None, to_check: ToCheck::Off },
        agent(&world, AgentReport::PromptEnded { turn: TurnNumber(1), result: Ok(StopReason::EndTurn) }),
        agent(&world, AgentReport::Initialized { can_load: false, takes_images: false }),
        agent(&world, AgentReport::Configured),
    ];
    for report in stale {
        world.report(report);
    }
    assert_eq!(world.log.len(), before);
}
