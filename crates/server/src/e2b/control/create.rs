//! `POST /sandboxes` and `POST /v2/sandboxes`

use super::super::answer::Refused;
use super::super::idempotency::is_key;
use super::super::interpreter;
use super::auth::Key;
use super::network::network;
use super::{body, made, name_of, time};
use crate::http::App;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lamplight_domain::ImageChoice;
use lamplight_e2b::control::NewSandbox;
use lamplight_e2b::{BASE_TEMPLATE, CODE_INTERPRETER};
use lamplight_engine::{Begins, CommandError, LentSandbox, LentTemplate, NewLent, TemplateName};

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
    let new = wanted(&app, key, asked, timeout, is_secure)?;
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

fn wanted(app: &App, key: Key, asked: NewSandbox, timeout: i64, is_secure: bool) -> Result<NewLent, Refused> {
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
    let (template, begun) = begun(app, &key, &asked.template_id)?;
    Ok(NewLent {
        person: key.person,
        template,
        image: begun.image,
        from: begun.template.map(|template| template.id),
        begins: begun.begins,
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

/// What a sandbox begins with.
#[derive(Default)]
struct Begun {
    template: Option<LentTemplate>,
    image: Option<ImageChoice>,
    begins: Begins,
}

/// By what a template is called: one that was built or kept here, or an image of this installation.
fn begun(app: &App, key: &Key, called: &str) -> Result<(String, Begun), Refused> {
    if matches!(called, "" | BASE_TEMPLATE) {
        return Ok((BASE_TEMPLATE.to_owned(), Begun::default()));
    }
    let template =
        TemplateName::parse(called).and_then(|name| app.engine.lent_template(&key.person.name, &name));
    let begun = match template {
        Some(template) => Begun { template: Some(template), ..Begun::default() },
        None if called == CODE_INTERPRETER => Begun { begins: interpreter::begins(), ..Begun::default() },
        None => {
            let image = ImageChoice::try_from(called.to_owned()).map_err(|_| no_template(called))?;
            Begun { image: Some(image), ..Begun::default() }
        }
    };
    Ok((called.to_owned(), begun))
}
