//! Images in layers.

use super::{Place, archive, directory, expected, file, hard_link, link, listing, sha256};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

pub(super) const ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };

/// Blobs by digest, and the digest of the manifest, or of the index of one.
#[derive(Clone)]
pub(super) struct Built {
    pub(super) blobs: BTreeMap<String, Vec<u8>>,
    pub(super) top: String,
}

impl Built {
    /// Every second layer is compressed.
    pub(super) fn of(layers: &[Vec<u8>]) -> Self {
        let mut built = Self { blobs: BTreeMap::new(), top: String::new() };
        let layers: Vec<Value> = layers
            .iter()
            .enumerate()
            .map(|(number, layer)| {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                gzip.write_all(layer).unwrap();
                let bytes = if number % 2 == 0 { gzip.finish().unwrap() } else { layer.clone() };
                built.put(bytes)
            })
            .collect();
        let config = json!({
            "architecture": ARCHITECTURE, "os": "linux",
            "config": { "Env": ["PATH=/opt/tool/bin:/usr/bin:/bin", "TOOL=7"], "Cmd": ["sh"] },
        });
        let config = built.put(config.to_string().into_bytes());
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
        let manifest = built.put(manifest.to_string().into_bytes());
        built.top = manifest["digest"].as_str().unwrap().to_owned();
        built
    }

    /// An index of it for this machine, among others.
    pub(super) fn indexed(mut self) -> Self {
        let of = |digest: &str, os: &str, architecture: &str, size: usize| {
            json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size,
                "platform": { "os": os, "architecture": architecture } })
        };
        let other = sha256(b"another machine's");
        let size = self.blobs[&self.top].len();
        let index = json!({ "schemaVersion": 2, "manifests": [
            of(&other, "linux", "riscv64", 1),
            of(&other, "unknown", "unknown", 1),
            of(&self.top, "linux", ARCHITECTURE, size),
        ]});
        self.top = self.put(index.to_string().into_bytes())["digest"].as_str().unwrap().to_owned();
        self
    }

    fn put(&mut self, bytes: Vec<u8>) -> Value {
        let digest = sha256(&bytes);
        let descriptor = json!({ "mediaType": "", "digest": digest, "size": bytes.len() });
        self.blobs.insert(digest, bytes);
        descriptor
    }

    pub(super) fn write(&self, to: &Path) {
        fs::create_dir_all(to.join("blobs/sha256")).unwrap();
        fs::write(to.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let index = json!({ "schemaVersion": 2, "manifests": [
            { "mediaType": "", "digest": self.top, "size": self.blobs[&self.top].len() } ] });
        fs::write(to.join("index.json"), index.to_string()).unwrap();
        for (digest, bytes) in &self.blobs {
            fs::write(to.join("blobs/sha256").join(digest.trim_start_matches("sha256:")), bytes).unwrap();
        }
    }
}

/// Three layers with every kind of change.
pub(super) fn layers() -> Vec<Vec<u8>> {
    vec![
        archive(&[
            directory("etc"),
            file("etc/kept", "1"),
            file("etc/changed", "1"),
            file("etc/removed", "1"),
            directory("opaque"),
            file("opaque/old", "1"),
            directory("opaque/both"),
            file("opaque/both/old", "1"),
            directory("gone"),
            file("gone/inner", "1"),
            directory("lib"),
            link("was-a-link", "/etc"),
        ]),
        archive(&[
            file("etc/changed", "2"),
            file("etc/.wh.removed", ""),
            file("etc/.wh.never-was", ""),
            file("nowhere/.wh.x", ""),
            directory("opaque"),
            directory("opaque/both"),
            file("opaque/both/new", "2"),
            // After what it does not count for, as some builders write it.
            file("opaque/.wh..wh..opq", ""),
            file("opaque/new", "2"),
            file(".wh.gone", ""),
            directory("was-a-link"),
            file("was-a-link/inner", "2"),
            file(".wh..wh.plnk", ""),
        ]),
        archive(&[
            directory("gone"),
            file("gone/back", "3"),
            file("gone/.wh.back", ""),
            hard_link("etc/linked", "etc/kept"),
        ]),
    ]
}

pub(super) fn layers_listing() -> BTreeMap<String, String> {
    expected(&[
        ("etc", "directory"),
        ("etc/kept", "1"),
        ("etc/changed", "2"),
        ("etc/linked", "1"),
        ("opaque", "directory"),
        ("opaque/both", "directory"),
        ("opaque/both/new", "2"),
        ("opaque/new", "2"),
        ("gone", "directory"),
        ("gone/back", "3"),
        ("lib", "directory"),
        ("was-a-link", "directory"),
        ("was-a-link/inner", "2"),
    ])
}

/// A folder as an archive.
fn packed(folder: &Path) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.follow_symlinks(false);
    builder.append_dir_all(".", folder).unwrap();
    builder.into_inner().unwrap()
}

