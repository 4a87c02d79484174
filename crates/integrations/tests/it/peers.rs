//! What we ask of GitHub, judged by GitHub's own description of its interface: through Prism, which knows that, to an emulator that answers.
//! `cargo xtask test --peers` starts both, and says here where they are; without them there is nothing to be asked.

use super::apps::ID;
use super::conformance::Counterpart;
use super::surroundings;
use lamplight_fake_github::Judge;
use lamplight_integrations::github::{Scope, take_app};
use lamplight_integrations::{Access, GitHub, GitHubConfig, Repository};
use serde_json::{Value, json};

const TOKEN: &str = "ghp_peers";

/// Where they are.
struct Peers {
    prism: String,
    emulator: String,
    /// Of the App that the emulator knows.
    key: String,
}

fn peers() -> Option<Peers> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let said = |name: &str| std::env::var(format!("LAMPLIGHT_PEERS_{name}")).ok();
    let (Some(prism), Some(emulator), Some(key)) = (said("PRISM"), said("EMULATOR"), said("APP_KEY")) else {
        println!("skipped: cargo xtask test --peers starts what this needs");
        return None;
    };
    Some(Peers { prism, emulator, key: std::fs::read_to_string(key).unwrap() })
}

impl Peers {
    fn github(&self, judge: &Judge, access: Access) -> GitHub {
        let (api, git) = (judge.address(), judge.address());
        let graphql = format!("{api}/graphql");
        let config = GitHubConfig { host: "github.com".to_owned(), api, graphql, git, access };
        GitHub::new(config, surroundings()).unwrap()
    }

    /// With a branch that has a commit of its own, and an issue; that one's number.
    async fn furnish(&self, repository: &Repository) -> u64 {
        let at = format!("http://{}/repos/{repository}", self.emulator);
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let main = client.get(format!("{at}/git/ref/heads/main")).bearer_auth(TOKEN);
        let main: Value = main.header("user-agent", "test").send().await.unwrap().json().await.unwrap();
        let branch = json!({ "ref": "refs/heads/work", "sha": main["object"]["sha"] });
        ask(format!("{at}/git/refs"), &branch).await;
        let issue = ask(format!("{at}/issues"), &json!({ "title": "Title", "body": "Body" })).await;
        issue["number"].as_u64().unwrap()
    }

    async fn holds(&self, judge: &Judge, access: Access, name: &str) -> GitHub {
        let github = self.github(judge, access);
        let repository = &github.repository(name).unwrap();
        let issue = self.furnish(repository).await;
        Counterpart { github: &github, repository, issue, writer: "ada", fake: None }.holds().await;
        github
    }
}

async fn ask(url: String, body: &Value) -> Value {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let request = http.post(url).bearer_auth(TOKEN).header("user-agent", "test").body(body.to_string());
    request.header("content-type", "application/json").send().await.unwrap().json().await.unwrap()
}

/// Nothing is wrong with any of them, and at least so many were judged. GraphQL is not a part of that description.
fn clean(judge: &Judge, least: usize) {
    let judged = judge.judged();
    let rest = judged.iter().filter(|one| !one.request.contains(" /graphql "));
    let wrong: Vec<_> = rest.clone().filter(|one| !one.violations.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{} requests were judged", rest.clone().count());
    assert!(rest.count() >= least, "{judged:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_of_a_persons_requests_is_against_githubs_own_description() {
    let Some(peers) = peers() else { return };
    let judge = Judge::start(peers.prism.clone()).await.unwrap();
    // What is wrong is seen.
    let pulls = format!("{}/repos/ada/api/pulls", judge.address());
    ask(pulls, &json!({ "title": "No base", "head": "work" })).await;
    assert_eq!(judge.judged().iter().map(|one| one.violations.len()).collect::<Vec<_>>(), [1]);

    let judge = Judge::start(peers.prism.clone()).await.unwrap();
    peers.holds(&judge, Access::Token(TOKEN.to_owned()), "ada/api").await;
    clean(&judge, 24);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_of_an_apps_requests_is_against_githubs_own_description() {
    let Some(peers) = peers() else { return };
    let judge = Judge::start(peers.prism.clone()).await.unwrap();
    let github = peers.holds(&judge, Access::App { id: ID, key: peers.key.clone() }, "ada/of-app").await;
    assert_eq!(github.identity().await.unwrap().name, "lamplight");
    let repository = github.repository("ada/of-app").unwrap();
    for scope in [Scope::Fetch, Scope::Push, Scope::Talk, Scope::Check, Scope::Ready] {
        github.token(&repository, scope).await.unwrap();
    }
    github.clock_ahead_s().await.unwrap();
    // The emulator has none of these; asked they are all the same.
    let _ = github.hook_config().await;
    let _ = github.attempts(100, None).await;
    let _ = github.attempts(100, Some("v1_17")).await;
    let _ = github.deliver_again(7).await;
    let _ = take_app(&judge.address(), "a1b2").await;
    clean(&judge, 36);
    let judged = judge.judged();
    for part in [
        "/installation ",
        "/access_tokens ",
        "/app ",
        "/app/hook/config ",
        "/app/hook/deliveries",
        "/conversions ",
    ] {
        assert!(judged.iter().any(|one| one.request.contains(part)), "{part}: {judged:#?}");
    }
}
