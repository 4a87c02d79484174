//! Commands that are run to their end, and files that the host puts in and takes out.

use super::stage::{Inside, Stage, failed, same};
use super::{Case, Verdict};
use crate::link::{LinkError, ProcessSpec, RunLimits};
use crate::provider::inside;
use bytes::Bytes;
use lamplight_domain::agent::ExitStatus;
use std::time::Duration;

const LIMITS: RunLimits = RunLimits { timeout_ms: 20_000, output_bytes: 64 * 1024 };

/// That the guest understood, and said no.
pub(super) fn said_no<T>(what: &str, result: Result<T, LinkError>) -> Case {
    match result {
        Err(LinkError::Refused { .. }) => Ok(()),
        Err(other) => Err(failed(format!("{what}: {other}"))),
        Ok(_) => Err(failed(format!("{what}: was not refused"))),
    }
}

/// Something to sleep for that nobody else sleeps for, as a pattern of [`Inside::count`] too.
fn own_sleep(stage: &Stage<'_>) -> (String, String) {
    let number = stage.session.to_string();
    let number = number.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    (format!("sleep 600.{number}"), format!("^600.{number}$"))
}

pub(super) async fn outputs_and_the_end_are_told_apart(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let run = async |command: &str| inside.link.run(&inside.shell(command), None, LIMITS).await;
    let output = run("echo out; echo err >&2; exit 7").await?;
    same("output", (&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]))?;
    same("the end", (output.status, output.truncated), (ExitStatus::Code { code: 7 }, false))?;
    let killed = run("kill -9 $$").await?;
    same("the end by a signal", killed.status, ExitStatus::Signal { signal: 9 })
}

pub(super) async fn what_a_command_is_given_arrives(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let home = inside.told(inside::HOME);
    let env = [("LAMPLIGHT_CASE".to_owned(), "a b'c\n".to_owned())].into();
    let command = "printf '%s|%s|' \"$PWD\" \"$LAMPLIGHT_CASE\"; cat";
    let spec = ProcessSpec { env, cwd: Some(home.clone()), ..inside.shell(command) };
    // More than a pipe holds.
    let input = Bytes::from(vec![b'x'; 40_000]);
    let output = inside.link.run(&spec, Some(input), LIMITS).await?;
    let wanted = format!("{home}|a b'c\n|{}", "x".repeat(40_000));
    same("what it saw", String::from_utf8_lossy(&output.stdout), wanted.into())
}

pub(super) async fn a_program_that_is_not_there_is_refused(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let absent = ProcessSpec { argv: vec!["/no/such/program".into()], ..inside.shell("") };
    said_no("a program", inside.link.run(&absent, None, LIMITS).await)?;
    let nowhere = ProcessSpec { cwd: Some("/no/such/directory".into()), ..inside.shell("true") };
    said_no("a directory", inside.link.run(&nowhere, None, LIMITS).await)?;
    let nothing = ProcessSpec { argv: Vec::new(), ..inside.shell("") };
    said_no("nothing", inside.link.run(&nothing, None, LIMITS).await)?;
    same("echo", inside.sh("echo here").await?, "here".into())
}

pub(super) async fn a_command_that_takes_too_long_is_ended(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let (sleep, pattern) = own_sleep(stage);
    let long = inside.shell(&format!("trap '' TERM; {sleep} & {sleep}"));
    let limits = RunLimits { timeout_ms: 200, ..LIMITS };
    match inside.link.run(&long, None, limits).await {
        Err(LinkError::Deadline { .. }) => {}
        other => return Err(failed(format!("{other:?} instead of a deadline"))),
    }
    // Whoever comes next finds it ended, or ending.
    let next = stage.reenter(&inside.handle).await?;
    for _ in 0..50 {
        if next.count(&pattern).await? == "0" {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    same("left", next.count(&pattern).await?, "0".into())
}

pub(super) async fn output_over_the_bound_is_cut_and_said_to_be(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let limits = RunLimits { output_bytes: 1000, ..LIMITS };
    let much = inside.shell("head -c 3000000 /dev/zero; echo err >&2");
    let output = inside.link.run(&much, None, limits).await?;
    same("kept", (output.stdout.len(), output.truncated), (1000, true))?;
    same("the other", (&*output.stderr, output.status), (&b"err\n"[..], ExitStatus::Code { code: 0 }))
}

pub(super) async fn many_commands_at_once_all_answer(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let all = (0..50).map(async |number| inside.sh(&format!("echo {number}")).await);
    for (number, said) in futures::future::join_all(all).await.into_iter().enumerate() {
        same("echo", said?, number.to_string())?;
    }
    Ok(())
}

pub(super) async fn stopping_ends_everything_but_the_guest(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let (sleep, pattern) = own_sleep(stage);
    inside.start("one", &format!("trap '' TERM; {sleep} & echo; wait; sleep 600")).await?;
    inside.start("hidden", &format!("setsid -f {sleep}; echo; exec {sleep}")).await?;
    let there = async |inside: &Inside| Ok::<u32, Verdict>(inside.count(&pattern).await?.parse()?);
    for _ in 0..100 {
        if there(&inside).await? == 3 {
            break;
        }
    }
    same("before", there(&inside).await?, 3)?;
    let ended = inside.link.kill_all(50).await?;
    same("at least these", ended >= 4, true)?;
    same("left", there(&inside).await?, 0)
}

pub(super) async fn files_go_in_and_come_out(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let content: Bytes =
        (0..2_500_000_u32).map(|number| number.to_le_bytes()[(number % 3) as usize]).collect();
    let path = inside.told("/workspace/made/on/the/way");
    inside.link.write_file(&path, 0o640, content.clone()).await?;
    same("rights and size", inside.sh("stat -c '%a %s' made/on/the/way").await?, "640 2500000".into())?;
    same("what comes out", inside.link.read_file(&path, 2_500_000).await? == content, true)?;
    inside.link.write_file(&path, 0o600, Bytes::new()).await?;
    same("replaced", inside.link.read_file(&path, 10).await?, Bytes::new())?;
    inside.sh("echo four > short; ln -s short link; mkfifo pipe").await?;
    let read = async |name: &str, limit| {
        inside.link.read_file(&inside.told(&format!("/workspace/{name}")), limit).await
    };
    said_no("over the limit", read("short", 4).await)?;
    said_no("absent", read("absent", 10).await)?;
    said_no("a directory", read("made", 10).await)?;
    said_no("a pipe", read("pipe", 10).await)
}
