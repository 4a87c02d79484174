//! A session that works on somebody's pull request, beside people who do the same: nothing of theirs is replaced.

use super::{REPOSITORY, Stage, Way};
use lamplight_fake_github::{Fault, Moment};
use serde_json::{Value, json};
use std::process::Command;

const BRANCH: &str = "feature";

/// Somebody's pull request on which somebody has asked for something: its number.
async fn asked(stage: &Stage, what: &str) -> u64 {
    stage.push(BRANCH, "theirs.txt", "theirs");
    let of = (REPOSITORY, BRANCH, "main");
    let number = stage.github.open_pull(REPOSITORY, "bob", of, "Theirs", "My words.").await;
    stage.github.comment(REPOSITORY, number, "bob", &format!("@lamplight please\n{what}")).await;
    number
}

async fn prompt(stage: &Stage, id: &str, text: &str) {
    let (status, answer) =
        stage.server.post(&format!("/sessions/{id}/prompts"), json!({ "text": text })).await;
    assert!(status.is_success(), "{answer}");
}

/// This turn has written its file, and hangs until this is called; then its work is committed.
async fn stop(stage: &Stage, id: &str, turn: usize) {
    stage.server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
    stage.server.until(id, "work_committed", turn).await;
}

fn body(stage: &Stage, number: u64) -> String {
    let pull = stage.github.pulls(REPOSITORY).into_iter().find(|pull| pull["number"] == number).unwrap();
    pull["body"].as_str().unwrap().to_owned()
}

