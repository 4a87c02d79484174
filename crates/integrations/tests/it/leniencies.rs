//! Where emulators of GitHub are more lenient than GitHub is: one test for each, that ours is right. Each row of the table is named by what an
//! emulator does. What Lamplight never asks for (merging, files of a pull request) has no row.

use super::{Stage, TOKEN, of, stage};
use lamplight_integrations::GitHubError;
use lamplight_integrations::github::{CheckRun, PullRequest};
use serde_json::json;

#[tokio::test]
async fn draft_is_taken_by_rest_and_changes_nothing_so_it_is_never_sent() {
    let Stage { fake, github, repository, .. } = &stage(TOKEN).await;
    let opened = github.open_pull_request(repository, &of("work")).await.unwrap();
    let described = github.describe_pull_request(repository, opened.number, "New").await.unwrap();
    assert!(described.draft);
    let asked = fake.requests().len();
    github.mark_ready(repository, &described).await.unwrap();
    assert_eq!(fake.requests()[asked..], ["POST /graphql"]);
    assert!(!github.pull_request(repository, opened.number).await.unwrap().draft, "seen by looking again");
}

#[tokio::test]
async fn a_second_pull_request_of_a_branch_is_refused_and_the_first_is_found() {
    let Stage { fake, github, repository, .. } = &stage(TOKEN).await;
    let first = github.open_pull_request(repository, &of("work")).await.unwrap();
    let second = github.open_pull_request(repository, &of("work")).await.unwrap();
    assert_eq!((second.number, fake.pulls("acme/api").len()), (first.number, 1));
}

#[tokio::test]
async fn nothing_to_review_and_no_such_branch_are_refused() {
    let Stage { fake, github, repository, .. } = &stage(TOKEN).await;
    for (head, why) in [("main", "No commits between main and main"), ("none", "head invalid")] {
        let error = github.open_pull_request(repository, &of(head)).await.unwrap_err();
        assert!(matches!(error, GitHubError::Refused { .. }) && error.to_string().contains(why), "{error}");
    }
    assert!(fake.pulls("acme/api").is_empty());
}

#[tokio::test]
async fn a_token_that_nobody_knows_is_nobodys() {
    let Stage { github, repository, .. } = &stage("ghp_another9876543210").await;
    let error = github.facts(repository).await.map(drop).unwrap_err();
    assert!(matches!(error, GitHubError::Unauthorized { .. }), "{error}");
}

#[tokio::test]
async fn a_filter_by_branch_that_is_not_heeded_finds_no_other_branchs() {
    let stage = stage(TOKEN).await;
    let Stage { fake, github, repository, .. } = &stage;
    let opened = github.open_pull_request(repository, &of("work")).await.unwrap();
    fake.heed_no_filter();
    assert_eq!(github.pull_request_of(repository, "other").await.unwrap(), None);
    assert_eq!(
        github.pull_request_of(repository, "work").await.unwrap().map(|pull| pull.number),
        Some(opened.number)
    );
}

#[test]
fn what_is_missing_in_an_answer_or_more_than_was_known_is_no_error() {
    let pull = json!({
        "number": 7, "html_url": "https://github.com/acme/api/pull/7", "something_new": { "a": [1] },
        "head": { "ref": "work" }, "base": { "ref": "main" },
    });
    let pull: PullRequest = serde_json::from_value(pull).unwrap();
    assert!(pull.mergeable.is_none() && pull.head.repo.is_none() && !pull.draft);
    let run: CheckRun = serde_json::from_value(json!({ "name": "tests", "status": "queued" })).unwrap();
    assert!(!run.is_done() && !run.has_failed());
}
