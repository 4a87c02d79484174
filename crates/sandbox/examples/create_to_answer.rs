//! Measures create → guest answers → destroyed on this machine: `create_to_answer LAUNCHER DATA_DIR [COUNT
//! [PAUSE_MS [IMAGE]]]`, where LAUNCHER is the `lamplight-launch` of the same build, and IMAGE the name of an image in that directory.

use anyhow::Context;
use async_trait::async_trait;
use lamplight_domain::{ImageName, SessionId, SessionImage};
use lamplight_sandbox::conformance::{Subject, create_to_answer};
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::provider::{Provider, SandboxSpec};
use lamplight_sandbox::providers::local::{DiskLimit, Images, Launcher, Local, LocalConfig};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

struct Here {
    provider: Arc<Local>,
    sessions: AtomicU32,
    image: Option<SessionImage>,
}

#[async_trait]
impl Subject for Here {
    fn provider(&self) -> Arc<dyn Provider> {
        self.provider.clone()
    }

    fn session(&self) -> SessionId {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        format!("{:016}{number:010}", std::process::id()).parse().expect("26 digits are an id")
    }

    fn image(&self) -> Option<SessionImage> {
        self.image.clone()
    }

    fn hidden(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn left_of(&self, _: &SessionId) -> Option<Vec<String>> {
        None
    }

    async fn create_and_die(&self, _: &SandboxSpec) -> Option<Result<(), String>> {
        None
    }

    async fn kill(&self, _: &Handle) -> Option<Result<(), String>> {
        None
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [launcher, data_dir, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: create_to_answer LAUNCHER DATA_DIR [COUNT [PAUSE_MS [IMAGE]]]");
    };
    let count = rest.first().map_or(Ok(40), |count| count.parse())?;
    let pause = Duration::from_millis(rest.get(1).map_or(Ok(0), |pause| pause.parse())?);
    let image = match rest.get(2).map(|name| name.parse::<ImageName>()).transpose()? {
        Some(name) => {
            let found = Images::of(data_dir.as_ref()).find(&name)?.context("there is no such image")?;
            Some(SessionImage { name, digest: found.digest })
        }
        None => None,
    };
    let launcher = Launcher { program: launcher.into(), arguments: Vec::new() };
    let local = Local::open(LocalConfig {
        data_dir: data_dir.into(),
        launcher,
        tools: Vec::new(),
        is_unsafe: false,
        runtime: None,
        disk_limit: DiskLimit::Watched,
    })?;
    let here = Here { provider: Arc::new(local), sessions: AtomicU32::new(0), image };
    let (created, destroyed) = create_to_answer(&here, count, pause).await?;
    for (what, took) in [("create → guest answers", created), ("destroy, files removed", destroyed)] {
        let ms = |took: Duration| took.as_secs_f64() * 1e3;
        println!("{what}: p50 {:.2} ms, p90 {:.2} ms", ms(took.p50), ms(took.p90));
    }
    Ok(())
}
