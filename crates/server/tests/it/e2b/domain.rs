//! By a domain, as those who are elsewhere reach a server: each port of each sandbox has a host of its own, behind something that speaks
//! TLS. The SDKs know the domain and nothing more.

use super::raw::Cloud;
use super::sdks::{passed, sdk, skipped};
use crate::support::{Place, Server};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2b");

/// Programs and files of one test.
struct Front {
    cloud: Cloud,
    domain: String,
    proxy: String,
    _tls: Child,
}

async fn run(program: &str, arguments: &[&str], at: &Path) {
    let output = Command::new(program).args(arguments).current_dir(at).output().await;
    let output = output.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Front {
    async fn open(at: &Path) -> Self {
        // Who has made a certificate may not be who has it.
        let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
        let maker = ["-subj", "/CN=tests", "-keyout", "ca.key", "-out", "ca.pem"];
        run("openssl", &[&new[..], &maker].concat(), at).await;
        let names = ["-subj", "/CN=e2b.test", "-addext", "subjectAltName=DNS:*.e2b.test"];
        let owner = ["-addext", "basicConstraints=critical,CA:FALSE", "-CA", "ca.pem", "-CAkey", "ca.key"];
        let files = ["-keyout", "key.pem", "-out", "cert.pem"];
        run("openssl", &[&new[..], &names, &owner, &files].concat(), at).await;
        let names = format!("{HERE}/names.c");
        run("cc", &["-shared", "-fPIC", "-o", "names.so", &names, "-ldl"], at).await;
        let mut tls = Command::new("python3");
        tls.arg(format!("{HERE}/tls.py")).args(["cert.pem", "key.pem"]).current_dir(at).kill_on_drop(true);
        let mut tls = tls.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(tls.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let (port, proxy) = line.trim().split_once(' ').unwrap();
        let (domain, proxy) = (format!("e2b.test:{port}"), format!("http://127.0.0.1:{proxy}"));
        let more = format!("[e2b]\nenabled = true\ndomain = {domain:?}\n[queue]\nsandboxes_per_person = 0\n");
        let cloud = Cloud::of(Server::start_in(Place::with(&more)));
        let (_, port) = cloud.server.authority().rsplit_once(':').unwrap();
        // It is ended by the end of its input.
        let mut behind = tls.stdin.take().unwrap();
        behind.write_all(format!("{port}\n").as_bytes()).await.unwrap();
        tls.stdin = Some(behind);
        Self { cloud, domain, proxy, _tls: tls }
    }
}

async fn drive(language: &str, at_least: usize) {
    let Some(mut sdk) = sdk(language, "newest").await else { return skipped() };
    let here = tempfile::tempdir().unwrap();
    let front = Front::open(here.path()).await;
    let certificate = here.path().join("ca.pem");
    sdk.env("E2B_DOMAIN", &front.domain);
    match language {
        "javascript" => sdk.env("LD_PRELOAD", here.path().join("names.so")),
        // It asks name servers itself.
        _ => sdk.env("HTTPS_PROXY", &front.proxy),
    };
    sdk.env("NODE_EXTRA_CA_CERTS", &certificate).env("SSL_CERT_FILE", &certificate);
    passed(&mut sdk, &front.cloud, at_least).await;
}

#[tokio::test]
async fn the_javascript_sdk_finds_everything_by_the_domain() {
    drive("javascript", 150).await;
}

#[tokio::test]
async fn the_python_sdk_finds_everything_by_the_domain() {
    drive("python", 140).await;
}
