//! What goes wrong around a provider, and what two do at once: it is said, it ends, and nothing is left of it.

use super::lifecycle::listed;
use super::stage::{Stage, failed, refused, same};
use super::{Case, Damage, Obstacle, Verdict};
use crate::checkpoint::Checkpoint;
use crate::error::{ErrorKind, SandboxError};
use crate::handle::Handle;
use crate::link::Link;
use crate::provider::{Files, Listed, ListedState};
use std::time::Duration;

/// Something that is never alone: a child, and one that left its parent.
const BUSY: &str = "sleep 600 & setsid -f sh -c 'exec sleep 600'; echo; wait";

const CANNOT_KILL: Verdict = Verdict::Skipped("a sandbox cannot be killed from here");

async fn killed(stage: &Stage<'_>, handle: &Handle) -> Case {
    stage.subject.kill(handle).await.ok_or(CANNOT_KILL)?.map_err(failed)
}

fn only_with_checkpoints(stage: &Stage<'_>) -> Case {
    match stage.provider.capabilities().checkpoints {
        true => Ok(()),
        false => Err(Verdict::Skipped("there are no checkpoints")),
    }
}

fn only_if_it_pauses(stage: &Stage<'_>) -> Case {
    match stage.provider.capabilities().pauses {
        true => Ok(()),
        false => Err(Verdict::Skipped("the provider does not pause")),
    }
}

/// Nothing but an error of one of these kinds, or success.
fn fine_or<T>(kinds: &[ErrorKind], result: Result<T, SandboxError>) -> Result<Option<T>, Verdict> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if kinds.contains(&error.kind) => Ok(None),
        Err(error) => Err(failed(format!("{:?}: {error}", error.kind))),
    }
}

async fn nothing_is_left(stage: &Stage<'_>) -> Case {
    same("left", stage.subject.left_of(&stage.session).unwrap_or_default(), Vec::new())?;
    same("listed", listed(stage, &stage.session).await?, Vec::new())
}

pub(super) async fn who_waits_for_a_guest_that_is_killed_is_told(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let command = inside.sh("sleep 600");
    let kill = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        killed(stage, &inside.handle).await
    };
    let (said, kill) = tokio::join!(command, kill);
    kill?;
    same("the command fails", said.is_err(), true)?;
    inside.link.closed().await;
    refused(ErrorKind::Gone, stage.provider.dial(&inside.handle).await.map(|_| ()))
}

pub(super) async fn what_a_killed_guest_leaves_is_ended(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside.start("busy", BUSY).await?;
    inside.sh("echo kept > kept").await?;
    killed(stage, &inside.handle).await?;
    let next = stage.enter(&stage.spec(2)).await?;
    same("kept", next.sh("cat kept").await?, "kept".into())?;
    next.start("busy", BUSY).await?;
    killed(stage, &next.handle).await?;
    stage.provider.destroy(&next.handle, Files::Remove).await?;
    nothing_is_left(stage).await
}

pub(super) async fn without_its_socket_it_is_gone_and_can_be_destroyed(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside.start("busy", BUSY).await?;
    let damaged = stage.subject.damage(&inside.handle, Damage::NoSocket).await;
    damaged.ok_or(Verdict::Skipped("there is no socket to remove"))?.map_err(failed)?;
    refused(ErrorKind::Gone, stage.provider.dial(&inside.handle).await.map(|_| ()))?;
    // It still holds the files: whoever reconciles has to hear of it.
    same("listed", listed(stage, &stage.session).await?.len(), 1)?;
    stage.provider.destroy(&inside.handle, Files::Keep).await?;
    same("left", stage.processes_left(), Vec::new())?;
    stage.first().await?.sh("true").await.map(|_| ())
}

pub(super) async fn a_damaged_record_stands_in_nobodys_way(stage: &Stage<'_>) -> Case {
    for (generation, damage) in (1..).zip([Damage::TornRecord, Damage::EmptyRecord, Damage::NoRecord]) {
        let inside = stage.enter(&stage.spec(generation)).await?;
        inside.sh("echo x >> kept").await?;
        // A power cut ends what runs, too.
        killed(stage, &inside.handle).await?;
        let damaged = stage.subject.damage(&inside.handle, damage).await;
        damaged.ok_or(Verdict::Skipped("there is no record to damage"))?.map_err(failed)?;
        let found = listed(stage, &stage.session).await?.into_iter();
        let states = found.filter(|found| found.handle == inside.handle).map(|found| found.state);
        same("listed", states.collect(), vec![ListedState::LeftOver])?;
        refused(ErrorKind::Gone, stage.provider.inspect(&inside.handle).await)?;
        refused(ErrorKind::Gone, stage.provider.pause(&inside.handle).await)?;
        if generation == 2 {
            stage.provider.destroy(&inside.handle, Files::Keep).await?;
        }
    }
    let last = stage.enter(&stage.spec(4)).await?;
    same("kept", last.sh("wc -l < kept").await?, "3".into())?;
    stage.provider.destroy(&last.handle, Files::Remove).await?;
    nothing_is_left(stage).await
}

