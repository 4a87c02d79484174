//! Sandboxes that a container runtime puts up (crun, runc and what else speaks as the OCI says), instead of the launcher itself.
//!
//! ```text
//! provider ──request──▶ launcher ──clone3──▶ helper (see `helper`): root file system, network, config.json
//!                          │                    │ exec
//!                          │◀──ended, pid file──runtime ──▶ guest (PID 1 of the container)
//!                          │ looks at the guest: walls, limits, record
//! provider ◀──Running──────┘ exits
//! ```
//! Beside the record of a sandbox there is nothing to keep: the runtime's state is in the generation's folder, its cgroups are those that
//! we made, and the guest is a process like any other. So everything that is done with a sandbox later is done as with the launcher's own.
//!
//! One that brings a kernel of its own (gVisor) is told in `own_kernel`: there the process is that kernel.
//!
//! Failures: what the runtime says is in its log, which the error quotes. A launcher that is killed takes the runtime with it; what that
//! had made already is found by the note that was written before, and removed by the runtime itself.

mod config;
mod helper;
mod own_kernel;
mod profile;
mod runtime;
mod walls;

pub(super) use own_kernel::{path_inside, take_way_out};
pub(super) use runtime::Runtime;

use super::cgroup::{self, Cgroups, Limited};
use super::disk::{GenerationDir, SessionDir, private_dir, write_whole};
use super::ground::Ground;
use super::identity::Identity;
use super::init::stand;
use super::launch::{attend, channel, listen};
use super::record::{OwnKernel, Process, Record};
use super::request::LaunchRequest;
use anyhow::{Context, Result, bail};
use helper::Helper;
use lamplight_domain::sandbox::{Strength, Wall};
use lamplight_domain::{Enforced, Generation, SessionId};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Of what a runtime wrote into its log, at the end; bytes.
const QUOTED: usize = 2048;

/// `note.json`: who may have made something here, written before anything is.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    runtime: Runtime,
    id: String,
}

/// The runtime's folder in the generation's: the bundle, and what the runtime keeps.
struct Place(PathBuf);

impl Place {
    fn of(here: &GenerationDir) -> Self {
        Self(here.0.join("container"))
    }

    fn note(&self) -> PathBuf {
        self.0.join("note.json")
    }

    fn configuration(&self) -> PathBuf {
        self.0.join("config.json")
    }

    fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    fn pid_file(&self) -> PathBuf {
        self.0.join("pid")
    }

    fn id(&self, request: &LaunchRequest) -> String {
        format!("{}-{}", request.session, request.generation)
    }
}

/// Has the runtime of the request put the guest up. Takes what the launcher's own way takes.
pub(super) fn start(
    request: &LaunchRequest,
    session: &SessionDir,
    identity: Identity,
    ground: Ground,
    sockets: [OwnedFd; 2],
    cgroups: &Cgroups,
    limited: Limited,
) -> Result<Enforced> {
    let runtime = request.runtime.as_ref().context("no runtime was asked for")?;
    let here = &session.generation(request.generation);
    let place = Place::of(here);
    private_dir(&place.0).context("make the container's folder")?;
    let note = Note { runtime: runtime.clone(), id: place.id(request) };
    write_whole(&place.note(), &serde_json::to_vec(&note)?).context("note what is made next")?;
    let inherits = !runtime.has_own_kernel();
    let [listener, egress] = sockets;
    let listener = inherits.then(|| listen(listener, here, GenerationDir::SOCKET)).transpose();
    let listener = listener.context("listen for the host")?;
    let egress =
        (inherits && request.egress).then(|| listen(egress, here, GenerationDir::EGRESS)).transpose();
    let egress = egress.context("listen for who serves the network")?;
    let log = File::options().create(true).append(true).open(here.guest_log())?;
    let mut hide = None;
    let mut cgroup = None;
    if inherits {
        // A runtime enters the sandbox's cgroups by itself, and some enter none that somebody is in.
        cgroups.leave();
        hide = cgroup::second_beside_first().context("look for both versions of cgroups")?;
        cgroup = cgroup::below_the_top(cgroups).context("look for the cgroup's path")?;
    }
    // With a kernel of its own it is born in all of them, and knows of none.
    let cgroup_dir = cgroups.unified.as_ref().filter(|_| !inherits || hide.is_some()).map(File::open);
    let cgroup_dir = cgroup_dir.transpose().context("open the cgroup")?;
    let (ours, theirs) = channel()?;
    let pid = match helper::clone(identity, cgroup_dir.as_ref())? {
        0 => {
            drop(ours);
            helper::main(Helper {
                runtime,
                place: &place,
                request,
                session,
                here,
                identity,
                ground,
                listener,
                egress,
                log,
                channel: theirs,
                limited: &limited,
                cgroup: cgroup.as_deref(),
                hide: hide.as_deref(),
            })
        }
        pid => pid,
    };
    drop(theirs);
    // The runtime's own descriptors of these would keep them open.
    drop((listener, egress));
    let told = attend(ours, pid, identity)?;
    let status = wait(pid)?;
    if !status.success() {
        bail!("{} ended with {status} and said {:?}", runtime.name, said(&place, here));
    }
    let mut cgroups = cgroups.clone();
    if let Some(path) = &cgroup {
        cgroups.legacy.extend(cgroup::others(&cgroups, path).context("look for the runtime's cgroups")?);
    }
    let network = told.into_iter().find(|row| row.wall == Wall::Network).map(|row| row.strength);
    let network = network.context("nothing was said of the network")?;
    take_over(request, runtime, identity, &limited, cgroups, here, network)
        .with_context(|| format!("take over what {} made, which said {:?}", runtime.name, said(&place, here)))
}

