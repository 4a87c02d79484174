//! What is sent to the server's door: taken once, or refused.

use super::{REPOSITORY, SECRET, Stage, Way};
use crate::support::Server;
use axum::http::StatusCode;
use futures::StreamExt as _;
use lamplight_fake_github::{Hook, signature};
use reqwest::Method;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

#[tokio::test]
async fn the_same_delivery_many_times_at_once_and_later_has_one_effect() {
    let stage = Stage::start(Way::App).await;
    let github = &stage.github;
    github.send_to(None);
    let issue = github.open_issue(REPOSITORY, "bob", "Once", "!write a.txt one").await;
    github.label(REPOSITORY, issue, "bob", "lamplight").await;
    github.comment(REPOSITORY, issue, "bob", "@lamplight and more\n!write b.txt two").await;
    let all = github.deliveries();
    github.send_to(Some(stage.hook()));
    for delivery in &all[1..] {
        let copies = futures::future::join_all((0..20).map(|_| github.redeliver(delivery))).await;
        assert_eq!(copies, vec![Some(202); 20]);
    }
    let id = stage.session().await;
    stage.server.until(&id, "work_committed", 2).await;
    for delivery in &all {
        assert_eq!(github.redeliver(delivery).await, Some(202));
    }
    let stage = stage.kill().await;
    for delivery in &all {
        assert_eq!(stage.github.redeliver(delivery).await, Some(202));
    }
    stage.until("one pull request", || stage.github.pulls(REPOSITORY).len() == 1).await;
    stage.until_told(issue, "Done for now.").await;
    let view = stage.server.view(&stage.session().await).await;
    assert_eq!((&view["turn"], stage.ours(issue).len()), (&2.into(), 1));
    stage.server.clear().await;
}

#[tokio::test]
async fn what_github_could_not_deliver_is_asked_for_again() {
    let stage = Stage::start(Way::App).await;
    let issue = stage.github.open_issue(REPOSITORY, "bob", "Once", "!say Done.").await;
    let hook = stage.hook();
    let Stage { server, github, way } = stage;
    server.signal("KILL");
    let place = server.ended().1;
    github.label(REPOSITORY, issue, "bob", "lamplight").await;
    assert_eq!(github.deliveries().last().unwrap().status, None);
    // So much arrived since at somebody who is not there any more that it is not on the first page.
    let (authority, path) = (swallows().await, "/github/webhooks".to_owned());
    github.send_to(Some(Hook { authority, path, secret: SECRET.to_owned() }));
    for n in 0..110 {
        github.comment(REPOSITORY, issue, "eve", &format!("{n}")).await;
    }
    github.send_to(Some(hook));
    let stage = Stage { server: Server::start_in(place), github, way };
    stage.until_told(issue, "Done for now.").await;
    assert_eq!((stage.sessions().await.len(), stage.ours(issue).len()), (1, 1));
    stage.server.clear().await;
}

/// Takes whatever is sent, and does nothing with it; its authority.
async fn swallows() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut sent = [0; 64 * 1024];
            let _ = stream.read(&mut sent).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    serving.detach_all();
    authority
}

