//! Overlays: a stack of directories that nobody changes, and one on top that takes every change.
//!
//! Each directory of a stack is first mounted, by itself, in a folder of this launch alone, for three reasons: there it has a
//! short name without the characters that mean something in mount options (which are one page long); it can be shown with other
//! owners than it has on disk; and an overlay keeps what it was given, so that the folder can go with the host's root.

use super::identity::Ids;
use super::mounts::{Attributes, attach, clone_tree};
use super::rights;
use super::stack::Stack;
use super::userns;
use anyhow::{Context, Result, anyhow};
use rustix::mount::MountFlags;
use std::cell::Cell;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Where the directories of stacks are mounted while overlays are put together, and the root with them. The working directory of this
/// process from its start to its end.
pub(super) struct Stage<'a> {
    folder: PathBuf,
    /// Places in it that are taken.
    places: Cell<usize>,
    /// As root.
    users: Option<&'a Users>,
}

/// Whose files are whose in a session that has users of its own: as user namespaces, which mounts know such things by.
pub(super) struct Users {
    pub(super) ids: Ids,
    /// For files that are numbered as they are inside, and to be entered.
    own: OwnedFd,
    /// For layers of other sessions.
    others: Vec<(Ids, OwnedFd)>,
}

impl Users {
    /// Made by the launcher: in the sandbox's PID namespace, `/proc` of the host has other numbers.
    pub(super) fn of(ids: Ids, stack: &Stack) -> Result<Self> {
        let mut others: Vec<(Ids, OwnedFd)> = Vec::new();
        for owner in stack.layers().iter().filter_map(|layer| layer.ids) {
            if owner != ids && !others.iter().any(|(other, _)| *other == owner) {
                others.push((owner, userns::mapped(&ids.map_from(owner))?));
            }
        }
        Ok(Self { ids, own: userns::mapped(&ids.map())?, others })
    }

    pub(super) fn namespace(&self) -> BorrowedFd<'_> {
        self.own.as_fd()
    }

    /// Goes on with another descriptor of the same namespace.
    pub(super) fn replace(&mut self, descriptor: OwnedFd) {
        self.own = descriptor;
    }

    fn of_owner(&self, owner: Ids) -> Option<BorrowedFd<'_>> {
        self.others.iter().find(|(other, _)| *other == owner).map(|(_, users)| users.as_fd())
    }
}

/// What a directory of the host becomes in a stack.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owners {
    /// Host root's files are the sandbox's root's, and so on.
    SameNumbers,
    /// A session's own files, or another's.
    Session(Option<Ids>),
}

/// How an overlay treats directories of its stack that are renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renames {
    /// They are moved: what is below may not change, ever.
    Move,
    /// The kernel says EXDEV, and programs copy.
    Copy,
}

impl<'a> Stage<'a> {
    pub(super) fn new(folder: PathBuf, users: Option<&'a Users>) -> Result<Self> {
        // In memory: directories on disk take longer to make, and to remove, than all that is mounted on them.
        rustix::mount::mount("tmpfs", &folder, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, None)
            .context("mount the folder for layers")?;
        rustix::process::chdir(&folder).context("enter the folder for layers")?;
        Ok(Self { folder, places: Cell::default(), users })
    }

    /// A directory for the root to be mounted on.
    pub(super) fn place_of_root(&self) -> Result<PathBuf> {
        Ok(self.folder.join(self.place()?))
    }

    /// Mounts a directory, and says by which name overlays know it.
    pub(super) fn lower(&self, directory: &Path, owners: Owners) -> Result<String> {
        let what = || format!("prepare {} as a layer", directory.display());
        let tree = clone_tree(directory, false).with_context(what)?;
        if let Some(users) = self.users {
            let shown = match owners {
                Owners::SameNumbers => Some(users.namespace()),
                Owners::Session(Some(owner)) if owner == users.ids => None,
                Owners::Session(owner) => {
                    let users = owner.and_then(|owner| users.of_owner(owner));
                    Some(users.with_context(|| format!("{} is nobody's", directory.display()))?)
                }
            };
            if let Some(shown) = shown {
                Attributes::ReadOnly.set_with_owners(tree.as_fd(), shown).with_context(what)?;
            }
        }
        let name = self.place()?;
        attach(tree.as_fd(), &self.folder.join(&name)).with_context(what)?;
        Ok(name)
    }

    /// The same, but only what any user of the machine may read can be read, by root inside too: the kernel opens files of a layer
    /// with the rights of whoever mounted the overlay.
    pub(super) fn for_anybody(&self, lower: &str) -> Result<String> {
        let Some(users) = self.users else { return Ok(lower.to_owned()) };
        // Two layers, as one alone is not taken without a top.
        let (empty, name) = (self.place()?, self.place()?);
        let options = format!("lowerdir={lower}:{empty}");
        rights::as_anybody(users.ids, || mount(Path::new(&name), MountFlags::RDONLY, &options))?;
        Ok(name)
    }

    /// A session's directory, in which uppermost and work directories lie side by side.
    pub(super) fn session(&self, directory: &Path) -> Result<String> {
        let name = self.place()?;
        let tree = clone_tree(directory, false).context("prepare the session's files")?;
        attach(tree.as_fd(), &self.folder.join(&name)).context("prepare the session's files")?;
        Ok(name)
    }

    /// Mounts a stack, uppermost first, with a top and its work directory. At an existing directory.
    pub(super) fn mount(
        &self,
        at: &Path,
        lowers: &[String],
        top: &str,
        work: &str,
        renames: Renames,
    ) -> Result<()> {
        let kind = match (self.users, renames) {
            // An ordinary user's overlay notes things where users may, and moves no directory. Source: the kernel's overlayfs page.
            (None, _) => "userxattr",
            (Some(_), Renames::Move) => "redirect_dir=on,metacopy=off,index=off",
            (Some(_), Renames::Copy) => "redirect_dir=off,metacopy=off,index=off",
        };
        let lowers = lowers.join(":");
        mount(at, MountFlags::empty(), &format!("lowerdir={lowers},upperdir={top},workdir={work},{kind}"))
    }

    /// Leaves the folder. It is in the host's tree, which this process lets go of as a whole; one by one, each mount would cost a grace
    /// period of the kernel's.
    pub(super) fn leave(self) -> Result<()> {
        rustix::process::chdir("/").context("leave the folder for layers")
    }

    fn place(&self) -> Result<String> {
        let name = self.places.get().to_string();
        self.places.update(|places| places + 1);
        fs::create_dir(&name).context("make a place for a layer")?;
        Ok(name)
    }
}

fn mount(at: &Path, flags: MountFlags, options: &str) -> Result<()> {
    let options = CString::new(options).map_err(|_| anyhow!("mount options with a NUL"))?;
    let flags = flags | MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("overlay", at, "overlay", flags, &*options)
        .with_context(|| format!("stack layers at {}", at.display()))
}