/// Writes the limits of a sandbox into its cgroups, as whoever puts it up is counted there.
pub(super) fn limit(cgroups: &Cgroups, request: &LaunchRequest, refused: &[String]) -> Limited {
    match &request.runtime {
        Some(runtime) if runtime.has_own_kernel() => {
            own_kernel::limit(cgroups, &request.limits, refused, &runtime.name)
        }
        Some(_) | None => cgroup::limit(cgroups, &request.limits, refused),
    }
}

/// The guest runs: it is written down, and looked at before anybody uses it.
fn take_over(
    request: &LaunchRequest,
    runtime: &Runtime,
    identity: Identity,
    limited: &Limited,
    cgroups: Cgroups,
    here: &GenerationDir,
    network: Strength,
) -> Result<Enforced> {
    let (name, has_own_kernel) = (&runtime.name, runtime.has_own_kernel());
    let pid = fs::read_to_string(Place::of(here).pid_file()).context("read which process it made")?;
    let pid = pid.trim().parse().with_context(|| format!("{pid:?} is no process"))?;
    let process = Process::now(pid).context("look at the new process")?;
    let record = Record {
        session: request.session.clone(),
        generation: request.generation,
        process: process.clone(),
        ready: false,
        cgroups: cgroups.clone(),
        own_kernel: has_own_kernel.then_some(OwnKernel { has_way_out: request.egress }),
        enforced: None,
    };
    here.write_record(&record).context("write sandbox.json")?;
    match has_own_kernel {
        true => own_kernel::wait_for_link(&process, here)?,
        false => walls::wait_for_guest(&process, &request.guest, name)?,
    }
    let mut rows = walls::look(&process, runtime, request.limits.nested_sandboxes, network)?;
    stand(&rows, request.is_unsafe)?;
    let mut limits = limited.rows.clone();
    walls::check_limits(&mut limits, &cgroups, &process, name);
    rows.push(identity.wall());
    rows.extend(limits);
    let [disk, open_files] = request.limits.of_files(None);
    rows.push(if has_own_kernel { own_kernel::disk(disk, &request.limits) } else { disk });
    rows.push(open_files);
    let enforced = Enforced(rows);
    here.write_record(&Record { ready: true, enforced: Some(enforced.clone()), ..record })
        .context("write sandbox.json")?;
    Ok(enforced)
}

/// The end of a child of ours.
fn wait(pid: i32) -> Result<ExitStatus> {
    let mut status = 0;
    loop {
        // SAFETY: the status outlives the call.
        if unsafe { libc::waitpid(pid, &raw mut status, 0) } == pid {
            return Ok(ExitStatus::from_raw(status));
        }
        let error = io::Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err(error).context("wait for the runtime");
        }
    }
}

/// Why a runtime failed, in its own words.
fn said(place: &Place, here: &GenerationDir) -> String {
    let read = |file: &Path| fs::read(file).unwrap_or_default();
    let log = [read(&place.log()), read(&here.guest_log())].concat();
    let end = &log[log.len().saturating_sub(QUOTED)..];
    String::from_utf8_lossy(end).trim().to_owned()
}

/// Ends and removes what was made of a sandbox whose launcher was killed before it wrote that down.
pub(super) fn end_unrecorded(
    here: &GenerationDir,
    session: &SessionId,
    generation: Generation,
) -> io::Result<()> {
    let place = Place::of(here);
    let note = match fs::read(place.note()) {
        Ok(text) => serde_json::from_slice::<Note>(&text).ok(),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // One with a kernel of its own is its processes, and nothing else.
    if let Some(Note { runtime, id }) = note.filter(|note| !note.runtime.has_own_kernel()) {
        let mut delete = Command::new(&runtime.program);
        delete.arg("--root").arg(place.state()).args(["delete", "--force", &id]);
        let delete = delete.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        // What it never made it cannot delete, and a runtime that is gone has nobody to ask: processes are found by their cgroup.
        let _ = delete.and_then(|mut delete| runtime::wait(&mut delete));
    }
    cgroup::remove_unrecorded(session, generation)
}
