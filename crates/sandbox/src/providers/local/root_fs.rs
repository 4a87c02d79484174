//! The root of a sandbox: stacks of directories that nobody changes, each under one of the session's own that takes the changes.
//!
//! ```text
//! /               base (see `base`) ◀ the session's layers ◀ files/root
//! /usr            the machine's, as any of its users may read it ◀ layers ◀ files/usr      (root only)
//! /var/lib/dpkg   the machine's packages, so that apt knows what is there ◀ … ◀ files/dpkg  (root only)
//! /dev /proc /run, tools                                          ours, the kernel's, and read-only
//! ```
//! On an image there is one stack alone: the image, what every sandbox has beside it (see `image_base`), layers, `files/root`.
//! Everything that an agent or its root changes is below `files`, and nothing else outlives the sandbox. To an ordinary user the
//! machine's own trees are read-only: the kernel lets nobody change, even in a copy, what belongs to users that he does not have.

use super::base::{self, SYSTEM};
use super::disk::{GenerationDir, SessionDir};
use super::ground::Base;
use super::identity::AGENT;
use super::mounts::{Attributes, Root, attach, clone_tree};
use super::overlay::{Owners, Renames, Stage, Users};
use super::request::LaunchRequest;
use super::stack::Stack;
use crate::error::{ErrorKind, SandboxError};
use crate::provider::inside;
use anyhow::{Context, Result};
use rustix::mount::MountFlags;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Component, Path, PathBuf};

/// The guest's own file inside.
pub(super) const GUEST: &str = "/run/lamplight/guest";
/// Where the guest keeps unread output inside.
pub(super) const SPOOL: &str = "/run/lamplight/spool";
/// Where `/etc/resolv.conf` leads, as what it says depends on the sandbox.
pub(super) const RESOLVER: &str = "/run/lamplight/resolv.conf";
/// Programs of ours, before all others in `PATH`.
pub(super) const PROGRAMS: &str = "/run/lamplight/bin";

/// The tree that everything else hangs in.
pub(super) const ROOT_TREE: &str = "root";

/// Bounds of the memory-backed directories, as tmpfs options.
const DEV_SIZE: &str = "size=64k,nr_inodes=64,mode=755";
const RUN_SIZE: &str = "size=64m,nr_inodes=16k,mode=755";
const SHM_SIZE: &str = "size=256m,nr_inodes=16k,mode=1777";

/// Of the host's, those that tell nothing and do nothing.
pub(super) const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// A tree of the machine's that is shown with the session's changes on it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SystemTree {
    /// In `files`, in `scratch` and in layers.
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    /// Whether some of it may be closed to most users of the machine.
    restricted: bool,
}

/// The machine's trees. Which packages there are is no secret, and package managers want to lock files that only root may read.
pub(super) fn system_trees() -> Vec<SystemTree> {
    const DATABASES: [(&str, &str); 3] =
        [("dpkg", "/var/lib/dpkg"), ("rpm", "/var/lib/rpm"), ("pacman", "/var/lib/pacman")];
    let tree = |name, path| SystemTree { name, path, restricted: true };
    const BESIDE: [(&str, &str); 6] = [
        ("bin", "/bin"),
        ("sbin", "/sbin"),
        ("lib", "/lib"),
        ("lib32", "/lib32"),
        ("lib64", "/lib64"),
        ("libx32", "/libx32"),
    ];
    let is_directory = |path: &str| fs::symlink_metadata(path).is_ok_and(|there| there.is_dir());
    let beside = BESIDE.iter().filter(|(_, path)| is_directory(path)).map(|(name, path)| tree(name, path));
    let databases = DATABASES.iter().filter(|(_, path)| is_directory(path));
    let databases = databases.map(|(name, path)| SystemTree { name, path, restricted: false });
    [tree("usr", "/usr")].into_iter().chain(beside).chain(databases).collect()
}

/// Whether a host directory may be shown at this path: absolute, plain, and not where something of ours is.
pub(super) fn is_free(path: &Path) -> bool {
    let ours =
        [inside::WORKSPACE, inside::HOME, "/tmp", "/var", "/usr", "/etc", "/proc", "/sys", "/dev", "/run"];
    let plain = path.components().skip(1).all(|part| matches!(part, Component::Normal(_)));
    let within = |ours: &Path| path.starts_with(ours) || ours.starts_with(path);
    path.is_absolute()
        && plain
        && path.components().count() > 1
        && !ours.iter().any(|ours| within(Path::new(ours)))
        && !SYSTEM.iter().any(|ours| within(&Path::new("/").join(ours)))
}

