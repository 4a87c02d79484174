//! Who may use which repository, and who may see its sessions.

use super::super::App;
use super::super::problem::Problem;
use super::Caller;
use axum::http::StatusCode;
use lamplight_engine::Right;
use lamplight_engine::people::PersonRow;
use std::path::Path;

/// Refuses unless they may use the repository that this path is in, as somebody wrote it.
pub(crate) async fn may_begin(app: &App, caller: &Caller, repository: &str) -> Result<(), Problem> {
    if caller.is_admin() {
        return Ok(());
    }
    match app.engine.repository_at(repository).await {
        Ok(path) => may_use(app, caller, &path.to_string_lossy()).await,
        // Whether there is one is not for those who may not use it.
        Err(_) => Err(not_allowed(repository)),
    }
}

/// Refuses unless they may use the repository of a session.
pub(crate) async fn may_use(app: &App, caller: &Caller, repository: &str) -> Result<(), Problem> {
    may(app, caller, repository, Right::Use).await
}

/// Refuses unless they may see the sessions of a repository.
pub(crate) async fn may_see(app: &App, caller: &Caller, repository: &str) -> Result<(), Problem> {
    may(app, caller, repository, Right::See).await
}

/// Only what they may see.
pub(crate) async fn seen<T>(
    app: &App,
    caller: &Caller,
    all: Vec<T>,
    repository: impl Fn(&T) -> Option<&str>,
) -> Vec<T> {
    let mut those = Vec::with_capacity(all.len());
    for one in all {
        let is_seen = match repository(&one) {
            Some(repository) => may_see(app, caller, repository).await.is_ok(),
            None => true,
        };
        if is_seen {
            those.push(one);
        }
    }
    those
}

/// Admins may use any repository. Of one on GitHub, where people sign in by that, others may what they may there, or what the
/// configuration says of them by name. Of any other they may use those of the configuration that name nobody, or them; and see all.
pub(super) async fn may(app: &App, caller: &Caller, repository: &str, wanted: Right) -> Result<(), Problem> {
    if caller.is_admin() {
        return Ok(());
    }
    let Some(known) = caller.known() else { return Err(not_allowed(repository)) };
    member_may(app, &known.person, repository, wanted).await
}

/// The same of somebody who is no admin.
pub(super) async fn member_may(
    app: &App,
    person: &PersonRow,
    repository: &str,
    wanted: Right,
) -> Result<(), Problem> {
    let path = Path::new(repository);
    let listed = by_configuration(app, person, path);
    if listed == Listed::ByName {
        return Ok(());
    }
    match app.engine.right_on_github(&person.id, path).await? {
        Some(right) if right >= wanted => Ok(()),
        Some(_) => Err(not_allowed_there(repository)),
        None if wanted <= Right::See || listed == Listed::ForAll => Ok(()),
        None => Err(not_allowed(repository)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    Not,
    ForAll,
    ByName,
}

fn by_configuration(app: &App, person: &PersonRow, path: &Path) -> Listed {
    let is_it = |ours: &Path| ours == path || ours.canonicalize().is_ok_and(|ours| ours == path);
    let Some(repository) = app.config.repositories.iter().find(|repository| is_it(&repository.path)) else {
        return Listed::Not;
    };
    let is_them =
        |who: &String| [&person.name, &person.email].iter().any(|own| own.eq_ignore_ascii_case(who));
    match &repository.people {
        None => Listed::ForAll,
        Some(people) if people.iter().any(is_them) => Listed::ByName,
        Some(_) => Listed::Not,
    }
}

fn not_allowed(repository: &str) -> Problem {
    let detail = format!("you may not use the repository {repository} here, if there is one");
    let what_to_do = "Ask an admin to name it, and you, under [[repositories]] in the configuration.";
    Problem::new(StatusCode::FORBIDDEN, "repository_not_allowed", detail, what_to_do)
}

fn not_allowed_there(repository: &str) -> Problem {
    let detail = format!("GitHub does not say that you may do this with {repository}");
    let what_to_do = "Sign in here with GitHub, and ask there for the right to write to the repository.";
    Problem::new(StatusCode::FORBIDDEN, "repository_not_allowed", detail, what_to_do)
}
