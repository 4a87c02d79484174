//! Measures the local provider on this machine, for `cargo xtask bench sandbox`: `sandbox_times LAUNCHER DATA_DIR [RUNTIME]`, where
//! LAUNCHER is the `lamplight-launch` of the same build, and RUNTIME a container runtime to be measured beside it. Prints one line for each thing: its name, and numbers in microseconds, KiB or hundredths.

mod floor;
mod work;

use anyhow::{Context, Result};
use lamplight_domain::{Generation, SandboxLimits, SessionId};
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::link::{Link, ProcessSpec, RunLimits, RunOutput};
use lamplight_sandbox::provider::{Files, Provider, SandboxSpec};
use lamplight_sandbox::providers::local::{DiskLimit, Launcher, Local, LocalConfig};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Times that each thing is done.
const ROUNDS: usize = 100;
const CHECKPOINTS: usize = 15;
/// Created one after the other by as many as there are processors, to see how many fit.
const MANY: u32 = 1000;
/// Of the session that is checkpointed, in directories of a hundred.
const FILES: u32 = 10_000;

/// Sessions of the runtime are counted from here: cgroups are named after sessions.
const FIRST_OF_RUNTIME: u32 = 1_000_000;
/// And those with volumes from here.
const FIRST_IN_VOLUMES: u32 = 2_000_000;

/// A provider, and what is needed to find what it made.
pub(crate) struct Here {
    local: Local,
    data: PathBuf,
    sessions: AtomicU32,
}

/// A sandbox with somebody to speak to inside.
pub(crate) struct Inside {
    pub(crate) session: SessionId,
    handle: Handle,
    link: Link,
}

/// By a task of the runtime, as all that a server does: the thread that waits for it is another, which would have to be woken each time.
#[tokio::main]
async fn main() -> Result<()> {
    let mut task = JoinSet::new();
    task.spawn(measure(std::env::args().skip(1).collect()));
    task.join_next().await.context("it was spawned")??
}

async fn measure(arguments: Vec<String>) -> Result<()> {
    let [launcher, data, runtime @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: sandbox_times LAUNCHER DATA_DIR [RUNTIME]");
    };
    let launcher = Launcher { program: launcher.into(), arguments: Vec::new() };
    let data = std::path::absolute(data)?;
    let config = LocalConfig {
        data_dir: data.clone(),
        launcher,
        tools: Vec::new(),
        is_unsafe: false,
        runtime: None,
        disk_limit: DiskLimit::Watched,
    };
    let data_dir = data.join("by-runtime");
    let with_runtime = LocalConfig { runtime: runtime.first().cloned(), data_dir, ..config.clone() };
    let data_of_volumes = data.join("in-volumes");
    let in_volumes =
        LocalConfig { data_dir: data_of_volumes.clone(), disk_limit: DiskLimit::Volume, ..config.clone() };
    let here = Here { local: Local::open(config)?, data, sessions: AtomicU32::new(0) };
    from_create_to_destroy(&here).await?;
    if with_runtime.runtime.is_some() {
        by_runtime(&here, Local::open(with_runtime)?).await?;
    }
    // Not everybody can have them; then there is nothing to be told.
    if let Ok(local) = Local::open(in_volumes) {
        with_volumes(local, data_of_volumes).await?;
    }
    while_it_runs(&here).await?;
    checkpoints(&here).await?;
    work::measure(&here).await?;
    many(Arc::new(here)).await
}

/// Side by side with the floor, as what else runs on the machine disturbs both.
async fn from_create_to_destroy(here: &Here) -> Result<()> {
    let floor = floor::Floor::prepare(&here.data)?;
    let (mut made, mut answered, mut destroyed, mut floors) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let started = now();
        let inside = here.enter(here.session(), 1, true).await?;
        answered.push(started.elapsed());
        inside.run("/bin/true").await?;
        made.push(started.elapsed());
        let started = now();
        inside.end(here, Files::Remove).await?;
        destroyed.push(started.elapsed());
        let started = now();
        floor.run()?;
        floors.push(started.elapsed());
    }
    say("create_to_answer", answered);
    say("create_to_result", made);
    say("floor", floors);
    say("destroy", destroyed);
    // What the way out costs: the same without, alternating.
    let mut sets = [vec![], vec![]];
    for round in 0..ROUNDS {
        let egress = round % 2 == 0;
        let started = now();
        let inside = here.enter(here.session(), 1, egress).await?;
        let way_out = here.local.egress(&inside.handle).await?;
        sets[usize::from(egress)].push(started.elapsed());
        drop(way_out);
        inside.end(here, Files::Remove).await?;
    }
    let [mut without, mut with] = sets;
    let added = median(&mut with).saturating_sub(median(&mut without));
    println!("egress_setup {}", added.as_micros());
    Ok(())
}

