//! Measures keeping, giving back and forking a session's files on this machine: `checkpoint_times LAUNCHER DATA_DIR [FILES]`, where
//! LAUNCHER is the `lamplight-launch` of the same build.

use anyhow::Context;
use lamplight_domain::{Generation, SandboxLimits, SessionId};
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::link::{Link, ProcessSpec, RunLimits};
use lamplight_sandbox::provider::{Files, Provider, SandboxSpec};
use lamplight_sandbox::providers::local::{Launcher, Local, LocalConfig};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Times that each step is done.
const ROUNDS: u32 = 15;

/// Numbers for checkpoints.
fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [launcher, data_dir, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: checkpoint_times LAUNCHER DATA_DIR [FILES]");
    };
    let files = rest.first().map_or(Ok(10_000), |files| files.parse::<u32>())?;
    let launcher = Launcher { program: launcher.into(), arguments: Vec::new() };
    let local = Local::open(LocalConfig {
        data_dir: data_dir.into(),
        launcher,
        tools: Vec::new(),
        is_unsafe: false,
    })?;
    let (parent, child) = (session(1), session(2));
    let (handle, link) = enter(&local, &parent, 1).await?;
    let make = format!(
        "mkdir -p src; for d in $(seq 100); do mkdir src/$d; for f in $(seq {}); do head -c 4000 /dev/zero > src/$d/$f; done; done",
        files / 100
    );
    run(&link, &make).await?;

    let started = now();
    local.checkpoint(&handle, next()).await?;
    println!("running, the first, {files} files: {:?}", started.elapsed());
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        run(&link, &format!("for f in 1 2 3 4 5; do echo {round} >> src/$f/1; done")).await?;
        let started = now();
        local.checkpoint(&handle, next()).await?;
        times.push(started.elapsed());
    }
    say("running, five files changed, all above the layers", times);

    local.destroy(&handle, Files::Keep).await?;
    let started = now();
    let kept = local.checkpoint(&handle, next()).await?;
    println!("not running, {files} files: {:?}", started.elapsed());

    let (handle, link) = enter(&local, &parent, 2).await?;
    local.checkpoint(&handle, next()).await?;
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        run(&link, &format!("for f in 1 2 3 4 5; do echo {round} >> src/$f/1; done")).await?;
        let started = now();
        local.checkpoint(&handle, next()).await?;
        times.push(started.elapsed());
    }
    say("running, five files changed, the others in a layer", times);

    let (mut restored, mut entered) = (Vec::new(), Vec::new());
    for generation in 1..=ROUNDS {
        let started = now();
        local.restore(&kept, &child).await?;
        restored.push(started.elapsed());
        enter(&local, &child, generation).await?;
        entered.push(started.elapsed());
    }
    say("fork", restored);
    say("fork, and its guest answers", entered);
    for found in local.list().await? {
        local.destroy(&found.handle, Files::Remove).await?;
    }
    Ok(())
}

fn session(number: u32) -> SessionId {
    format!("{:016}{number:010}", std::process::id()).parse().expect("26 digits are an id")
}

async fn enter(local: &Local, session: &SessionId, generation: u32) -> anyhow::Result<(Handle, Link)> {
    let (environment, mounts) = (BTreeMap::new(), Vec::new());
    let generation = Generation(generation);
    let limits = SandboxLimits::default();
    let spec = SandboxSpec {
        session: session.clone(),
        generation,
        environment,
        mounts,
        limits,
        image: None,
        egress: false,
    };
    let handle = local.create(&spec).await?;
    let (link, _gateway) = Link::open(local.dial(&handle).await?).await?;
    Ok((handle, link))
}

async fn run(link: &Link, command: &str) -> anyhow::Result<()> {
    let argv = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
    let cwd = Some("/workspace".to_owned());
    let process = ProcessSpec { argv, env: BTreeMap::new(), cwd, stdin: false };
    let limits = RunLimits { timeout_ms: 120_000, output_bytes: 64 * 1024 };
    link.run(&process, None, limits).await.with_context(|| format!("run {command:?}")).map(|_| ())
}

fn say(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what}: p50 {:?}, p90 {:?}", at(50), at(90));
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
fn now() -> Instant {
    Instant::now()
}
