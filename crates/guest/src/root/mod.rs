//! `sudo` without a set-user-id program, which "no new privileges" would make powerless: who wants a command run as root asks the
//! guest, which is root in here already.
//!
//! ```text
//! sudo ──connects──▶ guest       its three descriptors, and the request in a nameless file
//!      ──signals───▶ child       one byte each, to the child's process group
//!      ◀──how it ended── guest
//!      gone ───────▶ child gets SIGTERM, then SIGKILL
//! ```
//! Root in here is nobody outside: it owns the session's files and has the few capabilities that the provider left it.

mod ask;
mod request;
mod user;

pub(crate) use ask::main as ask;

use crate::agent::{Agent, become_user, touch_files_as_root};
use crate::guest::Guest;
use anyhow::Context;
use lamplight_wire::ExitStatus;
use request::Request;
use rustix::fs::{Mode, OFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::thread::{CapabilitySet, Gid};
use std::fs::{File, Permissions};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

/// Where root is asked for.
pub(crate) const SOCKET: &str = "/run/lamplight/root.sock";

/// Commands that run as root at a time.
const MAX_COMMANDS: usize = 64;

/// From the connection to the whole request.
const REQUEST: Duration = Duration::from_secs(10);

/// What a command that nobody waits for any more gets between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// After a connection could not be accepted, as when there are no descriptors left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Standard input, output, error, and the request.
const DESCRIPTORS: usize = 4;

/// The socket, and its name: a kernel that keeps names only as long as somebody uses them (gVisor) would connect nobody any more.
pub(crate) struct Asked {
    listener: UnixListener,
    _name: OwnedFd,
}

/// Makes the socket, for those who may ask: not every kernel tells who did (gVisor's does not). Before the guest gives its rights over
/// files out of hand.
pub(crate) fn listen(path: &Path, agent: Agent) -> anyhow::Result<Asked> {
    let listener = UnixListener::bind(path).with_context(|| format!("listen at {}", path.display()))?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).context("close the socket to others")?;
    std::os::unix::fs::chown(path, Some(agent.0), None).context("open the socket to the agent")?;
    let name = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    Ok(Asked { listener, _name: name.context("keep the socket's name")? })
}

/// Serves everybody who may ask: the agent and root, not the users of services.
pub(crate) async fn serve(guest: Rc<Guest>, asked: Asked, agent: u32) {
    let places = Arc::new(Semaphore::new(MAX_COMMANDS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((socket, _)) = asked.listener.accept().await else {
            sleep(ACCEPT_RETRY).await;
            continue;
        };
        if socket.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == agent) {
            let of_task = Rc::clone(&guest);
            guest.tasks.spawn_local(async move {
                let _place = place;
                // Whoever asked and is gone needs no answer.
                let _ = answer(&of_task, socket).await;
            });
        }
    }
}

async fn answer(guest: &Guest, mut socket: UnixStream) -> io::Result<()> {
    let Ok(descriptors) = timeout(REQUEST, receive(&socket)).await else { return Ok(()) };
    let [stdin, stdout, stderr, request] = descriptors?;
    let started = Request::read(&File::from(request)).and_then(|request| {
        let child = start(&request, [stdin, stdout, stderr])?;
        let (ended, exit) = oneshot::channel();
        guest.root_commands.borrow_mut().insert(child, ended);
        Ok((child, exit))
    });
    match started {
        Ok((child, exit)) => attend(&mut socket, child, exit).await,
        Err(error) => {
            let number = error.raw_os_error().unwrap_or(libc::EINVAL);
            socket.write_all(&request::encode_answer(request::Answer::NotStarted(number))).await
        }
    }
}

/// Until the command has ended.
async fn attend(
    socket: &mut UnixStream,
    child: Pid,
    mut exit: oneshot::Receiver<ExitStatus>,
) -> io::Result<()> {
    let mut signal = [0];
    loop {
        tokio::select! {
            status = &mut exit => {
                let Ok(status) = status else { return Ok(()) };
                return socket.write_all(&request::encode_answer(request::Answer::Ended(status))).await;
            }
            read = socket.read(&mut signal) => match read {
                Ok(1) => {
                    if let Some(signal) = Signal::from_named_raw(i32::from(signal[0])) {
                        let _ = kill_process_group(child, signal);
                    }
                }
                _ => break,
            },
        }
    }
    let _ = kill_process_group(child, Signal::TERM);
    if timeout(GRACE, &mut exit).await.is_err() {
        let _ = kill_process_group(child, Signal::KILL);
    }
    Ok(())
}

/// The descriptors come with the one byte that says that they do.
async fn receive(socket: &UnixStream) -> io::Result<[OwnedFd; DESCRIPTORS]> {
    socket
        .async_io(Interest::READABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut byte = [0];
            recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
            let mut received = Vec::new();
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                    received.extend(descriptors);
                }
            }
            received.try_into().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
        })
        .await
}

fn start(request: &Request, [stdin, stdout, stderr]: [OwnedFd; 3]) -> io::Result<Pid> {
    let Some((program, arguments)) = request.arguments.split_first() else {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(request.environment());
    command.stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
    let folder = std::ffi::CString::new(request.folder.as_bytes())?;
    let groups: Vec<Gid> = request.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    let (user, group, umask) = (request.user, request.group, request.umask);
    let prepare = move || {
        touch_files_as_root();
        // The guest's alone: it empties with it what others may have.
        rustix::thread::remove_capability_from_bounding_set(CapabilitySet::SETPCAP)?;
        rustix::process::setsid()?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
        rustix::process::chdir(&folder)?;
        become_user(&groups, group, user)
    };
    // SAFETY: between fork and exec it only makes system calls; what it needs was allocated before.
    unsafe { command.pre_exec(prepare) };
    // Nobody else waits for this child before this function returns: the reaper runs on the same thread.
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    Ok(pid.expect("a child has a positive number"))
}
