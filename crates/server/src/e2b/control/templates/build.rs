//! `POST /v2/templates/{id}/builds/{build}`, and how it goes.

use super::super::logs::{Wanted, told_level};
use super::{MyBuild, body, called, moment, name_of, no_template, status_of, uuid_of};
use crate::e2b::answer::Refused;
use crate::http::App;
use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use lamplight_e2b::BASE_TEMPLATE;
use lamplight_e2b::control::{LogEntry, LogLevel};
use lamplight_e2b::template::{
    BuildInfo, BuildLog, BuildStart, ImageRegistry, MAX_LOGS, Reason, Step as Asked,
};
use lamplight_engine::{
    Base, BaseImage, FailedStep, JournalLine, LentTemplate, Recipe, RegistryLogin, Step, StepKind,
    TemplateState,
};

/// What SDKs begin with where nobody says, and others by the same people: here it is what the configuration says.
const THEIRS: &str = "e2bdev/";

pub(in super::super) async fn start(
    State(app): State<App>,
    MyBuild { key, build }: MyBuild,
    request: Request,
) -> Result<StatusCode, Refused> {
    let asked: BuildStart = body(request).await?;
    let login = asked.from_image_registry.map(login).transpose()?;
    let text = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let from = match (text(asked.from_template), text(asked.from_image)) {
        (Some(template), _) if template == BASE_TEMPLATE => Base::Configured,
        (Some(template), _) => {
            let found = app.engine.lent_template(&key.person.name, &called(&template)?);
            Base::Template(found.ok_or_else(|| no_template(&template))?.id)
        }
        (None, Some(image)) if image.starts_with(THEIRS) => Base::Configured,
        (None, Some(image)) => Base::Image(
            BaseImage::parse(&image, login)
                .map_err(|error| Refused::bad_request(format!("image '{image}': {error}")))?,
        ),
        (None, None) => Base::Configured,
    };
    let steps = asked.steps.unwrap_or_default().into_iter().map(step).collect::<Result<_, _>>()?;
    let (start, ready) = (text(asked.start_cmd), text(asked.ready_cmd));
    let recipe = Recipe { from, steps, start, ready, anew: asked.force.unwrap_or(false) };
    app.engine.build_lent_template(key.person, &build.id, recipe).await?;
    Ok(StatusCode::ACCEPTED)
}

/// As whom a registry is asked. Source of Google's user: cloud.google.com/artifact-registry/docs/docker/authentication, "Service account
/// key"; of Amazon's: docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html.
fn login(of: ImageRegistry) -> Result<RegistryLogin, Refused> {
    match of {
        ImageRegistry::Registry { username, password } => Ok(RegistryLogin { name: username, password }),
        ImageRegistry::Gcp { service_account_json } => {
            Ok(RegistryLogin { name: "_json_key".to_owned(), password: service_account_json })
        }
        ImageRegistry::Aws => Err(Refused::bad_request(
            "fromImageRegistry with keys of AWS is not supported by this server; give the image the user AWS, \
             and what `aws ecr get-login-password` prints as the password",
        )),
    }
}

fn step(asked: Asked) -> Result<Step, Refused> {
    let kind = asked.kind.to_ascii_uppercase();
    let mut args = asked.args.unwrap_or_default().into_iter();
    let mut next = || args.next().filter(|argument| !argument.is_empty());
    let missing = || Refused::bad_request(format!("a step {kind} lacks an argument"));
    let kind = match kind.as_str() {
        "RUN" => StepKind::Run { command: next().ok_or_else(missing)?, user: next() },
        "COPY" => StepKind::Copy {
            source: next().ok_or_else(missing)?,
            target: next().ok_or_else(missing)?,
            owner: next(),
            mode: next(),
            hash: asked
                .files_hash
                .ok_or_else(|| Refused::bad_request("COPY requires files hash to be set"))?,
        },
        "ENV" => {
            let all: Vec<String> = args.collect();
            let pairs = all.chunks(2).map(|pair| match pair {
                [name, value] => Ok((name.clone(), value.clone())),
                _ => Err(missing()),
            });
            StepKind::Environment(pairs.collect::<Result<_, _>>()?)
        }
        "WORKDIR" => StepKind::Folder(next().ok_or_else(missing)?),
        "USER" => StepKind::User(next().ok_or_else(missing)?),
        other => return Err(Refused::unsupported(&format!("a step {other}"))),
    };
    Ok(Step { kind, anew: asked.force.unwrap_or(false) })
}

/// Behind how many lines, how many, and of which level at least.
fn wanted(query: Option<String>) -> Result<(usize, usize, LogLevel), Refused> {
    let wanted = Wanted::of(query);
    let limit = wanted.number("limit")?.unwrap_or(MAX_LOGS).min(MAX_LOGS);
    Ok((wanted.number("logsOffset")?.unwrap_or(0), limit, wanted.level()?))
}

/// `GET /templates/{id}/builds/{build}/status`
pub(in super::super) async fn status(
    State(app): State<App>,
    MyBuild { build, .. }: MyBuild,
    RawQuery(query): RawQuery,
) -> Result<Json<BuildInfo>, Refused> {
    let (offset, limit, level) = wanted(query)?;
    let lines = app.engine.lent_build_journal(&build.id, offset, limit);
    // What it said before it ended is told before its end is.
    let build = app.engine.lent_build(&build.person, &build.id).unwrap_or(build);
    let entries: Vec<BuildLog> = lines.iter().map(entry).filter(|entry| entry.level >= level).collect();
    Ok(Json(BuildInfo {
        template_id: name_of(&build.family),
        build_id: uuid_of(&build.id),
        status: status_of(&build),
        logs: entries.iter().map(|entry| entry.message.clone()).collect(),
        reason: reason(&build),
        log_entries: entries,
    }))
}

#[derive(serde::Serialize)]
pub(in super::super) struct Logs {
    logs: Vec<LogEntry>,
}

/// `GET /templates/{id}/builds/{build}/logs`
pub(in super::super) async fn logs(
    State(app): State<App>,
    MyBuild { build, .. }: MyBuild,
    RawQuery(query): RawQuery,
) -> Result<Json<Logs>, Refused> {
    let (offset, limit, level) = wanted(query)?;
    let lines = app.engine.lent_build_journal(&build.id, offset, limit);
    let entries = lines.iter().map(entry).filter(|entry| entry.level >= level);
    Ok(Json(Logs { logs: entries.map(LogEntry::from).collect() }))
}

fn entry(line: &JournalLine) -> BuildLog {
    BuildLog {
        timestamp: moment(line.at.0),
        message: line.message.clone(),
        level: told_level(line.level),
        step: line.step.map(|step| step.to_string()),
    }
}

fn reason(build: &LentTemplate) -> Option<Reason> {
    let TemplateState::Failed { message, step } = &build.state else { return None };
    let step = match step {
        FailedStep::Base => "base".to_owned(),
        FailedStep::Step(number) => number.to_string(),
        FailedStep::Finish => "finalize".to_owned(),
    };
    Some(Reason { message: message.clone(), step })
}
