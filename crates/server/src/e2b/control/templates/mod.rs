//! Templates: asked for, given their files and their recipe, built, and called by names and tags.

mod build;
mod files;
mod tags;
mod told;

pub(super) use build::{logs, start, status};
pub(super) use files::{link, upload};
pub(super) use tags::{alias, assign, of_template, remove};
pub(super) use told::{list, show};

use super::super::answer::Refused;
use super::super::ids::{id_of_uuid, name_of, uuid_of};
use super::auth::Key;
use super::snapshots::called;
use super::{body, moment};
use crate::http::App;
use axum::Json;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use lamplight_domain::SandboxLimits;
use lamplight_e2b::template::{BuildStatus, NewTemplate, Requested};
use lamplight_engine::{LentTemplate, TemplateState};
use std::collections::HashMap;

/// `POST /v3/templates`
pub(super) async fn create(
    State(app): State<App>,
    key: Key,
    request: Request,
) -> Result<(StatusCode, Json<Requested>), Refused> {
    let asked: NewTemplate = body(request).await?;
    let name = asked.name.or(asked.alias).filter(|name| !name.is_empty());
    let name = name.as_deref().map(called).transpose()?;
    let tags = asked.tags.unwrap_or_default();
    for tag in &tags {
        called(&format!("x:{tag}")).map_err(|_| Refused::bad_request(format!("Invalid tag '{tag}'")))?;
    }
    let size = SandboxLimits {
        cpu_thousandths: asked.cpu_count.map(|count| count.saturating_mul(1000)),
        memory_bytes: asked.memory_mb.map(|megabytes| megabytes.saturating_mul(1 << 20)),
        ..SandboxLimits::default()
    };
    let made = app.engine.new_lent_template(&key.person.name, name, tags, size).await?;
    let names: Vec<String> = made.name.iter().cloned().collect();
    let requested = Requested {
        template_id: name_of(&made.family),
        build_id: uuid_of(&made.id),
        public: false,
        aliases: names.clone(),
        names,
        tags: made.tags,
    };
    Ok((StatusCode::ACCEPTED, Json(requested)))
}

/// A build of whoever asks.
pub(super) struct MyBuild {
    pub(super) key: Key,
    pub(super) build: LentTemplate,
}

impl FromRequestParts<App> for MyBuild {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let key = Key::from_request_parts(parts, app).await?;
        let path = axum::extract::Path::<HashMap<String, String>>::from_request_parts(parts, app).await?;
        let said = |part: &str| path.get(part).map(String::as_str).unwrap_or_default();
        let (template, build) = (said("id"), said("build"));
        let found = id_of_uuid(build).and_then(|id| app.engine.lent_build(&key.person.name, &id));
        let found = found.filter(|build| name_of(&build.family) == template);
        let none = || {
            Refused::new(StatusCode::NOT_FOUND, format!("build '{build}' of template '{template}' not found"))
        };
        found.map(|build| Self { key, build }).ok_or_else(none)
    }
}

fn no_template(said: &str) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, format!("template '{said}' not found"))
}

fn status_of(build: &LentTemplate) -> BuildStatus {
    match build.state {
        TemplateState::Waiting => BuildStatus::Waiting,
        TemplateState::Building => BuildStatus::Building,
        TemplateState::Ready => BuildStatus::Ready,
        TemplateState::Failed { .. } => BuildStatus::Error,
    }
}
