//! `POST /sandboxes` and `POST /v2/sandboxes`

use super::super::answer::Refused;
use super::super::idempotency::is_key;
use super::auth::Key;
use super::{body, made, name_of, time};
use crate::http::App;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lamplight_domain::{HostPattern, ImageChoice, Network};
use lamplight_e2b::BASE_TEMPLATE;
use lamplight_e2b::control::{ALL_TRAFFIC, Network as Asked, NewSandbox};
use lamplight_engine::{CommandError, LentSandbox, NewLent};

/// Seconds, where nobody says.
const FIRST_TIMEOUT: i64 = 15;
const SECOND_TIMEOUT: i64 = 300;

const KEY: &str = "idempotency-key";

pub(super) async fn first(State(app): State<App>, key: Key, request: Request) -> Result<Response, Refused> {
    handle(app, key, request, FIRST_TIMEOUT, false).await
}

/// Always secured.
pub(super) async fn second(State(app): State<App>, key: Key, request: Request) -> Result<Response, Refused> {
    handle(app, key, request, SECOND_TIMEOUT, true).await
}

async fn handle(
    app: App,
    key: Key,
    request: Request,
    timeout: i64,
    is_secure: bool,
) -> Result<Response, Refused> {
    let once = request.headers().get(KEY).map(|key| key.to_str().unwrap_or_default().to_owned());
    if once.as_deref().is_some_and(|key| !is_key(key)) {
        return Err(Refused::bad_request("Invalid Idempotency-Key"));
    }
    let asked: NewSandbox = body(request).await?;
    let person = key.person.name.clone();
    let new = wanted(key, asked, timeout, is_secure)?;
    let sandbox = match once {
        Some(once) => again(&app, &person, &once, new).await?,
        None => lend(&app, new).await?,
    };
    let place = [(header::LOCATION, format!("/sandboxes/{}", name_of(&sandbox.id)))];
    Ok((StatusCode::CREATED, place, Json(made(&app, &sandbox).await?)).into_response())
}

async fn again(app: &App, person: &str, once: &str, new: NewLent) -> Result<LentSandbox, Refused> {
    let known = app.e2b.idempotency.of(person, once);
    let id = known.get_or_try_init(async || Ok::<_, Refused>(lend(app, new).await?.id)).await?;
    app.engine.lent_sandbox(id).ok_or_else(|| Refused::new(StatusCode::CONFLICT, "that sandbox has ended"))
}

async fn lend(app: &App, new: NewLent) -> Result<LentSandbox, Refused> {
    let template = new.template.clone();
    app.engine.lend(new).await.map_err(|error| match error {
        CommandError::Invalid { code: "image_unknown", .. } => no_template(&template),
        other => other.into(),
    })
}

fn no_template(template: &str) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, format!("template '{template}' not found"))
}

fn wanted(key: Key, asked: NewSandbox, timeout: i64, is_secure: bool) -> Result<NewLent, Refused> {
    if asked.mcp.is_some_and(|mcp| !mcp.is_null()) {
        return Err(Refused::unsupported("mcp"));
    }
    if asked.iam.is_some() {
        return Err(Refused::unsupported("iam"));
    }
    if asked.volume_mounts.is_some_and(|mounts| !mounts.is_empty()) {
        return Err(Refused::unsupported("volumeMounts"));
    }
    let pauses_at_end = asked.auto_pause.unwrap_or(false);
    let keeps_memory = asked.auto_pause_memory.unwrap_or(true);
    let resumes = asked.auto_resume.is_some_and(|resume| resume.enabled);
    if !keeps_memory && !pauses_at_end {
        return Err(Refused::bad_request("autoPauseMemory=false only applies when autoPause is true."));
    }
    if !keeps_memory && resumes {
        return Err(Refused::bad_request(
            "autoPauseMemory=false (filesystem-only auto-pause) cannot be combined with autoResume: resume it by connecting.",
        ));
    }
    let (template, image) = match asked.template_id.as_str() {
        "" | BASE_TEMPLATE => (BASE_TEMPLATE.to_owned(), None),
        name => {
            let image = ImageChoice::try_from(name.to_owned()).map_err(|_| no_template(name))?;
            (name.to_owned(), Some(image))
        }
    };
    Ok(NewLent {
        person: key.person,
        template,
        image,
        time_ms: time(asked.timeout.unwrap_or(timeout))?,
        pauses_at_end,
        keeps_memory,
        resumes,
        metadata: asked.metadata.unwrap_or_default(),
        environment: asked.env_vars.unwrap_or_default(),
        network: network(asked.allow_internet_access, asked.network)?,
        is_secure: is_secure || asked.secure.unwrap_or(false),
    })
}

/// `None` is as the configuration says. What cannot be held is refused, so that nobody relies on it.
fn network(internet: Option<bool>, asked: Option<Asked>) -> Result<Option<Network>, Refused> {
    let asked = asked.unwrap_or_default();
    if asked.allow_public_traffic == Some(false) {
        return Err(Refused::unsupported("network.allowPublicTraffic=false"));
    }
    if asked.egress_proxy.is_some_and(|proxy| !proxy.is_null()) {
        return Err(Refused::unsupported("network.egressProxy"));
    }
    if asked.rules.is_some_and(|rules| rules.as_object().is_none_or(|rules| !rules.is_empty())) {
        return Err(Refused::unsupported("network.rules"));
    }
    if asked.mask_request_host.is_some() {
        return Err(Refused::unsupported("network.maskRequestHost"));
    }
    let denied = asked.deny_out.unwrap_or_default();
    let allowed = asked.allow_out.unwrap_or_default();
    let denies_all = internet == Some(false) || denied.iter().any(|one| one == ALL_TRAFFIC);
    if !denies_all {
        return match (denied.is_empty(), allowed.is_empty()) {
            (true, true) => Ok(None),
            (false, _) => Err(Refused::unsupported("network.denyOut other than 0.0.0.0/0")),
            (true, false) => Err(Refused::bad_request(
                "When specifying allowed domains in allow out, you must include 'ALL_TRAFFIC' in deny out to block all other traffic.",
            )),
        };
    }
    if allowed.is_empty() {
        return Ok(Some(Network::None));
    }
    let hosts = allowed.iter().map(|host| {
        HostPattern::try_from(host.clone())
            .map_err(|_| Refused::bad_request(format!("invalid allowed host {host}")))
    });
    Ok(Some(Network::Allowlist { hosts: hosts.collect::<Result<_, _>>()? }))
}
