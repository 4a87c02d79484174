//! Images of a registry that programs name: Debian's own one, which lets two people in, on loopback.

use super::raw::{Cloud, Sandbox};
use super::{cloud_that, until};
use crate::support::{Server, system};
use reqwest::{Client, Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const PROGRAM: &str = "docker-registry";

/// `ada` with the password `secret`, and Google's way to be somebody with the password `{"a":1}`; by bcrypt.
const PEOPLE: &str = "ada:$2y$04$lamplightlamplightlameLYLqDXIRqSBNiYgByD1u1C9edtWPr/u\n\
                      _json_key:$2y$04$lamplightlamplightlameQm5uj0kVC5oIi830y0jGvANNX7goX76\n";

const ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };

pub(super) struct Registry {
    dir: TempDir,
    /// Host and port.
    pub(super) address: String,
    /// Ends with this.
    _program: tokio::process::Child,
}

impl Registry {
    /// With an image in it, `team/tool:1`: a shell and some programs. `None` where the program is not installed.
    pub(super) async fn start() -> Option<Self> {
        lamplight_engine::install_tls_provider();
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("people"), PEOPLE).unwrap();
        let configuration = json!({
            "version": 0.1,
            "storage": { "filesystem": { "rootdirectory": path("data") } },
            "http": { "addr": "127.0.0.1:0" },
            "auth": { "htpasswd": { "realm": "tests", "path": path("people") } },
        });
        fs::write(path("config.yml"), configuration.to_string()).unwrap();
        let mut program = tokio::process::Command::new(PROGRAM);
        program.arg("serve").arg(path("config.yml")).stdin(Stdio::null()).stdout(Stdio::null());
        let program = program.stderr(File::create(path("log")).unwrap()).kill_on_drop(true).spawn();
        let program = match program {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("skipped: there is no {PROGRAM}");
                return None;
            }
            program => program.unwrap(),
        };
        let mut address = None;
        until("the registry listens", async || {
            let log = fs::read_to_string(path("log")).unwrap();
            let said = log.split_once("listening on ").map(|(_, rest)| rest.to_owned());
            address = said.and_then(|rest| rest.split('"').next().map(str::to_owned));
            address.is_some()
        })
        .await;
        let registry = Self { address: address.unwrap(), _program: program, dir };
        registry.push().await;
        Some(registry)
    }

    /// The configuration with which programs may name its images.
    pub(super) fn allowed(&self) -> String {
        format!("registries = [\"{}/team\"]\n", self.address)
    }

    pub(super) fn image(&self) -> String {
        format!("{}/team/tool:1", self.address)
    }

    async fn push(&self) {
        let (tree, layer) = (self.dir.path().join("tree"), self.dir.path().join("layer.tar"));
        let programs =
            ["bash", "cat", "chmod", "chown", "cp", "id", "ls", "mkdir", "mktemp", "mv", "rm", "sh", "stat"];
        system::copy(&tree, &system::found(programs), &[]);
        let made = Command::new("tar").arg("-C").arg(&tree).arg("-cf").arg(&layer).arg(".").status();
        assert!(made.unwrap().success());
        let layer = self.blob(fs::read(layer).unwrap(), "layer.v1.tar").await;
        let config = json!({
            "architecture": ARCHITECTURE, "os": "linux",
            "config": { "Env": ["PATH=/usr/bin:/bin", "OF_THE_IMAGE=7"] },
        });
        let config = self.blob(config.to_string().into_bytes(), "config.v1+json").await;
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer] }).to_string();
        let put = self.ask(Method::PUT, &format!("http://{}/v2/team/tool/manifests/1", self.address));
        let put = put.header(header::CONTENT_TYPE, kind).body(manifest).send().await.unwrap();
        assert_eq!(put.status(), StatusCode::CREATED);
    }

    async fn blob(&self, content: Vec<u8>, kind: &str) -> Value {
        let digest = Sha256::digest(&content).iter().fold("sha256:".to_owned(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
        let kind = format!("application/vnd.oci.image.{kind}");
        let about = json!({ "mediaType": kind, "digest": digest, "size": content.len() });
        let begun = self.ask(Method::POST, &format!("http://{}/v2/team/tool/blobs/uploads/", self.address));
        let begun = begun.send().await.unwrap();
        assert_eq!(begun.status(), StatusCode::ACCEPTED);
        let place = begun.headers()[header::LOCATION].to_str().unwrap().to_owned();
        let put = self.ask(Method::PUT, &place).query(&[("digest", digest)]).body(content);
        assert_eq!(put.send().await.unwrap().status(), StatusCode::CREATED);
        about
    }

    fn ask(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        Client::new().request(method, url).basic_auth("ada", Some("secret"))
    }
}

/// How a build ended, and all that it said.
async fn build(cloud: &Cloud, name: &str, recipe: Value) -> Value {
    let build = cloud.new_build(name).await;
    assert_eq!(cloud.build(&build, recipe).await, StatusCode::ACCEPTED);
    cloud.built(&build).await
}

fn with_login(image: &str) -> Value {
    let login = json!({ "type": "registry", "username": "ada", "password": "secret" });
    json!({ "fromImage": image, "fromImageRegistry": login })
}

/// Names of images on the disk: digests, and what was fetched.
fn kept(cloud: &Cloud) -> (usize, usize) {
    let count = |folder: &str, of: &dyn Fn(&str) -> bool| {
        let entries = fs::read_dir(cloud.server.place.path(folder)).into_iter().flatten().flatten();
        entries.filter(|entry| of(&entry.file_name().to_string_lossy())).count()
    };
    (count("data/images", &|name| name.len() == 64), count("data/images/fetched", &|_| true))
}

/// Whether a text is in a file below a folder.
fn is_written(text: &str, folder: &Path) -> bool {
    let found = Command::new("grep").args(["-rlaF", "--", text]).arg(folder).stdout(Stdio::piped()).output();
    !found.unwrap().stdout.is_empty()
}

async fn begun(cloud: &Cloud, template: &str) -> Sandbox {
    let sandbox = cloud.create(json!({ "templateID": template })).await;
    assert_eq!(cloud.read(&sandbox, "/etc/os-release").await, (StatusCode::OK, "ID=tiny\n".to_owned()));
    sandbox
}

#[tokio::test]
async fn an_image_that_was_fetched_stays_for_as_long_as_a_template_begins_with_it() {
    let Some(registry) = Registry::start().await else { return };
    let cloud = cloud_that(&registry.allowed(), "");
    let first = build(&cloud, "first", with_login(&registry.image())).await;
    assert_eq!(first["status"], "ready", "{first}");
    let logs = first["logs"].to_string();
    assert!(logs.contains("Fetching layer 1 of 1"), "{logs}");
    let second = build(&cloud, "second", with_login(&registry.image())).await;
    assert!(!second["logs"].to_string().contains("Fetching layer"), "it is here already: {second}");
    assert_eq!(kept(&cloud), (1, 1));
    assert_eq!(cloud.server.place.say(&["image", "list"]), "", "nobody here has named it");
    let sandbox = begun(&cloud, "first").await;
    assert_eq!(cloud.say(&sandbox, "echo $OF_THE_IMAGE").await.unwrap(), "7\n");

    cloud.server.signal("KILL");
    let (_, place) = cloud.server.ended();
    let cloud = Cloud::of(Server::start_in(place));
    assert_eq!(kept(&cloud), (1, 1), "a restart removes nothing that somebody wants");
    let other = begun(&cloud, "second").await;
    for name in ["first", "second"] {
        let deleted = cloud.control(Method::DELETE, &format!("/templates/{name}"), Value::Null).await.0;
        assert_eq!(deleted, StatusCode::NO_CONTENT);
    }
    assert_eq!(kept(&cloud), (1, 0), "sandboxes are on it still");
    assert_eq!(cloud.say(&other, "cat /etc/os-release").await.unwrap(), "ID=tiny\n");
    for sandbox in [&sandbox, &other] {
        assert_eq!(cloud.kill(sandbox).await, StatusCode::NO_CONTENT);
    }
    until("the image is gone", async || kept(&cloud) == (0, 0)).await;
    let place = &cloud.server.place;
    for folder in [place.path("data"), place.path("server.log")] {
        assert!(!is_written("YWRhOnNlY3JldA", &folder) && !is_written("secret\"", &folder), "{folder:?}");
    }
}

#[tokio::test]
async fn a_registry_that_whoever_runs_this_has_not_named_is_never_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for allowed in [String::new(), format!("registries = [\"ghcr.io\", \"{address}/team\"]\n")] {
        let cloud = cloud_that(&allowed, "");
        for image in
            [format!("{address}/other/tool:1"), format!("{address}/teams/tool"), "127.0.0.1/a".into()]
        {
            let failed = build(&cloud, "never", with_login(&image)).await;
            let why = failed["reason"]["message"].as_str().unwrap();
            assert!(why.contains("e2b.registries"), "{failed}");
            assert_eq!(failed["reason"]["step"], "base");
        }
        let asked = listener.accept().map(|(_, who)| who).map_err(|error| error.kind());
        assert_eq!(asked, Err(ErrorKind::WouldBlock), "somebody came");
    }
}