/// What a root is made from.
pub(super) struct Parts<'a> {
    pub(super) request: &'a LaunchRequest,
    pub(super) session: &'a SessionDir,
    pub(super) here: &'a GenerationDir,
    pub(super) base: &'a Base,
    pub(super) stack: &'a Stack,
    /// The session's users, when it has more than the agent.
    pub(super) users: Option<&'a Users>,
}

/// Puts the root together at its place on the stage, in the generation's folder.
pub(super) fn build(parts: Parts) -> Result<Root> {
    let Parts { request, session, here, base, stack, users } = parts;
    let stage = Stage::new(here.root(), users)?;
    let root = Root(stage.place_of_root()?);
    let files = stage.session(&session.top())?;
    let stacked = Stacked { stage, files, stack };

    let lowest: Vec<&Path> = match base {
        Base::Machine(base) => vec![base],
        Base::Image(image) => vec![&image.own, &image.tree],
    };
    let lowest: Result<_> =
        lowest.into_iter().map(|lower| stacked.stage.lower(lower, Owners::SameNumbers)).collect();
    match (lowest.and_then(|lowest| stacked.mount(&root.0, ROOT_TREE, lowest, Renames::Move)), base) {
        // Where the machine's files are an overlay already, as in a container, no other can be put on top.
        (Err(error), Base::Machine(base)) if stack.layers().is_empty() => {
            alone(&root, session, base, users)
                .with_context(|| format!("go on without layers after: {error:#}"))?;
        }
        (stacked, Base::Machine(_)) => stacked?,
        (stacked, Base::Image(_)) => {
            stacked.context(
                "put the session's files on top of an image, which this machine has to be able to",
            )?;
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("read which mounts there are")?;
    for tree in base.system_trees() {
        match users.map(|_| stacked.system(&root, &tree, &mounts)) {
            Some(Ok(())) => {}
            Some(Err(error)) if !stack.layers().is_empty() => return Err(error),
            Some(Err(_)) | None => root.show(Path::new(tree.path), tree.path, Attributes::ReadOnly)?,
        }
    }
    stacked.stage.leave()?;

    // How the agent and root are called in the mounter's user namespace.
    let (agent, root_user) = users.map_or((AGENT, AGENT), |users| (users.ids.agent, users.ids.first));
    devices(&root)?;
    run(&root, agent)?;
    let resolver = match request.egress {
        true => format!("nameserver {}\n", inside::NAME_SERVER),
        false => "# No name server: there is no network but loopback.\n".to_owned(),
    };
    root.file(RESOLVER, resolver.as_bytes())?;
    root.show(&request.guest, GUEST, Attributes::ReadOnly)?;
    root.show(&session.spool(here), SPOOL, Attributes::Writable)?;
    for mount in &request.mounts {
        let path = mount.inside.to_str().context("a mount's path inside is not UTF-8")?;
        root.show(&mount.host, path, Attributes::ReadOnly)?;
    }
    for (path, owner) in [(inside::WORKSPACE, agent), (inside::HOME, agent), ("/tmp", root_user)] {
        root.ensure(path, if path == "/tmp" { 0o1777 } else { 0o755 }, owner)?;
    }
    if users.is_some() {
        root.link(inside::SUDO, GUEST)?;
    }
    Ok(root)
}

/// The session's top without anything below: what would be seen through it is copied into it, once.
fn alone(root: &Root, session: &SessionDir, base: &Path, users: Option<&Users>) -> Result<()> {
    let top = session.files().join(ROOT_TREE);
    fs::write(session.alone_mark(), "").context("note that there are no layers")?;
    base::copy_to(base, &top, users.map(|users| (users.ids.first, users.ids.agent)))?;
    let tree = clone_tree(&top, false)?;
    Attributes::Writable.set(tree.as_fd(), false)?;
    Ok(attach(tree.as_fd(), &root.0)?)
}

/// The session's own part of every stack.
struct Stacked<'a> {
    stage: Stage<'a>,
    /// Where the session's folder is on the stage.
    files: String,
    stack: &'a Stack,
}

impl Stacked<'_> {
    fn mount(&self, at: &Path, tree: &str, lowest: Vec<String>, renames: Renames) -> Result<()> {
        let mut lowers = Vec::new();
        for layer in self.stack.layers() {
            let directory = layer.tree(tree);
            if directory.exists() {
                lowers.push(self.stage.lower(&directory, Owners::Session(layer.ids))?);
            }
        }
        lowers.extend(lowest);
        let (top, work) = (format!("{}/files/{tree}", self.files), format!("{}/scratch/{tree}", self.files));
        self.stage.mount(at, &lowers, &top, &work, renames)
    }

    /// `mounts` of the machine: an overlay shows nothing that is mounted below its layers.
    fn system(&self, root: &Root, tree: &SystemTree, mounts: &str) -> Result<()> {
        let host = Path::new(tree.path);
        let (_open, at) = root.place(tree.path)?;
        let machine = self.stage.lower(host, Owners::SameNumbers)?;
        let machine = if tree.restricted { self.stage.for_anybody(&machine)? } else { machine };
        self.mount(&at, tree.name, vec![machine], Renames::Copy)?;
        for below in uppermost_below(host, mounts) {
            let path = below.to_str().context("a mount point of the machine is not UTF-8")?;
            root.show(&below, path, Attributes::ReadOnly)?;
        }
        Ok(())
    }
}