pub(super) async fn what_never_was_is_gone(stage: &Stage<'_>) -> Case {
    let known = stage.create(&stage.spec(1)).await?;
    let text = known.as_str().replace(stage.session.as_str(), stage.subject.session().as_str());
    same("of another session", text == known.as_str(), false)?;
    let handle = Handle::from_log(text);
    refused(ErrorKind::Gone, stage.provider.dial(&handle).await.map(|_| ()))?;
    refused(ErrorKind::Gone, stage.provider.inspect(&handle).await)?;
    refused(ErrorKind::Gone, stage.provider.pause(&handle).await)?;
    refused(ErrorKind::Gone, stage.provider.resume(&handle).await)?;
    for files in [Files::Keep, Files::Remove] {
        stage.provider.destroy(&handle, files).await?;
    }
    stage.provider.forget(&stage.subject.session()).await?;
    stage.link(&known).await.map(|_| ())
}

pub(super) async fn what_died_can_be_paused_no_more(stage: &Stage<'_>) -> Case {
    only_if_it_pauses(stage)?;
    let inside = stage.first().await?;
    killed(stage, &inside.handle).await?;
    refused(ErrorKind::Gone, stage.provider.resume(&inside.handle).await)?;
    refused(ErrorKind::Gone, stage.provider.pause(&inside.handle).await)?;
    stage.enter(&stage.spec(2)).await?.sh("true").await.map(|_| ())
}

pub(super) async fn strange_checkpoints_are_refused(stage: &Stage<'_>) -> Case {
    only_with_checkpoints(stage)?;
    let inside = stage.first().await?;
    let another = r#"{"v":1,"provider":"another","session":"0","number":1}"#;
    for text in ["", "{}", r#"{"v":99}"#, another, inside.handle.as_str()] {
        let strange = Checkpoint::from_log(text);
        refused(ErrorKind::Invalid, stage.provider.restore(&strange, &stage.session).await)?;
        refused(ErrorKind::Invalid, stage.provider.remove_checkpoint(&strange).await)?;
        refused(
            ErrorKind::Invalid,
            stage.provider.checkpoint(&Handle::from_log(text.replace("1}", "x}")), 1).await,
        )?;
    }
    same("echo", inside.sh("echo here").await?, "here".into())
}

pub(super) async fn pausing_again_is_fine_and_a_checkpoint_leaves_it_paused(stage: &Stage<'_>) -> Case {
    only_with_checkpoints(stage)?;
    only_if_it_pauses(stage)?;
    let inside = stage.first().await?;
    inside.sh("echo here > file").await?;
    stage.provider.pause(&inside.handle).await?;
    stage.subject.provider().pause(&inside.handle).await?;
    let kept = stage.provider.checkpoint(&inside.handle, 1).await?;
    // It does not answer, or is not even dialled.
    if let Some(dialled) = fine_or(&[ErrorKind::Unavailable], stage.provider.dial(&inside.handle).await)?
        && tokio::time::timeout(Duration::from_millis(150), Link::open(dialled)).await.is_ok()
    {
        return Err(failed("it goes on after a checkpoint, and was paused"));
    }
    stage.provider.resume(&inside.handle).await?;
    stage.reenter(&inside.handle).await?.sh("true").await?;
    let fork = stage.subject.session();
    stage.provider.restore(&kept, &fork).await?;
    let fork = stage.enter(&stage.spec_of(&fork, 1)).await?;
    same("kept", fork.sh("cat file").await?, "here".into())
}

pub(super) async fn a_restore_ends_what_runs(stage: &Stage<'_>) -> Case {
    only_with_checkpoints(stage)?;
    let inside = stage.first().await?;
    inside.sh("echo before > file").await?;
    let kept = stage.provider.checkpoint(&inside.handle, 1).await?;
    inside.start("writing", "echo; while :; do echo after > file; done").await?;
    stage.provider.restore(&kept, &stage.session).await?;
    inside.link.closed().await;
    refused(ErrorKind::Gone, stage.provider.dial(&inside.handle).await.map(|_| ()))?;
    same("left", stage.processes_left(), Vec::new())?;
    let next = stage.enter(&stage.spec(2)).await?;
    same("as it was", next.sh("cat file").await?, "before".into())
}

