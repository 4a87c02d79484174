//! From a copy of the launcher to the runtime.
//!
//! 1. a mount and a network namespace of its own (to an ordinary user, in a user namespace that comes first): the runtime is started in
//!    them, and what it makes inherits both.
//! 2. the root file system, as the launcher's own sandboxes have it; to an ordinary user, what is not for the agent to write is closed.
//! 3. loopback, the way out, the limit on user namespaces: what has to be done with rights over namespaces that nobody inside has.
//! 4. the container's configuration.
//! 5. descriptors, as the guest knows them: the runtime passes them on.
//! 6. exec of the runtime, which ends with this process when the launcher does.

use super::super::cgroup::Limited;
use super::super::disk::{GenerationDir, SessionDir};
use super::super::ground::Ground;
use super::super::identity::{AGENT, Identity};
use super::super::init::{self, DNS, HAND_OUT, LISTENER, PROXY, SPARE};
use super::super::launch::InitChannel;
use super::super::limits::at_most;
use super::super::masks::Settings;
use super::super::mounts::Root;
use super::super::network::{self, Outlet};
use super::super::privileges;
use super::super::request::LaunchRequest;
use super::super::rights;
use super::super::root_fs::{self, Parts};
use super::config::Container;
use super::{Place, Runtime, own_kernel};
use crate::provider::inside;
use anyhow::{Context, Result};
use lamplight_domain::sandbox::{Enforcement, Wall};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::{Resource, Signal};
use rustix::thread::{CapabilitySets, capabilities, set_capabilities};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

/// What a runtime finds its own helpers by; nothing else of the server's environment is its to know.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Directories that are on most machines, can be entered by everybody, and are mostly empty.
const PLACES: [&str; 4] = ["/mnt", "/media", "/srv", "/dev/shm"];

/// What it is given.
pub(super) struct Helper<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) place: &'a Place,
    pub(super) request: &'a LaunchRequest,
    pub(super) session: &'a SessionDir,
    pub(super) here: &'a GenerationDir,
    pub(super) identity: Identity,
    pub(super) ground: Ground,
    /// What the guest inherits; `None` where it has a kernel of its own, and makes its sockets itself.
    pub(super) listener: Option<OwnedFd>,
    /// Where it hands out the sockets of its network; `None` where there is no way out, and none that is handed out.
    pub(super) egress: Option<OwnedFd>,
    pub(super) log: File,
    pub(super) channel: InitChannel,
    pub(super) limited: &'a Limited,
    /// Below the top of every hierarchy.
    pub(super) cgroup: Option<&'a str>,
    /// Where version 2 of cgroups is mounted beside version 1: hidden, as runtimes know one version at a time.
    pub(super) hide: Option<&'a Path>,
}

/// Splits it off: 0 in it, its number in the caller.
pub(super) fn clone(identity: Identity, cgroup: Option<&File>) -> Result<i32> {
    init::clone_into(libc::CLONE_NEWNS | libc::CLONE_NEWNET, identity, cgroup)
}

/// What the copy does. It ends as the runtime, or with a sentence on the channel.
pub(super) fn main(mut helper: Helper<'_>) -> ! {
    let Err(error) = run(&mut helper);
    helper.channel.fail(&error);
    // SAFETY: ends this process at once; there is nothing to clean up that its end does not.
    unsafe { libc::_exit(1) }
}

