//! From a copy of the launcher to the guest: the order of steps, and why.
//!
//! 1. namespaces: by the clone itself, so that nothing is ever half inside, but for those that root's launcher is in already (see
//!    `ahead`); loopback up. An ordinary user needs the user namespace first, as it gives the right to make the others; root enters it
//!    last (step 6), so that nobody inside owns a mount or network namespace.
//! 2. root file system: while the host's files can still be named.
//! 3. `pivot_root`, the old root detached: from here on the host's files cannot be named.
//! 4. the way out, host name, keyring, masks over `/proc`, priorities and limits: while we may.
//! 5. descriptors: exactly three, the listening socket and those of the way out survive the exec.
//! 6. user: root enters the user namespace and becomes the sandbox's own root.
//! 7. no user namespaces below ours; every capability given up for good that the sandbox's root is not to have, and all of them where
//!    there is none; then, as they take no right but need that, the rules about files and the filter of system calls. What of it this
//!    machine cannot do is told to the launcher.
//! 8. exec of the guest, with an environment made from nothing.

use super::cgroup::Limited;
use super::disk::{GenerationDir, SessionDir};
use super::ground::{Base, Ground};
use super::identity::{AGENT, Identity};
use super::landlock;
use super::launch::InitChannel;
use super::masks::{self, Settings};
use super::network::{self, Outlet};
use super::privileges;
use super::request::LaunchRequest;
use super::rights;
use super::root_fs::{self, GUEST, Parts, SPOOL};
use super::seccomp::{self, Filter};
use crate::provider::inside;
use anyhow::{Context, Result};
use lamplight_domain::sandbox::{Enforcement, Strength, Wall};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountPropagationFlags, UnmountFlags};
use rustix::thread::UnshareFlags;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The guest's listening socket.
pub(super) const LISTENER: RawFd = 3;
/// Where the guest hands the next two out, and those: connections to the outside, questions for names.
pub(super) const HAND_OUT: RawFd = 4;
pub(super) const PROXY: RawFd = 5;
pub(super) const DNS: RawFd = 6;

/// Copies of descriptors go here or above before they are put in place.
pub(super) const SPARE: RawFd = 64;

/// What init is given.
pub(super) struct Init<'a> {
    pub(super) request: &'a LaunchRequest,
    pub(super) session: &'a SessionDir,
    pub(super) here: &'a GenerationDir,
    pub(super) identity: Identity,
    pub(super) ground: Ground,
    pub(super) listener: OwnedFd,
    /// Where the guest hands out the sockets of its network; `None` where there is no way out.
    pub(super) egress: Option<OwnedFd>,
    pub(super) log: File,
    pub(super) channel: InitChannel,
    pub(super) limited: &'a Limited,
}

/// Splits off the process that becomes PID 1 of new namespaces: 0 in it, its number in the caller.
pub(super) fn clone(identity: Identity, cgroup: Option<&File>) -> Result<i32> {
    let mut namespaces = libc::CLONE_NEWNS | libc::CLONE_NEWPID;
    if let Identity::User { .. } = identity {
        namespaces |= libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    }
    clone_into(namespaces, identity, cgroup)
}

/// Splits off a process in these new namespaces, and in one of users where those could not be made otherwise.
pub(super) fn clone_into(namespaces: i32, identity: Identity, cgroup: Option<&File>) -> Result<i32> {
    /// Source: clone3(2), since Linux 5.7; the constant of the libc crate does not fit its type.
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let mut flags = namespaces;
    if let Identity::User { .. } = identity {
        flags |= libc::CLONE_NEWUSER;
    }
    // SAFETY: all fields are integers for which 0 means "not used".
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = u64::from(flags.cast_unsigned());
    arguments.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::from(cgroup.as_raw_fd().cast_unsigned());
    }
    // SAFETY: without CLONE_VM this is a fork; this process has one thread (checked by the launcher), so that the
    // copy finds every lock of the allocator free.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
    if pid < 0 {
        return Err(io::Error::last_os_error()).context("make new namespaces");
    }
    i32::try_from(pid).context("a process number")
}

/// What the copy does. It ends as the guest, or with a sentence on the channel.
pub(super) fn main(mut init: Init<'_>) -> ! {
    let Err(error) = run(&mut init);
    init.channel.fail(&error);
    // SAFETY: ends this process at once; there is nothing to clean up that its end does not.
    unsafe { libc::_exit(1) }
}

