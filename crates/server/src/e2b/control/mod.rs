//! The control plane: one verb, one file.

mod auth;
mod connect;
mod create;
mod fork;
mod kill;
mod list;
mod logs;
pub(super) mod metrics;
mod network;
mod pause;
mod show;
mod snapshots;
mod templates;
mod time;

use super::answer::Refused;
use super::ids::{id_of, name_of};
use super::{Router, guarded};
use crate::http::App;
use crate::http::audit;
use auth::Key;
use axum::extract::{FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware;
use axum::routing::{get, post, put};
use lamplight_domain::sandbox::Wall;
use lamplight_e2b::control::{
    CLIENT_ID, Detail, Lifecycle, OnTimeout, PauseMode, Sandbox, SandboxInfo, SandboxState, Terms,
};
use lamplight_e2b::{ENVD_VERSION, connect::parse};
use lamplight_engine::{LONGEST_LOAN_MS, LentSandbox, LentState};

/// A body is no longer, in bytes.
const BODY: usize = 1024 * 1024;

pub(super) fn router(app: &App) -> Router<App> {
    let routes = Router::new()
        .route("/health", get(async || StatusCode::NO_CONTENT))
        .route("/sandboxes", get(list::first).post(create::first))
        .route("/v2/sandboxes", get(list::second).post(create::second))
        .route("/sandboxes/metrics", get(metrics::of_many))
        .route("/sandboxes/{id}", get(show::handle).delete(kill::handle))
        .route("/sandboxes/{id}/connect", post(connect::handle))
        .route("/v2/sandboxes/{id}/connect", post(connect::handle))
        .route("/sandboxes/{id}/resume", post(connect::resume))
        .route("/sandboxes/{id}/pause", post(pause::handle))
        .route("/sandboxes/{id}/timeout", post(time::set))
        .route("/sandboxes/{id}/refreshes", post(time::refresh))
        .route("/sandboxes/{id}/metrics", get(metrics::handle))
        .route("/sandboxes/{id}/network", put(network::handle))
        .route("/sandboxes/{id}/logs", get(logs::first))
        .route("/v2/sandboxes/{id}/logs", get(logs::second))
        .route("/sandboxes/{id}/fork", post(fork::handle))
        .route("/sandboxes/{id}/snapshots", post(snapshots::create))
        .route("/snapshots", get(snapshots::list))
        .route("/v3/templates", post(templates::create))
        .route("/templates", get(templates::list))
        .route("/v2/templates", get(templates::list))
        .route("/templates/{id}", get(templates::show).delete(snapshots::delete))
        .route("/templates/{id}/files/{hash}", get(templates::link).put(templates::upload))
        .route("/v2/templates/{id}/builds/{build}", post(templates::start))
        .route("/templates/{id}/builds/{build}/status", get(templates::status))
        .route("/templates/{id}/builds/{build}/logs", get(templates::logs))
        .route("/templates/aliases/{alias}", get(templates::alias))
        .route("/templates/tags", post(templates::assign).delete(templates::remove))
        .route("/templates/{id}/tags", get(templates::of_template))
        .layer(middleware::from_fn_with_state(app.clone(), audit::record));
    guarded(app, routes)
}

/// A sandbox of whoever asks: anybody else's is not there.
struct Mine(LentSandbox);

impl FromRequestParts<App> for Mine {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let key = Key::from_request_parts(parts, app).await?;
        let axum::extract::Path(name) = axum::extract::Path::<String>::from_request_parts(parts, app).await?;
        let found = id_of(&name).and_then(|id| app.engine.lent_sandbox(&id));
        let mine = found.filter(|sandbox| sandbox.person == key.person.name);
        mine.map(Self).ok_or_else(|| Refused::no_sandbox(&name))
    }
}

/// What is asked for, of a body that may be missing.
async fn body<T: serde::de::DeserializeOwned>(request: Request) -> Result<T, Refused> {
    let bytes = axum::body::to_bytes(request.into_body(), BODY).await;
    let bytes = bytes.map_err(|_| Refused::bad_request("the body is too long, or did not come whole"))?;
    parse(&bytes).map_err(|error| Refused::bad_request(error.message))
}

