//! Asked for by an App.

use super::{Stage, stage_of, surroundings};
use lamplight_fake_github::{App, Fault, Hook, Moment};
use lamplight_integrations::github::{Access, Scope};
use lamplight_integrations::{GitHub, GitHubConfig, GitHubError, Surroundings};
use std::collections::BTreeMap;
use std::process::Command;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) const ID: u64 = 99;

/// A private key in PEM, and its public half in DER.
pub(crate) fn key() -> (String, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    openssl(&["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]);
    let public = openssl(&["rsa", "-RSAPublicKey_out", "-outform", "DER", "-in"]);
    (std::fs::read_to_string(&path).unwrap(), public)
}

pub(crate) fn app(public_key: Vec<u8>) -> App {
    App { id: ID, slug: "lamplight".to_owned(), public_key, permissions: all(), events: Vec::new() }
}

fn all() -> BTreeMap<String, String> {
    let write =
        ["checks", "contents", "issues", "pull_requests"].map(|name| (name.to_owned(), "write".to_owned()));
    write.into_iter().chain([("metadata".to_owned(), "read".to_owned())]).collect()
}

/// Takes whatever is sent, once; its authority.
async fn somebody() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut sent = [0; 4096];
        while stream.read(&mut sent).await.unwrap() == sent.len() {}
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    });
    serving.detach_all();
    authority
}

async fn stage() -> Stage {
    let (pem, public_key) = key();
    let stage = stage_of(Access::App { id: ID, key: pem }).await;
    stage.fake.register(app(public_key));
    stage
}