/// Whether what is on GitHub goes on from all of these.
fn has(stage: &Stage, commits: &[&str]) -> bool {
    let upstream = stage.server.place.path("github/acme/api.git");
    commits.iter().all(|commit| {
        let mut git = Command::new("git");
        git.arg("-C").arg(&upstream).args(["merge-base", "--is-ancestor", commit, BRANCH]);
        git.output().unwrap().status.success()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_push_meanwhile_stays_and_is_gone_on_from() {
    let stage = Stage::start(Way::App).await;
    let number = asked(&stage, "!write a.txt one\n!hang").await;
    let id = stage.session_on(BRANCH).await;
    stage.server.until(&id, "tool_called", 1).await;
    let first = stage.push(BRANCH, "first.txt", "first");
    stop(&stage, &id, 1).await;
    let ours = stage.head(&id).await;
    stage.until("both are there", || has(&stage, &[&first, &ours])).await;
    stage.server.until(&id, "branch_updated", 1).await;

    // Somebody writes into the text, and pushes; who says more sees both.
    stage.until("it is told", || body(&stage, number).contains(&ours)).await;
    stage.github.edit(REPOSITORY, number, |body| {
        format!("{}\n\nMore of my words.", body.replace("My words.", "My own words."))
    });
    let second = stage.push(BRANCH, "second.txt", "second");
    let more = "@lamplight go on\n!run cat first.txt second.txt > seen.txt\n!say Seen.";
    stage.github.comment(REPOSITORY, number, "ada", more).await;
    stage.server.until(&id, "work_committed", 2).await;
    let ours = stage.head(&id).await;
    stage.until("the second is there", || stage.there(&["rev-parse", BRANCH]) == ours).await;
    assert!(has(&stage, &[&first, &second]));
    assert_eq!(stage.there(&["show", &format!("{BRANCH}:seen.txt")]), "first\nsecond");
    stage.until("an answer", || stage.answers(number).iter().any(|one| one.contains("Seen."))).await;
    stage.until("it is told", || body(&stage, number).contains(&ours)).await;
    let told = body(&stage, number);
    assert!(told.starts_with("My own words.\n\n") && told.contains("\n\nMore of my words."), "{told}");
    assert_eq!(told.matches("lamplight:begin").count(), 1, "{told}");
    assert_eq!((stage.github.pulls(REPOSITORY).len(), stage.sessions().await.len()), (1, 1));
    stage.server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_was_rewritten_is_left_alone_and_the_next_session_goes_on_from_there() {
    let stage = Stage::start(Way::App).await;
    let number = asked(&stage, "!say Nothing yet.").await;
    let id = stage.session_on(BRANCH).await;
    prompt(&stage, &id, "!write a.txt one\n!hang").await;
    stage.server.until(&id, "tool_called", 1).await;
    stage.there(&["branch", "--force", BRANCH, "main"]);
    let rewritten = stage.push(BRANCH, "rewritten.txt", "new");
    stop(&stage, &id, 2).await;
    stage.until_told(number, "was rewritten on GitHub").await;
    assert_eq!(stage.there(&["rev-parse", BRANCH]), rewritten);
    let lost = stage.head(&id).await;

    stage.server.post(&format!("/sessions/{id}/end"), Value::Null).await;
    stage.until_told(number, "Ended.").await;
    stage.github.comment(REPOSITORY, number, "bob", "@lamplight again\n!write b.txt two\n!say Done.").await;
    stage.until("a second comment", || stage.ours(number).len() == 2).await;
    stage.until("a commit", || stage.there(&["rev-parse", BRANCH]) != rewritten).await;
    assert_eq!(stage.there(&["rev-parse", &format!("{BRANCH}^")]), rewritten);
    assert_eq!((stage.github.pulls(REPOSITORY).len(), stage.sessions().await.len()), (1, 2));
    // What the first could not publish can still be looked at.
    let mirror = stage.server.view(&id).await["repository"].as_str().unwrap().to_owned();
    let kept = ["-C", &mirror, "rev-parse", &format!("refs/lamplight/kept/{lost}")];
    assert!(Command::new("git").args(kept).output().unwrap().status.success());
    stage.server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_both_changed_is_not_merged_and_what_was_closed_gets_nothing() {
    let stage = Stage::start(Way::App).await;
    let number = asked(&stage, "!write a.txt one\n!say Done.").await;
    let id = stage.session_on(BRANCH).await;
    stage.until_told(number, "Done for now.").await;
    let ours = stage.head(&id).await;
    stage.until("the commit is there", || stage.there(&["rev-parse", BRANCH]) == ours).await;
    let theirs = stage.push(BRANCH, "a.txt", "three");
    prompt(&stage, &id, "!write a.txt two").await;
    stage.until_told(number, "both changed a.txt").await;
    assert_eq!(stage.there(&["rev-parse", BRANCH]), theirs);

    stage.github.close_pull(REPOSITORY, number, false);
    prompt(&stage, &id, "!write b.txt two").await;
    stage.until_told(number, &format!("pull request #\u{2060}{number} is closed")).await;
    // Who asks there is told so, and nothing is run.
    let more = "@lamplight more\n!write c.txt three";
    stage.github.comment(REPOSITORY, number, "bob", more).await;
    let why = "Nothing was run: this pull request is closed.";
    let is_refused = |all: &[String]| all.iter().any(|one| one.contains(why));
    stage.until("a refusal", || is_refused(&stage.answers(number))).await;
    let ids = stage.github.review(REPOSITORY, number, "ada", "", &[("a.txt", 1, more)]).await;
    stage.until("a refusal in the thread", || is_refused(&stage.github.replies(ids[0]))).await;
    assert_eq!(stage.prompts(&id).await.len(), 3, "{:?}", stage.prompts(&id).await);
    assert_eq!((stage.there(&["rev-parse", BRANCH]), stage.github.pulls(REPOSITORY).len()), (theirs, 1));
    stage.server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mention_where_a_session_works_is_a_prompt_of_it_and_a_word_stops_it() {
    let stage = Stage::start(Way::App).await;
    let github = &stage.github;
    let number = asked(&stage, "!write a.txt one\n!say Done.").await;
    let id = stage.session_on(BRANCH).await;
    stage.until_told(number, "Done for now.").await;
    // Of somebody's pull request only what means us is for us.
    github.review(REPOSITORY, number, "ada", "", &[("a.txt", 1, "Bob, why?\n!write b.txt two")]).await;
    // What others have pushed is there for the turn.
    stage.push(BRANCH, "more.txt", "more");
    let text = "@lamplight\n!run cat more.txt > c.txt\n!say Three.";
    let ids = github.review(REPOSITORY, number, "ada", "", &[("a.txt", 1, text)]).await;
    stage.server.until(&id, "work_committed", 2).await;
    let head = stage.head(&id).await;
    stage.until("the commit is there", || stage.there(&["rev-parse", BRANCH]) == head).await;
    assert_eq!(stage.there(&["show", &format!("{BRANCH}:c.txt")]), "more");
    stage.until("an answer", || github.replies(ids[0]).iter().any(|one| one.contains("Three."))).await;
    let reacted =
        |place: &str| github.reactions().iter().any(|one| one.starts_with(&format!("acme/api/{place} ")));
    assert!(reacted(&format!("remarks/{} eyes", ids[0])));
    let prompts = stage.prompts(&id).await;
    assert!(prompts.len() == 2 && !prompts[1].1.contains("Bob, why?"), "{prompts:?}");

    github.comment(REPOSITORY, number, "ada", "@lamplight more\n!run sleep 600").await;
    stage.server.until(&id, "turn_started", 3).await;
    let ids = github.review(REPOSITORY, number, "bob", "", &[("a.txt", 1, "@lamplight stop")]).await;
    stage.server.until(&id, "turn_ended", 3).await;
    stage.until_told(number, "Stopped. stopped by bob").await;
    assert!(reacted(&format!("remarks/{} +1", ids[0])));
    assert_eq!(
        (stage.sessions().await.len(), stage.prompts(&id).await.len(), stage.ours(number).len()),
        (1, 3, 1)
    );
    stage.server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_request_of_ours_is_gone_on_with_when_its_session_has_ended() {
    let stage = Stage::start(Way::App).await;
    let github = &stage.github;
    let issue = github.open_issue(REPOSITORY, "bob", "Fix it", "!write a.txt one\n!say Done.").await;
    github.label(REPOSITORY, issue, "bob", "lamplight").await;
    let first = stage.session().await;
    stage.until_told(issue, "Pull request: ").await;
    stage.until_told(issue, "Done for now.").await;
    let pull = github.pulls(REPOSITORY).remove(0);
    let (number, branch) = (pull["number"].as_u64().unwrap(), pull["head"]["ref"].as_str().unwrap());
    // While it lives, what is said on its pull request is a prompt of it.
    github.review(REPOSITORY, number, "ada", "@lamplight more\n!write b.txt two", &[]).await;
    stage.server.until(&first, "work_committed", 2).await;
    let before = stage.head(&first).await;
    stage.until("the second commit", || stage.there(&["rev-parse", branch]) == before).await;
    assert_eq!(stage.sessions().await.len(), 1);
    stage.server.post(&format!("/sessions/{first}/end"), Value::Null).await;
    stage.until_told(issue, "Ended.").await;

    github.comment(REPOSITORY, number, "ada", "@lamplight once more\n!write c.txt three\n!say Three.").await;
    stage.until_told(number, "Done for now.").await;
    let sessions = stage.sessions().await;
    let second = sessions.iter().find(|one| one["id"] != first.as_str()).unwrap();
    assert_eq!((sessions.len(), second["branch"].as_str()), (2, Some(branch)));
    let head = stage.head(second["id"].as_str().unwrap()).await;
    stage.until("the third commit", || stage.there(&["rev-parse", branch]) == head).await;
    assert_eq!(stage.there(&["rev-parse", &format!("{branch}^")]), before);
    stage.until("it is told", || body(&stage, number).contains(&head)).await;
    assert!(body(&stage, number).contains(&format!("Closes #{issue}\n")), "{}", body(&stage, number));
    assert_eq!(github.pulls(REPOSITORY).len(), 1);
    stage.server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_pull_requests_of_one_branch_each_is_gone_on_with() {
    let stage = Stage::start(Way::App).await;
    let end = async |id: &str| stage.server.post(&format!("/sessions/{id}/end"), Value::Null).await;
    let first = asked(&stage, "!say One.").await;
    let id = stage.session_on(BRANCH).await;
    stage.until_told(first, "Done for now.").await;
    end(&id).await;
    stage.until_told(first, "Ended.").await;

    stage.there(&["branch", "release", "main"]);
    let of = (REPOSITORY, BRANCH, "release");
    let second = stage.github.open_pull(REPOSITORY, "bob", of, "The same", "My words.").await;
    stage.github.comment(REPOSITORY, second, "bob", "@lamplight\n!say Two.").await;
    stage.until_told(second, "Done for now.").await;
    let sessions = stage.sessions().await;
    let newest = sessions.iter().find(|one| one["id"] != id.as_str()).unwrap();
    end(newest["id"].as_str().unwrap()).await;
    stage.until_told(second, "Ended.").await;

    stage.github.comment(REPOSITORY, first, "bob", "@lamplight\n!say Three.").await;
    stage.until("an answer", || stage.answers(first).iter().any(|one| one.contains("Three."))).await;
    assert_eq!((stage.sessions().await.len(), stage.ours(first).len(), stage.ours(second).len()), (3, 2, 1));
    stage.server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_back_to_a_checkpoint_takes_nothing_away_there_and_goes_on_beside_it() {
    let stage = Stage::start(Way::App).await;
    let number = asked(&stage, "!write a.txt one").await;
    let id = stage.session_on(BRANCH).await;
    stage.server.until(&id, "checkpoint_kept", 1).await;
    prompt(&stage, &id, "!write b.txt two").await;
    stage.server.until(&id, "checkpoint_kept", 2).await;
    let second = stage.head(&id).await;
    stage.until_published(&id, &second).await;

    let back = json!({ "checkpoint": 1 });
    let (status, problem) = stage.server.post(&format!("/sessions/{id}/restore"), back).await;
    assert!(status.is_success(), "{problem}");
    stage.server.until(&id, "files_restored", 1).await;
    stage.until_told(number, "went back behind what is on feature on GitHub").await;
    assert_eq!(stage.there(&["rev-parse", BRANCH]), second);

    prompt(&stage, &id, "!write c.txt three").await;
    stage.server.until(&id, "branch_updated", 1).await;
    let both = stage.head(&id).await;
    stage.until_published(&id, &both).await;
    assert_eq!(stage.there(&["rev-parse", BRANCH]), both);
    assert!(has(&stage, &[&second]));
    let names = stage.there(&["ls-tree", "--name-only", BRANCH, "b.txt", "c.txt"]);
    assert_eq!(names, "b.txt\nc.txt");
    let is_over = || stage.ours(number).iter().all(|comment| !comment.contains("went back"));
    stage.until("nobody is told of it any more", is_over).await;
    stage.server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_is_protected_meanwhile_gets_nothing() {
    let stage = Stage::start(Way::App).await;
    let number = asked(&stage, "!write a.txt one\n!hang").await;
    let id = stage.session_on(BRANCH).await;
    stage.server.until(&id, "tool_called", 1).await;
    let before = stage.there(&["rev-parse", BRANCH]);
    stage.github.protect(REPOSITORY, BRANCH);
    stop(&stage, &id, 1).await;
    stage.until_told(number, "feature is protected on GitHub").await;
    assert_eq!(stage.there(&["rev-parse", BRANCH]), before);
    let (status, problem) = stage.server.post(&format!("/sessions/{id}/pull-request"), Value::Null).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (409, Some("branch_protected")), "{problem}");
    assert_eq!(stage.there(&["rev-parse", BRANCH]), before);
    stage.server.clear().await;
}

/// Each is where the server waits when it is killed: before GitHub has done it, or after.
const STEPS: [(&str, &str, Moment); 6] = [
    ("POST", "/reactions", Moment::ThenHanging),
    ("POST", "/comments", Moment::ThenHanging),
    ("GET", "/reviews", Moment::Hanging),
    ("GET", "/info/refs", Moment::Hanging),
    ("POST", "/git-receive-pack", Moment::ThenHanging),
    ("PATCH", "", Moment::ThenHanging),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_at_any_step_does_each_once() {
    for (method, path, moment) in STEPS {
        let mut stage = Stage::start(Way::App).await;
        stage.push(BRANCH, "theirs.txt", "theirs");
        let of = (REPOSITORY, BRANCH, "main");
        let number = stage.github.open_pull(REPOSITORY, "bob", of, "Theirs", "My words.").await;
        let before = stage.github.requests().len();
        stage.github.plan(Fault { method: method.parse().unwrap(), path, moment });
        let lines = [("theirs.txt", 1, "@lamplight\n!write a.txt one\n!say Done.")];
        let ids = stage.github.review(REPOSITORY, number, "bob", "", &lines).await;
        let asked = |stage: &Stage| {
            let is_it = |request: &String| request.starts_with(method) && request.ends_with(path);
            stage.github.requests()[before..].iter().any(is_it)
        };
        stage.until(path, || asked(&stage)).await;
        stage = stage.kill().await;
        let id = stage.session_on(BRANCH).await;
        stage.server.until(&id, "work_committed", 1).await;
        let head = stage.head(&id).await;
        stage.until("the commit", || stage.there(&["rev-parse", BRANCH]) == head).await;
        stage.until_told(number, "Done for now.").await;
        stage.until("it is told", || body(&stage, number).contains(&head)).await;
        stage.until("an answer", || stage.github.replies(ids[0]).len() == 1).await;
        let counts =
            (stage.sessions().await.len(), stage.ours(number).len(), stage.github.pulls(REPOSITORY).len());
        assert_eq!(counts, (1, 1, 1), "{method} {path} {moment:?}");
        let turn = &stage.server.view(&id).await["turn"];
        assert_eq!(turn, 1, "{method} {path} {moment:?}");
        stage.server.clear().await;
    }
}
