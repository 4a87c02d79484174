//! What somebody asked for does not go on when they may not use the repository any more.
//!
//! It is looked at when something about people changes, and as often as GitHub is asked again. While nobody can say whether they may, it
//! goes on.

use super::super::App;
use super::rights::member_may;
use lamplight_domain::Role;
use lamplight_domain::session::SessionView;
use lamplight_engine::people::PersonRow;
use lamplight_engine::{CommandError, Right};
use std::collections::BTreeSet;

/// Until the server goes away.
pub(in crate::http) async fn watch(app: App) {
    let mut changes = app.engine.people_changes();
    loop {
        changes.mark_unchanged();
        tokio::select! {
            () = look(&app) => {}
            () = app.going_away.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(app.config.auth.look()) => {}
            changed = changes.changed() => if changed.is_err() { return },
            () = app.going_away.cancelled() => return,
        }
    }
}

async fn look(app: &App) {
    for view in app.engine.at_work().await {
        let names = view.turn_by.iter().chain(view.queued.iter().map(|queued| &queued.by));
        for by in names.collect::<BTreeSet<_>>() {
            let lost = match lost(app, &view, by).await {
                Ok(lost) => lost,
                Err(error) => {
                    tracing::info!(session.id = %view.id, %error, "whether a turn may go on cannot be asked; it does");
                    None
                }
            };
            if let Some(detail) = lost {
                tracing::info!(session.id = %view.id, by, "what somebody asked for is stopped: {detail}");
                if let Err(error) = app.engine.lose_right(&view.id, by.clone(), detail).await {
                    tracing::warn!(session.id = %view.id, %error, "it could not be stopped");
                }
            }
        }
    }
}

/// Why what was asked for under this name may not go on. What asks for itself, such as checks, asks for whoever began the session. A child
/// was begun where the first of its family was.
async fn lost(app: &App, view: &SessionView, by: &str) -> Result<Option<String>, CommandError> {
    let root = view.root();
    let began_there = app.engine.began_on_github(root).await?;
    let mut person = None;
    if app.config.auth.required {
        person = app.engine.person_named(by).await?;
        if person.is_none() && !began_there {
            person = app.engine.person_named(&view.person.name).await?;
        }
    }
    let lost = match &person {
        Some(person) => person_lost(app, person, &view.repository).await?,
        None if began_there => Some(String::new()),
        None => None,
    };
    if lost.is_none() || !began_there {
        return Ok(lost);
    }
    // Names of GitHub's are not names of people here: it may have been somebody else.
    let login = if is_login(by) { by.to_owned() } else { app.engine.view(root).await?.person.name };
    match app.engine.may_write_there(root, &login).await? {
        Some(false) => Ok(Some(format!("GitHub says that {login} may not write to the repository any more"))),
        Some(true) | None => Ok(None),
    }
}

/// Why somebody may not begin or steer sessions of a repository any more.
pub(super) async fn person_lost(
    app: &App,
    person: &PersonRow,
    repository: &str,
) -> Result<Option<String>, CommandError> {
    let name = &person.name;
    if person.removed_at.is_some() {
        return Ok(Some(format!("{name} was removed")));
    }
    match person.role {
        Role::Admin | Role::Owner => Ok(None),
        Role::Viewer => Ok(Some(format!("{name} may only look now"))),
        Role::Member => match member_may(app, person, repository, Right::Use).await {
            Ok(()) => Ok(None),
            Err(problem) if problem.code == "repository_not_allowed" => {
                Ok(Some(format!("{name} may not use the repository any more")))
            }
            Err(problem) => Err(CommandError::Failed(anyhow::anyhow!("{}", problem.detail))),
        },
    }
}

/// Source: docs.github.com, "Username considerations".
fn is_login(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}
