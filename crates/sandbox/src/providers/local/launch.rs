//! The launcher: a process that starts one sandbox and leaves.
//!
//! ```text
//! provider ──request──▶ launcher ──clone3──▶ init (PID 1 in there)
//!                          │   record, cgroup     │ mounts, namespaces (see `init`)
//!                          │◀──────maps?──────────│ an ordinary user's only
//!                          │───────mapped────────▶│ gives up every right
//!                          │◀──end of channel─────│ exec: it is the guest now
//! provider ◀──Running──────┘ exits; init belongs to nobody and outlives us all
//! ```
//! Failures: init reports a sentence on the channel and exits; a launcher that dies closes the channel, on which init
//! exits; a provider that dies is not noticed, the sandbox is in its records. The socket listens before there is
//! a process, so that whoever dials never comes too early.

use super::ahead::Ahead;
use super::cgroup::{self, Cgroups, Limited};
use super::container;
use super::disk::{GenerationDir, Sandboxes, SessionDir, private_dir, remove_tree};
use super::ground::{Base, Ground};
use super::identity::Identity;
use super::image_base::WrongOwners;
use super::images::Missing;
use super::init::{self, Init};
use super::record::{Process, Record};
use super::request::{LaunchFailure, LaunchReply, LaunchRequest};
use super::root_fs::ROOT_TREE;
use super::{snapshot, stack, volume};
use anyhow::{Context, Result, anyhow, bail};
use lamplight_domain::Enforced;
use lamplight_domain::sandbox::Enforcement;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socketpair};
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

/// A launcher that takes longer is ended by the kernel (SIGALRM).
pub(super) const LAUNCH_SECONDS: u32 = 10;

/// Connections that may wait for a guest to take them. A host opens one.
const BACKLOG: i32 = 16;

/// What the channel carries towards the launcher before it is closed: a wish, and the walls as a line of JSON. What comes after
/// these is why there will be no guest.
const MAPS_WANTED: u8 = 1;
const WALLS: u8 = 3;
/// What the channel carries towards init.
const MAPPED: u8 = 2;

/// A later generation of the session runs: this one's time is over.
#[derive(Debug, thiserror::Error)]
#[error("generation {0} of this session runs already")]
struct Superseded(lamplight_domain::Generation);

