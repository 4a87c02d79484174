//! What this machine has and lacks. Every finding says how to get what is not there; only what nothing works without
//! counts as missing.

mod sign_in;

use crate::config::Config;
use crate::http::github::show::Finding as OnGitHub;
use crate::http::keys::list::KeyList;
use crate::http::keys::test::{KeyOutcome, KeyTest};
use crate::http::keys::{Key, KeySource};
use crate::http::resources::SandboxTier;
use lamplight_domain::sandbox::Tier;
use lamplight_engine::{ExaminedCloud, FoundCloud, UpstreamName};
use serde::Serialize;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Below this there is no room for work, in bytes.
const LITTLE_SPACE: u64 = 1 << 30;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub name: &'static str,
    pub state: State,
    pub detail: String,
    /// How to get it; `None` where nothing has to be done.
    pub remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// It works, with less.
    Limited,
    /// Nothing works without it.
    Missing,
}

impl Finding {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Ok, detail: detail.into(), remedy: None }
    }

    fn limited(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Limited, detail: detail.into(), remedy: Some(remedy.into()) }
    }

    fn missing(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Missing, detail: detail.into(), remedy: Some(remedy.into()) }
    }
}

/// Without a sandbox nothing works; what else is not enforced makes it a weaker one.
fn of_sandbox(probe: lamplight_engine::Probe) -> impl Iterator<Item = Finding> {
    probe.findings.into_iter().map(move |tried| {
        let state = match (tried.name, tried.ok, probe.tier) {
            ("sandbox", false, _) => State::Missing,
            ("sandbox", true, Tier::Limited) | (_, false, _) => State::Limited,
            (_, true, _) => State::Ok,
        };
        Finding { name: tried.name, state, detail: tried.detail, remedy: tried.remedy }
    })
}

/// Where a cloud makes sandboxes, nothing works without it. A stored key is known to the server alone, which has tried it if it runs.
fn of_cloud(cloud: ExaminedCloud, tried: Option<&KeyTest>) -> Finding {
    let name = "sandbox";
    let remedy = cloud.remedy.unwrap_or_else(|| "lamplight keys set e2b".to_owned());
    match (tried, cloud.found) {
        (Some(KeyTest { outcome: KeyOutcome::Ok, detail, .. }), _) => Finding::ok(name, detail.clone()),
        (Some(KeyTest { detail, .. }), _) => Finding::missing(name, detail.clone(), remedy),
        (None, FoundCloud::Well) => Finding::ok(name, cloud.detail),
        (None, FoundCloud::NoKey) => {
            let detail = format!("{} here; one that is stored is tried while the server runs", cloud.detail);
            Finding::limited(name, detail, remedy)
        }
        (None, FoundCloud::Refused | FoundCloud::Unreachable | FoundCloud::Strange) => {
            Finding::missing(name, cloud.detail, remedy)
        }
    }
}

/// What a server that runs says.
#[derive(Debug, Default)]
pub struct Running {
    pub keys: Option<KeyList>,
    /// How the cloud that sandboxes are made in takes its key.
    pub cloud: Option<KeyTest>,
    /// Of GitHub; asked where only the server has what GitHub is asked with.
    pub github: Option<Vec<OnGitHub>>,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// What this machine can do about a sandbox; `None` where that could not be tried.
    pub tier: Option<SandboxTier>,
    pub findings: Vec<Finding>,
}

