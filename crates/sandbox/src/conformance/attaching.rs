//! Processes that go on whoever listens, and are found again.

use super::commands::said_no;
use super::stage::{Inside, Stage, failed, same};
use super::{Case, Verdict};
use crate::link::{Link, Offsets, Output, ProcessSpec};
use lamplight_domain::agent::ExitStatus;

const FROM_THE_START: Offsets = Offsets { stdout: 0, stderr: 0 };

/// All of a process's standard output from an offset on, and how it ended.
async fn to_the_end(link: &Link, process: &str, stdout: u64) -> Result<(String, ExitStatus), Verdict> {
    let mut attached = link.attach(process, Offsets { stdout, stderr: 0 }).await?;
    let mut said = Vec::new();
    loop {
        match attached.next().await? {
            Some(Output::Stdout { bytes, .. }) => said.extend_from_slice(&bytes),
            Some(Output::Stderr { .. }) => {}
            Some(Output::Exited { status }) => {
                return Ok((String::from_utf8_lossy(&said).into_owned(), status));
            }
            None => return Err(failed("an end before the end of the process")),
        }
    }
}

pub(super) async fn a_process_outlives_its_link(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let command = "echo one; while ! [ -e go ]; do sleep 0.01; done; echo two; exit 3";
    inside.start("going on", command).await?;
    inside.link.close();
    inside.link.closed().await;
    drop(inside.link);
    let link = Link::open(stage.subject.provider().dial(&inside.handle).await?).await?.0;
    let later = stage.inside(&inside.handle, link);
    later.sh("touch go").await?;
    let ended = to_the_end(&later.link, "going on", 0).await?;
    same("all of it", ended, ("one\ntwo\n".into(), ExitStatus::Code { code: 3 }))
}

pub(super) async fn output_goes_on_at_an_offset(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside.link.spawn("counting", &inside.shell("seq 1000 1999")).await?;
    let all: String = (1000..2000).map(|number| format!("{number}\n")).collect();
    for offset in [0, 1, 2500, 5000] {
        let (said, _) = to_the_end(&inside.link, "counting", offset).await?;
        same("the rest", &said, &all[usize::try_from(offset)?..].to_owned())?;
    }
    let beyond = inside.link.attach("counting", Offsets { stdout: 5001, stderr: 0 }).await;
    said_no("an offset that is not there", beyond.map(|_| ()))
}

pub(super) async fn starting_again_gives_the_same_process(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let first = inside.link.spawn("one", &inside.shell("echo >> starts; exec sleep 600")).await?;
    let later = stage.reenter(&inside.handle).await?;
    let again = later.link.spawn("one", &later.shell("echo >> starts; echo another")).await?;
    same("its number", again.pid, first.pid)?;
    later.sh("while ! [ -e starts ]; do sleep 0.01; done").await?;
    same("starts", later.sh("wc -l < starts").await?, "1".into())
}

pub(super) async fn a_message_is_written_once(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let spec = ProcessSpec { stdin: true, ..inside.shell("cat") };
    inside.link.spawn("cat", &spec).await?;
    let mut stdin = inside.link.stdin("cat").await?;
    stdin.write(1, "one\n".into()).await?;
    stdin.write(2, "two\n".into()).await?;
    drop(stdin);
    let later = stage.reenter(&inside.handle).await?;
    let mut stdin = later.link.stdin("cat").await?;
    same("known to be written", stdin.written(), 2)?;
    stdin.write(2, "two\n".into()).await?;
    stdin.write(3, "three\n".into()).await?;
    stdin.close().await?;
    let (said, status) = to_the_end(&later.link, "cat", 0).await?;
    same("what it read", (said.as_str(), status), ("one\ntwo\nthree\n", ExitStatus::Code { code: 0 }))
}

pub(super) async fn a_signal_reaches_the_process(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside.start("trapping", "trap 'echo got; exit 5' USR1; echo; while :; do sleep 0.01; done").await?;
    inside.link.signal("trapping", libc::SIGUSR1).await?;
    let ended = to_the_end(&inside.link, "trapping", 1).await?;
    same("what it did", ended, ("got\n".into(), ExitStatus::Code { code: 5 }))?;
    said_no("one that has ended", inside.link.signal("trapping", libc::SIGUSR1).await)?;
    said_no("a number that is none", inside.link.signal("trapping", 4000).await)?;
    said_no("nobody", inside.link.signal("nobody", libc::SIGTERM).await)
}

pub(super) async fn what_ended_is_known_until_it_is_forgotten(stage: &Stage<'_>) -> Case {
    let names = async |inside: &Inside| {
        let all = inside.link.processes().await?;
        Ok::<_, Verdict>(all.into_iter().map(|state| state.process).collect::<Vec<_>>())
    };
    let inside = stage.first().await?;
    inside.link.spawn("short", &inside.shell("echo here")).await?;
    inside.link.spawn("long", &inside.shell("exec sleep 600")).await?;
    to_the_end(&inside.link, "short", 0).await?;
    let later = stage.reenter(&inside.handle).await?;
    same("known", names(&later).await?, vec!["long".to_owned(), "short".to_owned()])?;
    same("its output", to_the_end(&later.link, "short", 0).await?.0, "here\n".into())?;
    said_no("forgetting what runs", later.link.forget("long").await)?;
    later.link.forget("short").await?;
    later.link.forget("short").await?;
    same("known", names(&later).await?, vec!["long".to_owned()])?;
    said_no("one that is forgotten", later.link.attach("short", FROM_THE_START).await.map(|_| ()))
}

pub(super) async fn a_new_link_replaces_the_old_one(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let mut attached = {
        inside.link.spawn("quiet", &inside.shell("exec sleep 600")).await?;
        inside.link.attach("quiet", FROM_THE_START).await?
    };
    let later = stage.reenter(&inside.handle).await?;
    inside.link.closed().await;
    same("who was attached is told", attached.next().await.is_err(), true)?;
    same("echo", later.sh("echo here").await?, "here".into())
}
