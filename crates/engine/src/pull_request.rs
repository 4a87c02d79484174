//! The session's branch where its repository comes from, and the pull request that shows it there.

use crate::config::Config;
use crate::error::{CommandError, StartError};
use crate::evidence::evidence;
use crate::forge::Subject;
use crate::session::Message;
use crate::{Engine, agents, clock, git, large_files, review};
use lamplight_domain::session::{Dollars, Report, SessionView};
use lamplight_domain::{Checked, Entry, Event, KnownSecret, PullRequest, Seq, SessionId};
use lamplight_integrations::github::{self, NewPullRequest, Scope};
use lamplight_integrations::{GitHub, GitHubError, Repository, Surroundings, section};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// What an App's key is called where it would have been.
pub(crate) const APP_KEY: &str = "private key of the GitHub App";
/// Of what the agent said last, in characters.
const ANSWER_CHARS: usize = 4_000;
/// Of a commit's first line, in characters.
const SUBJECT_CHARS: usize = 120;
/// Commits that are listed, the newest first.
const COMMITS: usize = 50;
/// What is read of the log's end to find the agent's last words.
const LAST_ENTRIES: usize = 512;
const LAST_BYTES: usize = 1 << 20;
/// Of what git says of a push, in bytes.
const SAID_BYTES: usize = 2_000;

impl Engine {
    /// Pushes the session's branch to where its repository comes from, and opens a draft pull request for it or brings the one that there
    /// is up to date. Doing it again does no harm.
    pub async fn publish(&self, id: &SessionId, by: String) -> Result<PullRequest, CommandError> {
        let view = self.view(id).await?;
        if view.commits.is_empty() {
            return Err(nothing_to_publish());
        }
        self.refuse_into_parent(&view).await?;
        let github = self.shared.github.as_ref().ok_or_else(no_token)?;
        let repository = origin(&view, github).await?;
        let Subject { closing, taken } = self.subject_of(id, &repository).await?;
        let view = match taken {
            Some(number) => {
                let view = self.with_what_is_there(view, github, &repository, number, by.clone()).await?;
                unprotected(github, &repository, &view.branch).await?;
                view
            }
            None => view,
        };
        let head = review::head(&view).await?.ok_or_else(nothing_to_publish)?;
        large_files::send(&self.shared, github, &repository, &view, &head).await?;
        push(&view, github, &repository, &head, taken).await?;
        let ours = self.description(&view, &head, closing).await?;
        let (shown, told) = self.show(&view, github, &repository, &ours, taken).await.map_err(in_words)?;
        let pull_request = PullRequest {
            repository: repository.to_string(),
            number: shown.number,
            url: shown.html_url,
            draft: shown.draft,
            checked: told_checks(&view, &head),
            head,
        };
        let report = Report::PullRequestPublished { pull_request: pull_request.clone(), by };
        self.shared.send(id, Message::Report(report)).await?;
        if let Some(text) = told {
            self.shared.send(id, Message::Facts(vec![Event::Noted { text }])).await?;
        }
        Ok(pull_request)
    }

    /// What people wrote into its text stays. Where it was opened now, the log may say more of it. One that was `taken` up is that one, and no
    /// other is opened.
    async fn show(
        &self,
        view: &SessionView,
        github: &GitHub,
        repository: &Repository,
        ours: &str,
        taken: Option<u64>,
    ) -> Result<(github::PullRequest, Option<String>), GitHubError> {
        let found = match taken {
            Some(number) => Some(github.pull_request(repository, number).await?),
            None => github.pull_request_of(repository, &view.branch).await?,
        };
        let (found, told) = match found {
            Some(found) => (found, None),
            None => {
                let body = section::replace("", ours);
                let new = NewPullRequest {
                    title: &view.title,
                    head: &view.branch,
                    base: &view.base,
                    body: &body,
                    draft: true,
                };
                self.open_pull_request(view, github, repository, &new).await?
            }
        };
        let text = found.body.clone().unwrap_or_default();
        let new = section::replace(&text, ours);
        if new == text {
            return Ok((found, told));
        }
        let described = github.describe_pull_request(repository, found.number, &new).await?;
        Ok((described, told))
    }