/// The launcher, from its request on standard input to its reply on standard output. To be called first thing in
/// `main`, before any thread is started.
pub fn launcher_main() -> ExitCode {
    let reply = match wait_for_request() {
        Ok(None) => return ExitCode::SUCCESS,
        Ok(Some((request, ahead))) => launch(&request, ahead),
        Err(error) => Err(error),
    };
    let reply = match reply {
        Ok(enforced) => LaunchReply::Running { enforced },
        Err(error) => LaunchReply::Failed { kind: classify(&error), message: format!("{error:#}") },
    };
    let mut line = serde_json::to_vec(&reply).expect("a struct of strings is always JSON");
    line.push(b'\n');
    match io::stdout().write_all(&line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Gets ready, and waits; `None` when nobody asks for anything any more. From the request on its time is limited.
fn wait_for_request() -> Result<Option<(LaunchRequest, Ahead)>> {
    // A session of our own: Ctrl-C at the server's terminal is not meant for sandboxes.
    rustix::process::setsid().context("leave the caller's terminal session")?;
    let threads = fs::read_dir("/proc/self/task").context("count our threads")?.count();
    if threads != 1 {
        bail!("the launcher was entered with {threads} threads; call launcher_main first thing in main");
    }
    let ahead = Ahead::prepare()?;
    let mut text = String::new();
    let read = io::stdin().read_to_string(&mut text);
    // SAFETY: alarm has no memory effects; its default action ends this process.
    unsafe { libc::alarm(LAUNCH_SECONDS) };
    match read.context("read the request") {
        Ok(0) => {
            ahead.parked.leave();
            Ok(None)
        }
        Ok(_) => Ok(Some((serde_json::from_str(&text).context("understand the request")?, ahead))),
        Err(error) => Err(error),
    }
}

fn launch(request: &LaunchRequest, ahead: Ahead) -> Result<Option<Enforced>> {
    let sandboxes = Sandboxes(request.sandboxes.clone());
    let session = sandboxes.session(&request.session);
    let _lock = session.make_and_lock().context("make the session's folder, and lock it")?;
    if let Some(running) = end_others(request, &session)? {
        ahead.parked.leave();
        return Ok(running.enforced);
    }
    let identity = Identity::of(&sandboxes, &request.session)?;
    let volumes = volume::enter(request, &sandboxes, &session)?;
    snapshot::settle(&session)?;
    stack::write(&session.had_file(), &request.generation)?;
    let here = session.generation(request.generation);
    remove_tree(&here.0).context("remove what a failed start left")?;
    let ground = Ground::find(request, &sandboxes, &session, identity, &ahead, volumes)?;
    prepare(&session, &here, identity, &ground.base)?;
    let Ahead { places, parked, sockets, .. } = ahead;
    let reasons = parked.refused.clone();
    let cgroups = cgroup::create(&places, parked, &request.session, request.generation);
    let cgroups = cgroups.context("make the cgroups")?;
    let limited = container::limit(&cgroups, request, &reasons);
    let start = if request.runtime.is_some() { container::start } else { start };
    let started = start(request, &session, identity, ground, sockets, &cgroups, limited);
    if started.is_err() {
        // Best effort: what stays is listed, and destroyed by whoever asked for the sandbox.
        cgroups.leave();
        let ended = end(request, &here).and_then(|()| cgroups.remove());
        let _ = ended.and_then(|()| remove_tree(&here.0));
    }
    started.map(Some)
}

/// Ends all earlier generations that still run, as two would write the same files, and what a killed launcher left of the
/// one asked for. The record of that, if it runs.
fn end_others(request: &LaunchRequest, session: &SessionDir) -> Result<Option<Record>> {
    for generation in session.generations().context("look for earlier generations")? {
        let there = session.generation(generation);
        let Some(record) = there.record().context("read sandbox.json")? else {
            container::end_unrecorded(&there, &request.session, generation)
                .context("end what was not written down")?;
            continue;
        };
        let runs = record.runs().context("look for its process")?;
        if runs && generation > request.generation {
            return Err(Superseded(generation).into());
        }
        if runs && generation == request.generation && record.ready {
            return Ok(Some(record));
        }
        record.end().with_context(|| format!("end generation {generation}"))?;
    }
    Ok(None)
}

fn end(request: &LaunchRequest, here: &GenerationDir) -> io::Result<()> {
    match here.record()? {
        Some(record) => record.end(),
        None if request.runtime.is_some() => {
            container::end_unrecorded(here, &request.session, request.generation)
        }
        None => Ok(()),
    }
}

/// Makes the folders. What is in the session's own files is, after the first time, what an agent decided, and nothing outside the
/// sandbox follows a path there.
fn prepare(session: &SessionDir, here: &GenerationDir, identity: Identity, base: &Base) -> Result<()> {
    let files = session.files();
    adopt_old(session, identity).context("take over the files of an earlier version")?;
    for directory in [&files, &session.scratch(), &here.0, &here.root()] {
        private_dir(directory)?;
    }
    let trees = base.system_trees();
    for name in trees.iter().map(|tree| tree.name).chain([ROOT_TREE]) {
        let top = files.join(name);
        // Another name until it is as it must be: a killed launcher leaves no half.
        if !top.exists() {
            own(&files.join("new"), 0o755, |path| identity.give_to_root(path))?;
            fs::rename(files.join("new"), top)?;
        }
        private_dir(&session.scratch().join(name))?;
    }
    own(&session.spool(here), 0o700, |path| identity.give_to_agent(path))
}

/// Version 0.1 kept four directories; they become parts of the root's tree. Goes on where it was interrupted.
fn adopt_old(session: &SessionDir, identity: Identity) -> Result<()> {
    const PLACES: [(&str, &str); 4] =
        [("home", "home/agent"), ("tmp", "tmp"), ("var", "var"), ("workspace", "workspace")];
    let files = session.files();
    for (old, new) in PLACES {
        let (old, new) = (files.join(old), files.join(ROOT_TREE).join(new));
        if !old.exists() {
            continue;
        }
        for above in [files.join(ROOT_TREE), new.parent().context("a place has a parent")?.to_owned()] {
            if !above.exists() {
                own(&above, 0o755, |path| identity.give_to_root(path))?;
            }
        }
        fs::rename(&old, &new).with_context(|| format!("move {}", old.display()))?;
    }
    Ok(())
}

fn own(directory: &Path, mode: u32, give: impl Fn(&Path) -> Result<()>) -> Result<()> {
    remove_tree(directory)?;
    fs::create_dir(directory).with_context(|| format!("make {}", directory.display()))?;
    fs::set_permissions(directory, Permissions::from_mode(mode))?;
    give(directory)
}

fn start(
    request: &LaunchRequest,
    session: &SessionDir,
    identity: Identity,
    ground: Ground,
    sockets: [OwnedFd; 2],
    cgroups: &Cgroups,
    limited: Limited,
) -> Result<Enforced> {
    let here = &session.generation(request.generation);
    let [listener, egress] = sockets;
    let listener = listen(listener, here, GenerationDir::SOCKET).context("listen for the host")?;
    let egress = request.egress.then(|| listen(egress, here, GenerationDir::EGRESS)).transpose();
    let egress = egress.context("listen for who serves the network")?;
    let log = File::options().create(true).append(true).open(here.guest_log())?;
    let cgroup_dir = cgroups.unified.as_ref().map(File::open).transpose().context("open the cgroup")?;
    let (ours, channel) = channel()?;

    let pid = match init::clone(identity, cgroup_dir.as_ref())? {
        0 => {
            drop(ours);
            let limited = &limited;
            init::main(Init {
                request,
                session,
                here,
                identity,
                ground,
                listener,
                egress,
                log,
                channel,
                limited,
            })
        }
        pid => pid,
    };
    drop(channel);
    let record = Record {
        session: request.session.clone(),
        generation: request.generation,
        process: Process::now(pid).context("look at the new process")?,
        ready: false,
        cgroups: cgroups.clone(),
        own_kernel: None,
        enforced: None,
    };
    // Twice: from the first it can be found and ended, from the second it can be used.
    here.write_record(&record).context("write sandbox.json")?;
    // Init has its own of what is mounted.
    drop(ground);
    let mut walls = attend(ours, pid, identity)?;
    still_runs(pid)?;
    walls.push(identity.wall());
    walls.extend(limited.rows);
    walls.extend(request.limits.of_files(session.volume().limit()?));
    let enforced = Enforced(walls);
    here.write_record(&Record { ready: true, enforced: Some(enforced.clone()), ..record })
        .context("write sandbox.json")?;
    Ok(enforced)
}

/// Does what init asks for until it has become the guest; the walls that it has put up.
pub(super) fn attend(mut channel: UnixStream, pid: i32, identity: Identity) -> Result<Vec<Enforcement>> {
    let mut said = Vec::new();
    let mut byte = [0];
    if channel.read(&mut byte).context("hear from the new process")? == 1 {
        if byte[0] == MAPS_WANTED {
            let Identity::User { uid, gid } = identity else {
                bail!("only an ordinary user's maps are wanted")
            };
            Identity::write_maps(uid, gid, pid).context("map the agent's user")?;
            channel.write_all(&[MAPPED]).context("answer the new process")?;
        } else {
            said.push(byte[0]);
        }
    }
    channel.read_to_end(&mut said).context("hear from the new process")?;
    let (walls, last) = match said.split_first() {
        Some((&WALLS, rest)) => {
            let end =
                rest.iter().position(|byte| *byte == b'\n').context("a torn message of the new process")?;
            (serde_json::from_slice(&rest[..end]).context("understand the new process")?, &rest[end + 1..])
        }
        _ => (Vec::new(), &said[..]),
    };
    let last = String::from_utf8_lossy(last);
    if let Some((number, message)) = last.split_once(' ') {
        let cause = number.parse().ok().filter(|number| *number != 0).map(io::Error::from_raw_os_error);
        return Err(match cause {
            Some(cause) => anyhow!(cause).context(message.to_owned()),
            None => anyhow!(message.to_owned()),
        });
    }
    Ok(walls)
}

fn still_runs(pid: i32) -> Result<()> {
    // SAFETY: waitpid writes nothing with a null status pointer.
    match unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) } {
        0 => Ok(()),
        _ => bail!("the new process ended before it became the guest"),
    }
}

