//! What every sandbox's root begins with: the directories that programs expect, and a copy of the machine's configuration as far as
//! toolchains need it. An allow list, as a list of what to hide would leak whatever it forgets.
//!
//! It is made once and shared, read-only, by all sandboxes until the machine's configuration changes: `<data>/base/<mark>`, where
//! the mark says what it was made from.

use super::super::lock::{lock, try_lock};
use super::disk::{names, private_dir, remove_tree};
use super::identity::AGENT;
use super::own_files;
use crate::provider::inside;
use anyhow::{Context, Result};
use std::fs::{self, Metadata, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// Changes when this file makes something else out of the same machine.
const EDITION: u32 = 2;

/// Held while one is made, and while old ones are removed.
const LOCK: &str = "lock";

/// What toolchains and package managers need of the machine's configuration, and nothing that could hold a credential.
/// `/etc/ssl/private`, `/etc/gitconfig`, `/etc/npmrc` and `/etc/pip.conf` are among those that are not here.
const ETC: &[&str] = &[
    "adduser.conf",
    "alternatives",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debconf.conf",
    "debian_version",
    "deluser.conf",
    "dpkg",
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
    "pam.conf",
    "pam.d",
    "perl",
    "pki/ca-trust/extracted",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "profile",
    "protocols",
    "python3",
    "redhat-release",
    "security",
    "services",
    "shells",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
    "vulkan",
];

/// Where packages come from, and whose signatures count. Addresses can hold credentials: a file with one in it is left out.
const SOURCES: &[&str] = &[
    "apt/apt.conf",
    "apt/apt.conf.d",
    "apt/keyrings",
    "apt/preferences.d",
    "apt/sources.list",
    "apt/sources.list.d",
    "apt/trusted.gpg",
    "apt/trusted.gpg.d",
];

/// Larger files are no configuration.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Directories, and whether everybody may write there.
const DIRECTORIES: &[(&str, bool)] = &[
    ("dev", false),
    ("etc", false),
    ("home", false),
    ("opt", false),
    ("proc", false),
    ("root", false),
    ("run", false),
    ("tmp", true),
    ("usr", false),
    ("var/cache/apt/archives/partial", false),
    ("var/lib/apt/lists/partial", false),
    ("var/lib/dpkg", false),
    ("var/local", false),
    ("var/log/apt", false),
    ("var/opt", false),
    ("var/spool", false),
    ("var/tmp", true),
];

/// Beside `/usr`: links into it on most distributions, directories on the others.
pub(super) const SYSTEM: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Tells one state of the machine's configuration from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl Mark {
    pub(super) fn look() -> Result<Self> {
        let mut mark = DefaultHasher::new();
        EDITION.hash(&mut mark);
        for path in ["/etc/passwd", "/etc/group"] {
            look(Path::new(path), &mut mark)?;
        }
        for name in SYSTEM {
            look(&Path::new("/").join(name), &mut mark)?;
        }
        for name in ETC.iter().chain(SOURCES) {
            look_below(&Path::new("/etc").join(name), &mut mark)?;
        }
        Ok(Self(mark.finish()))
    }
}

pub(super) fn place(bases: &Path, mark: Mark, users: bool) -> PathBuf {
    bases.join(format!("{:016x}{}", mark.0, if users { "-users" } else { "" }))
}

/// Finds it, or makes it. With `users` it belongs to a root and an agent, numbered as they are inside; otherwise it is all ours.
pub(super) fn current(bases: &Path, mark: Mark, users: bool) -> Result<PathBuf> {
    let base = place(bases, mark, users);
    if base.exists() {
        return Ok(base);
    }
    private_dir(bases)?;
    let _alone = lock(&bases.join(LOCK)).context("wait for whoever makes what every sandbox begins with")?;
    if !base.exists() {
        let new = bases.join("new");
        remove_tree(&new)?;
        make(&new, users).context("make what every sandbox begins with")?;
        fs::rename(&new, &base).context("put what every sandbox begins with in place")?;
    }
    Ok(base)
}

/// Puts a copy of it where nothing is yet, with these owners in the place of root and agent. For machines that stack nothing.
pub(super) fn copy_to(base: &Path, to: &Path, owners: Option<(u32, u32)>) -> Result<()> {
    for entry in fs::read_dir(base).with_context(|| format!("list {}", base.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let there = entry.metadata()?;
        if fs::symlink_metadata(&to).is_err() {
            let mode = Permissions::from_mode(there.permissions().mode());
            if there.is_symlink() {
                symlink(fs::read_link(&from)?, &to)?;
            } else if there.is_dir() {
                fs::create_dir(&to)?;
                copy_to(&from, &to, owners)?;
                fs::set_permissions(&to, mode)?;
            } else {
                fs::copy(&from, &to)?;
                fs::set_permissions(&to, mode)?;
            }
            if let Some((root, agent)) = owners {
                let owner = if there.uid() == AGENT { agent } else { root };
                std::os::unix::fs::lchown(&to, Some(owner), Some(owner))?;
            }
        }
    }
    Ok(())
}

/// Nothing while somebody makes one: a launcher may outlive its server for a moment.
pub(super) fn remove_old(bases: &Path, current: &Path) -> std::io::Result<()> {
    let Some(_alone) = try_lock(&bases.join(LOCK))? else { return Ok(()) };
    for name in names(bases)?.iter().filter(|name| *name != LOCK) {
        let base = bases.join(name);
        if base != current {
            remove_tree(&base)?;
        }
    }
    Ok(())
}

/// What tells a changed file or directory from an unchanged one.
fn look(path: &Path, mark: &mut DefaultHasher) -> Result<Option<Metadata>> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("look at {}", path.display())),
    };
    path.hash(mark);
    (there.ino(), there.size(), there.mode(), there.mtime(), there.mtime_nsec()).hash(mark);
    Ok(Some(there))
}