    /// What was done, and what it took.
    async fn description(
        &self,
        view: &SessionView,
        head: &str,
        closing: String,
    ) -> Result<String, CommandError> {
        let mut text = closing;
        let answer = self.last_words(view).await?;
        if !answer.trim().is_empty() {
            let _ = write!(text, "{}\n\n", section::quote(&answer, ANSWER_CHARS));
        }
        let repository = Path::new(&view.repository);
        for commit in view.commits.iter().rev().take(COMMITS) {
            let id = &commit.commit.id;
            let subject = git::line(repository, &["log", "-1", "--format=%s", id]).await?;
            let _ = writeln!(text, "- {id} {}", section::harmless(&subject, SUBJECT_CHARS));
        }
        if let Some(checked) = checked_at(view, head) {
            let _ = write!(text, "\n{}", evidence(checked));
        }
        let turns = if view.turn.0 == 1 { "1 turn".to_owned() } else { format!("{} turns", view.turn) };
        let cost = if view.cost.is_partial {
            format!("at least {}", Dollars(view.cost.micros))
        } else {
            Dollars(view.cost.micros).to_string()
        };
        let agent = agents::title(&self.shared, &view.agent);
        let model = view.model.as_ref().map(|model| format!(" with {model}")).unwrap_or_default();
        let _ = write!(
            text,
            "\nMade by {agent}{model} in {turns}, for {}; models cost {cost}. Lamplight session `{}`.",
            section::harmless(&view.person.name, SUBJECT_CHARS),
            view.id
        );
        Ok(text)
    }

    /// What the agent said since its last tool call.
    async fn last_words(&self, view: &SessionView) -> Result<String, CommandError> {
        let after = Seq(view.last_seq.0.saturating_sub(LAST_ENTRIES as u64));
        let mut answer = String::new();
        for (_, bytes) in self.shared.store.read(&view.id, after, LAST_ENTRIES, LAST_BYTES).await? {
            match serde_json::from_slice::<Entry>(&bytes).map_err(anyhow::Error::new)?.event {
                Event::AgentSpoke { text, .. } => answer.push_str(&text),
                Event::ToolCalled { .. } | Event::TurnStarted { .. } => answer.clear(),
                _ => {}
            }
        }
        Ok(answer)
    }
}

fn nothing_to_publish() -> CommandError {
    CommandError::invalid(
        "nothing_to_publish",
        "the branch has no commit of its own",
        "Wait for a turn that changes something.",
    )
}

/// What is known of the checks of this commit.
pub(crate) fn checked_at<'a>(view: &'a SessionView, commit: &str) -> Option<&'a Checked> {
    view.checked.as_ref().filter(|checked| checked.commit == commit)
}

/// Those whose end a pull request at this commit tells.
pub(crate) fn told_checks(view: &SessionView, commit: &str) -> Option<u32> {
    checked_at(view, commit).and_then(Checked::ended)
}

/// `None` without a token.
pub(crate) fn open(config: &Config) -> Result<Option<GitHub>, StartError> {
    let Some(github) = &config.github else { return Ok(None) };
    let redaction = config.redaction.clone();
    if let github::Access::App { key, .. } = &github.access {
        let value = key.trim().to_owned();
        redaction.learn([KnownSecret { name: APP_KEY.to_owned(), value }]);
    }
    let learn = move |token: &str| {
        redaction.learn([KnownSecret { name: "GitHub token".to_owned(), value: token.to_owned() }]);
    };
    let now_s = || u64::try_from(clock::now().0 / 1000).unwrap_or(0);
    let surroundings = Surroundings { now_s, learn: Arc::new(learn) };
    GitHub::new(github.clone(), surroundings).map(Some).map_err(|error| StartError::GitHub(error.into()))
}

/// The repository on GitHub that the person's own is a clone of.
async fn origin(view: &SessionView, github: &GitHub) -> Result<Repository, CommandError> {
    origin_of(Path::new(&view.repository), &view.base, github).await
}

