//! The root of a sandbox: an allow list, as a list of what to hide would leak whatever it forgets.
//!
//! An empty tmpfs; on it the machine's `/usr` and the libraries beside it, a few files of `/etc` and some that we write
//! ourselves, the tools that the person named, devices that are harmless, and the session's own writable directories.
//! In the end the tmpfs itself becomes read-only.

use super::disk::GenerationDir;
use super::identity::AGENT;
use super::mounts::{Attributes, Root};
use super::request::LaunchRequest;
use crate::provider::inside;
use anyhow::{Context, Result};
use rustix::mount::MountFlags;
use std::fs;
use std::path::{Component, Path};

/// The guest's own file inside.
pub(super) const GUEST: &str = "/run/lamplight/guest";
/// Where the guest keeps unread output inside.
pub(super) const SPOOL: &str = "/run/lamplight/spool";

/// The session's writable directories: name in `files/`, path inside, and whether everybody may write there.
pub(super) const WRITABLE: &[(&str, &str, bool)] = &[
    ("workspace", inside::WORKSPACE, false),
    ("home", inside::HOME, false),
    ("tmp", "/tmp", true),
    ("var", "/var", false),
];

/// What programs expect below `/var`; made in a new session's `files/var`.
pub(super) const VAR: &[&str] = &["cache", "lib", "local", "log", "opt", "spool", "tmp"];

/// Whether a host directory may be shown at this path: absolute, plain, and not where something of ours is.
pub(super) fn is_free(path: &Path) -> bool {
    let ours = WRITABLE.iter().map(|(_, path, _)| *path);
    let plain = path.components().skip(1).all(|part| matches!(part, Component::Normal(_)));
    path.is_absolute()
        && plain
        && path.components().count() > 1
        && !ours
            .chain(["/usr", "/etc", "/proc", "/sys", "/dev", "/run"])
            .chain(SYSTEM.iter().copied())
            .any(|ours| path.starts_with(ours) || Path::new(ours).starts_with(path))
}

/// Beside `/usr`: links into it on most distributions, directories on the others.
const SYSTEM: &[&str] = &["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What toolchains need of the machine's configuration, and nothing that could hold a credential. `/etc/ssl/private`,
/// `/etc/gitconfig`, `/etc/npmrc` and `/etc/pip.conf` are among those that are not here.
const ETC: &[&str] = &[
    "alternatives",
    "bash.bashrc",
    "crypto-policies",
    "debian_version",
    "fonts",
    "gai.conf",
    "host.conf",
    "inputrc",
    "issue",
    "java-8-openjdk",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "java-25-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "login.defs",
    "lsb-release",
    "magic",
    "mime.types",
    "os-release",
    "perl",
    "pki/ca-trust/extracted",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "profile",
    "protocols",
    "python3",
    "redhat-release",
    "services",
    "shells",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
    "vulkan",
];

/// A configuration file up to this size is copied; a larger one, or a directory, is shown: a mount costs more.
const COPIED_BYTES: u64 = 256 * 1024;

/// Bounds of the memory-backed directories, as tmpfs options.
const ROOT_SIZE: &str = "size=16m,nr_inodes=16k,mode=755";
const SHM_SIZE: &str = "size=256m,nr_inodes=16k,mode=1777";
const RUNTIME_SIZE: &str = "size=64m,nr_inodes=16k,mode=700";

/// Puts the root together at its place in the generation's folder. `owner` is how the agent is called in the mounter's
/// user namespace.
pub(super) fn build(request: &LaunchRequest, at: &GenerationDir, files: &Path, owner: u32) -> Result<Root> {
    let root = Root(at.root());
    root.kernel("tmpfs", "/", MountFlags::NODEV, ROOT_SIZE)?;
    root.show(Path::new("/usr"), "/usr", Attributes::ReadOnly)?;
    for directory in SYSTEM {
        show_or_link(&root, directory)?;
    }
    etc(&root, request.egress)?;
    devices(&root)?;
    let runtime = format!("{RUNTIME_SIZE},uid={owner},gid={owner}");
    root.kernel("tmpfs", &format!("/run/user/{AGENT}"), MountFlags::NODEV, &runtime)?;
    root.kernel("tmpfs", "/run/lock", MountFlags::NODEV, &runtime)?;
    root.show(&request.guest, GUEST, Attributes::ReadOnly)?;
    root.show(&at.spool(), SPOOL, Attributes::Writable)?;
    for mount in &request.mounts {
        let path = mount.inside.to_str().context("a mount's path inside is not UTF-8")?;
        root.show(&mount.host, path, Attributes::ReadOnly)?;
    }
    // Last: once they are there, a path below them is where an agent of an earlier generation says it is.
    for (name, path, _) in WRITABLE {
        root.show(&files.join(name), path, Attributes::Writable)?;
    }
    Ok(root)
}

fn show_or_link(root: &Root, path: &str) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(what) if what.is_symlink() => root.link(path, fs::read_link(path)?),
        Ok(what) if what.is_dir() => root.show(Path::new(path), path, Attributes::ReadOnly),
        Ok(what) if what.len() <= COPIED_BYTES => match fs::read(path) {
            Ok(content) => root.file(path, &content),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
            Err(error) => Err(error).context(format!("read {path}")),
        },
        Ok(_) => root.show(Path::new(path), path, Attributes::ReadOnly),
        Err(_) => Ok(()),
    }
}

fn etc(root: &Root, egress: bool) -> Result<()> {
    for name in ETC {
        show_or_link(root, &format!("/etc/{name}"))?;
    }
    let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    let (user, home) = (inside::USER, inside::HOME);
    let file = |name: &str, text: &str| root.file(&format!("/etc/{name}"), text.as_bytes());
    file(
        "passwd",
        &format!(
            "root:x:0:0:root:/:/usr/sbin/nologin\n{user}:x:{AGENT}:{AGENT}:{user}:{home}:{shell}\n\
             nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        ),
    )?;
    file("group", &format!("root:x:0:\ntty:x:5:\n{user}:x:{AGENT}:\nnogroup:x:65534:\n"))?;
    file("hostname", "lamplight\n")?;
    file("hosts", "127.0.0.1 localhost lamplight\n::1 localhost\n")?;
    file(
        "nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    )?;
    let resolver = match egress {
        true => format!("nameserver {}\n", inside::NAME_SERVER),
        false => "# No name server: there is no network but loopback.\n".to_owned(),
    };
    file("resolv.conf", &resolver)?;
    root.link("/etc/mtab", "/proc/self/mounts")
}

fn devices(root: &Root) -> Result<()> {
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
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
}