#[tokio::test]
async fn layers_are_put_on_each_other_and_take_away_what_they_say() {
    let place = Place::new();
    Built::of(&layers()).indexed().write(&place.path("layout"));
    let image = place.add(place.path("layout").to_str().unwrap()).await.unwrap();
    assert_eq!(listing(&place.tree(&image)), layers_listing());
    let about = place.images.open(&image.digest).unwrap().about;
    assert_eq!(about.environment, ["PATH=/opt/tool/bin:/usr/bin:/bin", "TOOL=7"]);

    let archived = place.add_file(&packed(&place.path("layout"))).await.unwrap();
    assert_eq!(archived.digest, image.digest);
    assert_eq!(place.left(), [image.digest.as_str()]);
}

#[tokio::test]
async fn what_docker_saves_is_an_image() {
    let place = Place::new();
    let saved = place.path("saved");
    for (number, layer) in layers().iter().enumerate() {
        fs::create_dir_all(saved.join(number.to_string())).unwrap();
        fs::write(saved.join(format!("{number}/layer.tar")), layer).unwrap();
    }
    // Docker writes the same layer once.
    fs::create_dir(saved.join("3")).unwrap();
    std::os::unix::fs::symlink("../2/layer.tar", saved.join("3/layer.tar")).unwrap();
    let config = json!({ "architecture": ARCHITECTURE, "os": "linux", "config": { "Env": ["A=b"] } });
    fs::write(saved.join("config.json"), config.to_string()).unwrap();
    let write = |layers: &[&str]| {
        let manifest = json!([{ "Config": "config.json", "RepoTags": ["x:1"], "Layers": layers }]);
        fs::write(saved.join("manifest.json"), manifest.to_string()).unwrap();
    };
    write(&["0/layer.tar", "1/layer.tar", "2/layer.tar", "3/layer.tar"]);
    let image = place.add_file(&packed(&saved)).await.unwrap();
    assert_eq!(listing(&place.tree(&image)), layers_listing());

    let secret = place.path("secret");
    fs::write(&secret, archive(&[file("secret", "x")])).unwrap();
    for outside in ["../secret", secret.to_str().unwrap(), "link"] {
        let _ = std::os::unix::fs::symlink(&secret, saved.join("link"));
        write(&[outside]);
        let error = place.add_file(&packed(&saved)).await.unwrap_err();
        assert!(format!("{error:#}").contains("open "), "{outside}: {error:#}");
    }
}

#[tokio::test]
async fn a_layer_that_is_not_what_it_should_be_is_refused() {
    let place = Place::new();
    let built = Built::of(&layers());
    let layout = place.path("layout");
    let check = async |blobs: Built, why: &str| {
        let _ = fs::remove_dir_all(&layout);
        blobs.write(&layout);
        let error = place.add(layout.to_str().unwrap()).await.expect_err(why);
        assert!(format!("{error:#}").contains(why), "not {why:?}: {error:#}");
        assert_eq!(place.left(), [""; 0]);
    };
    for digest in built.blobs.keys() {
        let mut changed = built.clone();
        let bytes = changed.blobs.get_mut(digest).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        check(changed, "it is not what").await;
        let mut cut = built.clone();
        cut.blobs.get_mut(digest).unwrap().pop();
        check(cut, "it is not what").await;
    }
    for (path, why) in
        [("../../../../etc/passwd", "no digest"), ("sha256:../../x", "no digest"), ("md5:1", "no digest")]
    {
        let index = json!({ "manifests": [{ "digest": path, "size": 1 }] });
        built.write(&layout);
        fs::write(layout.join("index.json"), index.to_string()).unwrap();
        let error = place.add(layout.to_str().unwrap()).await.unwrap_err();
        assert!(format!("{error:#}").contains(why), "{error:#}");
    }
}

#[tokio::test]
async fn an_image_of_another_machine_is_refused() {
    let place = Place::new();
    let layout = place.path("layout");
    Built::of(&layers()).write(&layout);
    let index = json!({ "manifests": [{ "digest": sha256(b"x"), "size": 1,
        "platform": { "os": "linux", "architecture": "s390x" } }] });
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
    let error = place.add(layout.to_str().unwrap()).await.unwrap_err();
    assert!(format!("{error:#}").contains("it is for linux/s390x, and not for linux/"), "{error:#}");
}

#[tokio::test]
async fn a_hostile_layer_is_refused_like_an_archive() {
    let place = Place::new();
    let layout = place.path("layout");
    let hostile =
        [file("../.wh.data", ""), file("a/.wh...", ""), file("a/.wh.", ""), file("a/../../.wh..wh..opq", "")];
    for item in hostile {
        let path = item.path.to_owned();
        Built::of(&[archive(&[directory("a"), file("a/b", "x")]), archive(&[item])]).write(&layout);
        place.add(layout.to_str().unwrap()).await.expect_err(&path);
        assert!(place.images.folder.exists());
    }
    // Taken away through a link of a layer below.
    let outside = place.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("victim"), "x").unwrap();
    for what in ["l/.wh.victim", "l/.wh..wh..opq", "l/victim/.wh..wh..opq"] {
        let below = archive(&[link("l", outside.to_str().unwrap())]);
        Built::of(&[below, archive(&[file(what, "")])]).write(&layout);
        let _ = place.add(layout.to_str().unwrap()).await;
        assert!(outside.join("victim").exists(), "{what}");
    }
}
