//! What a sandbox may use, and that it is told when that is not enough. Where a provider says that it does not enforce a
//! limit, there is nothing to be seen of it.

use super::stage::{Inside, Stage, failed, same};
use super::{Case, Verdict};
use crate::error::ErrorKind;
use crate::provider::SandboxSpec;
use lamplight_domain::SandboxLimits;
use lamplight_domain::sandbox::{Enforcement, LimitHit, Strength, Wall};

async fn within(stage: &Stage<'_>, limits: SandboxLimits) -> Result<Inside, Verdict> {
    stage.enter(&SandboxSpec { limits, ..stage.spec(1) }).await
}

/// What the provider says of a wall.
async fn told(stage: &Stage<'_>, inside: &Inside, wall: Wall) -> Result<Enforcement, Verdict> {
    let enforced = stage.provider.inspect(&inside.handle).await?.enforced;
    let rows = enforced.map(|enforced| enforced.0).unwrap_or_default();
    let row = rows.into_iter().find(|row| row.wall == wall);
    row.ok_or_else(|| failed(format!("nothing is told about {}", wall.name())))
}

async fn not_missing(
    stage: &Stage<'_>,
    inside: &Inside,
    wall: Wall,
    limit: u64,
) -> Result<Strength, Verdict> {
    let row = told(stage, inside, wall).await?;
    same("the limit", row.limit, Some(limit))?;
    match row.strength {
        Strength::Missing { .. } => Err(Verdict::Skipped("this machine cannot limit that; it says so")),
        strength => Ok(strength),
    }
}

async fn hits(stage: &Stage<'_>, inside: &Inside) -> Result<Vec<LimitHit>, Verdict> {
    Ok(stage.provider.inspect(&inside.handle).await?.hits)
}

pub(super) async fn memory_runs_out_for_the_one_that_took_it(stage: &Stage<'_>) -> Case {
    const LIMIT: u64 = 96 << 20;
    let inside =
        within(stage, SandboxLimits { memory_bytes: Some(LIMIT), ..SandboxLimits::default() }).await?;
    let strength = not_missing(stage, &inside, Wall::Memory, LIMIT).await?;
    inside.sh("python3 -c 'bytearray(32 << 20)'").await?;
    same("hits", hits(stage, &inside).await?, Vec::new())?;
    inside.refused("python3 -c 'bytearray(512 << 20)'").await?;
    // The sandbox is still there, and so is what is smaller.
    inside.sh("python3 -c 'bytearray(32 << 20)'").await?;
    if strength != Strength::Enforced {
        return Ok(());
    }
    let hits = hits(stage, &inside).await?;
    let told: Vec<_> = hits.iter().map(ToString::to_string).collect();
    same("told", told, vec!["out of memory (limit 96 MiB)".into()])
}

pub(super) async fn processes_are_counted_together(stage: &Stage<'_>) -> Case {
    const LIMIT: u32 = 64;
    let inside = within(stage, SandboxLimits { processes: Some(LIMIT), ..SandboxLimits::default() }).await?;
    not_missing(stage, &inside, Wall::Processes, LIMIT.into()).await?;
    let bomb = r"
import os, signal
made = []
try:
    while len(made) < 400:
        made.append(os.fork())
        if made[-1] == 0: signal.pause()
except BlockingIOError: pass
print(len(made))
for process in made: os.kill(process, signal.SIGKILL); os.waitpid(process, 0)
";
    inside.write("/tmp/bomb.py", bomb).await?;
    let made: u32 = inside.sh("python3 /tmp/bomb.py").await?.parse()?;
    if !(LIMIT / 2..LIMIT).contains(&made) {
        return Err(failed(format!("{made} processes were made, and {LIMIT} is the limit")));
    }
    // Who counts by cgroup tells what was run into; other ways do not know.
    for hit in hits(stage, &inside).await? {
        same("told", hit.to_string(), "too many processes (limit 64)".into())?;
    }
    inside.sh("true").await.map(|_| ())
}

pub(super) async fn processor_time_is_shared_out(stage: &Stage<'_>) -> Case {
    let limits = SandboxLimits { cpu_thousandths: Some(200), ..SandboxLimits::default() };
    let inside = within(stage, limits).await?;
    not_missing(stage, &inside, Wall::Cpu, 200).await?;
    let busy = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nprint(int(time.process_time() * 1000))";
    inside.write("/tmp/busy.py", busy).await?;
    let used: u64 = inside.sh("python3 /tmp/busy.py").await?.parse()?;
    // A fifth of a second, and a portion more at either end.
    if used <= 450 { Ok(()) } else { Err(failed(format!("{used} ms of 1000 were used"))) }
}