pub(super) async fn a_restore_can_be_done_again_and_while_others_do_it(stage: &Stage<'_>) -> Case {
    only_with_checkpoints(stage)?;
    let inside = stage.first().await?;
    inside.sh("mkdir -p d; for n in $(seq 50); do echo $n > d/$n; done").await?;
    let kept = stage.provider.checkpoint(&inside.handle, 1).await?;
    let (fork, other) = (stage.subject.session(), stage.subject.provider());
    let restore = async |provider: &dyn crate::provider::Provider| provider.restore(&kept, &fork).await;
    let (one, two, three) = tokio::join!(
        restore(&*stage.provider),
        restore(&*other),
        stage.provider.restore(&kept, &stage.session)
    );
    one?;
    two?;
    three?;
    for (session, generation) in [(&fork, 1), (&stage.session, 2)] {
        let there = stage.enter(&stage.spec_of(session, generation)).await?;
        same("files", there.sh("ls d | wc -l; cat d/50").await?, "50\n50".into())?;
    }
    Ok(())
}

pub(super) async fn one_checkpoint_is_made_by_two_at_once(stage: &Stage<'_>) -> Case {
    only_with_checkpoints(stage)?;
    let inside = stage.first().await?;
    inside.sh("echo here > file").await?;
    let other = stage.subject.provider();
    let (one, two) =
        tokio::join!(stage.provider.checkpoint(&inside.handle, 7), other.checkpoint(&inside.handle, 7));
    let kept = one?;
    same("the name", &two?, &kept)?;
    same("listed", stage.provider.checkpoints(&stage.session).await?, vec![kept])?;
    same("goes on", inside.sh("cat file").await?, "here".into())
}

pub(super) async fn a_checkpoint_while_it_is_destroyed_is_whole_or_refused(stage: &Stage<'_>) -> Case {
    only_with_checkpoints(stage)?;
    for round in 1..=6_u32 {
        let inside = stage.enter(&stage.spec(round)).await?;
        inside.sh(&format!("for n in $(seq 60); do echo {round} > $n; done")).await?;
        let other = stage.subject.provider();
        let destroy = async {
            tokio::time::sleep(Duration::from_millis(2 * u64::from(round - 1))).await;
            other.destroy(&inside.handle, Files::Keep).await
        };
        let (kept, destroyed) = tokio::join!(stage.provider.checkpoint(&inside.handle, round), destroy);
        destroyed?;
        same("left", stage.processes_left(), Vec::new())?;
        let Some(kept) = fine_or(&[ErrorKind::Gone, ErrorKind::Unavailable], kept)? else { continue };
        let fork = stage.subject.session();
        stage.provider.restore(&kept, &fork).await?;
        let there = stage.enter(&stage.spec_of(&fork, 1)).await?;
        same(
            "of one moment",
            there.sh("cat $(seq 60) | sort | uniq -c | tr -s ' '").await?,
            format!("60 {round}"),
        )?;
    }
    stage.provider.forget(&stage.session).await?;
    nothing_is_left(stage).await
}

pub(super) async fn destroying_in_the_middle_of_creating_leaves_nothing(stage: &Stage<'_>) -> Case {
    let handle = stage.create(&stage.spec(1)).await?;
    stage.provider.destroy(&handle, Files::Remove).await?;
    for round in 0..12_u32 {
        let (other, spec) = (stage.subject.provider(), stage.spec(1));
        let files = if round % 3 == 0 { Files::Keep } else { Files::Remove };
        let destroy = async {
            tokio::time::sleep(Duration::from_micros(400 * u64::from(round))).await;
            other.destroy(&handle, files).await
        };
        let (created, destroyed) = tokio::join!(stage.create(&spec), destroy);
        destroyed?;
        // Whoever was first: it runs, or it does not and this is said.
        if fine_or(&[ErrorKind::Gone], created)?.is_some() {
            let found = listed(stage, &stage.session).await?;
            let runs = found.iter().any(|found| found.state == ListedState::Running);
            same(
                "can be dialled",
                fine_or(&[ErrorKind::Gone], stage.provider.dial(&handle).await)?.is_some(),
                runs,
            )?;
        }
        stage.provider.destroy(&handle, Files::Remove).await?;
        nothing_is_left(stage).await?;
    }
    Ok(())
}

pub(super) async fn a_create_that_was_given_up_is_made_good(stage: &Stage<'_>) -> Case {
    for round in 0..8_u64 {
        let spec = stage.spec(1);
        // Dropped half-way.
        let _ = tokio::time::timeout(Duration::from_micros(500 * round), stage.provider.create(&spec)).await;
        let inside = stage.enter(&spec).await?;
        same("echo", inside.sh("echo here").await?, "here".into())?;
        stage.provider.destroy(&inside.handle, Files::Remove).await?;
        nothing_is_left(stage).await?;
    }
    Ok(())
}

