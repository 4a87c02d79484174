//! Keeping files as they are at a moment, going back, and forking.

use super::stage::{Inside, Stage, failed, same};
use super::{Case, Verdict};
use crate::checkpoint::Checkpoint;
use crate::error::ErrorKind;
use crate::provider::Files;
use lamplight_domain::SessionId;
use std::sync::atomic::{AtomicU32, Ordering};

/// Everything that a file system has, in the places that a session writes to.
const MAKE: &str = "set -e; cd /workspace; umask 022; mkdir -p tree/deep/er empty; echo one > tree/file; echo two > tree/deep/er/file; \
    head -c 300000 /dev/urandom > tree/random; ln tree/file tree/second-name; ln -s ../nowhere tree/link; \
    chmod 4751 tree/random; echo secret > tree/secret; chmod 000 tree/secret; touch -d '2001-02-03 04:05:06' tree/file; \
    printf x > 'tree/new\nline'; printf x > $(printf 'tree/\\377'); mkdir tree/closed; echo x > tree/closed/file; chmod 000 tree/closed; \
    truncate -s 5000000 tree/sparse; echo home > ~/file; echo tmp > /tmp/file; echo var > /var/tmp/file; \
    python3 -c 'import os; os.setxattr(\"tree/file\", \"user.case\", b\"value\")' || true";

/// Describes all of it in text: names, kinds, rights, owners, times, targets, content and extended attributes.
const LOOK: &str = r#"cat > /dev/shm/look.py <<'E'
import hashlib, os, stat
def look(path):
    s = os.lstat(path)
    kind, mode = stat.S_IFMT(s.st_mode), stat.S_IMODE(s.st_mode)
    said = [repr(os.fsencode(path)), oct(kind), oct(mode), s.st_uid, s.st_gid]
    if kind != stat.S_IFDIR:
        said += [s.st_size, int(s.st_mtime * 1000), s.st_nlink]
    if kind == stat.S_IFLNK:
        said.append(os.readlink(path))
    else:
        try: said += [(n, os.getxattr(path, n)) for n in sorted(os.listxattr(path)) if n.startswith("user.") and not n.startswith("user.overlay")]
        except OSError: pass
    if kind == stat.S_IFREG:
        try: said.append(hashlib.sha256(open(path, "rb").read()).hexdigest())
        except OSError: said.append("closed")
    print(*said)
    if kind == stat.S_IFDIR:
        try: names = sorted(os.listdir(os.fsencode(path)))
        except OSError: names = []
        for name in names: look(os.path.join(os.fsencode(path), name))
for top in ["/workspace", os.path.expanduser("~"), "/tmp", "/var/tmp"]: look(top)
E
python3 /dev/shm/look.py"#;

/// Changes of every kind.
const CHANGE: &str = "set -e; cd /workspace; echo more >> tree/deep/new; echo changed > tree/file; rm tree/link tree/random; \
    mv tree/deep tree/moved; rm -rf empty; mkdir -p empty/now/full; echo x > empty/now/full/file; chmod 700 tree; \
    rm 'tree/new\nline'; mkdir 'tree/new\nline'; rm ~/file; mv /tmp/file /tmp/other; ln -s x /var/tmp/link; chmod 755 tree/closed; rm -r tree/closed; \
    echo in-its-place > tree/closed";

fn needed(stage: &Stage<'_>) -> Case {
    match stage.provider.capabilities().checkpoints {
        true => Ok(()),
        false => Err(Verdict::Skipped("there are no checkpoints")),
    }
}

fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

async fn checkpoint(stage: &Stage<'_>, inside: &Inside) -> Result<Checkpoint, Verdict> {
    Ok(stage.provider.checkpoint(&inside.handle, next_number()).await?)
}

/// Gives a session these files, and enters it.
async fn enter_with(
    stage: &Stage<'_>,
    checkpoint: &Checkpoint,
    session: &SessionId,
    generation: u32,
) -> Result<Inside, Verdict> {
    stage.provider.restore(checkpoint, session).await?;
    stage.enter(&crate::provider::SandboxSpec { session: session.clone(), ..stage.spec(generation) }).await
}

pub(super) async fn restoring_brings_everything_back(stage: &Stage<'_>) -> Case {
    needed(stage)?;
    let first = stage.first().await?;
    first.sh(MAKE).await?;
    let one = first.sh(LOOK).await?;
    let kept = checkpoint(stage, &first).await?;
    first.sh(CHANGE).await?;
    let two = first.sh(LOOK).await?;
    if one == two {
        return Err(failed("a change is not seen: this case would see nothing"));
    }
    let changed = checkpoint(stage, &first).await?;
    let second = enter_with(stage, &kept, &stage.session, 2).await?;
    same("as it was", second.sh(LOOK).await?, one.clone())?;
    second.sh("cd /workspace; rm -rf * ~/* /tmp/*; echo x > y").await?;
    let third = enter_with(stage, &changed, &stage.session, 3).await?;
    same("as it was later", third.sh(LOOK).await?, two)?;
    let fourth = enter_with(stage, &kept, &stage.session, 4).await?;
    same("as it was, again", fourth.sh(LOOK).await?, one)
}