fn run(init: &mut Init<'_>) -> Result<std::convert::Infallible> {
    rustix::process::setsid().context("start a session")?;
    match init.identity {
        Identity::User { .. } => {
            init.channel.ask_for_maps().context("wait for the user map")?;
            privileges::raise_loopback().context("bring up loopback")?;
        }
        Identity::Root { ids } => rights::work_for(ids)?,
    }
    let namespaces = enter_root(init)?;
    let settings =
        Settings::open(SPARE, namespaces != Strength::Enforced).context("keep the settings of namespaces")?;
    privileges::free_low_ports(&settings).context("free the low ports")?;
    let outlet = init.egress.is_some().then(network::open).transpose().context("make the way out")?;
    if let Some(why) = outlet.as_ref().and_then(|outlet| outlet.opaque.as_ref()) {
        writeln!(init.log, "programs have to use the proxy: {why}").context("write to the guest's log")?;
    }
    rustix::system::sethostname(b"lamplight").context("set the host name")?;
    privileges::leave_keyring();
    privileges::end_before_the_server().context("be the first to end when memory is short")?;
    privileges::ignore_file_limit();
    let limits = &init.request.limits;
    let nested = limits.nested_sandboxes;
    if !nested {
        masks::hide()?;
    }
    place_descriptors(init, outlet.as_ref())?;
    if let Some(users) = &init.ground.users {
        let user = Some(rustix::thread::LinkNameSpaceType::User);
        rustix::thread::move_into_link_name_space(users.namespace(), user)
            .context("enter the user namespace")?;
        privileges::become_root_inside(init.ground.volumes.is_some())
            .context("become root in the sandbox")?;
    }
    privileges::limit_namespaces(&settings, nested).context("limit namespaces below ours")?;
    limits.lower(init.limited).context("lower the limits of processes")?;
    privileges::give_up(init.identity)?;
    let on_image = matches!(init.ground.base, Base::Image(_));
    let file_rules = landlock::rule(nested, init.identity, on_image)?;
    let system_calls =
        match seccomp::filter(Filter { nested_sandboxes: nested, counts_segments: init.limited.memory }) {
            Ok(()) => Strength::Enforced,
            Err(error) => Strength::Missing { why: format!("system calls cannot be filtered: {error}") },
        };
    let kernel_files = match nested {
        false => Strength::Enforced,
        true => {
            Strength::Missing { why: "programs inside may make sandboxes, which need all of /proc".into() }
        }
    };
    let walls = [
        (Wall::Namespaces, namespaces),
        (Wall::Capabilities, Strength::Enforced),
        (Wall::SystemCalls, system_calls),
        (Wall::FileRules, file_rules),
        (Wall::KernelFiles, kernel_files),
        (Wall::Network, network::strength(outlet.as_ref())),
    ];
    let walls = walls.map(|(wall, strength)| Enforcement { wall, strength, limit: None, by: None });
    init.channel.tell_walls(&walls).context("tell what is enforced")?;
    stand(&walls, init.request.is_unsafe)?;
    exec(init.request, init.identity, outlet.as_ref())
}

/// Nothing runs without some of the walls, unless a person said so.
pub(super) fn stand(walls: &[Enforcement], is_unsafe: bool) -> Result<()> {
    for Enforcement { wall, strength, .. } in walls {
        if let (true, false, Strength::Missing { why }) = (wall.is_required(), is_unsafe, strength) {
            return Err(io::Error::from_raw_os_error(libc::EPERM))
                .with_context(|| format!("{why}; nothing runs without that, unless sandbox.unsafe is set"));
        }
    }
    Ok(())
}

/// Steps 2 and 3; how much of them there is.
fn enter_root(init: &Init<'_>) -> Result<Strength> {
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    rustix::mount::mount_change("/", private).context("keep our mounts to ourselves")?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let root = root_fs::build(Parts {
        request: init.request,
        session: init.session,
        here: init.here,
        base: &init.ground.base,
        stack: &init.ground.stack,
        users: init.ground.users.as_ref(),
    })?;
    let foreign = masks::mount(&root, init.request.is_unsafe)?;
    // With the same directory twice the old root ends up on top of the new one. Source: pivot_root(2), NOTES.
    rustix::process::chdir(&root.0).context("enter the root")?;
    rustix::process::pivot_root(".", ".").context("change the root")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).context("let go of the host's root")?;
    rustix::process::chdir("/").context("enter the root")?;
    // SAFETY: see `clone`: one thread.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWCGROUP) }
        .context("make the cgroup namespace")?;
    Ok(foreign.map_or(Strength::Enforced, |why| Strength::Missing { why }))
}