async fn post(
    stage: &Stage,
    change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
) -> (u16, Value) {
    let request = stage.server.request(Method::POST, "/github/webhooks");
    let request = request.header("content-type", "application/json").header("x-github-event", "issues");
    let answer = change(request.header("x-github-delivery", "a-b-c")).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn what_is_not_githubs_is_refused() {
    let stage = Stage::start(Way::App).await;
    let github = &stage.github;
    let issue = github.open_issue(REPOSITORY, "bob", "Once", "!say Done.").await;
    github.send_to(Some(Hook { secret: "another-secret-of-somebody".to_owned(), ..stage.hook() }));
    github.label(REPOSITORY, issue, "bob", "lamplight").await;
    assert_eq!(github.deliveries().last().unwrap().status, Some(401));

    let unsigned = post(&stage, |request| request.body("{}")).await;
    assert_eq!((unsigned.0, &unsigned.1["code"]), (401, &"not_signed".into()));
    let form = post(&stage, |request| {
        let kind = "application/x-www-form-urlencoded";
        request.header("x-hub-signature-256", "sha256=00").header("content-type", kind).body("payload={}")
    });
    // Two content types: the first counts, and the signature is wrong all the same.
    assert!([401, 415].contains(&form.await.0));
    let large = post(&stage, |request| {
        request
            .header("x-hub-signature-256", "sha256=00")
            .header("content-length", 26 * 1024 * 1024)
            .body(" ")
    });
    assert_eq!(large.await.0, StatusCode::PAYLOAD_TOO_LARGE.as_u16());
    let (status, _) = stage.server.get("/sessions").await;
    assert_eq!((status, stage.sessions().await.len()), (StatusCode::OK, 0));
    let log = std::fs::read_to_string(stage.server.place.path("server.log")).unwrap();
    assert!(!log.contains(SECRET), "{log}");
}

/// GitHub goes on with the one until somebody has given it the other.
#[tokio::test]
async fn while_a_secret_is_replaced_by_another_both_are_good() {
    const BOTH: &str = "the-next-s3cr3t-of-this-test\nw3bh00k-s3cr3t-of-this-test";
    let Stage { server, github, way } = Stage::start(Way::App).await;
    server.signal("KILL");
    let mut place = server.ended().1;
    place.environment.retain(|(name, _)| *name != "GITHUB_WEBHOOK_SECRET");
    place.environment.push(("GITHUB_WEBHOOK_SECRET", BOTH));
    let stage = Stage { server: Server::start_in(place), github, way };
    let (next, body) = (BOTH.lines().next().unwrap(), "{}");
    for (secret, status) in [(SECRET, 202), (next, 202), (BOTH, 401), ("", 401)] {
        let signed = signature(secret, body.as_bytes());
        let answer = post(&stage, |request| request.header("x-hub-signature-256", signed).body(body)).await;
        assert_eq!(answer.0, status, "{secret:?}: {}", answer.1);
    }
    let log = std::fs::read_to_string(stage.server.place.path("server.log")).unwrap();
    assert!(!log.contains(SECRET) && !log.contains(next), "{log}");
}

#[tokio::test]
async fn without_a_secret_nothing_is_taken() {
    let stage = Stage::start(Way::Looking).await;
    let answer = post(&stage, |request| request.header("x-hub-signature-256", "sha256=00").body("{}")).await;
    assert_eq!((answer.0, &answer.1["code"]), (404, &"webhooks_not_configured".into()));
}

/// So many, each about another issue, and so many of them at a time.
const BURST: usize = 1_000;
const AT_ONCE: usize = 200;

/// GitHub waits so long for an answer. Source: docs.github.com, "Best practices for using webhooks".
const ANSWER: Duration = Duration::from_secs(10);

/// Sends them all; each is taken.
async fn burst(stage: &Stage) {
    let send = |n: usize| {
        let body = json!({
            "action": "created", "repository": { "full_name": REPOSITORY }, "issue": { "number": n },
            "comment": {
                "id": n, "body": "@lamplight go on", "created_at": "2026-01-31T12:00:00Z",
                "user": { "login": format!("nobody-{n}"), "id": n, "type": "User" },
            },
            "padding": "x".repeat(20_000),
        });
        let body = serde_json::to_vec(&body).unwrap();
        let request = stage.server.request(Method::POST, "/github/webhooks");
        let request = request.header("content-type", "application/json").timeout(ANSWER);
        let request = request.header("x-github-event", "issue_comment");
        let request = request.header("x-github-delivery", format!("burst-{n}"));
        request.header("x-hub-signature-256", signature(SECRET, &body)).body(body).send()
    };
    let begun = super::now();
    let answers = futures::stream::iter((1..=BURST).map(send)).buffer_unordered(AT_ONCE);
    let answers: Vec<_> = answers.collect().await;
    println!("{BURST} deliveries of 20 KB answered in {} ms", begun.elapsed().as_millis());
    for answer in answers {
        assert_eq!(answer.unwrap().status(), StatusCode::ACCEPTED);
    }
}

/// Each has its effect: whoever wrote is asked about, and nobody of them may write.
async fn each_was_looked_at(stage: &Stage) {
    let asked = || {
        let all = stage.github.requests();
        let people = all.iter().filter(|request| request.contains("/collaborators/nobody-"));
        people.collect::<std::collections::BTreeSet<_>>().len()
    };
    stage.until("each was looked at", || asked() == BURST).await;
    assert!(stage.sessions().await.is_empty());
}

#[tokio::test]
async fn of_a_burst_each_is_answered_and_none_is_lost_although_the_server_is_killed() {
    let stage = Stage::start(Way::App).await;
    burst(&stage).await;
    let stage = stage.kill().await;
    each_was_looked_at(&stage).await;
}

/// Makes whatever a program has to be on disk take as long as on a disk that is busy with something else.
const SLOW_DISK: &str = r#"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static void wait_for_disk(void) { struct timespec time = {0, 300 * 1000 * 1000}; nanosleep(&time, 0); }
int fsync(int fd) { wait_for_disk(); return syscall(SYS_fsync, fd); }
int fdatasync(int fd) { wait_for_disk(); return syscall(SYS_fdatasync, fd); }
"#;
const SLOW_MS: u128 = 300;

/// Of deliveries that nothing has come of yet, as a Prometheus server is told.
async fn waiting(stage: &Stage) -> u64 {
    let answer = stage.server.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    let line = answer.lines().find_map(|line| line.strip_prefix("lamplight_github_deliveries_waiting "));
    line.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_on_a_slow_disk_is_answered_its_queue_is_seen_and_none_is_lost() {
    let Stage { server, github, way } = Stage::start(Way::App).await;
    server.signal("KILL");
    let mut place = server.ended().1;
    let (source, library) = (place.path("slow.c"), place.path("slow.so"));
    std::fs::write(&source, SLOW_DISK).unwrap();
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status().unwrap();
    assert!(built.success());
    place.environment.push(("LD_PRELOAD", library.to_str().unwrap().to_owned().leak()));
    let stage = Stage { server: Server::start_in(place), github, way };
    let begun = super::now();
    burst(&stage).await;
    assert!(begun.elapsed().as_millis() >= SLOW_MS, "the disk is slow");
    let queued = waiting(&stage).await;
    assert!(queued > 0, "who looks sees the queue");
    println!("{queued} wait");

    let Stage { server, github, way } = stage;
    server.signal("KILL");
    let mut place = server.ended().1;
    place.environment.pop();
    let stage = Stage { server: Server::start_in(place), github, way };
    each_was_looked_at(&stage).await;
    let begun = super::now();
    while waiting(&stage).await > 0 {
        assert!(begun.elapsed() < crate::support::PATIENCE, "nothing waits in the end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
