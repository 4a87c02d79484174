//! What a person would run instead, as far as it runs on one machine without an account; and Lamplight, started the same way.

use super::process::{Running, free_port};
use super::{Bench, http};
use crate::command::run;
use crate::stage::Agent;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// npm's name, version, and the program in it.
struct Package {
    name: &'static str,
    version: &'static str,
    program: &'static str,
}

const WORKERD: Package =
    Package { name: "@cloudflare/workerd-linux-64", version: "1.20261117.1", program: "bin/workerd" };
const SANDBOX_AGENT: Package =
    Package { name: "@sandbox-agent/cli-linux-x64", version: "0.4.2", program: "bin/sandbox-agent" };
const OPENCODE: Package = Package { name: "opencode-linux-x64", version: "1.18.33", program: "bin/opencode" };

/// The agent that sandbox-agent is told to run; it finds a program of this name on the path.
const ECHO_AGENT: &str = "pi";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Lamplight,
    Workerd,
    SandboxAgent,
    OpenCode,
    /// No product: the least that an event on disk costs here.
    Floor,
}

impl Peer {
    /// What a person can run.
    pub(super) const ALL: [Self; 4] = [Self::Lamplight, Self::Workerd, Self::SandboxAgent, Self::OpenCode];

    /// As the load knows it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lamplight => "lamplight",
            Self::Workerd => "workerd",
            Self::SandboxAgent => "sandbox-agent",
            Self::OpenCode => "opencode",
            Self::Floor => "floor",
        }
    }

    /// As people know it, with what of it is measured.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Lamplight => "Lamplight",
            Self::Workerd => "Durable Object on workerd",
            Self::SandboxAgent => "sandbox-agent (keeps nothing on disk)",
            Self::OpenCode => "opencode serve",
            Self::Floor => "a line in a file, synced, and nothing else",
        }
    }

    /// The program that is started.
    pub(super) fn file(self, bench: &Bench) -> Result<PathBuf> {
        match self {
            Self::Lamplight => Ok(bench.program("lamplight")),
            Self::Workerd => program(bench, &WORKERD),
            Self::SandboxAgent => program(bench, &SANDBOX_AGENT),
            Self::OpenCode => program(bench, &OPENCODE),
            Self::Floor => Ok(bench.example("load")),
        }
    }

    /// Starts it with nothing in it.
    pub(super) fn start(self, bench: &Bench) -> Result<Running> {
        let directory = bench.fresh(self.name())?;
        let port = free_port()?;
        let log = directory.join("log");
        match self {
            Self::Lamplight => Lamplight::new(bench)?.serve_on(port),
            Self::Workerd => {
                let mut command = Command::new(self.file(bench)?);
                command.arg("serve").arg(bench.workspace.root.join("xtask/peers/workerd.capnp"));
                // Apart from our own files: it makes a folder called after its objects, `log`.
                let data = directory.join("data");
                std::fs::create_dir(&data)?;
                command.arg(format!("--directory-path=data={}", data.display()));
                command.arg(format!("--socket-addr=http=127.0.0.1:{port}"));
                Running::start(command, port, "/", &log)
            }
            Self::SandboxAgent => {
                let echo = directory.join(format!("{ECHO_AGENT}-acp"));
                let load = bench.example("load");
                std::fs::write(&echo, format!("#!/bin/sh\nexec '{}' echo\n", load.display()))?;
                std::fs::set_permissions(&echo, PermissionsExt::from_mode(0o755))?;
                let mut command = Command::new(self.file(bench)?);
                command.args(["server", "--no-token", "--no-telemetry", "--port", &port.to_string()]);
                let path = std::env::split_paths(&bench.path);
                command.env("PATH", std::env::join_paths(std::iter::once(directory.clone()).chain(path))?);
                Running::start(in_home(command, &directory), port, "/v1/health", &log)
            }
            Self::OpenCode => {
                let mut command = Command::new(self.file(bench)?);
                command.args(["serve", "--hostname", "127.0.0.1", "--port", &port.to_string()]);
                command
                    .env("OPENCODE_DISABLE_MODELS_FETCH", "1")
                    .env("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1");
                command.env("OPENCODE_CONFIG_CONTENT", r#"{"autoupdate":false,"share":"disabled"}"#);
                command.current_dir(&directory);
                Running::start(in_home(command, &directory), port, "/config", &log)
            }
            Self::Floor => {
                let mut command = Command::new(self.file(bench)?);
                command.args(["floor", &port.to_string()]).arg(directory.join("events"));
                Running::start(command, port, "/", &log)
            }
        }
    }

    /// Makes a session that takes appends; its id.
    pub(super) fn session(self, bench: &Bench, running: &Running) -> Result<String> {
        let url = &running.url;
        match self {
            Self::Lamplight => {
                let id = create(bench, url, "!hang", "scripted")?;
                until(url, &id, "executing", |view| {
                    view["phase"] == "executing" || view["phase"] == "planning"
                })?;
                Ok(id)
            }
            Self::Workerd | Self::Floor => Ok("session".to_owned()),
            Self::SandboxAgent => {
                let call = |id: u32, method: &str, params: Value| {
                    let url = format!("{url}/v1/acp/session?agent={ECHO_AGENT}");
                    http::post(
                        &url,
                        &json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }),
                    )
                };
                call(1, "initialize", json!({ "protocolVersion": 1, "clientCapabilities": {} }))?;
                call(2, "session/new", json!({ "cwd": "/", "mcpServers": [] }))?;
                Ok("session".to_owned())
            }
            Self::OpenCode => {
                let session = http::post(&format!("{url}/session"), &json!({}))?;
                Ok(session["id"].as_str().context("a session has an id")?.to_owned())
            }
        }
    }
}