/// Step 5: `/dev/null` is the one in here, not the host's.
fn place_descriptors(init: &mut Init<'_>, outlet: Option<&Outlet>) -> Result<()> {
    // By way of copies above all numbers that are wanted, so that none is overwritten before it has been used.
    let aside = |descriptor: BorrowedFd| rustix::io::fcntl_dupfd_cloexec(descriptor, SPARE);
    init.channel.replace(aside(init.channel.as_fd())?);
    if let Some(users) = &mut init.ground.users {
        users.replace(aside(users.namespace())?);
    }
    // In one breath: what was opened may have one of the numbers, and is closed where its name ends.
    let null = aside(rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?.as_fd())?;
    let log = aside(init.log.as_fd())?;
    let listener = aside(init.listener.as_fd())?;
    let mut places = vec![(null, 0), (aside(log.as_fd())?, 1), (log, 2), (listener, LISTENER)];
    if let (Some(egress), Some(outlet)) = (&init.egress, outlet) {
        places.extend([
            (aside(egress.as_fd())?, HAND_OUT),
            (aside(outlet.proxy.as_fd())?, PROXY),
            (aside(outlet.dns.as_fd())?, DNS),
        ]);
    }
    put_in_place(&places)
}

/// Puts copies at the numbers that the guest knows them by; all others are closed by the next exec.
pub(super) fn put_in_place(places: &[(OwnedFd, RawFd)]) -> Result<()> {
    for (from, to) in places {
        // SAFETY: `to` is a number that nothing in this process uses any more: it is about to become another program.
        if unsafe { libc::dup2(from.as_raw_fd(), *to) } < 0 {
            return Err(io::Error::last_os_error()).context("put a descriptor in place");
        }
    }
    let last = places.iter().map(|(_, to)| *to).max().unwrap_or(LISTENER);
    let above = last.cast_unsigned() + 1;
    // SAFETY: only marks descriptors; they are closed by the exec.
    if unsafe { libc::close_range(above, u32::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) } < 0 {
        return Err(io::Error::last_os_error()).context("close all other descriptors");
    }
    Ok(())
}

/// Step 8.
fn exec(
    request: &LaunchRequest,
    identity: Identity,
    outlet: Option<&Outlet>,
) -> Result<std::convert::Infallible> {
    rustix::process::chdir(inside::WORKSPACE).context("enter the workspace")?;
    execute(&arguments(request, identity, outlet), &environment(request, outlet))
}

/// What the guest is started with.
pub(super) fn arguments(request: &LaunchRequest, identity: Identity, outlet: Option<&Outlet>) -> Vec<String> {
    let (listener, hand_out) = (LISTENER.to_string(), HAND_OUT.to_string());
    let handed = format!("{PROXY},{DNS}");
    let mut sockets = vec!["--listen-fd", &listener];
    if outlet.is_some() {
        sockets.extend(["--hand-out-fd", &hand_out, "--handed", &handed]);
    }
    guest(request, identity, &sockets)
}

/// The same with other sockets.
pub(super) fn guest(request: &LaunchRequest, identity: Identity, sockets: &[&str]) -> Vec<String> {
    let agent = AGENT.to_string();
    let gateway = if request.gateway { inside::GATEWAY } else { "none" };
    let usual = ["--gateway", gateway, "--spool", SPOOL];
    let as_root = ["--agent", &agent];
    let as_root = if identity.ids().is_some() { &as_root[..] } else { &[] };
    [&[GUEST], sockets, &usual, as_root].concat().into_iter().map(str::to_owned).collect()
}

/// What it finds in its environment, which is made from nothing.
pub(super) fn environment(request: &LaunchRequest, outlet: Option<&Outlet>) -> BTreeMap<String, String> {
    let mut all = request.environment.clone();
    if outlet.is_some_and(|outlet| outlet.opaque.is_some()) {
        all.extend(network::proxy_environment());
    }
    all
}

/// Becomes another program.
pub(super) fn execute(
    arguments: &[String],
    environment: &BTreeMap<String, String>,
) -> Result<std::convert::Infallible> {
    let text = |text: &str| CString::new(text).context("an argument with a NUL");
    let arguments = arguments.iter().map(|argument| text(argument)).collect::<Result<Vec<_>>>()?;
    let environment = environment.iter().map(|(name, value)| text(&format!("{name}={value}")));
    let environment = environment.collect::<Result<Vec<_>>>()?;
    let pointers = |texts: &[CString]| {
        texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
    };
    // SAFETY: ends in a null pointer each, and the strings outlive the call.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::execve(arguments[0].as_ptr(), pointers(&arguments).as_ptr(), pointers(&environment).as_ptr());
    }
    Err(io::Error::last_os_error()).with_context(|| format!("execute {}", arguments[0].to_string_lossy()))
}