/// Looks at everything; it tries rather than compares versions.
pub async fn examine(config: &Config, running: &Running) -> Examination {
    let mut findings = vec![
        Finding::ok("lamplight", format!("{} on {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH)),
        git(),
        data_dir(&config.server.data_dir),
        space(&config.server.data_dir),
        listen(config),
        npm(),
    ];
    findings.extend(config.database.engine().map(|database| database_of(&database)));
    findings.extend(blobs(config).await);
    let mut tier = None;
    // The rest is about a directory that can be written.
    if findings.iter().all(|finding| finding.state != State::Missing) {
        match lamplight_engine::examine_cloud(&config.engine()).await {
            Some(cloud) => findings.push(of_cloud(cloud, running.cloud.as_ref())),
            None => {
                let probe = lamplight_engine::probe_sandbox(&config.engine()).await;
                tier = Some(probe.tier.into());
                findings.extend(of_sandbox(probe));
            }
        }
    }
    findings.extend(agents(config));
    findings.push(models(config, running.keys.as_ref()));
    findings.extend(sign_in::examine(config).await);
    findings.extend(of_github(config, running.github.as_deref()).await);
    Examination { tier, findings }
}

/// Asked from here, or by the server that has the secrets.
async fn of_github(config: &Config, told: Option<&[OnGitHub]>) -> Vec<Finding> {
    let name = "GitHub";
    if let Some(told) = told {
        let state = |found: &OnGitHub| if found.is_well { State::Ok } else { State::Limited };
        let shown = told.iter().map(|found| Finding {
            name,
            state: state(found),
            detail: found.detail.clone(),
            remedy: found.what_to_do.clone(),
        });
        return shown.collect();
    }
    if config.github.app_id.is_some() && config.github.private_key_file.is_none() {
        return vec![Finding::limited(
            name,
            "the key of the App is stored, or missing, and no server runs that could ask with it",
            "start the server (lamplight serve)",
        )];
    }
    let found = lamplight_engine::examine_github(&config.engine()).await;
    let shown = found.into_iter().map(|found| Finding {
        name,
        state: if found.is_well { State::Ok } else { State::Limited },
        detail: found.detail,
        remedy: found.remedy,
    });
    shown.collect()
}

/// Which servers use it, in a few words.
fn used_by(servers: &[(String, String)]) -> String {
    let named = servers.iter().map(|(address, version)| match address.as_str() {
        "" => format!("one of {version} that has not said where it is reached (database.server_address)"),
        address => format!("{address} ({version})"),
    });
    match servers.len() {
        0 => String::new(),
        1 => format!(", used by {}", named.collect::<String>()),
        count => format!(", used by {count} servers: {}", named.collect::<Vec<_>>().join(", ")),
    }
}

fn database_of(database: &lamplight_engine::DatabaseConfig) -> Finding {
    let name = "database";
    let looked = database.address().map_err(anyhow::Error::from).and_then(|address| {
        let examined = lamplight_engine::Examined::look(&address)?;
        Ok((address, examined))
    });
    match looked {
        Ok((address, examined)) if examined.problems.is_empty() => Finding::ok(
            name,
            format!("PostgreSQL {}, {address}{}", examined.version, used_by(&examined.servers)),
        ),
        Ok((address, examined)) => Finding::missing(
            name,
            format!("{address}: {}", examined.problems.join("; ")),
            "change that at the database, or take another one (database.url)",
        ),
        Err(error) => Finding::missing(
            name,
            format!("{error:#}"),
            "see that it runs and lets this user in, or correct database.url (LAMPLIGHT_DATABASE)",
        ),
    }
}

/// A server starts without it, and keeps no file.
async fn blobs(config: &Config) -> Option<Finding> {
    let (name, url) = ("object store", config.blobs.url.as_ref()?);
    Some(match lamplight_engine::examine_bucket(&config.engine()).await? {
        Ok(()) => Finding::ok(name, format!("{url}, written, read, listed and removed")),
        Err(error) => Finding::limited(
            name,
            format!("{url}: {error:#}"),
            "see that it runs, has this bucket, and lets this server in (AWS_ACCESS_KEY_ID and the like); or correct [blobs]",
        ),
    })
}

fn git() -> Finding {
    match version_of("git") {
        Some(version) => Finding::ok("git", version),
        None => Finding::missing("git", "git does not run", "apt install git"),
    }
}

fn npm() -> Finding {
    match version_of("npm") {
        Some(version) => Finding::ok("npm", format!("npm {version}")),
        None => Finding::limited(
            "npm",
            "npm does not run, so agents cannot be installed",
            "apt install npm, or install Node.js",
        ),
    }
}

/// What a program says of its version.
fn version_of(program: &str) -> Option<String> {
    let output =
        Command::new(program).arg("--version").output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn data_dir(path: &Path) -> Finding {
    let probe = path.join(".doctor");
    let tried = std::fs::create_dir_all(path)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe));
    match tried {
        Ok(()) => Finding::ok("data directory", path.display().to_string()),
        Err(error) => Finding::missing(
            "data directory",
            format!("{} cannot be written: {error}", path.display()),
            "make it writable, or choose another with --data-dir",
        ),
    }
}

fn space(path: &Path) -> Finding {
    let name = "disk space";
    let Ok(room) = rustix::fs::statvfs(path) else {
        return Finding::limited(
            name,
            format!("the disk of {} cannot be asked", path.display()),
            "see to the data directory first",
        );
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let detail = format!("{}.{} GiB free", free >> 30, (free >> 20) % 1024 * 10 / 1024);
    if free < LITTLE_SPACE {
        Finding::limited(name, detail, "make some room: sandboxes keep their files here")
    } else {
        Finding::ok(name, detail)
    }
}

fn listen(config: &Config) -> Finding {
    let address = config.server.listen;
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok("address", format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Finding::limited(
            "address",
            format!("{address} is taken, perhaps by a Lamplight that runs"),
            "nothing, if it is; else choose another with --listen",
        ),
        Err(error) => {
            Finding::missing("address", format!("{address}: {error}"), "choose another with --listen")
        }
    }
}

fn agents(config: &Config) -> Vec<Finding> {
    let agents = match lamplight_engine::list_agents(&config.engine()) {
        Ok(agents) => agents,
        Err(error) => {
            return vec![Finding::missing(
                "agents",
                error.to_string(),
                "correct [[agents]] in the configuration",
            )];
        }
    };
    let installed: Vec<String> = agents
        .iter()
        .filter_map(|agent| agent.installed.as_ref().map(|version| format!("{} {version}", agent.name)))
        .collect();
    let default = config.agent.default.as_str();
    let is_known = agents.iter().any(|agent| agent.name == default);
    let has_default = agents.iter().any(|agent| agent.name == default && agent.installed.is_some());
    let list = if installed.is_empty() { "none is installed".to_owned() } else { installed.join(", ") };
    vec![match (is_known, has_default) {
        (true, true) => Finding::ok("agents", list),
        (true, false) if installed.is_empty() => {
            Finding::missing("agents", list, format!("lamplight agents install {default}"))
        }
        (true, false) => Finding::limited(
            "agents",
            format!("{list}; the default, {default}, is not"),
            format!("lamplight agents install {default}, or set agent.default"),
        ),
        (false, _) => Finding::missing(
            "agents",
            format!("the default, {default}, is no agent"),
            "correct agent.default",
        ),
    }]
}

fn models(config: &Config, keys: Option<&KeyList>) -> Finding {
    let of_models = |keys: &KeyList| {
        let keys = keys.items.iter().filter(|key| key.name.parse::<UpstreamName>().is_ok());
        keys.cloned().collect::<Vec<_>>()
    };
    let keys = keys.map(of_models);
    if let Some(problem) = keys.iter().flatten().find_map(|key| key.problem.as_ref()) {
        return Finding::limited("models", problem.clone(), "lamplight keys list");
    }
    let configured: Vec<&str> = match &keys {
        Some(keys) => {
            let there = |key: &&Key| key.source != KeySource::Missing;
            keys.iter().filter(there).map(|key| key.name.as_str()).collect()
        }
        None => config.models.configured(),
    };
    match (configured.as_slice(), config.models.scripted) {
        ([], _) => Finding::limited(
            "models",
            "no model is configured; agents with a login or a model of their own may still work",
            "lamplight keys set openai, or OPENAI_API_KEY in the environment of the server (anthropic, gemini alike)",
        ),
        ([..], true) => Finding::limited(
            "models",
            format!("{}, scripted", configured.join(", ")),
            "lamplight keys set openai, and take models.scripted away, for real work",
        ),
        ([..], false) => Finding::ok("models", configured.join(", ")),
    }
}
