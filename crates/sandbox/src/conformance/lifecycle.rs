//! How sandboxes come, go, and are found again.

use super::stage::{Stage, failed, refused, same};
use super::{Case, Verdict};
use crate::error::{ErrorKind, SandboxError};
use crate::handle::Handle;
use crate::provider::{Files, Listed, ListedState};
use lamplight_domain::{Generation, SessionId};

/// Tells one start of a guest from another: the parent of each command.
pub(super) const START_OF_GUEST: &str = "cut -d ' ' -f 22 /proc/$PPID/stat";

pub(super) async fn create_gives_a_guest_that_answers(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    same("echo", inside.sh("echo here").await?, "here".into())
}

pub(super) async fn create_again_gives_the_same_sandbox(stage: &Stage<'_>) -> Case {
    let first = stage.first().await?;
    let started = first.sh(START_OF_GUEST).await?;
    let again = stage.subject.provider().create(&stage.spec(1)).await?;
    same("the handle", &again, &first.handle)?;
    let again = stage.reenter(&again).await?;
    same("the guest's start", again.sh(START_OF_GUEST).await?, started)
}

pub(super) async fn two_creates_at_once_give_one_sandbox(stage: &Stage<'_>) -> Case {
    let (spec, other) = (stage.spec(1), stage.subject.provider());
    let (one, two) = tokio::join!(stage.create(&spec), other.create(&spec));
    same("the handle", one?, two?)?;
    same("listed", listed(stage, &stage.session).await?.len(), 1)
}

pub(super) async fn ten_sessions_at_once_all_answer(stage: &Stage<'_>) -> Case {
    let sessions: Vec<SessionId> = (0..10).map(|_| stage.subject.session()).collect();
    let all = sessions.iter().map(async |session| {
        let inside = stage.enter(&stage.spec_of(session, 1)).await?;
        inside.sh(&format!("echo {session}")).await
    });
    for (session, said) in sessions.iter().zip(futures::future::join_all(all).await) {
        same("echo", said?, session.to_string())?;
    }
    Ok(())
}

pub(super) async fn a_later_generation_ends_the_earlier_one(stage: &Stage<'_>) -> Case {
    let first = stage.first().await?;
    let second = stage.enter(&stage.spec(2)).await?;
    refused(ErrorKind::Gone, stage.provider.dial(&first.handle).await.map(|_| ()))?;
    second.sh("true").await.map(|_| ())
}

pub(super) async fn an_earlier_generation_cannot_come_back(stage: &Stage<'_>) -> Case {
    let second = stage.enter(&stage.spec(2)).await?;
    refused(ErrorKind::Gone, stage.create(&stage.spec(1)).await)?;
    second.sh("true").await.map(|_| ())
}

pub(super) async fn destroy_leaves_nothing(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside.start("busy", "sleep 600 & sleep 600 & echo; wait").await?;
    let Some(before) = stage.subject.left_of(&stage.session) else {
        return Err(Verdict::Skipped("what the host has cannot be seen from here"));
    };
    if before.is_empty() {
        return Err(failed("a running sandbox is not seen on the host: this case would see nothing"));
    }
    stage.provider.destroy(&inside.handle, Files::Remove).await?;
    same("left", stage.subject.left_of(&stage.session), Some(Vec::new()))?;
    same("listed", listed(stage, &stage.session).await?, Vec::new())
}

pub(super) async fn destroy_ends_what_hides_from_it(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside
        .start(
            "hidden",
            "trap '' TERM HUP INT; setsid -f sh -c 'trap \"\" TERM HUP; exec sleep 600'; echo; sleep 600",
        )
        .await?;
    inside.start("stopped", "echo; kill -STOP $$").await?;
    stage.provider.destroy(&inside.handle, Files::Keep).await?;
    match stage.subject.left_of(&stage.session) {
        Some(left) => {
            let processes = left.into_iter().filter(|what| what.starts_with("process")).collect::<Vec<_>>();
            same("left", processes, Vec::new())
        }
        None => Err(Verdict::Skipped("what the host has cannot be seen from here")),
    }
}

pub(super) async fn destroy_again_is_fine(stage: &Stage<'_>) -> Case {
    let handle = stage.create(&stage.spec(1)).await?;
    for files in [Files::Keep, Files::Keep, Files::Remove, Files::Remove, Files::Keep] {
        stage.provider.destroy(&handle, files).await?;
    }
    Ok(())
}

pub(super) async fn what_is_destroyed_cannot_be_dialled(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    stage.provider.destroy(&inside.handle, Files::Keep).await?;
    inside.link.closed().await;
    refused(ErrorKind::Gone, stage.provider.dial(&inside.handle).await.map(|_| ()))
}

pub(super) async fn list_knows_what_runs_after_a_restart(stage: &Stage<'_>) -> Case {
    let handle = stage.create(&stage.spec(7)).await?;
    let after = stage.subject.provider();
    let wanted = Listed {
        handle: handle.clone(),
        session: stage.session.clone(),
        generation: Generation(7),
        state: ListedState::Running,
    };
    let found = after.list().await?.into_iter().filter(|found| found.session == stage.session);
    same("listed", found.collect(), vec![wanted])?;
    stage.link(&handle).await?;
    after.destroy(&handle, Files::Keep).await?;
    same("listed", listed(stage, &stage.session).await?, Vec::new())
}

pub(super) async fn a_sandbox_that_died_is_listed_as_left_over(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    match stage.subject.kill(&inside.handle).await {
        Some(killed) => killed.map_err(failed)?,
        None => return Err(Verdict::Skipped("a sandbox cannot be killed from here")),
    }
    inside.link.closed().await;
    refused(ErrorKind::Gone, stage.provider.dial(&inside.handle).await.map(|_| ()))?;
    let states = |found: Vec<Listed>| found.into_iter().map(|found| found.state).collect::<Vec<_>>();
    same("listed", states(listed(stage, &stage.session).await?), vec![ListedState::LeftOver])?;
    stage.provider.destroy(&inside.handle, Files::Remove).await?;
    same("listed", states(listed(stage, &stage.session).await?), Vec::new())
}

pub(super) async fn a_sandbox_outlives_the_process_that_made_it(stage: &Stage<'_>) -> Case {
    match stage.subject.create_and_die(&stage.spec(1)).await {
        Some(done) => done.map_err(failed)?,
        None => return Err(Verdict::Skipped("there is no process to kill")),
    }
    let found = listed(stage, &stage.session).await?;
    let [one] = found.as_slice() else { return Err(failed(format!("listed: {found:?}"))) };
    stage.remember(one.handle.clone());
    same("its state", one.state, ListedState::Running)?;
    stage.reenter(&one.handle).await?.sh("true").await.map(|_| ())
}

pub(super) async fn strange_handles_are_refused(stage: &Stage<'_>) -> Case {
    for text in ["", "{}", r#"{"v":99}"#, r#"{"v":1,"provider":"another","session":"0","generation":1}"#] {
        let handle = Handle::from_log(text);
        refused(ErrorKind::Invalid, stage.provider.dial(&handle).await.map(|_| ()))?;
        refused(ErrorKind::Invalid, stage.provider.destroy(&handle, Files::Remove).await)?;
    }
    Ok(())
}

pub(super) async fn listed(stage: &Stage<'_>, session: &SessionId) -> Result<Vec<Listed>, SandboxError> {
    Ok(stage.provider.list().await?.into_iter().filter(|found| found.session == *session).collect())
}