/// Seconds, as milliseconds.
fn time(seconds: i64) -> Result<u64, Refused> {
    let hours = LONGEST_LOAN_MS / 3_600_000;
    let ms = u64::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds > 0)
        .map(|seconds| seconds.saturating_mul(1000));
    match ms {
        None => Err(Refused::bad_request("Timeout must be greater than 0")),
        Some(ms) if ms > LONGEST_LOAN_MS => {
            Err(Refused::bad_request(format!("Timeout cannot be greater than {hours} hours")))
        }
        Some(ms) => Ok(ms),
    }
}

/// The answer to making one, or to connecting to it.
async fn made(app: &App, sandbox: &LentSandbox) -> Result<Sandbox, Refused> {
    Ok(Sandbox {
        template_id: sandbox.template.clone(),
        sandbox_id: name_of(&sandbox.id),
        client_id: CLIENT_ID.to_owned(),
        envd_version: ENVD_VERSION.to_owned(),
        envd_access_token: token(app, sandbox).await?,
        traffic_access_token: None,
        domain: app.config.e2b.domain.clone(),
    })
}

async fn token(app: &App, sandbox: &LentSandbox) -> Result<Option<String>, Refused> {
    match sandbox.is_secure {
        true => Ok(Some(app.engine.lent_token(&sandbox.id).await?)),
        false => Ok(None),
    }
}

fn info(sandbox: &LentSandbox) -> SandboxInfo {
    let machine = Machine::of(sandbox);
    SandboxInfo {
        template_id: sandbox.template.clone(),
        sandbox_id: name_of(&sandbox.id),
        client_id: CLIENT_ID.to_owned(),
        started_at: moment(sandbox.started_at.0),
        end_at: moment(sandbox.ends_at.0),
        cpu_count: machine.processors,
        memory_mb: machine.memory_bytes >> 20,
        disk_size_mb: machine.disk_bytes >> 20,
        metadata: sandbox.metadata.clone(),
        state: match sandbox.state {
            LentState::Running => SandboxState::Running,
            LentState::Paused | LentState::PutAway => SandboxState::Paused,
        },
        envd_version: ENVD_VERSION.to_owned(),
        detail: None,
    }
}

async fn detail(app: &App, sandbox: &LentSandbox) -> Result<Detail, Refused> {
    Ok(Detail {
        envd_access_token: token(app, sandbox).await?,
        allow_internet_access: !sandbox.network.is_none(),
        domain: app.config.e2b.domain.clone(),
        lifecycle: Lifecycle {
            auto_resume: sandbox.resumes,
            on_timeout: if sandbox.pauses_at_end { OnTimeout::Pause } else { OnTimeout::Kill },
        },
        pause_mode: match sandbox.state {
            LentState::Running => None,
            LentState::Paused => Some(PauseMode::Full),
            LentState::PutAway => Some(PauseMode::Filesystem),
        },
    })
}

/// What a sandbox has at the most: its limits, or what this machine has.
struct Machine {
    processors: u64,
    memory_bytes: u64,
    disk_bytes: u64,
}

impl Machine {
    fn whole() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
        let memory = rustix::system::sysinfo();
        let memory_bytes = memory.totalram.saturating_mul(u64::from(memory.mem_unit));
        Self { processors, memory_bytes, disk_bytes: 0 }
    }

    fn of(sandbox: &LentSandbox) -> Self {
        let Self { processors, memory_bytes, disk_bytes } = Self::whole();
        Self {
            processors: sandbox.limit(Wall::Cpu).map_or(processors, |thousandths| thousandths.div_ceil(1000)),
            memory_bytes: sandbox.limit(Wall::Memory).unwrap_or(memory_bytes),
            disk_bytes: sandbox.limit(Wall::Disk).unwrap_or(disk_bytes),
        }
    }
}

/// RFC 3339, in UTC.
pub(super) fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|moment| moment.to_string()).unwrap_or_default()
}
