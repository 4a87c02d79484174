//! The HTTP surface: the API under `/api/v1`, the event streams, and the page. One verb, one file.

pub mod access;
pub mod agents;
mod all_servers;
pub mod artifacts;
pub mod attachments;
pub mod audit;
pub mod automations;
pub mod changes;
pub mod code;
mod deadline;
mod elsewhere;
mod extract;
pub mod files;
mod front;
pub mod github;
pub(crate) mod guard;
pub mod guards;
mod health;
pub mod hooks;
pub mod keys;
pub mod live;
pub mod me;
mod metrics;
pub mod models;
pub mod openapi;
mod page;
pub mod people;
pub mod ports;
pub mod problem;
pub mod pull_request;
pub mod queue;
pub(crate) mod redact;
mod refusals;
pub mod repositories;
pub mod resources;
pub mod sandboxes;
mod serve;
pub mod sessions;
pub mod sign_in;
pub mod status;
pub mod templates;
pub mod terminals;
pub mod tokens;
pub mod usage;

pub(crate) use elsewhere::OverHttp;
pub use serve::serve;

use crate::config::Config;
use crate::e2b::{self, Edge};
use crate::places::Places;
use crate::preview::{self, Previews};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderValue;
use axum::middleware;
use axum::routing::{any, delete, get, post, put};
use lamplight_domain::Person;
use lamplight_engine::{Engine, Passes};
use live::{Presence, Timings};
use problem::Problem;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A request body larger than this is refused, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// What every handler may need.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// The fields of [`App`].
pub struct Inner {
    pub engine: Engine,
    pub config: Config,
    /// The address that is listened on, with the port that was really taken.
    pub listen: SocketAddr,
    /// By what others reach the gateway over TCP; `None` where they do not.
    pub gateway: Option<String>,
    pub timings: Timings,
    pub(crate) previews: Previews,
    /// Seals what a browser brings back from who signs people in.
    seals: Passes,
    /// Who else signs people in.
    others: sign_in::way::Others,
    pub(crate) e2b: Arc<Edge>,
    /// What every preview says of who may show it in a frame.
    pub(crate) frame_ancestors: HeaderValue,
    /// What our own answers say of what they may do.
    content_security_policy: HeaderValue,
    started: Instant,
    person: OnceCell<Person>,
    /// Cancelled when the server is going away.
    pub(crate) going_away: CancellationToken,
    /// Who follows which session.
    presence: Presence,
    requests: metrics::Requests,
    /// Every open event stream, and every terminal that is looked at.
    pub(crate) streams: TaskTracker,
    terminal_places: Places,
    /// For bodies of deliveries.
    delivery_room: Semaphore,
    strangers: audit::Strangers,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// Fails when the system gives no random bytes.
    pub fn new(
        engine: Engine,
        config: Config,
        listen: SocketAddr,
        gateway: Option<String>,
        timings: Timings,
    ) -> std::io::Result<Self> {
        let person =
            config.person.clone().map_or_else(OnceCell::new, |person| OnceCell::new_with(Some(person)));
        let frame_ancestors = preview::frame_ancestors(&config.server.hosts);
        let content_security_policy = guard::content_security_policy(config.server.preview_domain.as_deref());
        let requests = metrics::Requests::of(engine.metrics());
        let others = sign_in::way::Others::new(&config)?;
        let passes = || engine.passes();
        let (previews, seals) = (Previews::new(passes()?), passes()?);
        Ok(Self(Arc::new(Inner {
            engine,
            requests,
            config,
            listen,
            gateway,
            timings,
            previews,
            seals,
            others,
            e2b: Edge::new(),
            frame_ancestors,
            content_security_policy,
            started: Instant::now(),
            person,
            going_away: CancellationToken::new(),
            presence: Presence::default(),
            streams: TaskTracker::new(),
            terminal_places: Places::new(terminals::stream::SEATS),
            delivery_room: Semaphore::new(github::ROOM_KIB),
            strangers: audit::Strangers::default(),
        })))
    }