fn run(helper: &mut Helper<'_>) -> Result<std::convert::Infallible> {
    rustix::process::setsid().context("start a session")?;
    match helper.identity {
        Identity::User { .. } => helper.channel.ask_for_maps().context("wait for the user map")?,
        Identity::Root { ids } => rights::work_for(ids)?,
    }
    let root = put_together(helper)?;
    privileges::raise_loopback().context("bring up loopback")?;
    // That of outside, which may be masked there.
    let settings = Settings::open(SPARE, true).context("keep the settings of namespaces")?;
    privileges::free_low_ports(&settings).context("free the low ports")?;
    if let (Identity::User { .. }, false) = (helper.identity, helper.request.limits.nested_sandboxes) {
        // The runtime's own, and none below that.
        settings.set("user/max_user_namespaces", "1").context("limit namespaces below ours")?;
    }
    let outlet = helper.request.egress.then(network::open).transpose().context("make the way out")?;
    if let Some(why) = outlet.as_ref().and_then(|outlet| outlet.opaque.as_ref()) {
        writeln!(helper.log, "programs have to use the proxy: {why}").context("write to the guest's log")?;
    }
    rights::work_for_ourselves()?;
    write_configuration(helper, &root, outlet.as_ref()).context("write the container's configuration")?;
    let arguments = arguments(helper, &root)?;
    place_descriptors(helper, &root, outlet.as_ref())?;
    keep_rights(helper.identity).context("keep the rights that a runtime needs")?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).context("end with the launcher")?;
    // A launcher that has ended meanwhile hears nothing any more.
    let (wall, strength) = (Wall::Network, network::strength(outlet.as_ref()));
    let network = Enforcement { wall, strength, limit: None, by: None };
    helper.channel.tell_walls(&[network]).context("tell that the runtime is next")?;
    init::execute(&arguments, &[("PATH".to_owned(), PATH.to_owned())].into())
}

/// Step 2.
fn put_together(helper: &Helper<'_>) -> Result<Root> {
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    rustix::mount::mount_change("/", private).context("keep our mounts to ourselves")?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    if let Some(hidden) = helper.hide {
        rustix::mount::mount("tmpfs", hidden, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, None)
            .with_context(|| format!("hide {}", hidden.display()))?;
    }
    let root = root_fs::build(Parts {
        request: helper.request,
        session: helper.session,
        here: helper.here,
        base: &helper.ground.base,
        stack: &helper.ground.stack,
        users: helper.ground.users.as_ref(),
    })?;
    match helper.identity {
        Identity::User { .. } => open_for_the_agent(&root).map(|()| root),
        Identity::Root { .. } => within_reach(root, [&helper.request.sandboxes, &helper.runtime.program]),
    }
}

/// Moves the root to where the session's users can go, as the runtime sets it up as one of them; the data directory is closed to them.
/// In our own mount namespace any directory will do that has nothing in it which is needed yet.
fn within_reach(root: Root, needed: [&PathBuf; 2]) -> Result<Root> {
    let is_free = |place: &&Path| place.is_dir() && !needed.iter().any(|path| path.starts_with(place));
    let place = PLACES.map(Path::new).into_iter().find(is_free);
    let place =
        place.with_context(|| format!("one of {} is needed, as an empty directory", PLACES.join(", ")))?;
    rustix::mount::mount(
        "tmpfs",
        place,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        c"size=1m,mode=755",
    )
    .with_context(|| format!("mount a place for the root at {}", place.display()))?;
    let reachable = place.join("root");
    fs::create_dir(&reachable).context("make the root's place")?;
    rustix::mount::mount_move(&root.0, &reachable).context("move the root within reach")?;
    Ok(Root(reachable))
}

/// Mounts of their own for what the agent may write: everything around them is made read-only by the runtime.
fn open_for_the_agent(root: &Root) -> Result<()> {
    let runtime = format!("/run/user/{AGENT}");
    for path in [inside::WORKSPACE, inside::HOME, "/tmp", "/var", "/run/lock", &runtime] {
        root.set_apart(path).with_context(|| format!("open {path} for the agent"))?;
    }
    Ok(())
}

fn write_configuration(helper: &Helper<'_>, root: &Root, outlet: Option<&Outlet>) -> Result<()> {
    let limits = &helper.request.limits;
    let each = limits.of_each_process(helper.limited);
    let each =
        each.into_iter().filter_map(|(resource, most)| Some((name(resource)?, at_most(resource, most))));
    let container = Container {
        root: &root.0,
        identity: helper.identity,
        arguments: &match helper.runtime.has_own_kernel() {
            true => own_kernel::arguments(helper.request, helper.identity, outlet.is_some()),
            false => init::arguments(helper.request, helper.identity, outlet),
        },
        environment: &init::environment(helper.request, outlet),
        limits,
        of_each_process: &each.collect::<Vec<_>>(),
        counts_memory: helper.limited.memory,
        cgroup: helper.cgroup,
        own_kernel: helper.runtime.has_own_kernel(),
    };
    fs::write(helper.place.configuration(), serde_json::to_vec(&container.written())?)?;
    Ok(())
}

