//! Images in the form that registries and builders keep them: an OCI layout, or what `docker save` writes. The layers are put on top
//! of each other while they are unpacked, and what they are of is one tree.
//!
//! Source: the OCI image specification, image-layout.md, image-index.md, manifest.md, config.md.

use super::ImageProgress;
use super::compression::Hashing;
use super::tree::Tree;
use super::unpack::{Content, unpack};
use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Longest index, manifest or configuration; bytes.
pub(super) const DOCUMENT: u64 = 4 << 20;
/// Indexes in indexes.
const DEPTH: usize = 4;
const LAYERS: usize = 1000;

/// What a document says that another one is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Platform {
    pub(super) os: String,
    pub(super) architecture: String,
}

/// An index, or a manifest: which of them it is, the fields tell.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

/// A document, and what it turned out to be.
#[derive(Debug)]
pub(super) enum Manifest {
    /// The one of its parts that is for this machine.
    Index(Descriptor),
    Image {
        config: Descriptor,
        layers: Vec<Descriptor>,
    },
}

impl Manifest {
    pub(super) fn read(text: &[u8]) -> Result<Self> {
        let document: Document = serde_json::from_slice(text).context("understand the manifest")?;
        match (document.manifests, document.config, document.layers) {
            (Some(all), None, None) => Ok(Self::Index(for_this_machine(all)?)),
            (None, Some(config), Some(layers)) if layers.len() <= LAYERS => {
                Ok(Self::Image { config, layers })
            }
            _ => bail!("the manifest is of no kind that is known"),
        }
    }
}

/// What of an image's configuration means something to us.
#[derive(Debug, Default, Deserialize)]
struct Configuration {
    architecture: Option<String>,
    os: Option<String>,
    #[serde(default)]
    config: Option<Run>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Run {
    #[serde(default)]
    env: Option<Vec<String>>,
}

/// `manifest.json` of `docker save`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

/// A folder that holds an image.
pub(super) struct Layout(OwnedFd);

impl Layout {
    /// `None` where the folder is nothing of the kind.
    pub(super) fn find(folder: &Path) -> Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let layout = Self(rustix::fs::open(folder, flags, Mode::empty()).context("open the folder")?);
        let is_one = layout.has("oci-layout")? || layout.has("manifest.json")? && !layout.has("usr")?;
        Ok(is_one.then_some(layout))
    }

    /// Unpacks the image; the variables that its programs expect, as `NAME=value`.
    pub(super) fn unpack(&self, tree: &mut Tree, tell: &dyn Fn(ImageProgress)) -> Result<Vec<String>> {
        if !self.has("oci-layout")? {
            return self.unpack_saved(tree, tell);
        }
        let mut text = self.document("index.json")?;
        for _ in 0..DEPTH {
            match Manifest::read(&text)? {
                Manifest::Index(next) => text = self.blob_document(&next)?,
                Manifest::Image { config, layers } => {
                    let config = read_configuration(&self.blob_document(&config)?)?;
                    for (number, layer) in (1..).zip(&layers) {
                        tell(ImageProgress::Unpacking { layer: number, of: layers.len() });
                        self.layer(layer, tree).with_context(|| format!("unpack layer {}", layer.digest))?;
                    }
                    return Ok(config);
                }
            }
        }
        bail!("its indexes lead to no image")
    }

    fn unpack_saved(&self, tree: &mut Tree, tell: &dyn Fn(ImageProgress)) -> Result<Vec<String>> {
        let text = self.document("manifest.json")?;
        let saved: Vec<Saved> = serde_json::from_slice(&text).context("understand manifest.json")?;
        let [Saved { config, layers }] = &saved[..] else {
            bail!("it holds {} images; save one alone", saved.len())
        };
        let config = read_configuration(&self.document(config)?)?;
        for (number, layer) in (1..).zip(layers) {
            tell(ImageProgress::Unpacking { layer: number, of: layers.len() });
            let file = self.open(layer)?;
            unpack(file, Content::Layer, tree).with_context(|| format!("unpack layer {layer}"))?;
        }
        Ok(config)
    }