/// The uppermost mount points below a directory of the host. Source: proc_pid_mountinfo(5), field 5.
fn uppermost_below(host: &Path, mounts: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    for point in points.filter(|point| point != host && point.starts_with(host)) {
        if !found.iter().any(|above| point.starts_with(above)) {
            found.retain(|below| !below.starts_with(&point));
            found.push(point);
        }
    }
    found
}

/// Blanks, tabs, newlines and backslashes are written as backslash and three octal digits.
fn unescape(text: &str) -> PathBuf {
    let special = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    special.iter().fold(text.to_owned(), |text, (code, meant)| text.replace(code, meant)).into()
}

fn devices(root: &Root) -> Result<()> {
    root.kernel("tmpfs", "/dev", MountFlags::NODEV, DEV_SIZE)?;
    for name in DEVICES {
        let path = format!("/dev/{name}");
        root.show(Path::new(&path), &path, Attributes::Device)?;
    }
    root.kernel("devpts", "/dev/pts", MountFlags::NOEXEC, "newinstance,ptmxmode=0666,mode=0620")?;
    root.kernel("tmpfs", "/dev/shm", MountFlags::NODEV, SHM_SIZE)?;
    root.link("/dev/ptmx", "pts/ptmx")?;
    root.link("/dev/fd", "/proc/self/fd")?;
    root.link("/dev/stdin", "/proc/self/fd/0")?;
    root.link("/dev/stdout", "/proc/self/fd/1")?;
    root.link("/dev/stderr", "/proc/self/fd/2")
}

fn run(root: &Root, agent: u32) -> Result<()> {
    root.kernel("tmpfs", "/run", MountFlags::NODEV, RUN_SIZE)?;
    root.directory("/run/lock")?;
    root.set_mode("/run/lock", 0o1777)?;
    let own = format!("/run/user/{AGENT}");
    root.directory(&own)?;
    root.set_mode(&own, 0o700)?;
    root.give(&own, agent)
}

/// Whether something of the host's can be shown there.
pub(super) fn check_inside(path: &Path) -> Result<(), SandboxError> {
    if is_free(path) && path.to_str().is_some() {
        return Ok(());
    }
    let message = format!("{} cannot be shown in a sandbox: the sandbox has its own there", path.display());
    Err(SandboxError::new(ErrorKind::Invalid, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_place_of_its_own_is_free() {
        let check = |path: &str, free: bool| assert_eq!(is_free(Path::new(path)), free, "{path}");
        check("/opt/go", true);
        check("/root/.cargo/bin", true);
        check("/home/me/.rustup", true);
        check("/home/agent/.rustup", false);
        check("/home", false);
        check("/", false);
        check("/usr/local/x", false);
        check("/lib64", false);
        check("/run/lamplight", false);
        check("/opt/../etc", false);
        check("opt", false);
    }

    #[test]
    fn mounts_below_a_tree_are_found_once_each() {
        let mounts = "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /usr rw - ext4 b rw\n\
                      3 2 8:3 / /usr/local/a\\040b rw - ext4 c rw\n4 3 8:4 / /usr/local/a\\040b/c rw - ext4 d rw\n\
                      5 1 8:5 / /usrlocal rw - ext4 e rw\n6 2 0:5 / /usr/src rw - tmpfs f rw\n";
        let found = uppermost_below(Path::new("/usr"), mounts);
        assert_eq!(found, [PathBuf::from("/usr/local/a b"), PathBuf::from("/usr/src")]);
    }
}