/// Between the launcher and the process that it splits off.
pub(super) fn channel() -> Result<(UnixStream, InitChannel)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    Ok((ours.into(), InitChannel(theirs.into())))
}

/// Init's end of the channel. It is closed by the exec that makes init the guest.
pub(super) struct InitChannel(UnixStream);

impl InitChannel {
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Goes on with another descriptor of the same channel.
    pub(super) fn replace(&mut self, descriptor: OwnedFd) {
        self.0 = descriptor.into();
    }

    /// Asks for the user and group maps, and waits for them.
    pub(super) fn ask_for_maps(&mut self) -> io::Result<()> {
        self.0.write_all(&[MAPS_WANTED])?;
        let mut byte = [0];
        self.0.read_exact(&mut byte)
    }

    /// Tells what of the walls stands.
    pub(super) fn tell_walls(&mut self, walls: &[Enforcement]) -> io::Result<()> {
        let mut line = vec![WALLS];
        serde_json::to_writer(&mut line, walls)?;
        line.push(b'\n');
        self.0.write_all(&line)
    }

    /// Says why there will be no guest: the error number of the system, and a sentence.
    pub(super) fn fail(&mut self, error: &anyhow::Error) {
        let number = system_error(error).unwrap_or(0);
        // The system's own words are added again by the reader of the number.
        let message = error.chain().filter(|cause| errno(*cause).is_none()).map(ToString::to_string);
        let message = message.collect::<Vec<_>>().join(": ");
        // A launcher that is gone needs no explanation.
        let _ = self.0.write_all(format!("{number} {message}").as_bytes());
    }
}

