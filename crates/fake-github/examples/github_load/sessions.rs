//! Issues that somebody labels, one after the other: how soon something is seen of it on GitHub, how soon the agent says its first word, and
//! how often GitHub was asked.

use super::{Outcome, clock_ms, now, quantile};
use lamplight_fake_github::{FakeGitHub, Hook, Permission};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const REPOSITORY: &str = "acme/api";
const BODY: &str = "Please.\n!write a.txt one\n!say Done.";
/// Longer than any of it takes.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(1);

pub(super) async fn run(root: &str, token: &str, secret: &str, count: usize) -> Outcome<()> {
    let github = FakeGitHub::start(Path::new(root), token).await?;
    github.know("bob", Permission::Write);
    println!("{}", github.api());
    let mut authority = String::new();
    BufReader::new(tokio::io::stdin()).read_line(&mut authority).await?;
    let authority = authority.trim().to_owned();
    github.send_to(Some(Hook {
        authority: authority.clone(),
        path: "/github/webhooks".to_owned(),
        secret: secret.to_owned(),
    }));
    let (mut reactions, mut words, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        let one = session(&github, &authority).await?;
        reactions.push(one.reaction_ms);
        words.push(one.words_ms);
        calls.push(one.calls as f64);
    }
    let report = json!({
        "reaction_ms": quantile(&mut reactions, 0.5), "slowest_reaction_ms": quantile(&mut reactions, 1.0),
        "words_ms": quantile(&mut words, 0.5), "slowest_words_ms": quantile(&mut words, 1.0),
        "calls": quantile(&mut calls, 0.5), "most_calls": quantile(&mut calls, 1.0),
    });
    println!("{report}");
    Ok(())
}

struct Session {
    reaction_ms: f64,
    words_ms: f64,
    calls: usize,
}

/// From the label to the first reaction and word, and all requests until the comment says that it is done.
async fn session(github: &FakeGitHub, authority: &str) -> Outcome<Session> {
    let issue = github.open_issue(REPOSITORY, "bob", "Measure it", BODY).await;
    let (asked, begun, at) = (github.requests().len(), now(), clock_ms());
    github.label(REPOSITORY, issue, "bob", "lamplight").await;
    let reaction = format!("POST /repos/{REPOSITORY}/issues/{issue}/reactions");
    until("a reaction", async || Ok(github.requests()[asked..].contains(&reaction))).await?;
    let reaction_ms = begun.elapsed().as_secs_f64() * 1e3;
    let is_done = async || {
        let all = github.comments(REPOSITORY, issue);
        Ok(all.iter().any(|one| one.contains("Done for now.") && one.contains("Pull request: ")))
    };
    until("the end", is_done).await?;
    let sessions = get(authority, "/api/v1/sessions?limit=1").await?;
    let id = sessions["items"][0]["id"].as_str().ok_or("there is a session")?;
    let log = get(authority, &format!("/api/v1/sessions/{id}/log?after=0&limit=1000")).await?;
    let entries = log["entries"].as_array().ok_or("a log has entries")?;
    let first =
        entries.iter().find(|entry| entry["event"]["type"] == "agent_spoke").ok_or("the agent spoke")?;
    let words_ms = first["at"].as_f64().ok_or("an entry has a moment")? - at;
    let is_call = |request: &&String| {
        request.contains(" /repos/") || request.contains(" /app") || request.contains(" /graphql")
    };
    let calls = github.requests()[asked..].iter().filter(is_call).count();
    get_only(authority, "POST", &format!("/api/v1/sessions/{id}/end")).await?;
    Ok(Session { reaction_ms, words_ms, calls })
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> Outcome<bool>) -> Outcome<()> {
    let begun = now();
    while !is_so().await? {
        if begun.elapsed() > PATIENCE {
            return Err(format!("{what} was waited for too long").into());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn get(authority: &str, path: &str) -> Outcome<Value> {
    let answer = get_only(authority, "GET", path).await?;
    Ok(serde_json::from_str(&answer)?)
}

/// The body of the answer, a connection each.
async fn get_only(authority: &str, method: &str, path: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split_once("\r\n\r\n").ok_or("an answer has a body")?.1.to_owned())
}
