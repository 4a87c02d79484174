//! Who may use which repository.

use super::super::App;
use super::super::problem::Problem;
use super::Caller;
use axum::http::StatusCode;
use lamplight_engine::people::Known;
use std::path::Path;

/// Refuses unless they may use the repository that this path is in, as somebody wrote it.
pub(crate) async fn may_begin(app: &App, caller: &Caller, repository: &str) -> Result<(), Problem> {
    if caller.is_admin() {
        return Ok(());
    }
    match app.engine.repository_at(repository).await {
        Ok(path) => may_use(app, caller, &path.to_string_lossy()),
        // Whether there is one is not for those who may not use it.
        Err(_) => Err(not_allowed(repository)),
    }
}

/// Refuses unless they may use the repository of a session: admins may use any, others those of the configuration that name
/// nobody, or them.
pub(crate) fn may_use(app: &App, caller: &Caller, repository: &str) -> Result<(), Problem> {
    let allowed = caller.is_admin()
        || caller.known().is_some_and(|known| by_configuration(app, known, Path::new(repository)));
    if allowed { Ok(()) } else { Err(not_allowed(repository)) }
}

fn by_configuration(app: &App, known: &Known, path: &Path) -> bool {
    let is_it = |ours: &Path| ours == path || ours.canonicalize().is_ok_and(|ours| ours == path);
    let Some(repository) = app.config.repositories.iter().find(|repository| is_it(&repository.path)) else {
        return false;
    };
    let is_them = |who: &String| {
        [&known.person.name, &known.person.email].iter().any(|own| own.eq_ignore_ascii_case(who))
    };
    repository.people.as_ref().is_none_or(|people| people.iter().any(is_them))
}

fn not_allowed(repository: &str) -> Problem {
    let detail = format!("you may not use the repository {repository} here, if there is one");
    let what_to_do = "Ask an admin to name it, and you, under [[repositories]] in the configuration.";
    Problem::new(StatusCode::FORBIDDEN, "repository_not_allowed", detail, what_to_do)
}