#[tokio::test]
async fn a_token_is_for_one_repository_and_one_purpose_and_is_used_again() {
    let stage = stage().await;
    let Stage { fake, github, repository, .. } = &stage;
    for _ in 0..2 {
        assert_eq!(github.pull_request_of(repository, "work").await.unwrap(), None);
        github.token(repository, Scope::Push).await.unwrap();
    }
    assert_eq!(fake.minted(), ["api: issues=write metadata=read pull_requests=write", "api: contents=write"]);
    let push = github.token(repository, Scope::Push).await.unwrap();
    let fetch = github.token(repository, Scope::Fetch).await.unwrap();
    assert!(push != fetch && fake.minted()[2] == "api: contents=read");
    let asked = fake.requests();
    let count = |what: &str| asked.iter().filter(|request| request.ends_with(what)).count();
    assert_eq!((count("/installation"), count("/access_tokens")), (1, 3));
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_replaced() {
    let stage = stage().await;
    let Stage { fake, github, repository, .. } = &stage;
    github.pull_request_of(repository, "work").await.unwrap();
    fake.revoke_tokens();
    assert_eq!(github.pull_request_of(repository, "work").await.unwrap(), None);
    assert_eq!(fake.minted().len(), 2);
}

#[tokio::test]
async fn shortly_before_its_end_a_token_is_replaced() {
    fn in_56_minutes() -> u64 {
        super::now_s() + 56 * 60
    }
    let (pem, public_key) = key();
    let stage = stage_of(Access::App { id: ID, key: pem.clone() }).await;
    stage.fake.register(app(public_key));
    let first = stage.github.token(&stage.repository, Scope::Talk).await.unwrap();
    assert_eq!(stage.github.token(&stage.repository, Scope::Talk).await.unwrap(), first);
    // A client whose clock is ahead gives a statement that GitHub does not take, and says what that may be.
    let ahead = Surroundings { now_s: in_56_minutes, ..surroundings() };
    let config = GitHubConfig { access: Access::App { id: ID, key: pem }, ..stage.github.config().clone() };
    let github = GitHub::new(config, ahead).unwrap();
    // It can be told without being taken for anybody.
    let ahead_s = github.clock_ahead_s().await.unwrap().unwrap();
    assert!((56 * 60 - 10..=56 * 60 + 10).contains(&ahead_s), "{ahead_s}");
    let error = github.token(&stage.repository, Scope::Talk).await.unwrap_err();
    assert!(
        matches!(error, GitHubError::AppUnauthorized { .. }) && error.to_string().contains("clock"),
        "{error}"
    );
}

#[tokio::test]
async fn what_was_sent_again_and_arrived_did_not_fail() {
    let stage = stage().await;
    let Stage { fake, github, repository, .. } = &stage;
    assert_eq!(github.hook_config().await.unwrap().unwrap().url, None);
    github.reach_graphql(repository).await.unwrap();
    let (authority, path) = ("127.0.0.1:9".to_owned(), "/github/webhooks".to_owned());
    fake.send_to(Some(Hook { authority, path, secret: "s".repeat(20) }));
    let hook = github.hook_config().await.unwrap().unwrap();
    assert_eq!(hook.url.as_deref(), Some("http://127.0.0.1:9/github/webhooks"));
    assert!(hook.is_checked() && hook.content_type.as_deref() == Some("json"));
    fake.open_issue("acme/api", "ada", "One", "").await;
    let failed = github.deliveries().await.unwrap().unwrap();
    assert_eq!((failed.count, failed.failed), (1, 1));

    fake.send_to(Some(Hook { authority: somebody().await, path: "/".to_owned(), secret: "s".repeat(20) }));
    let attempts = github.attempts(10, None).await.unwrap().unwrap();
    github.deliver_again(attempts.attempts[0].id).await.unwrap();
    let arrived = github.deliveries().await.unwrap().unwrap();
    assert_eq!((arrived.count, arrived.failed, arrived.last_failure), (1, 0, None));
}

/// Whoever presses "Redeliver" while nobody listens makes an attempt that fails, of something that has arrived.
#[tokio::test]
async fn what_has_arrived_once_did_not_fail_although_its_newest_attempt_did() {
    let stage = stage().await;
    let Stage { fake, github, .. } = &stage;
    let to = |authority: &str| {
        let (authority, path) = (authority.to_owned(), "/".to_owned());
        fake.send_to(Some(Hook { authority, path, secret: "s".repeat(20) }));
    };
    to(&somebody().await);
    fake.open_issue("acme/api", "ada", "Arrives", "").await;
    to("127.0.0.1:9");
    fake.open_issue("acme/api", "ada", "Never arrives", "").await;
    let first = github.attempts(10, None).await.unwrap().unwrap().attempts;
    for attempt in first.iter().rev() {
        github.deliver_again(attempt.id).await.unwrap();
    }
    let all = github.attempts(10, None).await.unwrap().unwrap().attempts;
    let arrived: Vec<_> = all.iter().map(|one| one.has_arrived()).collect();
    assert_eq!(arrived, [false, false, false, true], "the newest of each failed");
    let told = github.deliveries().await.unwrap().unwrap();
    assert_eq!((told.count, told.failed), (2, 1));
    assert_eq!(told.last_failure.as_deref(), Some("issues (0): failed to connect to host"));
}

#[tokio::test]
async fn attempts_are_told_page_by_page_to_the_oldest() {
    let stage = stage().await;
    let Stage { fake, github, .. } = &stage;
    for n in 0..5 {
        fake.open_issue("acme/api", "ada", &format!("{n}"), "").await;
    }
    let (mut seen, mut pages, mut older) = (Vec::new(), 0, None);
    loop {
        let page = github.attempts(2, older.as_deref()).await.unwrap().unwrap();
        seen.extend(page.attempts.iter().map(|one| one.id));
        pages += 1;
        older = page.older;
        if older.is_none() {
            break;
        }
    }
    assert_eq!((pages, seen), (3, vec![5, 4, 3, 2, 1]));
}

#[tokio::test]
async fn what_an_app_may_not_do_is_said() {
    let (pem, public_key) = key();
    let stage = stage_of(Access::App { id: ID, key: pem }).await;
    let Stage { fake, github, repository, .. } = &stage;
    let permissions = BTreeMap::from([("metadata".to_owned(), "read".to_owned())]);
    fake.register(App { id: ID, slug: "lamplight".to_owned(), public_key, permissions, events: Vec::new() });
    let error = github.token(repository, Scope::Push).await.unwrap_err();
    assert!(error.to_string().contains("not granted to this installation"), "{error}");
    let other = github.repository("acme/none").unwrap();
    let error = github.token(&other, Scope::Push).await.unwrap_err();
    assert!(matches!(error, GitHubError::NotInstalled { .. }), "{error}");
}

#[tokio::test]
async fn another_apps_key_is_refused_and_no_key_is_shown() {
    let stage = stage().await;
    let (pem, _) = key();
    let config =
        GitHubConfig { access: Access::App { id: ID, key: pem.clone() }, ..stage.github.config().clone() };
    let github = GitHub::new(config, surroundings()).unwrap();
    let error = github.pull_request_of(&stage.repository, "work").await.unwrap_err();
    assert!(matches!(error, GitHubError::AppUnauthorized { .. }), "{error}");
    let inside: String = pem.lines().skip(1).take(1).collect();
    assert!(!format!("{github:?} {error:?} {error}").contains(&inside));

    let broken = |key: &str| GitHubConfig {
        access: Access::App { id: ID, key: key.to_owned() },
        ..stage.github.config().clone()
    };
    for key in ["", "ghp_abc", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"] {
        let error = GitHub::new(broken(key), surroundings()).unwrap_err();
        assert!(error.to_string().contains("private key cannot be used"), "{error}");
    }
}

#[tokio::test]
async fn a_mint_that_fails_is_asked_for_again_with_what_needed_it() {
    let stage = stage().await;
    let Stage { fake, github, repository, .. } = &stage;
    let post = |moment| Fault { method: "POST".parse().unwrap(), path: "/access_tokens", moment };
    fake.plan(post(Moment::Instead(502)));
    assert_eq!(github.pull_request_of(repository, "work").await.unwrap(), None);
    assert_eq!(fake.minted().len(), 1);
}