    fn layer(&self, layer: &Descriptor, tree: &mut Tree) -> Result<()> {
        let mut file = Hashing::new(self.open(&blob_path(&layer.digest)?)?);
        let unpacked = unpack(&mut file, Content::Layer, tree);
        // A layer that is not what it should be explains whatever went wrong in it.
        let (digest, bytes) = file.finish()?;
        check(layer, &digest, bytes)?;
        unpacked
    }

    fn blob_document(&self, what: &Descriptor) -> Result<Vec<u8>> {
        let text = self.document(&blob_path(&what.digest)?)?;
        let (digest, bytes) = Hashing::new(&text[..]).finish()?;
        check(what, &digest, bytes)?;
        Ok(text)
    }

    fn document(&self, path: &str) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        self.open(path)?.take(DOCUMENT + 1).read_to_end(&mut text)?;
        ensure!(text.len() as u64 <= DOCUMENT, "{path} is too large");
        Ok(text)
    }

    /// Links may be among it, as Docker wrote the same layer once; none leads out.
    fn open(&self, path: &str) -> Result<File> {
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::openat2(&self.0, path, flags, Mode::empty(), how);
        let file = File::from(file.with_context(|| format!("open {path} of the image"))?);
        ensure!(file.metadata()?.is_file(), "{path} of the image is no file");
        Ok(file)
    }

    fn has(&self, name: &str) -> Result<bool> {
        match rustix::fs::statat(&self.0, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// `blobs/sha256/<digits>`: where a layout keeps what has this digest.
pub(super) fn blob_path(digest: &str) -> Result<String> {
    let digits = digest.strip_prefix("sha256:").unwrap_or_default();
    let is_one = digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    ensure!(is_one, "{digest:?} is no digest by SHA-256");
    Ok(format!("blobs/sha256/{digits}"))
}

fn check(expected: &Descriptor, digest: &str, bytes: u64) -> Result<()> {
    ensure!(
        expected.digest.strip_prefix("sha256:") == Some(digest),
        "it is not what {} was made for: it has sha256:{digest}",
        expected.digest
    );
    ensure!(expected.size == bytes, "{} has {bytes} bytes, not {}", expected.digest, expected.size);
    Ok(())
}

fn for_this_machine(all: Vec<Descriptor>) -> Result<Descriptor> {
    let here = here();
    let platforms: Vec<String> = all
        .iter()
        .filter_map(|one| one.platform.as_ref())
        .map(|platform| format!("{}/{}", platform.os, platform.architecture))
        .collect();
    // Of several the first. Source: image-index.md, "manifests".
    let fits = |one: &Descriptor| one.platform.as_ref().is_none_or(|platform| *platform == here);
    all.into_iter().find(fits).with_context(|| {
        format!("it is for {}, and not for {}/{}", platforms.join(", "), here.os, here.architecture)
    })
}

fn read_configuration(text: &[u8]) -> Result<Vec<String>> {
    let configuration: Configuration =
        serde_json::from_slice(text).context("understand the image's configuration")?;
    let here = here();
    let (os, architecture) = (configuration.os, configuration.architecture);
    if os.as_ref().is_some_and(|os| *os != here.os)
        || architecture.as_ref().is_some_and(|architecture| *architecture != here.architecture)
    {
        let (os, architecture) = (os.unwrap_or_default(), architecture.unwrap_or_default());
        bail!("it is for {os}/{architecture}, and not for {}/{}", here.os, here.architecture);
    }
    Ok(configuration.config.and_then(|run| run.env).unwrap_or_default())
}

/// This machine, in the words of Go, which these formats use.
fn here() -> Platform {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Platform { os: "linux".into(), architecture: architecture.into() }
}
