//! Back from the pull request: remarks, failed checks and conflicts become prompts, and answers stand where the remarks do.

use super::{REPOSITORY, Stage, Way};
use lamplight_fake_github::{Fault, Moment};
use serde_json::json;
use std::process::Command;

/// A session whose branch is in a pull request: its id, and the pull request's number.
async fn published(stage: &Stage) -> (String, u64) {
    let body = "!write a.txt one\n!say Done.";
    let issue = stage.github.open_issue(REPOSITORY, "bob", "Fix it", body).await;
    stage.github.label(REPOSITORY, issue, "bob", "lamplight").await;
    let id = stage.session().await;
    stage.until_told(issue, "Pull request: ").await;
    stage.until_told(issue, "Done for now.").await;
    (id, stage.github.pulls(REPOSITORY)[0]["number"].as_u64().unwrap())
}

async fn until_published(stage: &Stage, id: &str, turn: usize) -> String {
    stage.server.until(id, "work_committed", turn).await;
    let head = stage.head(id).await;
    let branch = stage.server.view(id).await["branch"].as_str().unwrap().to_owned();
    stage.until("the branch", || stage.there(&["rev-parse", &branch]) == head).await;
    head
}

#[tokio::test]
async fn remarks_of_a_review_are_one_prompt_and_are_answered_where_they_stand() {
    let mut stage = Stage::start(Way::App).await;
    let (id, pull) = published(&stage).await;
    let nothing = stage
        .github
        .review(REPOSITORY, pull, "eve", "!write eve.txt x", &[("a.txt", 1, "!write eve.txt y")])
        .await;
    // The answer is given, nobody hears of it, and the server is killed.
    let path = "/replies";
    stage.github.plan(Fault { method: "POST".parse().unwrap(), path, moment: Moment::ThenHanging });
    let remarks = [("a.txt", 1, "Say two.\n!write a.txt two"), ("b.txt", 7, "And this?\n!say Ready.")];
    let ids = stage.github.review(REPOSITORY, pull, "bob", "On the whole: fine.", &remarks).await;
    until_published(&stage, &id, 2).await;
    stage.until("an answer", || stage.github.replies(ids[0]).len() == 1).await;
    stage = stage.kill().await;
    stage.until("the other answer", || stage.github.replies(ids[1]).len() == 1).await;
    let ours = |stage: &Stage| {
        stage.github.comments(REPOSITORY, pull).iter().filter(|one| one.contains("lamplight:answer:")).count()
    };
    stage.until("the answer to the whole", || ours(&stage) == 1).await;

    let prompts = stage.prompts(&id).await;
    assert_eq!((prompts.len(), prompts[1].0.as_str()), (2, "bob"));
    let text = &prompts[1].1;
    for part in [
        "remark [1], of the whole, by bob",
        "remark [2], a.txt, line 1, by bob",
        "remark [3], b.txt, line 7, by bob",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("by eve"), "{text}");
    for comment in ids {
        let replies = stage.github.replies(comment);
        assert!(
            replies.len() == 1 && replies[0].starts_with("lamplight[bot]: ") && replies[0].contains("Ready."),
            "{replies:?}"
        );
    }
    assert!(stage.github.replies(nothing[0]).is_empty());
    assert_eq!(stage.there(&["show", &format!("{}:a.txt", stage.head(&id).await)]), "two");
    stage.server.clear().await;
}

#[tokio::test]
async fn failed_checks_come_back_twice_and_then_a_person_is_asked() {
    let stage = Stage::start(Way::App).await;
    let (id, pull) = published(&stage).await;
    let github = &stage.github;
    let mut commit = stage.head(&id).await;
    for round in 1..=2 {
        github.check(REPOSITORY, &commit, "lint", None, "").await;
        github
            .check(REPOSITORY, &commit, "tests", Some("failure"), &format!("!write round-{round}.txt x"))
            .await;
        // Not before the last of them has ended.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert_eq!(stage.prompts(&id).await.len(), round);
        github.check(REPOSITORY, &commit, "lint", Some("success"), "").await;
        commit = until_published(&stage, &id, round + 1).await;
        let prompts = stage.prompts(&id).await;
        assert_eq!((prompts.len(), prompts[round].0.as_str()), (round + 1, "failed checks"));
        assert!(prompts[round].1.contains("check tests") && !prompts[round].1.contains("check lint"));
    }
    github.check(REPOSITORY, &commit, "tests", Some("failure"), "!write round-3.txt x").await;
    let asked = || {
        github
            .comments(REPOSITORY, pull)
            .into_iter()
            .filter(|one| one.contains("lamplight:ask:"))
            .collect::<Vec<_>>()
    };
    stage.until("a person is asked", || asked().len() == 1).await;
    assert!(asked()[0].contains("@bob, checks still fail (tests)"), "{:?}", asked());
    assert_eq!(stage.prompts(&id).await.len(), 3);
    // Somebody says something: then it may try again.
    github.comment(REPOSITORY, pull, "ada", "@lamplight once more\n!write more.txt x").await;
    commit = until_published(&stage, &id, 4).await;
    github.check(REPOSITORY, &commit, "tests", Some("timed_out"), "!write round-4.txt x").await;
    until_published(&stage, &id, 5).await;
    stage.server.clear().await;
}

#[tokio::test]
async fn a_conflict_with_the_base_comes_back() {
    let stage = Stage::start(Way::App).await;
    let (id, _) = published(&stage).await;
    let upstream = stage.server.place.path("github/acme/api.git");
    let other = stage.server.place.path("other");
    let script = format!(
        "git clone -q {upstream:?} {other:?} && cd {other:?} && echo three > a.txt && git add . && \
         git -c user.name=Bob -c user.email=bob@example.org commit -qm Three && git push -q origin HEAD:main"
    );
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    // Something is heard of the repository, so that somebody looks.
    let commit = stage.head(&id).await;
    stage.github.check(REPOSITORY, &commit, "tests", Some("success"), "").await;
    stage.server.until(&id, "work_committed", 2).await;
    let prompts = stage.prompts(&id).await;
    assert_eq!((prompts.len(), prompts[1].0.as_str()), (2, "a conflict"));
    assert!(prompts[1].1.contains("merge origin/main"), "{}", prompts[1].1);
    let mirror = stage.server.view(&id).await["repository"].as_str().unwrap().to_owned();
    let output = Command::new("git").args(["-C", &mirror, "show", "main:a.txt"]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "three\n",
        "the session can fetch what it conflicts with"
    );
    // What it resolves is resolved for GitHub too.
    let path = format!("/sessions/{id}/pull-request");
    let merges = async || {
        // GitHub finds out when it is asked, and tells the next who asks.
        stage.server.get(&path).await;
        stage.server.get(&path).await.1["mergeable"].clone()
    };
    assert_eq!(merges().await, json!(false));
    let merge = "!run git fetch -q origin && { git merge -q origin/main || true; } && echo both > a.txt && git commit -qam Merged";
    stage.server.post(&format!("/sessions/{id}/prompts"), json!({ "text": merge })).await;
    until_published(&stage, &id, 3).await;
    assert_eq!(merges().await, json!(true));
    stage.server.clear().await;
}
