//! Starts the guest as an ordinary process.

use super::disk::{GenerationDir, Sandboxes, SessionDir};
use super::ending::{end, end_all};
use super::places;
use super::processes::MARK;
use super::record::Record;
use crate::error::{ErrorKind, SandboxError};
use crate::provider::{SandboxSpec, inside};
use crate::providers::local::disk::{private_dir, remove_tree};
use crate::providers::local::record::Process;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

/// Becomes the guest once the record is written: should whoever starts it be killed before, it ends. The listener is its standard
/// input, the gate its standard output.
const GATE: &str = r#"read -r open <&1 && exec "$@" >&2"#;

/// What every process of every sandbox starts with.
pub(super) fn environment() -> BTreeMap<String, String> {
    let all = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("USER", inside::USER),
        ("LOGNAME", inside::USER),
        ("SHELL", "/bin/sh"),
        ("LANG", "C.UTF-8"),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Whether it was started now.
pub(super) fn create(sandboxes: &Sandboxes, spec: &SandboxSpec, guest: &Path) -> Result<bool> {
    let session = sandboxes.session(&spec.session);
    let _lock = session.make_and_lock()?;
    let newest = session.newest()?;
    if newest > spec.generation {
        bail!(SandboxError::new(ErrorKind::Gone, format!("generation {newest} has been made already")));
    }
    let here = session.generation(spec.generation);
    if let Some(record) = here.record()?
        && record.runs()?
    {
        if record.environment != spec.environment || record.limits != spec.limits {
            bail!(SandboxError::new(ErrorKind::Invalid, "it runs already, and was made from something else"));
        }
        return Ok(false);
    }
    end_all(&session)?;
    session.settle()?;
    places::prepare(&session.files())?;
    // What is in memory ends with its sandbox.
    remove_tree(&session.files().join(places::MEMORY))?;
    places::prepare(&session.files())?;
    session.set_newest(spec.generation)?;
    let started = start(&session, spec, guest);
    if started.is_err() {
        // Best effort: what stays is listed, and destroyed by whoever asked for the sandbox.
        let _ = end(&here);
    }
    started.map(|()| true)
}

/// The caller has the session's lock, and nothing else of the session runs.
fn start(session: &SessionDir, spec: &SandboxSpec, guest: &Path) -> Result<()> {
    let (here, files) = (session.generation(spec.generation), session.files());
    private_dir(&here.spool()).context("make the folder of the sandbox")?;
    let folder = File::open(here.path())?;
    let socket = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), GenerationDir::SOCKET);
    let listener = UnixListener::bind(socket).context("listen for the host")?;
    let log = File::options().create(true).append(true).open(here.guest_log())?;
    let gateway = places::gateway(here.path())?;
    let (gate, mut open) = std::io::pipe()?;
    let mut command = std::process::Command::new("/bin/sh");
    let gateway_text = gateway.to_string();
    command.args(["-c", GATE, "sh"]).arg(guest);
    command.args(["--listen-fd", "0", "--gateway", &gateway_text, "--spool"]).arg(here.spool());
    command.env_clear().envs(environment()).env(MARK, here.path());
    for (name, path) in [("HOME", inside::HOME), ("TMPDIR", "/tmp")] {
        command.env(name, places::place(&files, path));
    }
    command.envs(&spec.environment).current_dir(places::place(&files, inside::WORKSPACE));
    command.stdin(OwnedFd::from(listener)).stdout(Stdio::from(gate)).stderr(log);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    // Tokio's, which sees to it that one that was let go of is waited for.
    let child = tokio::process::Command::from(command).spawn().context("start the guest")?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).context("a child has a number")?;
    let process = Process::now(pid).context("look at the guest")?;
    let (limits, environment) = (spec.limits.clone(), spec.environment.clone());
    here.write_record(&Record { process, gateway, limits, environment }).context("write sandbox.json")?;
    open.write_all(b"\n").context("let the guest begin")?;
    Ok(())
}