/// Lamplight with a data directory of its own and the scripted agent beside the others.
#[derive(Debug)]
pub(super) struct Lamplight {
    program: PathBuf,
    directory: PathBuf,
    path: std::ffi::OsString,
}

impl Lamplight {
    pub(super) fn new(bench: &Bench) -> Result<Self> {
        let directory = bench.fresh("data")?;
        let tools = bench.workspace.scratch().join("tools");
        std::fs::create_dir_all(tools.join("scripted"))?;
        // Not over the one that may be running.
        let agent = tools.join("scripted/agent");
        let new = tools.join("scripted/agent.new");
        std::fs::copy(bench.program("scripted-agent"), &new)
            .context("put the scripted agent into its place")?;
        std::fs::rename(new, agent)?;
        let tools = serde_json::to_string(&tools)?;
        let config = format!(
            "[agent]\ndefault = \"scripted\"\ntools_dir = {tools}\n[log]\nlevel = \"warn\"\n[limits]\nsteps = 100000\n\
             [person]\nname = \"Bench\"\nemail = \"bench@example.invalid\"\n\
             [[agents]]\nname = \"scripted\"\ncommand = \"{{tools}}/scripted/agent\"\n"
        );
        std::fs::write(directory.join("lamplight.toml"), config)?;
        Ok(Self { program: bench.program("lamplight"), directory, path: bench.path.clone() })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Our program, with this configuration.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("PATH", &self.path).arg("--config").arg(self.directory.join("lamplight.toml"));
        command.arg("--data-dir").arg(self.directory.join("data"));
        command
    }

    pub(super) fn serve(&self) -> Result<Running> {
        self.serve_on(free_port()?)
    }

    pub(super) fn serve_on(&self, port: u16) -> Result<Running> {
        self.serve_so(port, &[])
    }

    /// With these in its environment.
    pub(super) fn serve_with(&self, variables: &[(&str, &str)]) -> Result<Running> {
        self.serve_so(free_port()?, variables)
    }

    fn serve_so(&self, port: u16, variables: &[(&str, &str)]) -> Result<Running> {
        let mut command = self.command();
        command.envs(variables.iter().copied());
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
        Running::start(command, port, "/healthz", &self.directory.join("log"))
    }
}

/// A new session on a new repository; its id.
pub(super) fn create(bench: &Bench, url: &str, prompt: &str, agent: &str) -> Result<String> {
    create_with(bench, url, prompt, agent, &json!({}))
}

/// The same within other limits than the configured ones.
pub(super) fn create_with(
    bench: &Bench,
    url: &str,
    prompt: &str,
    agent: &str,
    limits: &Value,
) -> Result<String> {
    let repository = bench.fresh("repository")?;
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(&repository).args([
            "-c",
            "user.name=Bench",
            "-c",
            "user.email=bench@example.invalid",
        ]);
        run(git.args(arguments))
    };
    git(&["init", "--quiet", "--initial-branch=main"])?;
    std::fs::write(repository.join("README.md"), "A repository.\n")?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--no-gpg-sign", "-m", "Begin"])?;
    let session = json!({ "repository": repository, "prompt": prompt, "agent": agent, "limits": limits });
    let view = http::post(&format!("{url}/api/v1/sessions"), &session)?;
    Ok(view["id"].as_str().context("a session has an id")?.to_owned())
}

/// Waits for a session to be so.
pub(super) fn until(url: &str, id: &str, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
    /// Longer than any of these takes; real agents need seconds.
    const LONGEST: std::time::Duration = std::time::Duration::from_secs(60);
    let start = super::process::now();
    loop {
        let view = http::get(&format!("{url}/api/v1/sessions/{id}"))?;
        if is(&view) {
            return Ok(view);
        }
        let failed = view["phase"] == "failed";
        anyhow::ensure!(!failed, "the session failed: {}", view["reason"]);
        anyhow::ensure!(start.elapsed() < LONGEST, "the session is not {what} but {}", view["phase"]);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Stops what a session does and ends it, so that its sandbox is gone.
pub(super) fn end(url: &str, id: &str) -> Result<()> {
    let session = format!("{url}/api/v1/sessions/{id}");
    until(url, id, "stopped", |_| {
        let ask = |what: &str| http::post(&format!("{session}/{what}"), &json!({}));
        let ended = ask("end").is_ok();
        if !ended {
            // Refused when the turn has just come to its end, or is about to begin: then the next round ends it.
            let _ = ask("stop");
        }
        ended
    })
    .map(drop)
}

/// Sees that goose is there, a real agent.
pub(super) fn install_goose(lamplight: &Lamplight) -> Result<()> {
    run(lamplight.command().args(["agents", "install", Agent::Goose.name()]))
}

/// Installed from npm on first use, in that version.
fn program(bench: &Bench, package: &Package) -> Result<PathBuf> {
    let directory =
        bench.workspace.scratch().join("peers").join(format!("{}@{}", package.name, package.version));
    let program = directory.join("node_modules").join(package.name).join(package.program);
    if !program.is_file() {
        println!("fetching {}@{} to measure beside it", package.name, package.version);
        std::fs::create_dir_all(&directory)?;
        let mut npm = Command::new("npm");
        npm.env("PATH", &bench.path).arg("install").arg(format!("{}@{}", package.name, package.version));
        npm.args(["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
        run(npm.arg(&directory))?;
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755))?;
    }
    Ok(program)
}

fn in_home(mut command: Command, home: &Path) -> Command {
    for name in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
        command.env_remove(name);
    }
    command.env("HOME", home);
    command
}