pub(super) async fn two_destroys_at_once_are_fine(stage: &Stage<'_>) -> Case {
    for files in [(Files::Keep, Files::Keep), (Files::Remove, Files::Keep), (Files::Remove, Files::Remove)] {
        let inside = stage.first().await?;
        inside.start("busy", BUSY).await?;
        let other = stage.subject.provider();
        let (one, two) = tokio::join!(
            stage.provider.destroy(&inside.handle, files.0),
            other.destroy(&inside.handle, files.1)
        );
        one?;
        two?;
        same("left", stage.processes_left(), Vec::new())?;
    }
    stage.provider.forget(&stage.session).await?;
    nothing_is_left(stage).await
}

pub(super) async fn two_providers_share_a_data_directory(stage: &Stage<'_>) -> Case {
    let other = stage.subject.provider();
    let sessions: Vec<_> = (0..4).map(|_| stage.subject.session()).collect();
    let made = sessions.iter().enumerate().map(async |(number, session)| {
        let by = if number % 2 == 0 { &stage.provider } else { &other };
        let handle = by.create(&stage.spec_of(session, 1)).await?;
        stage.remember(handle.clone());
        Ok::<_, SandboxError>(handle)
    });
    let made: Vec<Handle> = futures::future::join_all(made).await.into_iter().collect::<Result<_, _>>()?;
    let running = |all: Vec<Listed>| {
        let of = |handle: &Handle| {
            all.iter().any(|one| one.handle == *handle && one.state == ListedState::Running)
        };
        made.iter().map(of).collect::<Vec<_>>()
    };
    same("seen by one", running(stage.provider.list().await?), vec![true; 4])?;
    same("seen by the other", running(other.list().await?), vec![true; 4])?;
    // Each ends what the other made.
    other.destroy(&made[0], Files::Remove).await?;
    stage.provider.destroy(&made[1], Files::Remove).await?;
    same("left", running(other.list().await?), vec![false, false, true, true])?;
    refused(ErrorKind::Gone, stage.provider.dial(&made[0]).await.map(|_| ()))?;
    stage.reenter(&made[3]).await?.sh("true").await.map(|_| ())
}

pub(super) async fn forgetting_ends_what_runs(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside.start("busy", BUSY).await?;
    if stage.provider.capabilities().checkpoints {
        stage.provider.checkpoint(&inside.handle, 1).await?;
    }
    stage.provider.forget(&stage.session).await?;
    inside.link.closed().await;
    nothing_is_left(stage).await?;
    if stage.provider.capabilities().checkpoints {
        same("checkpoints", stage.provider.checkpoints(&stage.session).await?, Vec::new())?;
    }
    stage.first().await?.sh("! ls -A | grep .").await.map(|_| ())
}

/// Creating fails as long as the obstacle is there, leaves nothing that runs, and succeeds afterwards. Others are not concerned.
async fn passes(
    stage: &Stage<'_>,
    obstacle: Obstacle,
    why_not: &'static str,
) -> Result<SandboxError, Verdict> {
    let other = stage.enter(&stage.spec_of(&stage.subject.session(), 1)).await?;
    let there = stage.subject.obstruct(&stage.session, obstacle).ok_or(Verdict::Skipped(why_not))?;
    let error = match stage.create(&stage.spec(1)).await {
        Err(error) => error,
        Ok(_) => return Err(failed("it was made")),
    };
    same("another's, listed", listed_running(stage, &other.handle).await?, true)?;
    same("another's", other.sh("echo here").await?, "here".into())?;
    drop(there);
    same("left", stage.processes_left(), Vec::new())?;
    let inside = stage.first().await?;
    same("afterwards", inside.sh("echo here").await?, "here".into())?;
    stage.provider.destroy(&inside.handle, Files::Remove).await?;
    nothing_is_left(stage).await?;
    Ok(error)
}

async fn listed_running(stage: &Stage<'_>, handle: &Handle) -> Result<bool, SandboxError> {
    let all = stage.provider.list().await?;
    Ok(all.iter().any(|one| one.handle == *handle && one.state == ListedState::Running))
}

pub(super) async fn something_in_the_way_is_said_and_passes(stage: &Stage<'_>) -> Case {
    passes(stage, Obstacle::InTheWay, "nothing can be put in the way from here").await.map(|_| ())
}

pub(super) async fn what_cannot_be_written_is_said_and_passes(stage: &Stage<'_>) -> Case {
    let why_not = "the folder cannot be made read-only from here";
    passes(stage, Obstacle::ReadOnly, why_not).await.map(|_| ())
}

pub(super) async fn a_full_disk_is_said_and_passes(stage: &Stage<'_>) -> Case {
    let error = passes(stage, Obstacle::Full, "only who may mount can fill a disk here").await?;
    same("the kind of error", error.kind, ErrorKind::Exhausted)
}
