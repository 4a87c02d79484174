//! Against a GitHub that is as strict as the real one.

mod apps;
mod conformance;
mod conversations;
mod faults;
mod leniencies;
mod peers;

use lamplight_fake_github::{FakeGitHub, Fault, Moment};
use lamplight_integrations::github::NewPullRequest;
use lamplight_integrations::{Access, GitHub, GitHubConfig, GitHubError, Repository, Surroundings};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ";

struct Stage {
    fake: FakeGitHub,
    github: GitHub,
    repository: Repository,
    _root: TempDir,
}

/// A repository `acme/api` with a branch `work` that is one commit ahead of `main`.
async fn stage(token: &str) -> Stage {
    stage_of(Access::Token(token.to_owned())).await
}

fn surroundings() -> Surroundings {
    Surroundings { now_s, learn: Arc::new(|_| {}) }
}

#[expect(clippy::disallowed_methods, reason = "the client is told the time")]
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

async fn stage_of(access: Access) -> Stage {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("acme/api.git");
    std::fs::create_dir_all(&directory).unwrap();
    git(&directory, &["init", "--quiet", "--bare", "--initial-branch", "main"]);
    let tree = git(&directory, &["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let first = git(&directory, &["commit-tree", &tree, "-m", "first"]);
    let second = git(&directory, &["commit-tree", &tree, "-p", &first, "-m", "second"]);
    git(&directory, &["update-ref", "refs/heads/main", &first]);
    git(&directory, &["update-ref", "refs/heads/work", &second]);
    let fake = FakeGitHub::start_apart(root.path(), TOKEN).await.unwrap();
    let (host, api, graphql, git) = ("github.com".to_owned(), fake.api(), fake.graphql(), fake.git());
    let config = GitHubConfig { host, api, graphql, git, access };
    let repository = Repository::of_address("https://github.com/acme/api").unwrap();
    Stage { fake, github: GitHub::new(config, surroundings()).unwrap(), repository, _root: root }
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
    let output = Command::new("git").arg("-C").arg(directory).args(person).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn of(head: &str) -> NewPullRequest<'_> {
    NewPullRequest { title: "Title", head, base: "main", body: "Body", draft: true }
}

impl Stage {
    fn writes(&self) -> usize {
        self.fake.requests().iter().filter(|request| request.starts_with("POST")).count()
    }
}

#[tokio::test]
async fn one_is_opened_as_a_draft_and_then_found() {
    let Stage { fake, github, repository, .. } = &stage(TOKEN).await;
    assert_eq!(github.pull_request_of(repository, "work").await.unwrap(), None);
    let opened = github.open_pull_request(repository, &of("work")).await.unwrap();
    assert!(opened.draft);
    assert_eq!(github.pull_request_of(repository, "work").await.unwrap().as_ref(), Some(&opened));
    let again = github.open_pull_request(repository, &of("work")).await.unwrap();
    assert_eq!((again.number, fake.pulls("acme/api").len()), (opened.number, 1));
    let told = github.describe_pull_request(repository, opened.number, "New").await.unwrap();
    assert_eq!((told.body.as_deref(), told.draft), (Some("New"), true));
}

#[tokio::test]
async fn where_there_are_no_drafts_it_is_opened_all_the_same() {
    let Stage { fake, github, repository, .. } = &stage(TOKEN).await;
    fake.have_no_drafts();
    assert!(!github.open_pull_request(repository, &of("work")).await.unwrap().draft);
}

#[tokio::test]
async fn a_write_of_which_nobody_knows_whether_it_was_done_is_looked_for_and_not_repeated() {
    let stage = stage(TOKEN).await;
    let Stage { fake, github, repository, .. } = &stage;
    let post = |moment| Fault { method: "POST".parse().unwrap(), path: "/pulls", moment };
    fake.plan(post(Moment::ThenDropped));
    let opened = github.open_pull_request(repository, &of("work")).await.unwrap();
    assert_eq!((opened.number, fake.pulls("acme/api").len(), stage.writes()), (1, 1, 1));
}

#[tokio::test]
async fn a_write_that_was_not_done_is_an_error() {
    let stage = stage(TOKEN).await;
    let Stage { fake, github, repository, .. } = &stage;
    fake.plan(Fault { method: "POST".parse().unwrap(), path: "/pulls", moment: Moment::Instead(502) });
    let error = github.open_pull_request(repository, &of("work")).await.unwrap_err();
    assert!(matches!(error, GitHubError::Unreachable { .. }), "{error}");
    assert_eq!((fake.pulls("acme/api").len(), stage.writes()), (0, 1));
}

#[tokio::test]
async fn reading_is_tried_again_after_what_passes() {
    let Stage { fake, github, repository, .. } = &stage(TOKEN).await;
    let get = |moment| Fault { method: "GET".parse().unwrap(), path: "/pulls", moment };
    for moment in [Moment::Instead(500), Moment::ThenDropped, Moment::SecondaryLimit { retry_after_s: 1 }] {
        fake.plan(get(moment));
        assert_eq!(github.pull_request_of(repository, "work").await.unwrap(), None, "{moment:?}");
    }
    fake.plan(get(Moment::SecondaryLimit { retry_after_s: 3600 }));
    let error = github.pull_request_of(repository, "work").await.unwrap_err();
    assert!(matches!(error, GitHubError::Limited { seconds: Some(3600), .. }), "{error}");
    for _ in 0..4 {
        fake.plan(get(Moment::Instead(503)));
    }
    let error = github.pull_request_of(repository, "work").await.unwrap_err();
    assert!(matches!(error, GitHubError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn what_is_refused_is_told_in_githubs_words() {
    let Stage { github, repository, .. } = &stage(TOKEN).await;
    let told = |error: GitHubError| error.to_string();
    let error = told(github.open_pull_request(repository, &of("main")).await.unwrap_err());
    assert!(error.contains("No commits between main and main"), "{error}");
    let error = told(github.open_pull_request(repository, &of("none")).await.unwrap_err());
    assert!(error.contains("head invalid"), "{error}");
    let other = Repository { name: "none".to_owned(), ..repository.clone() };
    let error = github.pull_request_of(&other, "work").await.unwrap_err();
    assert!(matches!(error, GitHubError::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_wrong_token_is_said_and_shown_nowhere() {
    let Stage { github, repository, .. } = &stage("ghp_another9876543210").await;
    let error = github.pull_request_of(repository, "work").await.unwrap_err();
    assert!(matches!(error, GitHubError::Unauthorized { .. }), "{error}");
    assert!(!format!("{github:?} {error:?}").contains("ghp_another"));
}
