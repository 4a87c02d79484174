//! Where unpacked images are, who names them, and when they go.

use super::super::disk::{SessionDir, private_dir, remove_tree};
use super::super::stack::{read, write};
use super::{Image, Images, digest};
use anyhow::{Context, Result};
use lamplight_domain::{ImageDigest, ImageName};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// `image.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct About {
    /// `NAME=value`, as its configuration has them.
    pub(in super::super) environment: Vec<String>,
    /// Whether its files have their owners; those of an image that an ordinary user made are all that user's.
    pub(in super::super) has_owners: bool,
    pub(super) bytes: u64,
    pub(super) entries: u64,
    pub(super) left_out: u64,
}

/// What a name means.
#[derive(Debug, Serialize, Deserialize)]
struct Meaning {
    digest: ImageDigest,
    source: String,
}

/// An image as it lies there.
#[derive(Debug)]
pub(in super::super) struct Unpacked {
    folder: PathBuf,
    pub(in super::super) about: About,
}

impl Unpacked {
    pub(in super::super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(in super::super) fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }
}

/// Nobody named it any more, and it was removed.
#[derive(Debug, thiserror::Error)]
#[error("the image with the digest {0} is not here any more; add it again: lamplight image add")]
pub(in super::super) struct Missing(ImageDigest);

/// One that is being made. What is left of it is removed when this is dropped.
pub(super) struct New {
    folder: PathBuf,
    _lock: File,
}

impl New {
    /// Where its files go.
    pub(super) fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// For what its files are made from.
    pub(super) fn aside(&self) -> PathBuf {
        self.folder.join("aside")
    }
}

impl Drop for New {
    fn drop(&mut self) {
        // What stays is found by its lock, which nobody holds then.
        let _ = remove_tree(&self.folder);
        let _ = fs::remove_file(lock_of(&self.folder));
    }
}

impl Images {
    /// What people mean by a name now.
    pub fn find(&self, name: &ImageName) -> Result<Option<Image>> {
        let Some(Meaning { digest, source }) = read(&self.names().join(name.as_str()))? else {
            return Ok(None);
        };
        let about = self.open(&digest)?.about;
        let sessions = self.in_use()?.into_iter().filter(|used| *used == digest).count();
        let About { bytes, entries, left_out, .. } = about;
        Ok(Some(Image { name: name.clone(), digest, source, bytes, entries, left_out, sessions }))
    }

    /// All that have a name, by name.
    pub fn list(&self) -> Result<Vec<Image>> {
        let names = self.all_names()?;
        names.iter().filter_map(|name| self.find(name).transpose()).collect()
    }

