//! A session's files in a file system of their own, as large as the session may take of the disk: then the kernel says that it is
//! full (ENOSPC), to whoever writes and at once. As root, where it is configured.
//!
//! ```text
//! <data>/blank/<limit>                    an empty one for each limit, made once (see `blank`)
//! <data>/volumes/<session>/disk           a copy of that: a sparse file, ext4
//! <data>/volumes/<session>/at/<session>/  when it is mounted: files, scratch and the guest's spool
//! <data>/volumes/<session>/at/layers/     the layers that were made of those; other sessions may stand on them
//! ```
//! **Nothing is mounted where the machine or the server could see it.** Who works on the files, a launcher or a thread of the server,
//! does so in a mount namespace of its own; a sandbox has the file system below its root, and needs no mount of anybody else. Whoever
//! is killed, their mounts go with them, and with the last of all the loop device. So after a restart there is nothing to find and
//! nothing to clear away, and where nothing runs a volume is a file.
//!
//! A session has a volume from the start or never: the files of one that began without stay where they are. Its volume is there as
//! long as the session, or as somebody stands on its layers.

use super::blank;
use super::breach;
use super::config::DiskLimit;
use super::disk::{GenerationDir, Sandboxes, SessionDir, names, private_dir, remove_tree, write_whole};
use super::identity;
use super::loop_device::LoopDevice;
use super::record::Record;
use super::request::LaunchRequest;
use super::stack;
use super::watch;
use crate::providers::lock::lock;
use anyhow::{Context, Result, anyhow};
use lamplight_domain::SessionId;
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::thread::UnshareFlags;
use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// With less room than this a sandbox has run into its limit: what is left is too little for most of what is written.
const FULL: u64 = 64 * 1024;

/// `st_blocks` is in these. Source: stat(3type).
const BLOCK: u64 = 512;

/// Of one session. It need not be there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Volume {
    folder: PathBuf,
    session: PathBuf,
}

impl Sandboxes {
    pub(super) fn volumes(&self) -> PathBuf {
        self.0.with_file_name("volumes")
    }

    /// The sessions that have one, or had.
    pub(super) fn all_volumes(&self) -> io::Result<Vec<(SessionId, Volume)>> {
        let sessions = names(&self.volumes())?.into_iter().filter_map(|name| name.parse().ok());
        Ok(sessions.map(|id: SessionId| (id.clone(), self.session(&id).volume())).collect())
    }

    /// Where a layer is: where it always was, or in the volume of the session that it was made of.
    pub(super) fn layer(&self, name: &str) -> PathBuf {
        let here = self.layers().join(name);
        match stack::origin(name).map(|id| self.session(&id).volume()) {
            Some(volume) if !here.exists() && volume.exists() => volume.layers().join(name),
            Some(_) | None => here,
        }
    }
}

impl SessionDir {
    pub(super) fn volume(&self) -> Volume {
        let name = self.0.file_name().unwrap_or_default();
        let all = self.0.parent().unwrap_or(Path::new("")).with_file_name("volumes");
        Volume { folder: all.join(name), session: self.0.clone() }
    }

    /// Where what it writes lies. In a volume there is nothing at that place until it is mounted (see [`within`]).
    pub(super) fn top(&self) -> PathBuf {
        let volume = self.volume();
        if volume.exists() { volume.top() } else { self.0.clone() }
    }

    /// Where the guest keeps unread output. That of an earlier sandbox in the same volume goes when there is a new one.
    pub(super) fn spool(&self, here: &GenerationDir) -> PathBuf {
        let volume = self.volume();
        if volume.exists() { volume.top().join("spool") } else { here.spool() }
    }

    /// Does something with the files.
    pub(super) fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        within(&self.volume(), work)
    }
}

impl Volume {
    pub(super) fn exists(&self) -> bool {
        self.disk().exists()
    }

    /// Also of one that somebody was killed over before it was there.
    pub(super) fn is_begun(&self) -> bool {
        self.folder.exists()
    }

    fn disk(&self) -> PathBuf {
        self.folder.join("disk")
    }

    fn at(&self) -> PathBuf {
        self.folder.join("at")
    }

    /// Called as the session is, so that a list of mounts says whose they are.
    fn top(&self) -> PathBuf {
        self.at().join(self.session.file_name().unwrap_or_default())
    }

    pub(super) fn layers(&self) -> PathBuf {
        self.at().join("layers")
    }

    fn limit_file(&self) -> PathBuf {
        self.folder.join("limit")
    }

    /// The limit on disk that it was made for; `None` where there is no volume.
    pub(super) fn limit(&self) -> Result<Option<u64>> {
        if !self.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(self.limit_file()).context("read the limit of a volume")?;
        Ok(Some(text.trim().parse().with_context(|| format!("the limit of a volume: {text:?}"))?))
    }

    /// What it takes of the host's disk; `None` where there is no volume.
    pub(super) fn taken(&self) -> io::Result<Option<u64>> {
        match fs::metadata(self.disk()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            there => Ok(Some(there?.blocks() * BLOCK)),
        }
    }