/// The same put up by a container runtime, by turns with the launcher's own.
async fn by_runtime(here: &Here, local: Local) -> Result<()> {
    let data = here.data.join("by-runtime");
    let theirs = Here { local, data, sessions: AtomicU32::new(FIRST_OF_RUNTIME) };
    let (mut made, mut destroyed) = ([vec![], vec![]], [vec![], vec![]]);
    for _ in 0..ROUNDS {
        for (at, place) in [here, &theirs].into_iter().enumerate() {
            let started = now();
            let inside = place.enter(place.session(), 1, true).await?;
            inside.run("/bin/true").await?;
            made[at].push(started.elapsed());
            let started = now();
            inside.end(place, Files::Remove).await?;
            destroyed[at].push(started.elapsed());
        }
    }
    let ([own, runtime], [own_gone, runtime_gone]) = (made, destroyed);
    say("own_beside_runtime", own);
    say("runtime_create_to_result", runtime);
    say("own_destroy_beside_runtime", own_gone);
    say("runtime_destroy", runtime_gone);
    Ok(())
}

/// The same with a file system for each session.
async fn with_volumes(local: Local, data: PathBuf) -> Result<()> {
    let place = Here { local, data, sessions: AtomicU32::new(FIRST_IN_VOLUMES) };
    let (mut made, mut destroyed) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        let started = now();
        let inside = place.enter(place.session(), 1, true).await?;
        inside.run("/bin/true").await?;
        made.push(started.elapsed());
        let started = now();
        inside.end(&place, Files::Remove).await?;
        destroyed.push(started.elapsed());
    }
    say("volume_create_to_result", made);
    say("volume_destroy", destroyed);
    Ok(())
}

async fn while_it_runs(here: &Here) -> Result<()> {
    let inside = here.enter(here.session(), 1, true).await?;
    let mut commands = Vec::new();
    for _ in 0..ROUNDS * 3 {
        let started = now();
        inside.run("/bin/true").await?;
        commands.push(started.elapsed());
    }
    say("command", commands);
    let (mut paused, mut resumed) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        let started = now();
        here.local.pause(&inside.handle).await?;
        paused.push(started.elapsed());
        let started = now();
        here.local.resume(&inside.handle).await?;
        resumed.push(started.elapsed());
    }
    say("pause", paused);
    say("resume", resumed);
    inside.end(here, Files::Remove).await
}

/// Numbers for checkpoints.
fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

async fn checkpoints(here: &Here) -> Result<()> {
    let session = here.session();
    let inside = here.enter(session.clone(), 1, false).await?;
    let make = format!(
        "mkdir src; for d in $(seq 100); do mkdir src/$d; for f in $(seq {}); do head -c 4000 /dev/zero > src/$d/$f; done; done",
        FILES / 100
    );
    inside.sh(&make).await?;
    let started = now();
    here.local.checkpoint(&inside.handle, next()).await?;
    println!("checkpoint_first {}", started.elapsed().as_micros());
    say("checkpoint_running", here.change_and_checkpoint(&inside).await?);
    inside.end(here, Files::Keep).await?;
    // As when a session stops: what it wrote becomes a layer.
    let started = now();
    let kept = here.local.checkpoint(&inside.handle, next()).await?;
    println!("checkpoint_still {}", started.elapsed().as_micros());
    let inside = here.enter(session, 2, false).await?;
    here.local.checkpoint(&inside.handle, next()).await?;
    say("checkpoint_layered", here.change_and_checkpoint(&inside).await?);
    let (child, mut forked) = (here.session(), Vec::new());
    for _ in 0..CHECKPOINTS {
        let started = now();
        here.local.restore(&kept, &child).await?;
        forked.push(started.elapsed());
    }
    say("fork", forked);
    let fork = here.enter(child, 1, false).await?;
    let count: u32 = fork.sh("find src -type f | wc -l").await?.trim().parse()?;
    anyhow::ensure!(count == FILES, "a fork of {FILES} files has {count}");
    fork.end(here, Files::Remove).await?;
    inside.end(here, Files::Remove).await
}

