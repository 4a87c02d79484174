//! `GET /templates`, `GET /v2/templates` and `GET /templates/{id}`

use super::super::Machine;
use super::{Key, called, moment, name_of, no_template, status_of, uuid_of};
use crate::e2b::answer::Refused;
use crate::http::App;
use axum::Json;
use axum::extract::{Path, State};
use lamplight_e2b::ENVD_VERSION;
use lamplight_e2b::template::Listed;
use lamplight_engine::LentTemplate;

/// Those that were built, the newest of each name.
pub(in super::super) async fn list(State(app): State<App>, key: Key) -> Json<Vec<Listed>> {
    let all = app.engine.lent_templates(&key.person.name);
    let mut told: Vec<Listed> = Vec::new();
    for one in all.iter().filter(|one| one.of.is_none()) {
        let id = name_of(&one.family);
        if !told.iter().any(|listed| listed.template_id == id) {
            told.push(listed(one, &all));
        }
    }
    Json(told)
}

pub(in super::super) async fn show(
    State(app): State<App>,
    key: Key,
    Path(name): Path<String>,
) -> Result<Json<Listed>, Refused> {
    let (wanted, all) = (called(&name)?.name, app.engine.lent_templates(&key.person.name));
    let one = all.iter().find(|one| one.is_called(&wanted)).ok_or_else(|| no_template(&name))?;
    Ok(Json(listed(one, &all)))
}

fn listed(one: &LentTemplate, all: &[LentTemplate]) -> Listed {
    let machine = Machine::whole();
    let family = all.iter().filter(|other| other.family == one.family);
    let names: Vec<String> = one.name.iter().cloned().collect();
    let first = family.clone().map(|other| other.made_at).min().unwrap_or(one.made_at);
    Listed {
        template_id: name_of(&one.family),
        build_id: uuid_of(&one.id),
        build_status: status_of(one),
        build_count: family.count(),
        public: false,
        aliases: names.clone(),
        names,
        created_at: moment(first.0),
        updated_at: moment(one.made_at.0),
        cpu_count: machine.processors,
        memory_mb: machine.memory_bytes >> 20,
        disk_size_mb: 0,
        envd_version: ENVD_VERSION.to_owned(),
        spawn_count: 0,
        last_spawned_at: None,
        created_by: None,
    }
}