pub(super) async fn a_named_pipe_is_kept(stage: &Stage<'_>) -> Case {
    needed(stage)?;
    let first = stage.first().await?;
    first.sh("mkfifo -m 620 /workspace/pipe").await?;
    let kept = checkpoint(stage, &first).await?;
    first.sh("rm /workspace/pipe").await?;
    let second = enter_with(stage, &kept, &stage.session, 2).await?;
    same("as it was", second.sh("stat -c '%F %a' /workspace/pipe").await?, "fifo 620".into())
}

pub(super) async fn many_checkpoints_are_each_as_it_was(stage: &Stage<'_>) -> Case {
    needed(stage)?;
    let inside = stage.first().await?;
    let mut all = Vec::new();
    for round in 0..24_u32 {
        let at = |n: u32| n % 5;
        let mut change = format!(
            "set -e; cd /workspace; mkdir -p d{0}/deep; echo {round} > d{0}/f{round}; echo {round} > d{0}/deep/f; \
             echo {round} >> log; rm -f d{1}/f*",
            at(round),
            at(round + 3)
        );
        if round % 7 == 6 {
            change += &format!("; rm -rf moved; mv d{} moved", at(round));
        }
        if round % 4 == 3 {
            change += &format!("; rm -rf d{0}; mkdir -p d{0}/new", at(round + 1));
        }
        inside.sh(&change).await?;
        all.push((inside.sh(LOOK).await?, checkpoint(stage, &inside).await?));
    }
    for (generation, at) in [(2, 0), (3, 11), (4, 23), (5, 20)] {
        let (seen, kept) = &all[at];
        let there = enter_with(stage, kept, &stage.session, generation).await?;
        same(&format!("as it was at {at}"), &there.sh(LOOK).await?, seen)?;
    }
    Ok(())
}

pub(super) async fn what_does_not_run_is_kept_too(stage: &Stage<'_>) -> Case {
    needed(stage)?;
    let mut inside = stage.first().await?;
    inside.sh(MAKE).await?;
    let mut kept = Vec::new();
    for generation in 2..5 {
        let seen = inside.sh(LOOK).await?;
        stage.provider.destroy(&inside.handle, Files::Keep).await?;
        kept.push((seen.clone(), checkpoint(stage, &inside).await?));
        inside = stage.enter(&stage.spec(generation)).await?;
        same("going on", inside.sh(LOOK).await?, seen)?;
        inside.sh(&format!("cd /workspace; echo {generation} >> tree/deep/log; rm -f tree/random; mv tree/deep tree/d || mv tree/d tree/deep; mkdir -p tree/deep")).await?;
    }
    for (generation, (seen, kept)) in (5..).zip(kept) {
        let there = enter_with(stage, &kept, &stage.session, generation).await?;
        same("as it was", there.sh(LOOK).await?, seen)?;
    }
    Ok(())
}

pub(super) async fn a_fork_shares_nothing_that_can_be_written(stage: &Stage<'_>) -> Case {
    needed(stage)?;
    let parent = stage.first().await?;
    parent.sh(MAKE).await?;
    let seen = parent.sh(LOOK).await?;
    let kept = checkpoint(stage, &parent).await?;
    let (one, other) = (stage.subject.session(), stage.subject.session());
    let one = enter_with(stage, &kept, &one, 1).await?;
    let other = enter_with(stage, &kept, &other, 1).await?;
    same("one fork", &one.sh(LOOK).await?, &seen)?;
    same("another fork", &other.sh(LOOK).await?, &seen)?;
    one.sh(CHANGE).await?;
    same("the parent", &parent.sh(LOOK).await?, &seen)?;
    same("another fork", &other.sh(LOOK).await?, &seen)?;
    parent.sh(CHANGE).await?;
    same("another fork, later", &other.sh(LOOK).await?, &seen)
}

pub(super) async fn a_fork_outlives_its_parent(stage: &Stage<'_>) -> Case {
    needed(stage)?;
    let parent = stage.first().await?;
    parent.sh(MAKE).await?;
    let seen = parent.sh(LOOK).await?;
    let kept = checkpoint(stage, &parent).await?;
    let session = stage.subject.session();
    let fork = enter_with(stage, &kept, &session, 1).await?;
    stage.provider.destroy(&parent.handle, Files::Remove).await?;
    same("running", &fork.sh(LOOK).await?, &seen)?;
    stage.provider.destroy(&fork.handle, Files::Keep).await?;
    let later = stage.enter(&stage.spec_of(&session, 2)).await?;
    same("later", &later.sh(LOOK).await?, &seen)?;
    let again = checkpoint(stage, &later).await?;
    stage.provider.destroy(&later.handle, Files::Keep).await?;
    let third = stage.subject.session();
    let grandchild = enter_with(stage, &again, &third, 1).await?;
    same("a fork of the fork", &grandchild.sh(LOOK).await?, &seen)
}

