//! What every sandbox on an image has beside the image's files: the directories that programs and we expect, the agent among its
//! users, and how names are found. A layer of its own, so that the image stays what it was; made once for each image.

use super::disk::{private_dir, remove_tree};
use super::identity::AGENT;
use super::images::Unpacked;
use super::own_files;
use crate::provider::inside;
use anyhow::{Context, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, XattrFlags};
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Changes when this file makes something else out of the same image.
const EDITION: u32 = 2;

/// Larger ones are none of ours; bytes.
const TEXT_BYTES: u64 = 1 << 20;

/// Directories, and their permissions where the image has none of the name.
const DIRECTORIES: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/tmp", 0o1777),
];

/// The directories of such a sandbox's root, the upper first.
pub(super) struct ImageBase {
    pub(super) own: PathBuf,
    pub(super) tree: PathBuf,
}

/// An image keeps the owners that it was unpacked with.
#[derive(Debug, thiserror::Error)]
#[error("the image was added by an ordinary user, so that its files are nobody else's; add it again as root")]
pub(super) struct WrongOwners;

/// Finds, or makes. `users`: whether there are a root and an agent inside, or the agent alone.
pub(super) fn of(image: &Unpacked, users: bool) -> Result<ImageBase> {
    if users && !image.about.has_owners {
        return Err(WrongOwners.into());
    }
    let own = image.folder().join(format!("own-{EDITION}-{}", if users { "users" } else { "agent" }));
    if !own.exists() {
        let new = image.folder().join(format!("new-{}", std::process::id()));
        remove_tree(&new)?;
        make(&new, &image.tree(), users).context("make what a sandbox has beside its image")?;
        match fs::rename(&new, &own) {
            // Somebody else was faster.
            Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
                remove_tree(&new)?;
            }
            done => done.context("put what a sandbox has beside its image in place")?,
        }
    }
    Ok(ImageBase { own, tree: image.tree() })
}

/// What all processes of a sandbox on this image start with, under what is ours: its own variables, and its own `PATH`.
pub(super) fn environment(image: &Unpacked) -> impl Iterator<Item = (String, String)> {
    let pairs = image.about.environment.iter().filter_map(|variable| variable.split_once('='));
    let pairs =
        pairs.filter(|(name, value)| !name.is_empty() && !name.contains('\0') && !value.contains('\0'));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// The shell that people get.
pub(super) fn shell(image: &Unpacked) -> Result<&'static str> {
    let root = open(&image.tree())?;
    Ok(if has(&root, "/bin/bash") { "/bin/bash" } else { "/bin/sh" })
}

/// Whether programs that were built for the usual C library of this architecture can start.
pub(super) fn has_c_library(image: &Unpacked) -> Result<bool> {
    let loader = match std::env::consts::ARCH {
        "x86_64" => "/lib64/ld-linux-x86-64.so.2",
        _ => "/lib/ld-linux-aarch64.so.1",
    };
    Ok(has(&open(&image.tree())?, loader))
}

fn make(own: &Path, tree: &Path, users: bool) -> Result<()> {
    private_dir(own)?;
    let image = open(tree)?;
    for (name, mode) in DIRECTORIES {
        let directory = own.join(name);
        fs::create_dir(&directory).with_context(|| format!("make /{name}"))?;
        // A directory of a layer hides the permissions and owner of the one below.
        let below = rustix::fs::statat(&image, *name, AtFlags::SYMLINK_NOFOLLOW).ok();
        let below = below.filter(|below| FileType::from_raw_mode(below.st_mode) == FileType::Directory);
        let mode = below.map_or(*mode, |below| below.st_mode & 0o7777);
        if let Some(below) = below.filter(|_| users) {
            chown(&directory, Some(below.st_uid), Some(below.st_gid))?;
        }
        fs::set_permissions(&directory, Permissions::from_mode(mode))?;
    }
    for path in [inside::WORKSPACE, inside::HOME] {
        let path = own.join(path.trim_start_matches('/'));
        fs::create_dir(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        if users {
            chown(&path, Some(AGENT), Some(AGENT))?;
        }
    }
    hide_below(&own.join(inside::WORKSPACE.trim_start_matches('/')), &image, users)?;
    let shell = if has(&image, "/bin/bash") { "/bin/bash" } else { "/bin/sh" };
    let (passwd, group) = (text(&image, "etc/passwd")?, text(&image, "etc/group")?);
    own_files::write_on_image(&own.join("etc"), shell, &passwd, &group)?;
    own_files::write_profile(&own.join("etc"), &text(&image, "etc/profile")?)?;
    Ok(fs::set_permissions(own, Permissions::from_mode(0o755))?)
}

/// A repository is cloned into an empty directory: what an image has there is not shown. Source: the kernel's overlayfs page, "whiteouts
/// and opaque directories" and "user xattr".
fn hide_below(workspace: &Path, image: &OwnedFd, users: bool) -> Result<()> {
    if !has(image, inside::WORKSPACE) {
        return Ok(());
    }
    let mark = if users { "trusted.overlay.opaque" } else { "user.overlay.opaque" };
    rustix::fs::setxattr(workspace, mark, b"y", XattrFlags::empty())
        .with_context(|| format!("hide what the image has in {}", inside::WORKSPACE))
}

fn open(tree: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(tree, flags, Mode::empty()).context("open the image's files")
}

/// Whether there is something of this name, as a program inside would find it.
fn has(root: &OwnedFd, path: &str) -> bool {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), how).is_ok()
}

/// What a file of `/etc` says; nothing where it is no plain file.
fn text(root: &OwnedFd, path: &str) -> Result<String> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let Ok(file) = rustix::fs::openat2(root, path, flags, Mode::empty(), how) else {
        return Ok(String::new());
    };
    let mut bytes = Vec::new();
    let file = File::from(file);
    if file.metadata()?.is_file() {
        file.take(TEXT_BYTES)
            .read_to_end(&mut bytes)
            .with_context(|| format!("read /{path} of the image"))?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
