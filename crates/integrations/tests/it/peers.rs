//! What we ask of GitHub, judged by GitHub's own description of its interface: through Prism, which knows that, to an emulator that answers.
//! `cargo xtask test --peers` starts both, and says here where they are; without them there is nothing to be asked.

use super::{of, surroundings};
use lamplight_integrations::github::{Place, Watch};
use lamplight_integrations::{Access, GitHub, GitHubConfig, Repository};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TOKEN: &str = "ghp_peers";
const MARK: &str = "<!-- mark -->";

/// Each request, with what is wrong with it.
type Judged = Arc<Mutex<Vec<(String, Vec<Value>)>>>;

/// Passes requests on to Prism and keeps what it says of them; its authority.
async fn judge(prism: String) -> (String, Judged) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let judged = Judged::default();
    let kept = judged.clone();
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Some(one) = pass(stream, &prism).await {
                kept.lock().unwrap().push(one);
            }
        }
    });
    serving.detach_all();
    (address, judged)
}

/// One request, its connection closed behind it.
async fn pass(mut client: TcpStream, prism: &str) -> Option<(String, Vec<Value>)> {
    let mut asked = Vec::new();
    let (end, length) = loop {
        if client.read_buf(&mut asked).await.ok()? == 0 {
            return None;
        }
        let Some(end) = asked.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&asked[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        break (end, length.unwrap_or(0));
    };
    while asked.len() < end + 4 + length {
        client.read_buf(&mut asked).await.ok()?;
    }
    let line = String::from_utf8_lossy(&asked).lines().next()?.to_owned();
    let mut closing = asked[..end].to_vec();
    closing.extend(b"\r\nConnection: close");
    closing.extend(&asked[end..]);
    let mut server = TcpStream::connect(prism).await.ok()?;
    server.write_all(&closing).await.ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.ok()?;
    client.write_all(&answer).await.ok()?;
    let head = String::from_utf8_lossy(&answer);
    let violations = head.lines().find_map(|line| line.strip_prefix("sl-violations: "));
    let all: Vec<Value> = violations.and_then(|all| serde_json::from_str(all).ok()).unwrap_or_default();
    Some((line, all.into_iter().filter(|one| one["location"][0] == "request").collect()))
}

async fn ask(url: String, body: &Value) -> Value {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let request = http.post(url).bearer_auth(TOKEN).header("user-agent", "test").body(body.to_string());
    request.header("content-type", "application/json").send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn none_of_our_requests_is_against_githubs_own_description() {
    let (Ok(prism), Ok(emulator)) =
        (std::env::var("LAMPLIGHT_PEERS_PRISM"), std::env::var("LAMPLIGHT_PEERS_EMULATOR"))
    else {
        println!("skipped: cargo xtask test --peers starts what this needs");
        return;
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (address, judged) = judge(prism).await;
    let (api, repos) = (format!("http://{address}"), format!("http://{emulator}/repos/ada/api"));
    // What is wrong is seen.
    ask(format!("{api}/repos/ada/api/pulls"), &json!({ "title": "No base", "head": "work" })).await;
    assert_eq!(judged.lock().unwrap().drain(..).map(|one| one.1.len()).collect::<Vec<_>>(), [1]);

    let config = GitHubConfig {
        host: "github.com".to_owned(),
        git: api.clone(),
        api,
        access: Access::Token(TOKEN.to_owned()),
    };
    let github = GitHub::new(config, surroundings()).unwrap();
    let repository = Repository::of_address("https://github.com/ada/api").unwrap();
    let main = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let main =
        main.get(format!("{repos}/git/ref/heads/main")).bearer_auth(TOKEN).header("user-agent", "test");
    let main: Value = main.send().await.unwrap().json().await.unwrap();
    let branch = json!({ "ref": "refs/heads/work", "sha": main["object"]["sha"] });
    ask(format!("{repos}/git/refs"), &branch).await;
    let issue = ask(format!("{repos}/issues"), &json!({ "title": "Title", "body": "Body" })).await;
    let issue = issue["number"].as_u64().unwrap();

    github.facts(&repository).await.unwrap();
    github.may_write(&repository, "ada").await.unwrap();
    github.issue(&repository, issue).await.unwrap();
    let comment = github.comment_once(&repository, issue, MARK, MARK, false).await.unwrap();
    github.edit_comment(&repository, comment, "new").await.unwrap();
    let pull = github.open_pull_request(&repository, &of("work")).await.unwrap();
    github.pull_request_of(&repository, "work").await.unwrap();
    github.pull_request(&repository, pull.number).await.unwrap();
    github.describe_pull_request(&repository, pull.number, "New").await.unwrap();
    github.reviews(&repository, pull.number).await.unwrap();
    github.review_comments(&repository, pull.number).await.unwrap();
    github.close_pull_request(&repository, pull.number).await.unwrap();
    // The emulator has none of these, or answers them otherwise; asked they are all the same.
    let _ = github.react(&repository, Place::Issue(issue), "eyes").await;
    let _ = github.react(&repository, Place::Comment(comment), "eyes").await;
    let _ = github.reply_once(&repository, pull.number, 1, MARK, MARK).await;
    let _ = github.checks(&repository, &"a".repeat(40)).await;
    for watch in Watch::ALL {
        let _ = github.look(&repository, watch, None, None).await;
    }
    let judged = judged.lock().unwrap();
    let wrong: Vec<_> = judged.iter().filter(|one| !one.1.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{} requests were judged", judged.len());
    assert!(judged.len() >= 18, "{judged:#?}");
}
