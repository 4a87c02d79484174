//! The attempts without any wall: as root, on a stand-in for this machine, so that each shows that it would succeed.
//!
//! What is real is the kernel, its devices and its `/proc`. Files are an overlay over the machine's own that goes away
//! with the run, processes, network, host name and IPC are in namespaces of their own. Nothing that an attempt may write
//! to is the machine's: where it is, the attempt shows that it may, and does not.

use crate::facts::{AGENT, Facts, SHOWN};
use crate::host;
use crate::run::ALL;
use anyhow::{Context, Result};
use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change,
    move_mount, open_tree, unmount,
};
use rustix::process::{Resource, Rlimit, chdir, getrlimit, pivot_root, setrlimit};
use rustix::thread::UnshareFlags;
use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// A descriptor of the machine's root, as a careless runtime would leave it. Source: CVE-2024-21626.
const LEAKED: i32 = 9;

pub(crate) fn run(folder: &Path) -> Result<ExitCode> {
    let own = UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWCGROUP;
    // SAFETY: this process has one thread.
    unsafe { rustix::thread::unshare_unsafe(own) }.context("make namespaces")?;
    let first = crate::call::fork(|| {
        let Err(error) = become_first(folder);
        eprintln!("{error:#}");
        crate::call::exit(1)
    })?;
    let status = crate::call::wait(first)?;
    Ok(if status == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn become_first(folder: &Path) -> Result<std::convert::Infallible> {
    // Whatever ends the one who waits ends this one too, and with it all in its namespace.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    enter_root(folder)?;
    host::add_addresses()?;
    let (host, shown) = (Path::new("/opt/lamplight-host"), Path::new(SHOWN));
    fs::create_dir(host)?;
    host::settle(host, true)?;
    fs::copy(host.join(Facts::FILE), shown.join(Facts::FILE))?;
    // What a runtime gives what it runs, so that it is the first to end; taking it back is one of the attempts.
    fs::write("/proc/self/oom_score_adj", "500")?;
    let root = File::open("/").context("open the root")?;
    // SAFETY: the number is used by nothing else in this process, which is about to become another program.
    unsafe { libc::dup2(root.as_raw_fd(), LEAKED) };
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    chdir("/workspace")?;
    Err(Command::new(shown.join("lamplight-escape")).args(["inside", ALL]).exec())
        .context("start the attempts")
}

/// An overlay whose upper layer is memory, with the directories that a sandbox has.
fn enter_root(folder: &Path) -> Result<()> {
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .context("private mounts")?;
    let memory = folder.join("memory");
    let (upper, work, root) = (memory.join("upper"), memory.join("work"), memory.join("root"));
    fs::create_dir(&memory)?;
    tmpfs(&memory)?;
    for directory in [&upper, &work, &root] {
        fs::create_dir(directory)?;
    }
    let layers = format!("lowerdir=/,upperdir={},workdir={}", upper.display(), work.display());
    let layers = std::ffi::CString::new(layers)?;
    mount("overlay", &root, "overlay", MountFlags::empty(), &*layers).context("mount an overlay")?;
    let own = std::env::current_exe()?;
    for name in ["/dev", "/sys"] {
        show(Path::new(name), &root.join(&name[1..]))?;
    }
    mount("proc", root.join("proc"), "proc", MountFlags::empty(), None::<&std::ffi::CStr>)
        .context("mount proc")?;
    for name in ["dev/shm", "run", "workspace", "tmp"] {
        fs::create_dir_all(root.join(name))?;
        tmpfs(&root.join(name))?;
    }
    for name in ["run/lamplight/spool", &format!("run/user/{AGENT}"), "home/agent"] {
        fs::create_dir_all(root.join(name))?;
    }
    for name in ["run/lock", &SHOWN[1..]] {
        fs::create_dir_all(root.join(name))?;
        tmpfs(&root.join(name))?;
    }
    // Something that a runtime of containers would listen at.
    let _docker = UnixListener::bind(root.join("run/docker.sock"))?;
    let shown = root.join(&SHOWN[1..]);
    for to in [shown.join("lamplight-escape"), root.join("run/lamplight/guest")] {
        fs::copy(&own, &to)?;
        fs::set_permissions(&to, Permissions::from_mode(0o555))?;
    }
    chdir(&root)?;
    pivot_root(".", ".").context("change the root")?;
    unmount(".", UnmountFlags::DETACH).context("let go of the machine's root")?;
    Ok(chdir("/")?)
}

fn tmpfs(at: &Path) -> Result<()> {
    mount("tmpfs", at, "tmpfs", MountFlags::empty(), c"mode=1777")
        .with_context(|| format!("mount at {}", at.display()))
}

fn show(host: &Path, at: &Path) -> Result<()> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(CWD, host, flags).with_context(|| format!("take {}", host.display()))?;
    move_mount(tree, c"", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .with_context(|| format!("show {}", host.display()))
}
