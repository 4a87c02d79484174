//! What a run asks of its session.

use super::{Automation, Cause};
use crate::engine::Engine;
use crate::error::CommandError;
use crate::forge::{self, OURS, Trouble};
use crate::{NewSession, git};
use lamplight_domain::{Person, Role, SandboxLimits, SessionId, SomeLimits};
use lamplight_integrations::github::{Happened, Happening, Issue};
use lamplight_integrations::{GitHub, GitHubError, Repository};
use std::path::Path;

/// Why there is no session of it.
pub(super) enum NotMade {
    /// There is nothing to do.
    Skipped(String),
    Trouble(Trouble),
}

impl From<GitHubError> for NotMade {
    fn from(error: GitHubError) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<CommandError> for NotMade {
    fn from(error: CommandError) -> Self {
        Self::Trouble(error.into())
    }
}

/// Where a session begins, and what it is told.
struct Place {
    repository: String,
    base: Option<String>,
    prompt: String,
}

pub(super) async fn session(
    engine: &Engine,
    automation: &Automation,
    cause: &Cause,
    id: &SessionId,
    (person, role): (Option<Person>, Role),
) -> Result<NewSession, NotMade> {
    let task = automation.task.clone();
    let place = match (&automation.forge, cause) {
        (None, _) => Place { repository: automation.repository.clone(), base: task.base, prompt: task.text },
        (Some(forge), Cause::Happened { happening }) => {
            happened(engine, automation, forge, happening, id).await?
        }
        (Some(forge), Cause::Due | Cause::Asked { .. }) => {
            let (github, repository) = there(engine, forge)?;
            let base = match automation.trigger.branch() {
                Some(branch) => branch.to_owned(),
                None => usual_base(automation, github, &repository).await?,
            };
            brought(engine, github, &repository, base, task.text).await?
        }
    };
    Ok(NewSession {
        repository: place.repository,
        prompt: place.prompt,
        attachments: Vec::new(),
        title: Some(automation.name.clone()),
        base: place.base,
        branch: None,
        agent: task.agent,
        model: task.model,
        permissions: None,
        limits: SomeLimits { budget_micros: task.budget_micros, ..SomeLimits::default() },
        network: task.network,
        image: None,
        sandbox: SandboxLimits::default(),
        person,
        role,
        fork: None,
        parent: None,
    })
}

fn there<'a>(engine: &'a Engine, forge: &str) -> Result<(&'a GitHub, Repository), NotMade> {
    let lasting = |why: &str| NotMade::Trouble(Trouble::Lasting(why.to_owned()));
    let github = engine.shared.github.as_ref().ok_or_else(|| lasting("GitHub is not configured any more"))?;
    let repository =
        github.repository(forge).ok_or_else(|| lasting("the repository has no name that can be"))?;
    Ok((github, repository))
}

async fn usual_base(
    automation: &Automation,
    github: &GitHub,
    repository: &Repository,
) -> Result<String, GitHubError> {
    match &automation.task.base {
        Some(base) => Ok(base.clone()),
        None => Ok(github.facts(repository).await?.default_branch),
    }
}

/// With the branch as it is on GitHub now.
async fn brought(
    engine: &Engine,
    github: &GitHub,
    repository: &Repository,
    base: String,
    prompt: String,
) -> Result<Place, CommandError> {
    if base.starts_with(OURS) {
        let why = format!("{base} is the branch of a session");
        return Err(CommandError::invalid("branch_invalid", why, "Name a branch of somebody's."));
    }
    let path = forge::bring(&engine.shared, github, repository, &base).await?;
    Ok(Place { repository: path.to_string_lossy().into_owned(), base: Some(base), prompt })
}

/// Only who may push there is heard, as with all that comes from there.
async fn happened(
    engine: &Engine,
    automation: &Automation,
    forge: &str,
    happening: &Happening,
    id: &SessionId,
) -> Result<Place, NotMade> {
    let (github, repository) = there(engine, forge)?;
    if let Some(by) = &happening.by
        && !github.may_write(&repository, &by.login).await?
    {
        return Err(NotMade::Skipped(format!("{} may not write to {repository}", by.login)));
    }
    let what = format!("{} ({repository}).", Cause::Happened { happening: happening.clone() });
    let told = |quoted: &[(String, String)]| forge::happened_prompt(&automation.task.text, &what, quoted, id);
    match &happening.what {
        Happened::Pushed { branch, .. } => {
            Ok(brought(engine, github, &repository, branch.clone(), told(&[])).await?)
        }
        Happened::IssueOpened { number } | Happened::IssueLabelled { number, .. } => {
            let base = usual_base(automation, github, &repository).await?;
            let issue = github.issue(&repository, *number).await?;
            Ok(brought(engine, github, &repository, base, told(&[quoted("issue", &issue)])).await?)
        }
        Happened::PullRequestOpened { number } => {
            let pull = github.pull_request(&repository, *number).await?;
            if !pull.is_of(&repository) {
                let why = "the pull request comes from a fork, whose branch this server cannot push to";
                return Err(NotMade::Skipped(why.to_owned()));
            }
            if pull.head.branch.starts_with(OURS) {
                return Err(NotMade::Skipped("the pull request is of a session".to_owned()));
            }
            let issue = github.issue(&repository, *number).await?;
            let prompt = told(&[quoted("pull request", &issue)]);
            Ok(brought(engine, github, &repository, pull.head.branch, prompt).await?)
        }
        Happened::ChecksFailed { branch, commit } => {
            let place = brought(engine, github, &repository, branch.clone(), String::new()).await?;
            // A branch of a fork can have the same name.
            let (path, tip) = (Path::new(&place.repository), format!("refs/heads/{branch}"));
            let looked = git::output(path, &["merge-base", "--is-ancestor", commit, &tip]).await;
            if !looked.map_err(CommandError::from)?.status.success() {
                return Err(NotMade::Skipped(format!("{commit:.10} is not on {branch}")));
            }
            let checks = github.checks(&repository, commit).await?;
            let failed = checks.iter().filter(|check| check.is_done() && check.has_failed());
            let failed = forge::checks_told(failed);
            if failed.is_empty() {
                return Err(NotMade::Skipped("no check of the commit has failed any more".to_owned()));
            }
            Ok(Place { prompt: told(&failed), ..place })
        }
    }
}

fn quoted(what: &str, issue: &Issue) -> (String, String) {
    let by = issue.user.as_ref().map_or("somebody", |user| user.login.as_str());
    let title = issue.title.replace(['\n', '\r'], " ");
    let body = issue.body.as_deref().unwrap_or_default();
    (format!("{what} #{}, by {by}", issue.number), format!("Title: {title}\n\n{body}"))
}