pub(super) async fn open_files_are_limited(stage: &Stage<'_>) -> Case {
    let inside = within(stage, SandboxLimits { open_files: Some(100), ..SandboxLimits::default() }).await?;
    not_missing(stage, &inside, Wall::OpenFiles, 100).await?;
    inside.sh("python3 -c 'a = [open(\"/dev/null\") for _ in range(80)]'").await?;
    let said = inside.refused("python3 -c 'a = [open(\"/dev/null\") for _ in range(120)]'").await?;
    if said.contains("Too many open files") { Ok(()) } else { Err(failed(said)) }
}

pub(super) async fn files_end_where_the_disk_limit_is(stage: &Stage<'_>) -> Case {
    const LIMIT: u64 = 16 << 20;
    let inside = within(stage, SandboxLimits { disk_bytes: Some(LIMIT), ..SandboxLimits::default() }).await?;
    not_missing(stage, &inside, Wall::Disk, LIMIT).await?;
    // Where the limit is soft, it takes a look until it counts.
    let grow = "import sys, time\nwanted = sys.argv[1]\nfor _ in range(150):\n try:\n  open('/workspace/more', 'ab', 0).write(b'x')\n  grows = 'grows'\n\
                \x20except OSError: grows = 'full'\n if grows == wanted: break\n time.sleep(0.1)\nprint(grows)";
    inside.write("/tmp/grow.py", grow).await?;
    // One file by itself at once, whoever looks.
    inside.refused("head -c 17M /dev/zero > /workspace/one").await?;
    // It may have been over the limit for a moment, and is looked at again; where the limit is soft, more than it allows may be written.
    let again = "rm /workspace/one; for i in $(seq 100); do echo x > /workspace/one && break; sleep 0.1; done; \
                 for n in 1 2 3 4; do head -c 4500K /dev/zero > /workspace/$n; done; true";
    inside.sh(again).await?;
    same("over the limit", inside.sh("python3 /tmp/grow.py full").await?, "full".into())?;
    let told: Vec<_> = hits(stage, &inside).await?.iter().map(ToString::to_string).collect();
    same("told", told, vec!["out of disk space (limit 16 MiB)".into()])?;
    inside.sh("rm /workspace/1 /workspace/2").await?;
    same("within it again", inside.sh("python3 /tmp/grow.py grows").await?, "grows".into())
}

pub(super) async fn limits_that_nothing_can_live_in_are_refused(stage: &Stage<'_>) -> Case {
    let tiny = [
        SandboxLimits { memory_bytes: Some(1), ..SandboxLimits::default() },
        SandboxLimits { processes: Some(1), ..SandboxLimits::default() },
        SandboxLimits { cpu_thousandths: Some(0), ..SandboxLimits::default() },
    ];
    for limits in tiny {
        match stage.create(&SandboxSpec { limits, ..stage.spec(1) }).await {
            Err(error) => same("the kind of error", error.kind, ErrorKind::Invalid)?,
            Ok(_) => return Err(failed("it was made")),
        }
    }
    Ok(())
}

pub(super) async fn what_is_enforced_is_told_for_as_long_as_it_is_there(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let first = stage.provider.inspect(&inside.handle).await?;
    let Some(enforced) = &first.enforced else { return Err(failed("nothing is told")) };
    for wall in [Wall::Namespaces, Wall::Capabilities, Wall::SystemCalls] {
        let row = enforced.0.iter().find(|row| row.wall == wall);
        same(wall.name(), row.map(|row| &row.strength), Some(&Strength::Enforced))?;
    }
    // After a restart, after the same create again, and after its end.
    same("after a restart", stage.subject.provider().inspect(&inside.handle).await?, first.clone())?;
    stage.create(&stage.spec(1)).await?;
    same("after another create", stage.provider.inspect(&inside.handle).await?, first.clone())?;
    match stage.subject.kill(&inside.handle).await {
        Some(done) => done.map_err(failed)?,
        None => return Err(Verdict::Skipped("it cannot be ended from here")),
    }
    same("after its end", stage.provider.inspect(&inside.handle).await?, first)
}

pub(super) async fn sandboxes_inside_need_leave(stage: &Stage<'_>) -> Case {
    let make =
        "unshare --user --map-root-user --mount --pid --fork sh -c 'mount -t tmpfs none /tmp && id -u'";
    let without = stage.first().await?;
    without.refused(make).await?;
    let other = stage.subject.session();
    let limits = SandboxLimits { nested_sandboxes: Some(true), ..SandboxLimits::default() };
    let with = stage.enter(&SandboxSpec { limits, ..stage.spec_of(&other, 1) }).await?;
    same("who is in there", with.sh(make).await?, "0".into())?;
    // What is inside of it is still inside of ours.
    with.refused("unshare --user --map-root-user --mount sh -c 'mount -o remount,rw /usr'").await?;
    with.refused("unshare --user --map-root-user mknod /tmp/mem c 1 1").await.map(|_| ())
}