    /// Takes a name away. What it meant stays for as long as a session is on it or another name means it. Whether there was
    /// such a name.
    pub fn remove(&self, name: &ImageName) -> Result<bool> {
        let lock = self.lock()?;
        match fs::remove_file(self.names().join(name.as_str())) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            removed => removed.with_context(|| format!("remove the name {name}"))?,
        }
        self.tidy_with(lock)?;
        Ok(true)
    }

    pub(in super::super) fn open(&self, digest: &ImageDigest) -> Result<Unpacked> {
        let folder = self.folder.join(digest.as_str());
        let about = read(&folder.join("image.json"))?.ok_or_else(|| Missing(digest.clone()))?;
        Ok(Unpacked { folder, about })
    }

    /// Notes that a session is on an image, from now until its folder goes.
    pub(in super::super) fn use_in(&self, session: &SessionDir, digest: &ImageDigest) -> Result<Unpacked> {
        if read::<ImageDigest>(&session.image_file())?.as_ref() == Some(digest) {
            return self.open(digest);
        }
        let _lock = self.lock()?;
        let image = self.open(digest)?;
        write(&session.image_file(), digest)?;
        Ok(image)
    }

    /// A session that was on it is gone. Who has a name for it is known at once; who else is on it, only by looking at all sessions.
    pub(in super::super) fn let_go(&self, digest: &ImageDigest) -> Result<()> {
        if self.meanings()?.contains(digest) { Ok(()) } else { self.tidy() }
    }

    /// Removes what nobody names, and what was left by whoever was killed.
    pub(in super::super) fn tidy(&self) -> Result<()> {
        if self.folder.exists() { self.tidy_with(self.lock()?) } else { Ok(()) }
    }

    /// What programs had fetched, and how many bytes each has.
    pub fn all_fetched(&self) -> Result<BTreeMap<ImageDigest, u64>> {
        let mut all = BTreeMap::new();
        for path in entries(&self.fetched())? {
            if let Some(digest) = self.meant(&path)? {
                let bytes = self.open(&digest)?.about.bytes;
                all.insert(digest, bytes);
            }
        }
        Ok(all)
    }

    /// Whether anything was ever fetched for a program.
    pub fn has_fetched(&self) -> bool {
        self.fetched().exists()
    }

    /// Of what programs had fetched, only this stays, and what a session is on.
    pub fn keep_fetched(&self, wanted: &BTreeSet<ImageDigest>) -> Result<()> {
        if !self.has_fetched() {
            return Ok(());
        }
        let lock = self.lock()?;
        for path in entries(&self.fetched())? {
            if self.meant(&path)?.is_some_and(|digest| !wanted.contains(&digest)) {
                fs::remove_file(&path).with_context(|| format!("forget {}", path.display()))?;
            }
        }
        self.tidy_with(lock)
    }

    /// What is meant by a name, or was fetched.
    pub(super) fn meant(&self, place: &Path) -> Result<Option<ImageDigest>> {
        Ok(read::<Meaning>(place)?.map(|meaning| meaning.digest))
    }

    /// Held by whoever fetches what has this manifest. Who comes next tidies it away.
    pub(super) fn turn(&self, manifest: &ImageDigest) -> Result<File> {
        let fetching = self.folder.join(format!("new-{manifest}"));
        hold(&lock_of(&fetching)).context("wait for who fetches it already")
    }

    /// A place for a new image.
    pub(super) fn begin(&self) -> Result<New> {
        let _lock = self.lock()?;
        let folder = self.unused();
        let lock = hold(&lock_of(&folder)).context("lock the place for the new image")?;
        remove_tree(&folder)?;
        private_dir(&folder)?;
        let new = New { folder, _lock: lock };
        private_dir(&new.tree())?;
        Ok(new)
    }

    /// Makes it an image, and writes down what means it: from here on it is there, and whole.
    pub(super) fn keep(&self, new: New, about: About, place: &Path, source: &str) -> Result<()> {
        remove_tree(&new.aside()).context("remove what it was made from")?;
        let mut beside = about.environment.join("\n").into_bytes();
        beside.push(u8::from(about.has_owners));
        let found = digest::of(&new.tree(), &beside).context("read the new image")?;
        let about = About { bytes: found.bytes, entries: found.entries, ..about };
        write(&new.folder.join("image.json"), &about)?;
        if self.open(&found.digest).is_err() {
            let folder = File::open(&new.folder).context("open the new image")?;
            rustix::fs::syncfs(&folder).context("have it written to disk")?;
        }
        let lock = self.lock()?;
        match fs::rename(&new.folder, self.folder.join(found.digest.as_str())) {
            // It is there already.
            Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
            }
            kept => kept.context("put the new image in its place")?,
        }
        // Written beside the names, where no half of it can be taken for one.
        let written = self.folder.join("meaning");
        write(&written, &Meaning { digest: found.digest, source: source.to_owned() })?;
        private_dir(place.parent().context("it is in no folder")?)?;
        fs::rename(&written, place).with_context(|| format!("name the image as {}", place.display()))?;
        self.tidy_with(lock)
    }

    /// What is to go is put aside while nobody can begin to use it, and removed when others may go on.
    fn tidy_with(&self, lock: File) -> Result<()> {
        let mut named = self.meanings()?;
        named.extend(self.in_use()?);
        let mut going = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.parse().is_ok_and(|digest: ImageDigest| !named.contains(&digest)) {
                let aside = self.unused();
                let held = hold(&lock_of(&aside)).context("lock what is to go")?;
                remove_tree(&aside)?;
                fs::rename(&path, &aside)?;
                going.push((aside, held));
            } else if let Some(folder) = name.strip_suffix(".lock").filter(|name| name.starts_with("new-"))
                && let Some(held) = try_hold(&path)?
            {
                going.push((self.folder.join(folder), held));
            }
        }
        drop(lock);
        for (folder, _held) in going {
            remove_tree(&folder)?;
            match fs::remove_file(lock_of(&folder)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// A name for what is no image, which no other process uses while it is locked.
    fn unused(&self) -> PathBuf {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.folder.join(format!("new-{}-{number}", std::process::id()))
    }

    /// The digests of sessions, one of each that is on an image.
    fn in_use(&self) -> Result<Vec<ImageDigest>> {
        let sessions = self.sandboxes.sessions().context("list the sessions")?;
        let file = |session| self.sandboxes.session(session).image_file();
        sessions.iter().filter_map(|session| read(&file(session)).transpose()).collect()
    }

    /// The digests that have a name, or were fetched for somebody.
    fn meanings(&self) -> Result<BTreeSet<ImageDigest>> {
        let mut all = BTreeSet::new();
        for path in [entries(&self.names())?, entries(&self.fetched())?].concat() {
            all.extend(self.meant(&path)?);
        }
        Ok(all)
    }

    pub(super) fn names(&self) -> PathBuf {
        self.folder.join("names")
    }

    pub(super) fn fetched(&self) -> PathBuf {
        self.folder.join("fetched")
    }

    fn all_names(&self) -> Result<Vec<ImageName>> {
        let name = |path: PathBuf| path.file_name()?.to_str()?.parse().ok();
        let mut names: Vec<ImageName> = entries(&self.names())?.into_iter().filter_map(name).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn lock(&self) -> Result<File> {
        private_dir(&self.folder).context("make the folder of images")?;
        hold(&self.folder.join("lock")).context("lock the images")
    }
}

/// What is in a folder, which need not be there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("list {}", folder.display()))?,
    };
    entries.map(|entry| Ok(entry?.path())).collect()
}

fn lock_of(folder: &Path) -> PathBuf {
    let mut lock = folder.as_os_str().to_owned();
    lock.push(".lock");
    lock.into()
}

fn hold(lock: &Path) -> io::Result<File> {
    let file = File::options().create(true).append(true).open(lock)?;
    rustix::io::retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::LockExclusive))?;
    Ok(file)
}

/// `None` while somebody else holds it.
fn try_hold(lock: &Path) -> io::Result<Option<File>> {
    let file = File::options().append(true).open(lock)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