/// The repository on GitHub that one here is a clone of, as the branch that is called `base` has it.
pub(crate) async fn origin_of(
    directory: &Path,
    base: &str,
    github: &GitHub,
) -> Result<Repository, CommandError> {
    let remote = git::line(directory, &["config", "--get", &format!("branch.{base}.remote")]).await;
    let remote = remote.ok().filter(|remote| !remote.is_empty()).unwrap_or_else(|| "origin".to_owned());
    let host = &github.config().host;
    let none = |why: String| {
        let what_to_do = format!(
            "Add a remote of the repository on {host}, or name another GitHub in the configuration ([github]); without one, \
             merge the branch where it is."
        );
        CommandError::invalid("no_forge", why, what_to_do)
    };
    let address = git::line(directory, &["remote", "get-url", &remote]).await;
    let address = address.map_err(|_| none(format!("the repository has no remote called {remote}")))?;
    match Repository::of_address(&address) {
        Some(repository) if repository.host == *host => Ok(repository),
        Some(repository) => Err(none(format!("{remote} is on {}, not on {host}", repository.host))),
        None => Err(none(format!("{remote} is no repository on {host}"))),
    }
}

/// Somebody's branch, to which whoever asked could push this as well. It may be protected since the work began.
async fn unprotected(github: &GitHub, repository: &Repository, branch: &str) -> Result<(), CommandError> {
    if !github.is_protected(repository, branch).await.map_err(in_words)? {
        return Ok(());
    }
    Err(CommandError::invalid(
        "branch_protected",
        format!("{branch} is protected on GitHub, and nothing is pushed there for somebody else"),
        "Take the commits from the session to a branch of your own, or ask on an issue.",
    ))
}

/// Where the session went back to an earlier checkpoint, the branch there is behind another commit than ours: it is replaced only if it is still
/// what we last put there. Of a branch that was `taken` up from somebody nothing is replaced, ever.
async fn push(
    view: &SessionView,
    github: &GitHub,
    repository: &Repository,
    head: &str,
    taken: Option<u64>,
) -> Result<(), CommandError> {
    let address = github.git_address(repository);
    let reference = format!("refs/heads/{}", view.branch);
    let what = format!("{head}:{reference}");
    let published = view.pull_request.as_ref().filter(|shown| shown.repository == repository.to_string());
    let lease = published
        .filter(|_| taken.is_none())
        .map(|shown| format!("--force-with-lease={reference}:{}", shown.head));
    let token = github.token(repository, Scope::Push).await.map_err(in_words)?;
    let mut said = String::new();
    for force in std::iter::once(None).chain(lease.as_deref().map(Some)) {
        let arguments: Vec<&str> =
            ["push", "--quiet"].into_iter().chain(force).chain([address.as_str(), &what]).collect();
        let place = git::Place { address: &github.config().git, token: &token };
        let output = git::elsewhere(Path::new(&view.repository), &place, &arguments).await?;
        if output.status.success() {
            return Ok(());
        }
        said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !said.contains("[rejected]") {
            break;
        }
    }
    said.truncate(said.floor_char_boundary(SAID_BYTES));
    let what_to_do = if said.contains("[rejected]") {
        format!("Somebody else pushed to {}. Look at what is there; nothing of it was replaced.", view.branch)
    } else {
        format!("See that the token may push to {repository}, and try again.")
    };
    Err(CommandError::invalid("push_refused", format!("the branch could not be pushed: {said}"), what_to_do))
}

pub(crate) fn no_token() -> CommandError {
    CommandError::invalid(
        "no_forge",
        "there is no token for GitHub",
        "Start the server with GITHUB_TOKEN set to a token that may push and open pull requests; see docs/configuration.md, [github].",
    )
}

pub(crate) fn in_words(error: GitHubError) -> CommandError {
    let (code, what_to_do) = match &error {
        GitHubError::Unauthorized { .. } => {
            ("github_unauthorized", "Start the server with a token that is valid.")
        }
        GitHubError::AppUnauthorized { .. } => {
            ("github_unauthorized", "Look at github.app_id, the key, and the clock of this machine.")
        }
        GitHubError::NotInstalled { .. } => {
            ("github_not_installed", "Install the App on the repository, in its settings on GitHub.")
        }
        GitHubError::Forbidden { .. } => {
            ("github_forbidden", "Give the token the rights to write contents and pull requests.")
        }
        GitHubError::NotFound { .. } => {
            ("github_not_found", "See that the remote's address is right and that the token may see it.")
        }
        GitHubError::Limited { .. } => ("github_limited", "Wait, and try again."),
        GitHubError::Refused { .. } => ("github_refused", "See what GitHub says, and try again."),
        GitHubError::Unreachable { .. } => {
            ("github_unreachable", "Try again; what was done already is found, and not done twice.")
        }
    };
    CommandError::invalid(code, error.to_string(), what_to_do)
}
