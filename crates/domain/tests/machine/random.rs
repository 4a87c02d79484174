//! A million random steps: crashes, lost, doubled and late reports, dying sandboxes, impatient people. After every step what
//! must always hold is looked at.

use crate::agents::which;
use crate::attempts;
use crate::family;
use crate::watch::Watch;
use crate::world::World;
use crate::world::prompt_id;
use lamplight_domain::agent::{AgentReport, ExitStatus};
use lamplight_domain::permission::Policy;
use lamplight_domain::question::Reply;
use lamplight_domain::session::{Command, Effect, Report, Room};
use lamplight_domain::transcript::ToolStatus;
use lamplight_domain::{
    BudgetOf, CheckPlan, Event, Failure, FailureClass, MonthBudget, Origin, Role, SomeLimits, Timestamp,
    ToCheck, TurnNumber, Verdict,
};
use std::collections::BTreeMap;

const STEPS: u64 = 1_000_000;
const STEPS_A_SESSION: u64 = 400;

#[test]
fn a_million_random_steps_break_nothing() {
    let first_seed = std::env::var("LAMPLIGHT_SEED").ok().and_then(|seed| seed.parse().ok());
    let sessions = if first_seed.is_some() { 1 } else { STEPS / STEPS_A_SESSION };
    let mut seen = BTreeMap::new();
    for seed in (0..sessions).map(|n| first_seed.unwrap_or(0) + n) {
        let result = std::panic::catch_unwind(|| session(seed));
        match result {
            Ok(names) => {
                names.into_iter().for_each(|(name, count)| *seen.entry(name).or_insert(0_u64) += count)
            }
            Err(_) => panic!("seed {seed} fails; LAMPLIGHT_SEED={seed} runs it alone"),
        }
    }
    println!("{sessions} sessions, {} steps; events seen: {seen:?}", sessions * STEPS_A_SESSION);
    if first_seed.is_none() {
        for rare in [
            "sandbox_lost",
            "sandbox_failed",
            "guard_tripped",
            "cancel_answered",
            "work_not_committed",
            "agent_broken",
            "permission_answered",
            "question_asked",
            "question_answered",
            "session_ended",
            "prompt_retried",
            "sandbox_paused",
            "pause_failed",
            "sandbox_resumed",
            "release_announced",
            "budget_set",
            "budget_neared",
            "setup_begun",
            "setup_ended",
            "checkpoint_kept",
            "checkpoint_failed",
            "files_restored",
            "restore_failed",
            "sandbox_queued",
            "priority_set",
            "nothing_to_check",
            "checks_ended",
            "branch_updated",
            "workspace_updated",
            "turn_continued",
            "attempt_taken",
            "child_begun",
            "child_spent",
            "parent_ended",
        ] {
            assert!(seen.contains_key(rare), "{rare} was never exercised");
        }
    }
}

fn session(seed: u64) -> BTreeMap<String, u64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut spec = if random.bool() { attempts::second() } else { family::child() };
    spec.permissions =
        *random.choice(&[Policy::Allow, Policy::Ask, Policy::Reject]).unwrap_or(&Policy::Allow);
    if random.bool() {
        spec.limits.turn_tokens = random.u64(0..2) * 4_000;
        spec.limits.turn_cost_micros = random.u64(0..2) * 800_000;
        spec.limits.session_steps = random.u64(0..3) * 20;
        spec.limits.session_tokens = random.u64(0..3) * 8_000;
        spec.limits.session_wall_clock_ms = random.u64(0..3) * 300_000;
    }
    if random.u8(0..4) == 0 {
        spec.origin = Some(origin());
    }
    let mut world = World::new(spec);
    world.kept.insert(origin().name, (0, None));
    world.has_setup = random.bool();
    world.to_check = match random.u8(0..4) {
        0 => ToCheck::Off,
        1 => ToCheck::Nothing { why: None },
        _ => ToCheck::Plan(CheckPlan {
            commands: vec!["make check".into()],
            detected: None,
            timeout_ms: 1_000,
        }),
    };
    let mut watch = Watch::default();
    for _ in 0..STEPS_A_SESSION {
        world.passes = random.bool();
        step(&mut world, &mut random);
        watch.look(&world);
    }
    // Then nothing goes wrong any more, and everything comes to rest.
    world.room = Room::Free;
    let late = std::mem::take(&mut world.late);
    late.into_iter().for_each(|report| world.report(report));
    for _ in 0..20 {
        world.settle(true);
        watch.look(&world);
        if let Some((at, _)) = world.session.next_deadline(world.now) {
            world.pass(at.since_ms(world.now));
        }
    }
    world.settle(true);
    watch.look(&world);
    world.crash();
    assert!(world.running.is_empty(), "an idle session keeps no sandbox: {:?}", world.running);
    assert_eq!(
        (world.session.owed(world.now), world.session.next_deadline(world.now)),
        (Vec::new(), None),
        "everything is at rest after {:#?}",
        world.story(world.log.len().saturating_sub(30))
    );
    assert!(
        !world.files || !world.session.ended(),
        "an ended session leaves no files: {:#?}",
        world.story(world.log.len().saturating_sub(12))
    );
    assert_eq!(watch.checking, None, "checks come to an end");
    watch.seen
}