    fn make(&self, blanks: &Path, limit: u64) -> Result<()> {
        private_dir(&self.folder)?;
        write_whole(&self.limit_file(), limit.to_string().as_bytes())?;
        blank::copy(blanks, limit, &self.disk())
    }

    /// In the mount namespace of this thread, which is its own.
    fn mount(&self) -> Result<()> {
        // Nobody else gives it a device meanwhile.
        let _lock = lock(&self.folder.join("lock"))?;
        let device = LoopDevice::of(&self.disk(), &self.folder.join("loop"))?;
        // What is freed is given back to the host; what is damaged is not made worse.
        let mut options = "discard,noinit_itable,errors=remount-ro".to_owned();
        if let Some(ids) = identity::read(&SessionDir(self.session.clone()))? {
            options += &format!(",resgid={}", ids.keeper());
        }
        let options = CString::new(options).context("mount options with a NUL")?;
        private_dir(&self.at())?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        rustix::mount::mount(device.path(), self.at(), "ext4", flags, &*options)?;
        for directory in [self.top(), self.layers()] {
            private_dir(&directory)?;
        }
        Ok(())
    }

    /// The file goes now, what it takes of the disk with the last who has it mounted.
    pub(super) fn remove(&self) -> io::Result<()> {
        remove_tree(&self.folder)
    }
}

/// Mounted as long as this lives.
pub(super) struct Mounted(BTreeSet<Volume>);

impl Mounted {
    /// In a mount namespace of this thread's own, from here to the thread's end.
    fn mount(volumes: BTreeSet<Volume>) -> Result<Self> {
        // SAFETY: a thread shares neither mounts nor working directory with others from here on, and knows of no path that is relative.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }.context("make a mount namespace")?;
        let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
        rustix::mount::mount_change("/", private).context("keep our mounts to ourselves")?;
        let mut mounted = Self(BTreeSet::new());
        for volume in volumes {
            let what = || {
                let disk = volume.disk().display().to_string();
                format!("mount {disk}, which has the session's files (e2fsck may mend one that is damaged)")
            };
            volume.mount().with_context(what)?;
            mounted.0.insert(volume);
        }
        Ok(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        for volume in &self.0 {
            // The end of the namespace does the same, without anybody who waits for it.
            let _ = rustix::mount::unmount(volume.at(), UnmountFlags::DETACH);
        }
    }
}

/// Does something with the files of a volume, if it is there.
fn within<T: Send>(volume: &Volume, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    if !volume.exists() {
        return work();
    }
    let apart = || {
        let _mounted = Mounted::mount([volume.clone()].into())?;
        work()
    };
    let done = std::thread::scope(|scope| scope.spawn(apart).join());
    done.unwrap_or_else(|_| Err(anyhow!("the thread that worked on the session's files panicked")))
}

/// Makes one there, writes into it, and removes it.
pub(super) fn try_at(folder: &Path, blanks: &Path, limit: u64) -> Result<()> {
    let volume = Volume { folder: folder.to_owned(), session: folder.to_owned() };
    volume.remove().context("remove what a killed attempt left")?;
    volume.make(blanks, limit)?;
    within(&volume, || Ok(fs::write(volume.top().join("file"), "written")?))?;
    Ok(volume.remove()?)
}

/// For a launcher, before it does anything with the session's files: has its volume, which is made first where it is new and to have one,
/// and those with layers that it stands on. `None` where there are none.
pub(super) fn enter(
    request: &LaunchRequest,
    sandboxes: &Sandboxes,
    session: &SessionDir,
) -> Result<Option<Mounted>> {
    let own = session.volume();
    let is_wanted = request.disk_limit == DiskLimit::Volume && !session.0.join("files").exists();
    if is_wanted && !own.exists() {
        own.make(&sandboxes.blanks(), request.limits.disk_bytes).context("make the session's volume")?;
    }
    if own.exists() && request.runtime.is_some() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL)).context(
            "the session's files are in a volume, which sandbox.launcher = \"own\" alone can show it",
        );
    }
    let below = stack::named_beside_checkpoints(session)?;
    let below = below.iter().filter_map(|name| stack::origin(name)).map(|id| sandboxes.session(&id).volume());
    let volumes: BTreeSet<_> = below.chain([own]).filter(Volume::exists).collect();
    if volumes.is_empty() { Ok(None) } else { Mounted::mount(volumes).map(Some) }
}

/// Notes when a sandbox has run into the end of its volume, if it has one, and when there is room again.
pub(super) fn note_full(session: &SessionDir, here: &GenerationDir, record: &Record) -> io::Result<()> {
    if !session.volume().exists() {
        return Ok(());
    }
    // Its root is an overlay, which says of itself what the file system below its top says. No path is followed inside.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(format!("/proc/{}/root", record.process.pid()), flags, Mode::empty());
    // Looked at afterwards: then it was the root of this one.
    let (Ok(root), true) = (root, record.runs()?) else { return Ok(()) };
    let all = rustix::fs::fstatvfs(&root)?;
    let is_full = all.f_bavail.saturating_mul(all.f_frsize) < FULL || all.f_ffree == 0;
    let mark = here.0.join(watch::FULL);
    if is_full { breach::begin(&mark) } else { breach::end(&mark) }
}