pub(super) async fn what_was_given_away_stays_when_its_checkpoint_is_gone(stage: &Stage<'_>) -> Case {
    needed(stage)?;
    let inside = stage.first().await?;
    let mut forks = Vec::new();
    for round in 0..3 {
        inside.sh(&format!("echo {round} > /workspace/round")).await?;
        let kept = checkpoint(stage, &inside).await?;
        let fork = stage.subject.session();
        stage.provider.restore(&kept, &fork).await?;
        stage.provider.remove_checkpoint(&kept).await?;
        forks.push(fork);
    }
    for (round, fork) in forks.iter().enumerate() {
        let fork = stage.enter(&stage.spec_of(fork, 1)).await?;
        same("as it was given", fork.sh("cat /workspace/round").await?, round.to_string())?;
    }
    same("there", inside.sh("cat /workspace/round").await?, "2".into())
}

pub(super) async fn checkpoints_are_listed_and_removed(stage: &Stage<'_>) -> Case {
    needed(stage)?;
    let inside = stage.first().await?;
    let mut made = Vec::new();
    for round in 0..3 {
        inside.sh(&format!("echo {round} > /workspace/round")).await?;
        made.push(checkpoint(stage, &inside).await?);
    }
    let provider = stage.subject.provider();
    same("listed", provider.checkpoints(&stage.session).await?, made.clone())?;
    provider.remove_checkpoint(&made[1]).await?;
    provider.remove_checkpoint(&made[1]).await?;
    same("listed", provider.checkpoints(&stage.session).await?, vec![made[0].clone(), made[2].clone()])?;
    match provider.restore(&made[1], &stage.session).await {
        Err(error) => same("the kind of error", error.kind, ErrorKind::Gone)?,
        Ok(()) => return Err(failed("a removed checkpoint was restored")),
    }
    let there = enter_with(stage, &made[2], &stage.session, 2).await?;
    same("the last", there.sh("cat /workspace/round").await?, "2".into())
}

pub(super) async fn a_checkpoint_of_a_number_is_made_once(stage: &Stage<'_>) -> Case {
    needed(stage)?;
    let inside = stage.first().await?;
    inside.sh("echo before > /workspace/when").await?;
    let number = next_number();
    let kept = stage.provider.checkpoint(&inside.handle, number).await?;
    inside.sh("echo after > /workspace/when").await?;
    same("the name", &stage.provider.checkpoint(&inside.handle, number).await?, &kept)?;
    let there = enter_with(stage, &kept, &stage.session, 2).await?;
    same("as it was", there.sh("cat /workspace/when").await?, "before".into())
}

pub(super) async fn what_never_ran_is_forgotten_too(stage: &Stage<'_>) -> Case {
    needed(stage)?;
    let inside = stage.first().await?;
    inside.sh("echo here > /workspace/file").await?;
    let kept = checkpoint(stage, &inside).await?;
    let fork = stage.subject.session();
    stage.provider.restore(&kept, &fork).await?;
    stage.provider.forget(&fork).await?;
    stage.provider.forget(&fork).await?;
    same("there", inside.sh("cat /workspace/file").await?, "here".into())?;
    stage.provider.forget(&stage.session).await?;
    for session in [&fork, &stage.session] {
        if let Some(left) = stage.subject.left_of(session) {
            same("left", left, Vec::new())?;
        }
    }
    Ok(())
}

pub(super) async fn what_runs_goes_on_after_a_checkpoint(stage: &Stage<'_>) -> Case {
    needed(stage)?;
    let inside = stage.first().await?;
    // Two files that change together, one after the other: a copy of one moment has them at most one step apart.
    inside
        .start("counting", "cd /workspace; i=0; echo 0 > a; echo 0 > b; echo; while :; do i=$((i+1)); echo $i > a.new; mv a.new a; echo $i > b.new; mv b.new b; sleep 0.002; done")
        .await?;
    let kept = match stage.provider.checkpoint(&inside.handle, next_number()).await {
        // Where nothing can be held, files that never stand still cannot be kept, and this is said.
        Err(error) if error.kind == ErrorKind::Unavailable && error.retryable => None,
        kept => Some(kept?),
    };
    let before = inside.sh("cat /workspace/a").await?;
    inside.sh(&format!("for i in $(seq 200); do test $(cat /workspace/a 2>/dev/null || echo {before}) -gt {before} && exit 0; sleep 0.05; done; exit 1")).await?;
    let Some(kept) = kept else { return Err(Verdict::Skipped("nothing can be held still here")) };
    let fork = enter_with(stage, &kept, &stage.subject.session(), 1).await?;
    let apart = fork.sh("cd /workspace; echo $(($(cat a) - $(cat b)))").await?;
    same("steps apart", apart == "0" || apart == "1", true)
}
