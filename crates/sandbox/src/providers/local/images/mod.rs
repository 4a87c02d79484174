//! Images: what the files of sandboxes begin with, where that is not this machine. Unpacked once, called by what is in them, and
//! shared read-only by all sandboxes.
//!
//! ```text
//! <data>/images/lock                  held while anything here gets a name or goes
//! <data>/images/names/<name>          which digest people mean by it
//! <data>/images/fetched/<manifest>    which digest is what a program asked a registry for, by the registry's own digest of it
//! <data>/images/<digest>/image.json   what is known of it
//! <data>/images/<digest>/tree/…       its files, which nobody changes
//! <data>/images/<digest>/own-…/       what every sandbox has beside them (see `image_base`)
//! <data>/images/new-…/                somebody unpacks, or removes; whoever does holds new-….lock
//! <data>/sandboxes/<session>/image    a session's digest, for as long as the session is there
//! ```
//! An image has its digest's name only when it is whole and on disk, by one rename. What no name and no session names is removed by
//! whoever stopped naming it, and by the next that opens the data directory, should that one be killed.

mod compression;
mod debian;
mod digest;
mod directory;
mod oci;
mod reference;
mod registry;
mod source;
mod store;
mod tree;
mod unpack;

#[cfg(test)]
mod tests;

pub use reference::{ImageReference, NoRepositories, Repositories};
pub use registry::RegistryLogin;
pub(super) use store::{Missing, Unpacked};

use super::disk::Sandboxes;
use super::identity::Identity;
use anyhow::{Context, Result, ensure};
use lamplight_domain::{ImageDigest, ImageName};
use oci::Layout;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use source::Source;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use store::{About, New};
use tree::{Bounds, Tree};
use unpack::Content;

/// The images of a deployment.
#[derive(Debug, Clone)]
pub struct Images {
    folder: PathBuf,
    sandboxes: Sandboxes,
    bounds: Bounds,
}

/// An image that has a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    pub name: ImageName,
    pub digest: ImageDigest,
    /// As it was asked for.
    pub source: String,
    /// Of all its files together.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
    /// Devices, pipes and sockets that it had and that were not made.
    pub left_out: u64,
    /// Sessions whose files are on top of it.
    pub sessions: usize,
}

/// How far making an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageProgress {
    /// A layer, counted from 1, comes from a registry.
    Fetching {
        layer: usize,
        of: usize,
        bytes: u64,
    },
    /// Another program makes a Debian, which takes a minute or so.
    Building {
        suite: String,
    },
    Unpacking {
        layer: usize,
        of: usize,
    },
    /// All files are there; they are read once for their digest.
    Reading,
}

impl Images {
    /// Those of this data directory. Nothing is read or made yet.
    pub fn of(data_dir: &Path) -> Self {
        Self::beside(Sandboxes(data_dir.join("sandboxes")))
    }

    pub(super) fn beside(sandboxes: Sandboxes) -> Self {
        Self { folder: sandboxes.images(), sandboxes, bounds: Bounds::default() }
    }

    /// Makes an image and gives it a name, which may have meant another until now. `source` is a directory; a tar archive, plain
    /// or compressed by gzip or zstd; an OCI layout or what `docker save` wrote, as a directory or archive; `debian` or
    /// `debian:<release>`; or an image of a registry, such as `docker.io/library/debian:12`. Works until it is done: to be called
    /// where blocking is fine.
    pub async fn add(&self, name: &ImageName, source: &str, tell: impl Fn(ImageProgress)) -> Result<Image> {
        let parsed = Source::parse(source)?;
        let new = self.begin()?;
        let has_owners = Identity::is_root()?;
        let tree = Tree::at(&new.tree(), has_owners, self.bounds)?;
        let fill = self.fill(&parsed, &new, tree, &tell).await;
        let (environment, left_out) = fill.with_context(|| format!("make an image of {parsed}"))?;
        tell(ImageProgress::Reading);
        let about = About { environment, has_owners, bytes: 0, entries: 0, left_out };
        self.keep(new, about, &self.names().join(name.as_str()), &parsed.to_string())?;
        self.find(name)?.context("it was removed at once")
    }