/// How fast they are made, what one takes of the machine, and how fast all are gone.
async fn many(here: Arc<Here>) -> Result<()> {
    let before = available_kib()?;
    let places = Arc::new(Semaphore::new(std::thread::available_parallelism()?.get()));
    let started = now();
    let mut making = JoinSet::new();
    for _ in 0..MANY {
        let place = Arc::clone(&places).acquire_owned().await?;
        let here = Arc::clone(&here);
        making.spawn(async move {
            let inside = here.enter(here.session(), 1, true).await;
            drop(place);
            inside
        });
    }
    let mut all = Vec::new();
    while let Some(made) = making.join_next().await {
        all.push(made??);
    }
    println!("thousand {}", started.elapsed().as_micros());
    // What was freed behind them is given back by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("idle_machine {}", before.saturating_sub(available_kib()?) / u64::from(MANY));
    let mut guests: Vec<u64> = all.iter().filter_map(|inside| here.guest_kib(&inside.session)).collect();
    guests.sort_unstable();
    println!("idle_guest {}", guests.get(guests.len() / 2).context("no guest's memory can be read")?);
    let started = now();
    let mut ending = JoinSet::new();
    for inside in all {
        let place = Arc::clone(&places).acquire_owned().await?;
        let here = Arc::clone(&here);
        ending.spawn(async move {
            let ended = inside.end(&here, Files::Remove).await;
            drop(place);
            ended
        });
    }
    while let Some(ended) = ending.join_next().await {
        ended??;
    }
    println!("thousand_gone {}", started.elapsed().as_micros());
    Ok(())
}

impl Here {
    pub(crate) fn session(&self) -> SessionId {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        format!("{:016}{number:010}", std::process::id()).parse().expect("26 digits are an id")
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) async fn enter(&self, session: SessionId, generation: u32, egress: bool) -> Result<Inside> {
        let spec = SandboxSpec {
            session: session.clone(),
            generation: Generation(generation),
            environment: BTreeMap::new(),
            mounts: Vec::new(),
            image: None,
            limits: SandboxLimits::default(),
            egress,
            gateway: true,
        };
        let handle = self.local.create(&spec).await?;
        let (link, _gateway) = Link::open(self.local.dial(&handle).await?).await?;
        Ok(Inside { session, handle, link })
    }

    async fn change_and_checkpoint(&self, inside: &Inside) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for round in 0..CHECKPOINTS {
            inside.sh(&format!("for f in 1 2 3 4 5; do echo {round} >> src/$f/1; done")).await?;
            let started = now();
            self.local.checkpoint(&inside.handle, next()).await?;
            times.push(started.elapsed());
        }
        Ok(times)
    }

    /// The guest's proportional set size.
    fn guest_kib(&self, session: &SessionId) -> Option<u64> {
        let record = self.data.join("sandboxes").join(session.as_str()).join("1/sandbox.json");
        let record: serde_json::Value = serde_json::from_slice(&std::fs::read(record).ok()?).ok()?;
        let rollup =
            std::fs::read_to_string(format!("/proc/{}/smaps_rollup", record["process"]["pid"])).ok()?;
        kib(&rollup, "Pss:")
    }
}

impl Inside {
    pub(crate) async fn sh(&self, command: &str) -> Result<String> {
        let output = self.output(["/bin/sh", "-c", command].map(str::to_owned).to_vec()).await?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    async fn run(&self, program: &str) -> Result<()> {
        self.output(vec![program.to_owned()]).await.map(drop)
    }

    async fn output(&self, argv: Vec<String>) -> Result<RunOutput> {
        let process =
            ProcessSpec { argv, env: BTreeMap::new(), cwd: Some("/workspace".into()), stdin: false };
        let limits = RunLimits { timeout_ms: 120_000, output_bytes: 64 * 1024 };
        Ok(self.link.run(&process, None, limits).await?)
    }

    pub(crate) async fn end(&self, here: &Here, files: Files) -> Result<()> {
        Ok(here.local.destroy(&self.handle, files).await?)
    }
}

fn available_kib() -> Result<u64> {
    kib(&std::fs::read_to_string("/proc/meminfo")?, "MemAvailable:").context("how much memory is available")
}

fn kib(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok())
}

pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) / 2]
}

fn say(what: &str, mut times: Vec<Duration>) {
    let middle = median(&mut times);
    println!("{what} {} {}", middle.as_micros(), times[(times.len() - 1) * 99 / 100].as_micros());
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