/// A socket that the guest inherits. Its folder is not shown inside, so that nothing there can put another in its
/// place and have the host dial that.
pub(super) fn listen(socket: OwnedFd, here: &GenerationDir, name: &str) -> io::Result<OwnedFd> {
    let folder = File::open(&here.0)?;
    let path = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), name);
    rustix::net::bind(&socket, &SocketAddrUnix::new(path.as_str())?)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

pub(super) fn errno(cause: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let io = cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
    io.or_else(|| cause.downcast_ref::<rustix::io::Errno>().map(|errno| errno.raw_os_error()))
}

fn system_error(error: &anyhow::Error) -> Option<i32> {
    error.chain().find_map(errno)
}

fn classify(error: &anyhow::Error) -> LaunchFailure {
    if error.is::<Superseded>() {
        return LaunchFailure::Superseded;
    }
    if error.is::<Missing>() || error.is::<WrongOwners>() {
        return LaunchFailure::Unsupported;
    }
    match system_error(error) {
        Some(libc::ENOSPC | libc::EDQUOT | libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EAGAIN) => {
            LaunchFailure::Exhausted
        }
        // A limit on namespaces (max_user_namespaces and its like) is ENOSPC above; refusals come as these.
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS | libc::EINVAL) => LaunchFailure::Unsupported,
        _ => LaunchFailure::Failed,
    }
}