    /// An image of a registry as it is there now, for a program: fetched unless it is here already, when nothing but its manifest is
    /// asked for. It has no name; [`keep_fetched`](Self::keep_fetched) says for how long it stays. It has `at_most` so many bytes, packed
    /// and unpacked. Works until it is done, as [`add`](Self::add).
    pub async fn fetch(
        &self,
        reference: &ImageReference,
        login: Option<&RegistryLogin>,
        at_most: u64,
        tell: impl Fn(ImageProgress),
    ) -> Result<ImageDigest> {
        let new = self.begin()?;
        let found = registry::find(reference, login, &new.aside()).await?;
        // Of two who want the same, one fetches it.
        let place = self.fetched().join(found.digest.as_str());
        let _turn = self.turn(&found.digest)?;
        if let Some(digest) = self.meant(&place)? {
            return Ok(digest);
        }
        ensure!(found.bytes() <= at_most, "it has {} bytes, and there is room for {at_most}", found.bytes());
        found.fetch(&new.aside(), &tell).await?;
        let has_owners = Identity::is_root()?;
        let bounds = Bounds { bytes: at_most.min(self.bounds.bytes), ..self.bounds };
        let mut tree = Tree::at(&new.tree(), has_owners, bounds)?;
        let environment =
            from_layout(&new.aside(), &mut tree, &tell)?.context("what was fetched is no image")?;
        let left_out = tree.left_out;
        tree.finish()?;
        tell(ImageProgress::Reading);
        let about = About { environment, has_owners, bytes: 0, entries: 0, left_out };
        self.keep(new, about, &place, &reference.to_string())?;
        self.meant(&place)?.context("it was removed at once")
    }

    /// Whether programs that were built for the usual C library, glibc, cannot start on an image that is here.
    pub fn lacks_c_library(&self, digest: &ImageDigest) -> Result<bool> {
        Ok(!super::image_base::has_c_library(&self.open(digest)?)?)
    }

    /// The variables that its programs expect, and how much was left out.
    async fn fill(
        &self,
        source: &Source,
        new: &New,
        mut tree: Tree,
        tell: &dyn Fn(ImageProgress),
    ) -> Result<(Vec<String>, u64)> {
        let environment = match source {
            Source::Debian { suite } => {
                tell(ImageProgress::Building { suite: suite.clone() });
                debian::build(suite, &mut tree)?;
                Vec::new()
            }
            Source::Registry(reference) => {
                let found = registry::find(reference, None, &new.aside()).await?;
                found.fetch(&new.aside(), tell).await?;
                from_layout(&new.aside(), &mut tree, tell)?.context("what was fetched is no image")?
            }
            Source::Path(path) if path.is_dir() => match from_layout(path, &mut tree, tell)? {
                Some(environment) => environment,
                None => {
                    directory::copy(path, &self.folder, &mut tree)?;
                    Vec::new()
                }
            },
            Source::Path(path) => {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                let file = File::from(rustix::fs::open(path, flags, Mode::empty()).context("open it")?);
                tell(ImageProgress::Unpacking { layer: 1, of: 1 });
                unpack::unpack(file, Content::Whole, &mut tree)?;
                return self.archive(new, tree, tell);
            }
        };
        let left_out = tree.left_out;
        tree.finish()?;
        Ok((environment, left_out))
    }

    /// What was in an archive are the files of an image, or again an image in the form that builders keep it: that is unpacked then.
    fn archive(&self, new: &New, tree: Tree, tell: &dyn Fn(ImageProgress)) -> Result<(Vec<String>, u64)> {
        let left_out = tree.left_out;
        tree.finish()?;
        if Layout::find(&new.tree())?.is_none() {
            return Ok((Vec::new(), left_out));
        }
        fs::rename(new.tree(), new.aside()).context("put the archive's files aside")?;
        fs::create_dir(new.tree()).context("make a folder for the image's files")?;
        let mut tree = Tree::at(&new.tree(), Identity::is_root()?, self.bounds)?;
        let environment =
            from_layout(&new.aside(), &mut tree, tell)?.context("it was an image a moment ago")?;
        let left_out = tree.left_out;
        tree.finish()?;
        Ok((environment, left_out))
    }
}

/// `None` where the folder is nothing of the kind.
fn from_layout(folder: &Path, tree: &mut Tree, tell: &dyn Fn(ImageProgress)) -> Result<Option<Vec<String>>> {
    Layout::find(folder)?.map(|layout| layout.unpack(tree, tell)).transpose()
}