/// As the specification calls it; `None` of one that is not ours to limit.
fn name(resource: Resource) -> Option<&'static str> {
    match resource {
        Resource::Core => Some("RLIMIT_CORE"),
        Resource::Nofile => Some("RLIMIT_NOFILE"),
        Resource::Fsize => Some("RLIMIT_FSIZE"),
        Resource::Data => Some("RLIMIT_DATA"),
        Resource::Nproc => Some("RLIMIT_NPROC"),
        _ => None,
    }
}

/// The command line that all runtimes have from runc.
fn arguments(helper: &Helper<'_>, root: &Root) -> Result<Vec<String>> {
    let text = |path: PathBuf| {
        path.into_os_string().into_string().ok().context("the data directory's path is not UTF-8")
    };
    let place = helper.place;
    let has_own_kernel = helper.runtime.has_own_kernel();
    // Beside the root, in our own mount namespace: the path of the kernel's own socket is short there, and nobody asks for it later.
    let state = if has_own_kernel { root.0.with_file_name("state") } else { place.state() };
    let mut all = vec![text(helper.runtime.program.clone())?, "--root".into(), text(state)?];
    all.extend(["--log".into(), text(place.log())?]);
    if has_own_kernel {
        all.extend([own_kernel::NEEDED].into_iter().chain(own_kernel::FLAGS).map(str::to_owned));
    }
    if helper.cgroup.is_none() && helper.runtime.name == "crun" {
        all.push("--cgroup-manager=disabled".into());
    }
    all.extend(["run".into(), "--detach".into(), "--bundle".into(), text(place.0.clone())?]);
    all.extend(["--pid-file".into(), text(place.pid_file())?]);
    if helper.listener.is_some() {
        let last = if helper.egress.is_some() { DNS } else { LISTENER };
        // Those from 3 on.
        all.extend(["--preserve-fds".into(), (last - LISTENER + 1).to_string()]);
    }
    all.push(place.id(helper.request));
    Ok(all)
}

/// `/dev/null` is the one in the sandbox, not the host's.
fn place_descriptors(helper: &mut Helper<'_>, root: &Root, outlet: Option<&Outlet>) -> Result<()> {
    let aside = |descriptor: BorrowedFd| rustix::io::fcntl_dupfd_cloexec(descriptor, SPARE);
    helper.channel.replace(aside(helper.channel.as_fd())?);
    let null = rustix::fs::open(root.0.join("dev/null"), OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let mut places: Vec<(OwnedFd, RawFd)> = vec![(aside(null.as_fd())?, 0)];
    for to in [1, 2] {
        places.push((aside(helper.log.as_fd())?, to));
    }
    if let Some(listener) = &helper.listener {
        places.push((aside(listener.as_fd())?, LISTENER));
    }
    if let (Some(egress), Some(outlet)) = (&helper.egress, outlet) {
        places.extend([
            (aside(egress.as_fd())?, HAND_OUT),
            (aside(outlet.proxy.as_fd())?, PROXY),
            (aside(outlet.dns.as_fd())?, DNS),
        ]);
    }
    init::put_in_place(&places)
}

/// Whoever is not root in the user namespace has rights there, and loses them with the next exec unless they are ambient.
fn keep_rights(identity: Identity) -> Result<()> {
    if let Identity::User { .. } = identity {
        let sets = capabilities(None)?;
        set_capabilities(None, CapabilitySets { inheritable: sets.permitted, ..sets })?;
        for capability in sets.permitted.iter() {
            rustix::thread::configure_capability_in_ambient_set(capability, true)?;
        }
    }
    Ok(())
}
