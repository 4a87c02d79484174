//! The same work in a sandbox and in a plain chroot, by turns, as the agent's kind of user: starting programs, git, reading small files.

use crate::{Here, Inside};
use anyhow::{Context, Result};
use lamplight_sandbox::provider::Files;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

const ROUNDS: usize = 5;
/// Nobody in particular.
const USER: &str = "64323";

/// Prints the milliseconds of each part.
const WORK: &str = r#"
import os, subprocess, sys, time
os.chdir(sys.argv[1])
def timed(work):
    start = time.monotonic()
    work()
    print(round((time.monotonic() - start) * 1e6))
def spawn():
    for _ in range(200): subprocess.run(["/bin/true"], check=True)
def make():
    os.makedirs("repo")
    for d in range(50):
        os.mkdir(f"repo/{d}")
        for f in range(100):
            with open(f"repo/{d}/{f}", "w") as file: file.write(f"{d} {f}\n" * 40)
def git():
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", "repo", *words], check=True)
def read():
    for d in range(50):
        for f in range(100):
            with open(f"repo/{d}/{f}", "rb") as file: file.read()
make()
timed(spawn)
timed(git)
timed(read)
subprocess.run(["rm", "-rf", "repo"], check=True)
"#;
const PARTS: [&str; 3] = ["work_spawn", "work_git", "work_read"];

pub(crate) async fn measure(here: &Here) -> Result<()> {
    let inside = here.enter(here.session(), 1, true).await?;
    inside.sh(&format!("cat > /tmp/work.py <<'END'\n{WORK}\nEND")).await?;
    let outside = here.data().join("outside");
    fs::create_dir_all(&outside)?;
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        chown(&outside, Some(USER.parse()?), Some(USER.parse()?))?;
        for above in outside.ancestors().skip(1).take(2) {
            fs::set_permissions(above, fs::Permissions::from_mode(0o711))?;
        }
    }
    let (mut ours, mut plain) = (vec![Vec::new(); PARTS.len()], vec![Vec::new(); PARTS.len()]);
    for _ in 0..ROUNDS {
        keep(&mut ours, &in_sandbox(&inside).await?)?;
        keep(&mut plain, &in_chroot(&outside, is_root)?)?;
    }
    for ((part, ours), plain) in PARTS.iter().zip(&mut ours).zip(&mut plain) {
        let [ours, plain] = [ours, plain].map(|times| {
            times.sort_unstable();
            times[times.len() / 2]
        });
        println!("{part} {ours} {plain}");
    }
    inside.end(here, Files::Remove).await
}

async fn in_sandbox(inside: &Inside) -> Result<String> {
    inside.sh("python3 /tmp/work.py /workspace").await
}

fn in_chroot(folder: &Path, is_root: bool) -> Result<String> {
    let mut work = Command::new(if is_root { "chroot" } else { "python3" });
    if is_root {
        work.args([
            "--userspec",
            &format!("{USER}:{USER}"),
            "/",
            "/usr/bin/env",
            "HOME=/nonexistent",
            "python3",
        ]);
    }
    let output = work.arg("-c").arg(WORK).arg(folder).output().context("work in a chroot")?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn keep(all: &mut [Vec<u64>], said: &str) -> Result<()> {
    let times: Vec<u64> =
        said.lines().map(str::parse).collect::<Result<_, _>>().with_context(|| said.to_owned())?;
    anyhow::ensure!(times.len() == all.len(), "{said}");
    all.iter_mut().zip(times).for_each(|(part, time)| part.push(time));
    Ok(())
}
