//! Every write, with everything that can go wrong before, instead of and after it: in the end it is done, and once.

use super::{Stage, TOKEN, of, stage};
use lamplight_fake_github::{Fault, Moment};
use lamplight_integrations::github::Place;
use lamplight_integrations::{GitHubError, section};

const MARK: &str = "<!-- mark -->";
const REPOSITORY: &str = "acme/api";
/// Whoever wants something asks again so often.
const TRIES: usize = 3;

/// What is written, by the request that does it.
const WRITES: [(&str, &str); 7] = [
    ("POST", "/pulls"),
    ("PATCH", "/pulls/1"),
    ("POST", "/graphql"),
    ("POST", "/issues/1/comments"),
    ("PATCH", "/issues/comments/"),
    ("POST", "/reactions"),
    ("POST", "/replies"),
];

const MOMENTS: [Moment; 6] = [
    Moment::Instead(429),
    Moment::SecondaryLimit { retry_after_s: 1 },
    Moment::SecondaryLimit { retry_after_s: 60 },
    Moment::Instead(500),
    Moment::Instead(502),
    Moment::ThenDropped,
];

/// What there is before: for all but the first, a pull request with a comment of ours and a remark.
struct Before {
    comment: u64,
    remark: u64,
}

async fn begin(stage: &Stage, path: &str) -> Before {
    if path == "/pulls" {
        return Before { comment: 0, remark: 0 };
    }
    let opened = stage.github.open_pull_request(&stage.repository, &of("work")).await.unwrap();
    let comment = stage.fake.comment(REPOSITORY, opened.number, "ada", &section::replace("", "old")).await;
    let remark = stage.fake.review(REPOSITORY, opened.number, "bob", "", &[("a.txt", 1, "So?")]).await;
    Before { comment, remark: remark[0] }
}

async fn write(stage: &Stage, path: &str, before: &Before) -> Result<(), GitHubError> {
    let Stage { github, repository, .. } = stage;
    match path {
        "/pulls" => github.open_pull_request(repository, &of("work")).await.map(drop),
        "/pulls/1" => github.describe_pull_request(repository, 1, "New").await.map(drop),
        "/graphql" => {
            let pull = github.pull_request(repository, 1).await?;
            github.mark_ready(repository, &pull).await
        }
        "/issues/1/comments" => {
            let text = format!("{MARK} one");
            github.comment_once(repository, 1, MARK, &text, false).await.map(drop)
        }
        "/issues/comments/" => github.edit_comment(repository, before.comment, "new").await,
        "/reactions" => github.react(repository, Place::Issue(1), "eyes").await,
        _ => github.reply_once(repository, 1, before.remark, MARK, &format!("{MARK} so")).await,
    }
}

/// How often it was done, as GitHub shows it.
fn done(stage: &Stage, path: &str, before: &Before) -> usize {
    let fake = &stage.fake;
    let pulls = fake.pulls(REPOSITORY);
    match path {
        "/pulls" => pulls.len(),
        "/pulls/1" => usize::from(pulls[0]["body"] == "New" && pulls[0]["draft"] == true),
        "/graphql" => usize::from(pulls[0]["draft"] == false),
        "/issues/1/comments" => fake.comments(REPOSITORY, 1).iter().filter(|one| one.contains(MARK)).count(),
        "/issues/comments/" => {
            let new = format!("ada: {}", section::replace("", "new"));
            fake.comments(REPOSITORY, 1).iter().filter(|one| **one == new).count()
        }
        "/reactions" => fake.reactions().len(),
        _ => fake.replies(before.remark).len(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_is_done_once_whatever_goes_wrong_with_it() {
    for (method, path) in WRITES {
        for moment in MOMENTS {
            let stage = stage(TOKEN).await;
            let before = begin(&stage, path).await;
            let path_end = if path == "/issues/comments/" { "" } else { path };
            stage.fake.plan(Fault { method: method.parse().unwrap(), path: path_end, moment });
            let mut tries = 0;
            while let Err(error) = write(&stage, path, &before).await {
                tries += 1;
                assert!(error.passes() && tries < TRIES, "{method} {path} {moment:?}: {error}");
            }
            assert_eq!(done(&stage, path, &before), 1, "{method} {path} {moment:?}");
        }
    }
}

#[tokio::test]
async fn what_stays_wrong_is_told_as_such_and_not_tried_again() {
    for (method, path) in WRITES {
        for status in [401, 403, 404, 410, 422] {
            let stage = stage(TOKEN).await;
            let before = begin(&stage, path).await;
            let path_end = if path == "/issues/comments/" { "" } else { path };
            let moment = Moment::Instead(status);
            let asked = stage.fake.requests().len();
            stage.fake.plan(Fault { method: method.parse().unwrap(), path: path_end, moment });
            let error = write(&stage, path, &before).await.unwrap_err();
            assert!(!error.passes(), "{method} {path} {status}: {error}");
            let requests = stage.fake.requests();
            let writes = requests[asked..].iter().filter(|request| request.starts_with(method)).count();
            assert_eq!((writes, done(&stage, path, &before)), (1, 0), "{method} {path} {status}");
        }
    }
}