/// What a fork begins with; it is always there.
fn origin() -> Origin {
    Origin {
        session: "01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap(),
        checkpoint: 1,
        name: "origin".into(),
        commit: "c".into(),
        agent_session: Some("conversation".into()),
    }
}

fn step(world: &mut World, random: &mut fastrand::Rng) {
    match random.u32(0..100) {
        0..45 => perform_something(world, random),
        45..60 => {
            if let Some(report) = world.answer_next(world.session.run(), random.bool()) {
                deliver(world, random, report);
            }
        }
        60..68 => transcript(world, random),
        68..74 => world.pass(random.u64(0..5_000)),
        74..76 => world.pass(random.u64(0..400_000)),
        76..82 => command(world, random),
        82..88 => {
            if !world.late.is_empty() {
                let report = world.late.swap_remove(random.usize(..world.late.len()));
                world.report(report);
            }
        }
        88..91 => world.crash(),
        91..94 => trouble(world, random),
        94 => world.room = if random.bool() { Room::Free } else { Room::Full },
        95 => world.report(Report::PlaceWanted),
        96..98 => {
            let unfit = (random.u8(0..4) == 0).then_some("it has a part that nobody knows");
            let report = world.ask_question(random.u64(0..50), unfit);
            world.report(report);
        }
        _ => {
            let report = world.ask_permission(random.u64(0..50));
            world.report(report);
        }
    }
}

fn perform_something(world: &mut World, random: &mut fastrand::Rng) {
    let owed = world.session.owed(world.now);
    let Some(effect) = random.choice(&owed).cloned() else { return };
    if random.u32(0..20) == 0 {
        return fail(world, random, &effect);
    }
    for report in world.perform(&effect) {
        deliver(world, random, report);
    }
}

/// A report arrives, or arrives late, or twice, or never.
fn deliver(world: &mut World, random: &mut fastrand::Rng, report: Report) {
    match random.u32(0..20) {
        0 => {}
        1..3 => world.late.push(report),
        3 => {
            world.report(report.clone());
            world.report(report);
        }
        _ => world.report(report),
    }
}

fn fail(world: &mut World, random: &mut fastrand::Rng, effect: &Effect) {
    let class =
        *random.choice(&[FailureClass::Transient, FailureClass::Persistent]).unwrap_or(&FailureClass::Fatal);
    let failure = Failure::infrastructure(class, "it went wrong");
    let report = match effect {
        Effect::CreateSandbox { generation, .. } | Effect::PrepareWorkspace { generation, .. } => {
            Report::SandboxFailed { generation: *generation, failure }
        }
        Effect::RunChecks { check, .. } => Report::ChecksEnded {
            check: *check,
            verdict: Verdict::NotRun { why: "there is no sandbox".into() },
            commands: Vec::new(),
            prompt: prompt_id(2_000_000 + u128::from(*check)),
        },
        Effect::UpdateWorkspace { commit, .. } => {
            Report::WorkspaceNotUpdated { commit: commit.clone(), detail: "something is in its way".into() }
        }
        Effect::CommitWork { turn, .. } => Report::WorkNotCommitted { turn: *turn, failure },
        Effect::RunAgent { run, .. } => Report::AgentExited {
            run: *run,
            status: Some(ExitStatus::Code { code: 1 }),
            detail: "exit 1".into(),
        },
        Effect::PauseSandbox { generation, pause, .. } => Report::PauseFailed {
            generation: *generation,
            pause: *pause,
            detail: "it cannot be paused".into(),
        },
        Effect::KeepFiles { checkpoint, .. } => {
            Report::CheckpointFailed { checkpoint: *checkpoint, detail: "no layers".into() }
        }
        Effect::RestoreFiles { restore, .. } => {
            Report::RestoreFailed { restore: *restore, detail: "it is gone".into() }
        }
        Effect::DestroySandbox { .. } | Effect::KillAgent { .. } | Effect::ResumeSandbox { .. } => return,
    };
    if let Report::AgentExited { run, .. } = &report
        && let Some(process) = world.agents.get_mut(run)
    {
        process.alive = false;
    }
    deliver(world, random, report);
}