/// Directories below are looked at too; a file that is replaced, as package managers do, changes its directory.
fn look_below(path: &Path, mark: &mut DefaultHasher) -> Result<()> {
    let Some(there) = look(path, mark)? else { return Ok(()) };
    // A directory of two links has none below, but where the file system counts none (there it is one).
    if !there.is_dir() || there.nlink() == 2 {
        return Ok(());
    }
    let Ok(entries) = fs::read_dir(path) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            look_below(&entry.path(), mark)?;
        }
    }
    Ok(())
}

fn make(root: &Path, users: bool) -> Result<()> {
    private_dir(root)?;
    for (name, everybody) in DIRECTORIES {
        directory(&root.join(name), if *everybody { 0o1777 } else { 0o755 })?;
    }
    for path in [inside::WORKSPACE, inside::HOME] {
        let path = root.join(path.trim_start_matches('/'));
        directory(&path, 0o755)?;
        if users {
            chown(&path, Some(AGENT), Some(AGENT))?;
        }
    }
    symlink("/run", root.join("var/run"))?;
    symlink("/run/lock", root.join("var/lock"))?;
    for name in SYSTEM {
        let host = Path::new("/").join(name);
        match fs::symlink_metadata(&host) {
            Ok(there) if there.is_symlink() => symlink(fs::read_link(host)?, root.join(name))?,
            Ok(there) if there.is_dir() => directory(&root.join(name), 0o755)?,
            Ok(_) | Err(_) => {}
        }
    }
    let etc = root.join("etc");
    for name in ETC {
        copy(&Path::new("/etc").join(name), &etc.join(name), &|_| true)?;
    }
    for name in SOURCES {
        copy(&Path::new("/etc").join(name), &etc.join(name), &holds_no_credential)?;
    }
    own_files::write(&etc)?;
    own_files::rewrite_profile(&etc)?;
    fs::set_permissions(root, Permissions::from_mode(0o755))?;
    Ok(())
}

fn directory(path: &Path, mode: u32) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("make {}", path.display()))?;
    fs::set_permissions(path, Permissions::from_mode(mode)).context("set its permissions")
}

/// What everybody on the machine may read: links as links, and neither devices nor pipes.
fn copy(from: &Path, to: &Path, wanted: &dyn Fn(&[u8]) -> bool) -> Result<()> {
    let Ok(there) = fs::symlink_metadata(from) else { return Ok(()) };
    let what = || format!("copy {}", from.display());
    let above = to.parent().context("a path below /etc")?;
    if there.is_symlink() {
        fs::create_dir_all(above).with_context(what)?;
        return symlink(fs::read_link(from).with_context(what)?, to).with_context(what);
    }
    let mode = there.permissions().mode();
    if there.is_dir() && mode & 0o005 == 0o005 {
        directory(to, 0o755)?;
        for entry in fs::read_dir(from).with_context(what)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name), wanted)?;
        }
    } else if there.is_file() && mode & 0o004 != 0 && there.len() <= FILE_BYTES {
        let content = fs::read(from).with_context(what)?;
        if wanted(&content) {
            fs::create_dir_all(above).with_context(what)?;
            fs::write(to, content).with_context(what)?;
            fs::set_permissions(to, Permissions::from_mode(mode & 0o755)).with_context(what)?;
        }
    }
    Ok(())
}

/// No `//user:password@` in an address. Source: RFC 3986, section 3.2.
fn holds_no_credential(content: &[u8]) -> bool {
    let text = String::from_utf8_lossy(content);
    !text.split("//").skip(1).any(|after| {
        let authority = after.split(|c: char| c == '/' || c.is_whitespace()).next();
        authority.is_some_and(|authority| authority.contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_credentials_are_told_apart() {
        let check = |text: &str, free: bool| assert_eq!(holds_no_credential(text.as_bytes()), free, "{text}");
        check("deb http://deb.example.org/debian bookworm main\n# who@example.org\n", true);
        check("deb [signed-by=/a/b] https://me:secret@packages.example.org/x y z", false);
        check("Acquire::http::Proxy \"http://token@proxy:3128\";", false);
    }

    #[test]
    fn it_is_made_once_and_holds_nothing_that_is_closed() {
        let bases = tempfile::tempdir().unwrap();
        let mark = Mark::look().unwrap();
        let base = current(bases.path(), mark, false).unwrap();
        let made = fs::metadata(&base).unwrap().ino();
        assert_eq!(current(bases.path(), Mark::look().unwrap(), false).unwrap(), base);
        assert_eq!(fs::metadata(&base).unwrap().ino(), made);
        for absent in ["etc/shadow", "etc/ssl/private", "etc/gitconfig", "etc/npmrc"] {
            assert!(!base.join(absent).exists(), "{absent}");
        }
        assert!(fs::read_to_string(base.join("etc/passwd")).unwrap().contains("agent:x:1000:1000:"));
        fs::create_dir(bases.path().join("old")).unwrap();
        remove_old(bases.path(), &base).unwrap();
        let mut left = names(bases.path()).unwrap();
        left.sort_unstable();
        assert_eq!(left, [base.file_name().unwrap().to_str().unwrap(), LOCK]);
    }

    #[test]
    fn nothing_is_removed_while_somebody_makes_one() {
        let bases = tempfile::tempdir().unwrap();
        let new = bases.path().join("new");
        fs::create_dir(&new).unwrap();
        let maker = lock(&bases.path().join(LOCK)).unwrap();
        remove_old(bases.path(), Path::new("none")).unwrap();
        assert!(new.exists());
        drop(maker);
        remove_old(bases.path(), Path::new("none")).unwrap();
        assert!(!new.exists());
    }
}