    /// Who uses this server where there is no sign-in: who configuration or git say that is.
    pub async fn person(&self) -> &Person {
        self.person.get_or_init(crate::person::from_git).await
    }
}

/// Everything that is answered.
pub fn router(app: App) -> Router {
    let judged = middleware::from_fn_with_state(app.clone(), access::check);
    let api = Router::new()
        .route("/sessions", get(sessions::list::handle).post(sessions::create::handle))
        .route("/sessions/ahead", post(sessions::ahead::handle))
        .route("/sessions/{id}", get(sessions::show::handle))
        .route("/sessions/{id}/prompts", post(sessions::prompt::handle))
        .route(
            "/sessions/{id}/prompts/{prompt}",
            delete(sessions::remove_prompt::handle).put(sessions::edit_prompt::handle),
        )
        .route("/sessions/{id}/continue", post(sessions::continue_once::handle))
        .route("/sessions/{id}/stop", post(sessions::stop::handle))
        .route("/sessions/{id}/retry", post(sessions::retry::handle))
        .route("/sessions/{id}/pause", post(sessions::pause::handle))
        .route("/sessions/{id}/resume", post(sessions::resume::handle))
        .route("/sessions/{id}/release", post(sessions::release::handle))
        .route("/sessions/{id}/budget", post(sessions::budget::handle))
        .route("/sessions/{id}/priority", post(sessions::priority::handle))
        .route("/sessions/{id}/restore", post(sessions::restore::handle))
        .route("/sessions/{id}/model", post(sessions::choose_model::handle))
        .route("/sessions/{id}/permission", post(sessions::answer::handle))
        .route("/sessions/{id}/question", post(sessions::answer_question::handle))
        .route("/sessions/{id}/diff", get(sessions::diff::handle))
        .route("/sessions/{id}/merge", post(sessions::merge::handle))
        .route(
            "/sessions/{id}/pull-request",
            get(pull_request::show::handle).post(sessions::pull_request::handle),
        )
        .route("/sessions/{id}/pull-request/ready", post(pull_request::ready::handle))
        .route("/sessions/{id}/pull-request/close", post(pull_request::close::handle))
        .route("/sessions/{id}/pull-request/update", post(pull_request::update::handle))
        .route("/sessions/{id}/gateway-token", post(sessions::gateway_token::handle))
        .route("/sessions/{id}/attempts", get(sessions::attempts::handle))
        .route("/sessions/{id}/children", get(sessions::children::handle))
        .route("/sessions/{id}/take", post(sessions::take::handle))
        .route("/sessions/{id}/end", post(sessions::end::handle))
        .route("/sessions/{id}/archive", post(sessions::archive::handle))
        .route("/sessions/{id}/unarchive", post(sessions::unarchive::handle))
        .route("/sessions/{id}/secrets/search", post(sessions::search_secrets::handle))
        .route("/sessions/{id}/usage", get(sessions::usage::handle))
        .route("/sessions/{id}/files", get(files::list::handle))
        .route(
            "/sessions/{id}/files/content",
            get(files::read::handle).put(files::write::handle).layer(DefaultBodyLimit::disable()),
        )
        .route("/sessions/{id}/artifacts", get(artifacts::handle))
        .route("/sessions/{id}/log", get(sessions::log::handle))
        .route("/sessions/{id}/events", get(sessions::events::handle))
        .route("/attachments", post(attachments::upload::handle).layer(DefaultBodyLimit::disable()))
        .route("/attachments/{id}", get(attachments::show::handle))
        .route("/sessions/{id}/terminals", get(terminals::list::handle).post(terminals::open::handle))
        .route("/sessions/{id}/terminals/{terminal}", delete(terminals::close::handle))
        .route("/sessions/{id}/terminals/{terminal}/stream", get(terminals::stream::handle))
        .route("/sessions/{id}/ports", get(ports::list::handle))
        .route("/sessions/{id}/ports/{port}/open", get(ports::open::handle))
        .route("/sessions/{id}/code", get(code::show::handle).post(code::start::handle))
        .route("/sessions/{id}/code/open", get(code::open::handle))
        .route("/events", get(changes::handle))
        .route("/agents", get(agents::handle))
        .route("/audit", get(audit::list::handle))
        .route("/automations", get(automations::list::handle).post(automations::create::handle))
        .route("/automations/{id}", get(automations::show::handle).delete(automations::remove::handle))
        .route("/automations/{id}/pause", post(automations::pause::handle))
        .route("/automations/{id}/resume", post(automations::resume::handle))
        .route("/automations/{id}/run", post(automations::run::handle))
        .route("/keys", get(keys::list::handle))
        .route("/keys/{name}", put(keys::set::handle).delete(keys::remove::handle))
        .route("/keys/{name}/test", post(keys::test::handle))
        .route("/hooks", get(hooks::list::handle).post(hooks::add::handle))
        .route("/hooks/{id}", delete(hooks::remove::handle))
        .route("/hooks/{id}/test", post(hooks::test::handle))
        .route("/hooks/{id}/deliveries", get(hooks::deliveries::handle))
        .route("/hooks/{id}/retry", post(hooks::retry::handle))
        .route("/guards", get(guards::handle))
        .route("/models", get(models::handle))
        .route("/queue", get(queue::handle))
        .route("/github", get(github::show::handle))
        .route("/repositories", get(repositories::handle))
        .route("/repositories/offer", get(repositories::offer))
        .route("/sandboxes", get(sandboxes::handle))
        .route("/sandboxes/{id}", delete(sandboxes::take_back))
        .route("/templates", get(templates::list))
        .route("/templates/{id}", delete(templates::remove))
        .route("/status", get(status::handle))
        .route("/usage", get(usage::handle))
        .route("/sign-in", get(sign_in::ways::handle).post(sign_in::enter::handle))
        .route("/sign-in/{way}", post(sign_in::way::begin))
        .route("/sign-in/{way}/callback", get(sign_in::way::callback))
        .route("/sign-out", post(sign_in::out::handle))
        .route("/sign-out/everywhere", post(sign_in::everywhere::handle))
        .route("/me", get(me::handle))
        .route("/tokens", get(tokens::list::handle).post(tokens::create::handle))
        .route("/tokens/{id}", delete(tokens::revoke::handle))
        .route("/people", get(people::list::handle))
        .route("/people/invitations", post(people::invite::handle))
        .route("/people/invitations/{id}", delete(people::uninvite::handle))
        .route("/people/{id}", delete(people::remove::handle))
        .route("/people/{id}/role", put(people::set_role::handle))
        .route("/people/{id}/link", post(people::link::handle))
        .route("/people/{id}/tokens", get(people::tokens::list))
        .route("/people/{id}/tokens/{token}", delete(people::tokens::revoke))
        .route("/openapi.json", get(openapi::handle))
        .route_layer(judged.clone())
        .fallback(any(unknown_route))
        .method_not_allowed_fallback(method_not_allowed);
    let front = front::Front { app: app.clone(), e2b: e2b::Routes::new(&app) };
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(health::handle))
        .route(github::ROUTE, post(github::webhooks::handle).layer(DefaultBodyLimit::disable()))
        .route("/readyz", get(health::ready))
        .route(access::table::METRICS, get(metrics::handle).layer(judged))
        .fallback(page::handle)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(front, front::pass))
        .with_state(app)
}

async fn unknown_route(uri: axum::http::Uri) -> Problem {
    Problem::new(
        axum::http::StatusCode::NOT_FOUND,
        "route_not_found",
        format!("there is nothing at {}", uri.path()),
        "See /api/v1/openapi.json for what there is.",
    )
}

async fn method_not_allowed(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    Problem::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{} does not take {method}", uri.path()),
        "See /api/v1/openapi.json for what it takes.",
    )
}
