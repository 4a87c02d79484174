//! What comes from outside, honest and not, and what becomes of it.

mod archives;
mod hostile;
mod layouts;
mod pulling;
mod registry_program;
mod store;

use super::super::disk::Sandboxes;
use super::{Bounds, Image, Images};
use lamplight_domain::ImageName;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

/// A data directory, and what is beside it, which nothing may touch.
struct Place {
    folder: TempDir,
    images: Images,
}

impl Place {
    fn new() -> Self {
        Self::bounded(Bounds::default())
    }

    fn bounded(bounds: Bounds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let sandboxes = Sandboxes(folder.path().join("data/sandboxes"));
        Self { images: Images { bounds, ..Images::beside(sandboxes) }, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file beside the data directory, and adds it.
    async fn add_file(&self, content: &[u8]) -> anyhow::Result<Image> {
        fs::write(self.path("source"), content).unwrap();
        self.add(self.path("source").to_str().unwrap()).await
    }

    async fn add(&self, source: &str) -> anyhow::Result<Image> {
        self.images.add(&name("it"), source, |_| {}).await
    }

    fn tree(&self, image: &Image) -> PathBuf {
        self.images.open(&image.digest).unwrap().tree()
    }

    /// Everything that an attempt left: names in the folder of images, without the lock.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.images.folder.clone()).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !["lock", "names", "fetched"].contains(&name.as_str()));
        names.sort();
        names
    }
}

fn name(text: &str) -> ImageName {
    text.parse().unwrap()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// One entry of an archive.
#[derive(Clone)]
struct Item<'a> {
    path: &'a str,
    kind: EntryType,
    link: &'a str,
    content: &'a [u8],
    mode: u32,
    owner: u64,
}

fn file<'a>(path: &'a str, content: &'a str) -> Item<'a> {
    Item { path, kind: EntryType::Regular, link: "", content: content.as_bytes(), mode: 0o644, owner: 0 }
}

fn directory(path: &str) -> Item<'_> {
    Item { kind: EntryType::Directory, mode: 0o755, ..file(path, "") }
}

fn link<'a>(path: &'a str, target: &'a str) -> Item<'a> {
    Item { kind: EntryType::Symlink, link: target, ..file(path, "") }
}

fn hard_link<'a>(path: &'a str, target: &'a str) -> Item<'a> {
    Item { kind: EntryType::Link, link: target, ..file(path, "") }
}

/// As a program would write it that refuses nothing: names go in as they are.
fn archive(items: &[Item]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for item in items {
        let mut header = Header::new_gnu();
        let field = |field: &mut [u8], text: &str| field[..text.len()].copy_from_slice(text.as_bytes());
        field(&mut header.as_gnu_mut().unwrap().name, item.path);
        field(&mut header.as_gnu_mut().unwrap().linkname, item.link);
        header.set_entry_type(item.kind);
        header.set_mode(item.mode);
        header.set_uid(item.owner);
        header.set_gid(item.owner);
        header.set_mtime(1_700_000_000);
        header.set_size(item.content.len() as u64);
        header.set_cksum();
        builder.append(&header, item.content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// What is in a tree: paths, and what is there.
fn listing(tree: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![tree.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let there = fs::symlink_metadata(&path).unwrap();
            let what = if there.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else if there.is_dir() {
                waiting.push(path.clone());
                "directory".to_owned()
            } else {
                fs::read_to_string(&path).unwrap()
            };
            all.insert(path.strip_prefix(tree).unwrap().to_str().unwrap().to_owned(), what);
        }
    }
    all
}

fn expected(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(path, what)| ((*path).to_owned(), (*what).to_owned())).collect()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", super::compression::hex(&Sha256::digest(bytes)))
}