fn transcript(world: &mut World, random: &mut fastrand::Rng) {
    let turn = world.turn();
    match random.u32(0..8) {
        7 => {
            world.report(Report::ChildSpent { session: family::id(7), cost_micros: random.u64(0..2_000_000) })
        }
        6 => world.report(Report::RightLost { by: "Ada".into(), detail: "Ada was removed".into() }),
        5 => {
            let of = BudgetOf::Person { name: "Ada".into() };
            let (spent_micros, until) = (random.u64(700..1010), Timestamp(9_000_000));
            world.report(Report::MonthBudget(MonthBudget { of, budget_micros: 1000, spent_micros, until }));
        }
        4 => world.spend_tokens(random.u64(0..500_000), random.u64(0..3_000)),
        0 => world.append(Event::AgentSpoke { turn, text: "words".into(), message: None }),
        1 => world.tool_call(&random.u32(0..40).to_string(), "same", ToolStatus::Completed),
        2 => world.tool_call(&random.u32(0..40).to_string(), &random.u32(..).to_string(), ToolStatus::Failed),
        _ => world.tool_call(
            &random.u32(0..40).to_string(),
            &random.u32(..).to_string(),
            ToolStatus::Completed,
        ),
    }
}

fn command(world: &mut World, random: &mut fastrand::Rng) {
    let by = "Ada".to_owned();
    let _ = match random.u32(0..75) {
        0..20 => world.prompt("more"),
        20..28 => world.command(Command::Stop { by }),
        28..32 => world.command(Command::RemovePrompt { prompt: world.last_prompt(), by }),
        32..35 => world.command(Command::AnswerPermission {
            request: random.u64(0..50).into(),
            option: Some("yes".into()),
            by,
        }),
        62..65 => world.command(Command::AnswerQuestion {
            request: random.u64(0..50).into(),
            reply: match random.u8(0..4) {
                0 => Reply::Declined,
                1 => Reply::Cancelled,
                2 => which("left"),
                _ => which("neither"),
            },
            by,
        }),
        65..70 => {
            let turn = TurnNumber(world.turn().0.saturating_sub(u32::from(random.u8(0..8) == 0)));
            let role = *random.choice(&Role::ALL).unwrap_or(&Role::Member);
            let session_tokens = random.bool().then(|| random.u64(0..10_000));
            match random.u8(0..4) {
                0 => world.go_on_to(turn, "this"),
                _ => world.go_on(turn, role, SomeLimits { session_tokens, ..SomeLimits::default() }),
            }
        }
        35..39 => {
            let (model, offered_elsewhere) = (random.u32(0..3).to_string(), random.bool());
            world.command(Command::ChooseModel { model, offered_elsewhere, by })
        }
        39..42 => world.command(Command::Pause { by }),
        42..45 => world.command(Command::Resume { by }),
        49..51 => world.command(Command::SetBudget { budget_micros: random.u64(0..5) * 1_000_000, by }),
        51 => world.command(Command::Release { by }),
        52 => world.command(Command::UseSandbox { by }),
        45..49 => world.command(Command::Restore { checkpoint: random.u32(1..12), by }),
        53..56 => {
            let text = random.u32(0..3).to_string();
            world.command(Command::EditPrompt { prompt: world.last_prompt(), text, by })
        }
        56 => world.command(Command::Archive { by }),
        57 => world.command(Command::Unarchive { by }),
        72 | 73 => family::begin(world, random.u32(7..9)),
        74 => {
            world.report(Report::ParentEnded { by });
            Ok(())
        }
        70 => world.retry(),
        71 => world.command(Command::TakeAttempt { session: attempts::id(random.u32(1..4)), by }),
        59 | 60 => world.update(),
        58 => world.command(Command::SetPriority { priority: random.i8(-10..10), by }),
        _ => world.command(Command::End { by }),
    };
}

fn trouble(world: &mut World, random: &mut fastrand::Rng) {
    let run = world.session.run();
    match random.u32(0..5) {
        4 => {
            let report = AgentReport::PromptEnded { turn: world.turn(), result: Err(World::transient()) };
            world.report(Report::Agent { run, report: Box::new(report) });
        }
        0 => {
            if let Some(generation) = world.running.last().copied() {
                world.lose(generation);
                deliver(world, random, Report::SandboxLost { generation, detail: "it died".into() });
            }
        }
        1 => world.report(Report::BranchPushed { run, commit: "abc".into() }),
        2 => {
            let failure = Failure::agent(FailureClass::Persistent, "nonsense");
            world.report(Report::Agent { run, report: Box::new(AgentReport::ProtocolBroken { failure }) });
        }
        _ => world.report(Report::Agent {
            run,
            report: Box::new(AgentReport::UnknownRequest { request: 1.into(), method: "fs/read".into() }),
        }),
    }
}
