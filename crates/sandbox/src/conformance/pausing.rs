//! Standing still, and going on.

use super::stage::{Stage, failed, same};
use super::{Case, Verdict};
use crate::error::ErrorKind;
use crate::provider::Files;
use std::time::Duration;

/// Counts, each number a line in a file.
const COUNTER: &str = "echo; while :; do echo >> counter; sleep 0.005; done";
const COUNTED: &str = "wc -l < counter";
/// Long enough for a counter that runs to be seen at it.
const A_WHILE: Duration = Duration::from_millis(150);

fn only_if_it_pauses(stage: &Stage<'_>) -> Case {
    if stage.provider.capabilities().pauses {
        return Ok(());
    }
    Err(Verdict::Skipped("the provider does not pause"))
}

pub(super) async fn what_is_paused_stands_still_and_goes_on_where_it_was(stage: &Stage<'_>) -> Case {
    only_if_it_pauses(stage)?;
    let inside = stage.first().await?;
    inside.start("counter", COUNTER).await?;
    inside.start("family", "(while :; do sleep 0.01; done) & echo; while :; do sleep 0.01; done").await?;
    stage.provider.pause(&inside.handle).await?;
    let asked = inside.sh(COUNTED);
    // Nothing comes, or the link is cut: a cloud cuts what leads to what is paused.
    if matches!(tokio::time::timeout(A_WHILE, asked).await, Ok(Ok(_))) {
        return Err(failed("a paused sandbox answers"));
    }
    stage.provider.resume(&inside.handle).await?;
    let inside = stage.reenter(&inside.handle).await?;
    let before: u64 = number(&inside.sh(COUNTED).await?)?;
    inside.sh("sleep 0.1").await?;
    let after = number(&inside.sh(COUNTED).await?)?;
    if after <= before {
        return Err(failed(format!("the counter stays at {after}")));
    }
    Ok(())
}

pub(super) async fn resuming_what_runs_is_fine(stage: &Stage<'_>) -> Case {
    only_if_it_pauses(stage)?;
    let inside = stage.first().await?;
    stage.provider.resume(&inside.handle).await?;
    same("echo", inside.sh("echo here").await?, "here".into())
}

pub(super) async fn a_restart_finds_what_was_paused_and_resumes_it(stage: &Stage<'_>) -> Case {
    only_if_it_pauses(stage)?;
    let inside = stage.first().await?;
    let token = inside.start("memory", "x=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \\n'); echo $x; while :; do sleep 0.05; echo $x > new; mv new token; done").await?;
    stage.provider.pause(&inside.handle).await?;
    let after = stage.subject.provider();
    after.resume(&inside.handle).await?;
    let inside = stage.reenter(&inside.handle).await?;
    inside.sh("rm -f token; while ! [ -s token ]; do sleep 0.01; done").await?;
    same("what it had in memory", inside.sh("cat token").await?, token.trim().to_owned())
}

pub(super) async fn what_is_paused_can_be_destroyed(stage: &Stage<'_>) -> Case {
    only_if_it_pauses(stage)?;
    let inside = stage.first().await?;
    inside.start("busy", "sleep 600 & echo; wait").await?;
    stage.provider.pause(&inside.handle).await?;
    stage.provider.destroy(&inside.handle, Files::Remove).await?;
    if let Some(left) = stage.subject.left_of(&stage.session) {
        same("left", left, Vec::new())?;
    }
    match stage.provider.resume(&inside.handle).await {
        Err(error) => same("the kind of error", error.kind, ErrorKind::Gone),
        Ok(()) => Err(failed("what was destroyed is resumed")),
    }
}

pub(super) async fn a_pause_of_one_session_leaves_the_others_alone(stage: &Stage<'_>) -> Case {
    only_if_it_pauses(stage)?;
    let inside = stage.first().await?;
    let other = stage.enter(&stage.spec_of(&stage.subject.session(), 1)).await?;
    stage.provider.pause(&inside.handle).await?;
    same("echo", other.sh("echo here").await?, "here".into())
}

fn number(text: &str) -> Result<u64, Verdict> {
    text.trim().parse().map_err(|_| failed(format!("{text:?} is not a number")))
}
