//! Names and tags of templates.

use super::{Key, body, called, moment, name_of, no_template, uuid_of};
use crate::e2b::answer::Refused;
use crate::http::App;
use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use lamplight_e2b::template::{Alias, Tag, Tagged, TagsRequest};
use lamplight_engine::{LentTemplate, TemplateName, TemplateState};

/// `GET /templates/aliases/{alias}`
pub(in super::super) async fn alias(
    State(app): State<App>,
    key: Key,
    Path(alias): Path<String>,
) -> Result<Json<Alias>, Refused> {
    let ready = family(&app, &key, &called(&alias)?);
    let one = ready.first().ok_or_else(|| no_template(&alias))?;
    Ok(Json(Alias { template_id: name_of(&one.family), public: false }))
}

/// `POST /templates/tags`
pub(in super::super) async fn assign(
    State(app): State<App>,
    key: Key,
    request: Request,
) -> Result<(StatusCode, Json<Tagged>), Refused> {
    let asked: TagsRequest = body(request).await?;
    let target = called(&asked.target)?;
    check(&asked.tags)?;
    let tagged = app.engine.tag_lent_template(&key.person.name, &target, asked.tags).await?;
    let tagged = tagged.ok_or_else(|| no_template(&asked.target))?;
    Ok((StatusCode::CREATED, Json(Tagged { tags: tagged.tags, build_id: uuid_of(&tagged.id) })))
}

/// `DELETE /templates/tags`
pub(in super::super) async fn remove(
    State(app): State<App>,
    key: Key,
    request: Request,
) -> Result<StatusCode, Refused> {
    let asked: TagsRequest = body(request).await?;
    let name = called(&asked.name)?.name;
    check(&asked.tags)?;
    match app.engine.untag_lent_templates(&key.person.name, &name, &asked.tags).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_template(&asked.name)),
    }
}

/// `GET /templates/{id}/tags`
pub(in super::super) async fn of_template(
    State(app): State<App>,
    key: Key,
    Path(name): Path<String>,
) -> Result<Json<Vec<Tag>>, Refused> {
    let ready = family(&app, &key, &called(&name)?);
    if ready.is_empty() {
        return Err(no_template(&name));
    }
    let told = |one: &LentTemplate| {
        let (build_id, created_at) = (uuid_of(&one.id), moment(one.made_at.0));
        let tag = move |tag: &String| Tag {
            tag: tag.clone(),
            build_id: build_id.clone(),
            created_at: created_at.clone(),
        };
        one.tags.iter().map(tag).collect::<Vec<_>>()
    };
    Ok(Json(ready.iter().flat_map(told).collect()))
}

fn check(tags: &[String]) -> Result<(), Refused> {
    let is_tag = |tag: &String| TemplateName::parse(&format!("x:{tag}")).is_some();
    match tags.iter().find(|tag| !is_tag(tag)) {
        _ if tags.is_empty() => Err(Refused::bad_request("no tag is named")),
        Some(wrong) => Err(Refused::bad_request(format!("Invalid tag '{wrong}'"))),
        None => Ok(()),
    }
}

/// All that are ready, of one name or id.
pub(super) fn family(app: &App, key: &Key, name: &TemplateName) -> Vec<LentTemplate> {
    let is_it = |one: &LentTemplate| {
        one.is_called(&name.name)
            && one.state == TemplateState::Ready
            && name.tag.as_ref().is_none_or(|tag| one.tags.contains(tag))
    };
    app.engine.lent_templates(&key.person.name).into_iter().filter(is_it).collect()
}
