//! What holds of every GitHub, whoever asks and whoever answers: our fake, asked by a person's token and by an App; and where there is one, the
//! emulator of somebody else's behind a judge (`peers`), which keeps the fake from being strict in ways of its own.

use super::apps::{app, key};
use super::{Stage, TOKEN, of, stage_of};
use lamplight_fake_github::{FakeGitHub, Permission};
use lamplight_integrations::github::{Place, Right, Scope, Watch};
use lamplight_integrations::{Access, GitHub, GitHubError, Repository, section};

const MARK: &str = "<!-- mark -->";

/// One that is asked. Its repository has a branch `work` that is ahead of `main`, and an issue with this number; `writer` may push.
pub(crate) struct Counterpart<'a> {
    pub(crate) github: &'a GitHub,
    pub(crate) repository: &'a Repository,
    pub(crate) issue: u64,
    pub(crate) writer: &'a str,
    /// Ours, which has what the emulator lacks: git, reactions, replies, GraphQL, and refusals (reference: emulators, table of leniencies).
    pub(crate) fake: Option<&'a FakeGitHub>,
}

impl Counterpart<'_> {
    pub(crate) async fn holds(&self) {
        self.tells_facts().await;
        self.keeps_one_comment().await;
        let number = self.keeps_one_pull_request().await;
        self.says_what_is_protected().await;
        self.has_conversations(number).await;
        self.readies_and_closes(number).await;
    }

    async fn tells_facts(&self) {
        let Self { github, repository, .. } = self;
        let facts = github.facts(repository).await.unwrap();
        assert_eq!((facts.default_branch.as_str(), facts.archived), ("main", false));
        assert!(github.may_push(repository).await.unwrap());
        assert!(github.may_write(repository, self.writer).await.unwrap());
        assert!(!github.may_write(repository, "nobody-of-this-name").await.unwrap());
        let right = github.right_of(repository, self.writer, "0").await.unwrap();
        assert_eq!(right, Right::Nothing, "the number is somebody else's");
        let issue = github.issue(repository, self.issue).await.unwrap();
        assert_eq!((issue.title.as_str(), issue.pull_request), ("Title", None));
        let none = github.issue(repository, 4_711).await.unwrap_err();
        assert!(matches!(none, GitHubError::NotFound { .. }), "{none}");
        for watch in Watch::ALL {
            let seen = github.look(repository, watch, None, None).await;
            assert!(self.fake.is_none() || seen.unwrap().is_some(), "{watch:?}");
        }
    }

    async fn keeps_one_comment(&self) {
        let Self { github, repository, issue, .. } = self;
        let text = section::replace("", &format!("{MARK} one"));
        let first = github.comment_once(repository, *issue, MARK, &text, true).await.unwrap();
        assert_eq!(github.comment_once(repository, *issue, MARK, &text, false).await.unwrap(), first);
        github.edit_comment(repository, first, &format!("{MARK} two")).await.unwrap();
        let all = github.comments(repository, *issue).await.unwrap();
        let all: Vec<_> = all.iter().map(|one| (one.id, one.body.as_deref().unwrap())).collect();
        assert_eq!(all, [(first, section::replace("", &format!("{MARK} two")).as_str())]);
        for place in [Place::Issue(*issue), Place::Comment(first)] {
            let done = github.react(repository, place, "eyes").await;
            assert!(self.fake.is_none() || done.is_ok(), "{place:?} {done:?}");
        }
    }

    async fn keeps_one_pull_request(&self) -> u64 {
        let Self { github, repository, .. } = self;
        assert_eq!(github.pull_request_of(repository, "work").await.unwrap(), None);
        let opened = github.open_pull_request(repository, &of("work")).await.unwrap();
        assert!(opened.draft && opened.is_of(repository), "{opened:?}");
        let found = github.pull_request_of(repository, "work").await.unwrap().unwrap();
        assert_eq!((found.number, found.draft), (opened.number, true));
        let told = github.describe_pull_request(repository, opened.number, "New").await.unwrap();
        assert_eq!(told.body.as_deref(), Some("New"));
        if self.fake.is_some() {
            let again = github.open_pull_request(repository, &of("work")).await.unwrap();
            assert_eq!(again.number, opened.number);
            for head in ["main", "none"] {
                let refused = github.open_pull_request(repository, &of(head)).await.unwrap_err();
                assert!(matches!(refused, GitHubError::Refused { .. }) && !refused.passes(), "{refused}");
            }
        }
        opened.number
    }

    async fn says_what_is_protected(&self) {
        let Self { github, repository, .. } = self;
        let of_work = github.is_protected(repository, "work").await;
        let Some(fake) = self.fake else { return };
        assert!(!of_work.unwrap());
        fake.protect("acme/api", "work");
        assert!(github.is_protected(repository, "work").await.unwrap());
        assert!(!github.is_protected(repository, "main").await.unwrap());
        // What stands in a name is a part of it.
        for none in ["none", "work#1", "work?per_page=1", "work/protection"] {
            let error = github.is_protected(repository, none).await.unwrap_err();
            assert!(matches!(error, GitHubError::NotFound { .. }), "{none}: {error}");
        }
    }

    async fn has_conversations(&self, number: u64) {
        let Self { github, repository, .. } = self;
        assert_eq!(github.reviews(repository, number).await.unwrap(), []);
        assert_eq!(github.review_comments(repository, number).await.unwrap(), []);
        let Some(fake) = self.fake else {
            // It has none of these, or others; asked they are all the same.
            let _ = github.reply_once(repository, number, 1, MARK, MARK).await;
            let _ = github.react(repository, Place::Remark(1), "eyes").await;
            let _ = github.checks(repository, &"a".repeat(40)).await;
            return;
        };
        let remark =
            fake.review("acme/api", number, self.writer, "So?", &[("a.txt", 1, "And this?")]).await[0];
        github.react(repository, Place::Remark(remark), "eyes").await.unwrap();
        let reviews = github.reviews(repository, number).await.unwrap();
        assert_eq!(reviews[0].body.as_deref(), Some("So?"));
        for _ in 0..2 {
            github.reply_once(repository, number, remark, MARK, &format!("{MARK} so")).await.unwrap();
        }
        let comments = github.review_comments(repository, number).await.unwrap();
        assert_eq!(comments.iter().map(|one| one.thread()).collect::<Vec<_>>(), [remark, remark]);
        let head = github.pull_request(repository, number).await.unwrap().head.sha;
        fake.check("acme/api", &head, "lint", Some("failure"), "").await;
        let checks = github.checks(repository, &head).await.unwrap();
        assert!(checks.len() == 1 && checks[0].is_done() && checks[0].has_failed(), "{checks:?}");
    }

    async fn readies_and_closes(&self, number: u64) {
        let Self { github, repository, .. } = self;
        let pull = github.pull_request(repository, number).await.unwrap();
        let ready = github.mark_ready(repository, &pull).await;
        if self.fake.is_some() {
            ready.unwrap();
            github.reach_graphql(repository).await.unwrap();
            assert!(!github.pull_request(repository, number).await.unwrap().draft);
        }
        github.close_pull_request(repository, number).await.unwrap();
        assert_eq!(github.pull_request(repository, number).await.unwrap().state, "closed");
        assert_eq!(github.pull_request_of(repository, "work").await.unwrap(), None);
    }
}

async fn holds_of_the_fake(stage: &Stage) {
    let Stage { fake, github, repository, .. } = stage;
    fake.know("bob", Permission::Write);
    let issue = fake.open_issue("acme/api", "bob", "Title", "Body").await;
    Counterpart { github, repository, issue, writer: "bob", fake: Some(fake) }.holds().await;
    let token = github.token(repository, Scope::Fetch).await.unwrap();
    let address = github.git_address(repository).replace("://", &format!("://x-access-token:{token}@"));
    let listed = tokio::process::Command::new("git").args(["ls-remote", "--heads", &address]).output().await;
    assert!(String::from_utf8(listed.unwrap().stdout).unwrap().contains("refs/heads/work"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_fake_asked_by_a_person_all_of_it_holds() {
    holds_of_the_fake(&stage_of(Access::Token(TOKEN.to_owned())).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_fake_asked_by_an_app_all_of_it_holds() {
    let (pem, public_key) = key();
    let stage = stage_of(Access::App { id: super::apps::ID, key: pem }).await;
    stage.fake.register(app(public_key));
    holds_of_the_fake(&stage).await;
    assert!(
        stage.fake.minted().iter().all(|minted| minted.starts_with("api: ")),
        "{:?}",
        stage.fake.minted()
    );
}
