//! Writing to the person's repository: one branch, forwards, and nothing else.

use crate::door::{BRANCH, Door, grant};
use crate::repository::{Home, commit, git, head, noise, pack};
use lamplight_gateway::Upstreams;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use tokio::io::AsyncWriteExt;

/// A repository, its door, and a clone with one commit to push.
async fn working_clone() -> (Home, Door, PathBuf) {
    let home = Home::new().await;
    let door = Door::open(grant(&home.repository()), Upstreams::default()).await;
    let clone = home.clone_of(&door.git_url()).await;
    commit(&clone, "work.txt", b"done\n").await;
    (home, door, clone)
}

#[tokio::test]
async fn the_sessions_branch_is_pushed_and_pushed_again() {
    let (home, door, clone) = working_clone().await;
    let main = head(&home.repository()).await;
    let mut commits = Vec::new();
    for file in ["first", "second"] {
        commits.push(commit(&clone, file, file.as_bytes()).await);
        git(&clone, &["push", "-q", "origin", BRANCH]).await.expect_success();
        // Git ends after the ledger was told.
        assert_eq!(door.pushed(), commits);
    }
    assert_eq!(home.refs().await, format!("refs/heads/{BRANCH} {}\nrefs/heads/main {main}", commits[1]));
    assert_eq!(door.refused(), Vec::<String>::new());
}

/// As after a machine stood still: what is pushed late is not put over what another server has made of the session.
#[tokio::test]
async fn nothing_is_pushed_while_somebody_else_may_have_the_session() {
    let (home, door, clone) = working_clone().await;
    let before = home.refs().await;
    door.ledger.elsewhere.store(true, Ordering::Relaxed);
    git(&clone, &["push", "origin", BRANCH]).await.expect_failure("503");
    assert_eq!((home.refs().await, door.pushed()), (before, vec![]));
    door.ledger.elsewhere.store(false, Ordering::Relaxed);
    git(&clone, &["push", "-q", "origin", BRANCH]).await.expect_success();
    assert_eq!(door.pushed(), [head(&clone).await]);
}

/// What is larger than git's buffer comes after a probe, in chunks.
#[tokio::test]
async fn a_large_push_arrives_whole() {
    let (home, door, clone) = working_clone().await;
    let commit = commit(&clone, "large.bin", &noise(30 << 20)).await;
    git(&clone, &["push", "-q", "origin", BRANCH]).await.expect_success();
    assert_eq!(door.pushed(), [commit]);
    git(&home.repository(), &["fsck", "--strict"]).await.expect_success();
}

/// When the base has moved since the clone, neither side's newest commits are known to the other.
#[tokio::test]
async fn a_push_that_negotiates_sends_only_what_is_new() {
    let home = Home::new().await;
    commit(&home.repository(), "large.bin", &noise(2 << 20)).await;
    let door = Door::open(grant(&home.repository()), Upstreams::default()).await;
    let clone = home.clone_of(&door.git_url()).await;
    commit(&home.repository(), "meanwhile.txt", b"by the person\n").await;
    let work = commit(&clone, "work.txt", b"done\n").await;
    git(&clone, &["config", "push.negotiate", "true"]).await.expect_success();
    let said = git(&clone, &["push", "--progress", &door.git_url(), BRANCH]).await.expect_success();
    assert!(said.contains("Writing objects: 100% (3/3)"), "{said}");
    assert_eq!(door.pushed(), [work]);
}

#[tokio::test]
async fn a_shallow_clone_can_push_its_work() {
    let home = Home::new().await;
    commit(&home.repository(), "second", b"2").await;
    let door = Door::open(grant(&home.repository()), Upstreams::default()).await;
    let clone = home.path("shallow");
    git(
        &home.repository(),
        &["clone", "-q", "-b", "main", "--depth=1", &door.git_url(), clone.to_str().unwrap()],
    )
    .await
    .expect_success();
    let work = commit(&clone, "work", b"work").await;
    git(&clone, &["push", "-q", "origin", &format!("HEAD:refs/heads/{BRANCH}")]).await.expect_success();
    assert_eq!(door.pushed(), [work]);
}

#[tokio::test]
async fn every_other_push_is_refused_by_a_message_of_gits_and_changes_nothing() {
    let (home, door, clone) = working_clone().await;
    git(&clone, &["push", "-q", "origin", BRANCH]).await.expect_success();
    git(&clone, &["tag", "v9"]).await.expect_success();
    commit(&clone, "more.txt", b"more\n").await;
    let before = home.refs().await;
    let own = format!("HEAD:refs/heads/{BRANCH}");
    let deletion = format!(":refs/heads/{BRANCH}");
    let only = format!("this session may push only its branch {BRANCH}");
    for (refs, reason) in [
        (vec!["HEAD:refs/heads/main"], only.as_str()),
        (vec!["+HEAD:refs/heads/main"], &only),
        (vec!["HEAD:refs/heads/new"], &only),
        (vec!["HEAD:refs/heads/lamplight/fix-wrap-01jb"], &only),
        (vec!["HEAD:refs/heads/lamplight/fix-wrap-01ja/below"], &only),
        (vec!["HEAD:refs/heads/LAMPLIGHT/FIX-WRAP-01JA"], &only),
        (vec!["v9"], &only),
        (vec!["HEAD:refs/notes/commits"], &only),
        (vec!["HEAD:refs/stash"], &only),
        (vec!["HEAD:refs/replace/0000000000000000000000000000000000000001"], &only),
        (vec![":refs/heads/main"], &only),
        (vec![&deletion], "this session's branch cannot be deleted"),
        (vec![&own, "HEAD:refs/heads/new"], &only),
        (vec![&own, "v9"], "not pushed, because of the other refs of the same push"),
    ] {
        let arguments = [vec!["push", "origin"], refs.clone()].concat();
        git(&clone, &arguments).await.expect_failure(reason);
        assert_eq!(home.refs().await, before, "{refs:?}");
    }
    assert_eq!(door.pushed().len(), 1);
    assert_eq!(door.refused()[0], format!("A push to refs/heads/main was refused: {only}."));
}

#[tokio::test]
async fn a_large_push_to_another_branch_is_refused_by_a_message_as_well() {
    let (home, door, clone) = working_clone().await;
    commit(&clone, "large.bin", &noise(8 << 20)).await;
    let before = home.refs().await;
    git(&clone, &["push", "origin", "HEAD:refs/heads/main"])
        .await
        .expect_failure("this session may push only its branch");
    assert_eq!(home.refs().await, before);
    assert_eq!(door.pushed(), Vec::<String>::new());
}

#[tokio::test]
async fn the_branch_only_goes_forwards_unless_rewriting_is_granted() {
    let (home, door, clone) = working_clone().await;
    git(&clone, &["push", "-q", "origin", BRANCH]).await.expect_success();
    git(&clone, &["commit", "-q", "--amend", "-m", "otherwise"]).await.expect_success();
    git(&clone, &["push", "--force", "origin", BRANCH]).await.expect_failure("(non-fast-forward)");
    assert_eq!(door.pushed().len(), 1);

    let mut may_rewrite = grant(&home.repository());
    may_rewrite.rewrite = true;
    let door = Door::open(may_rewrite, Upstreams::default()).await;
    git(&clone, &["push", "-q", "--force", &door.git_url(), BRANCH]).await.expect_success();
    assert_eq!(door.pushed(), [head(&clone).await]);
}

#[tokio::test]
async fn a_branch_that_the_person_has_checked_out_is_left_alone() {
    let (home, door, clone) = working_clone().await;
    let repository = home.repository();
    git(&repository, &["checkout", "-q", "-b", BRANCH]).await.expect_success();
    // Even where the person lets it happen to themselves.
    git(&repository, &["config", "receive.denyCurrentBranch", "ignore"]).await.expect_success();
    git(&clone, &["push", "origin", BRANCH]).await.expect_failure("(branch is currently checked out)");

    git(&repository, &["checkout", "-q", "main"]).await.expect_success();
    git(&repository, &["worktree", "add", "-q", "../review", BRANCH]).await.expect_success();
    git(&clone, &["push", "origin", BRANCH]).await.expect_failure("(branch is currently checked out)");
    assert_eq!(door.pushed(), Vec::<String>::new());
}

#[tokio::test]
async fn a_push_runs_no_hook_and_takes_no_options() {
    let (home, door, clone) = working_clone().await;
    let witness = home.path("witness");
    for hook in
        ["pre-receive", "update", "post-receive", "post-update", "reference-transaction", "proc-receive"]
    {
        let path = home.repository().join(".git/hooks").join(hook);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\ntouch {}\n", witness.display())).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    git(&home.repository(), &["config", "receive.advertisePushOptions", "true"]).await.expect_success();
    git(&clone, &["push", "-o", "ci.skip", "origin", BRANCH])
        .await
        .expect_failure("does not support push options");
    git(&clone, &["push", "-q", "origin", BRANCH]).await.expect_success();
    assert_eq!(door.pushed().len(), 1);
    assert!(!witness.exists());
}

#[tokio::test]
async fn broken_objects_are_not_taken() {
    let (home, door, clone) = working_clone().await;
    // A file called `.git` inside a commit: whoever checks it out is taken over.
    let blob = git(&clone, &["hash-object", "-w", "work.txt"]).await.expect_success();
    let mut tree = b"100644 .git\0".to_vec();
    tree.extend(
        blob.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()),
    );
    std::fs::write(clone.join("tree"), tree).unwrap();
    let tree =
        git(&clone, &["hash-object", "-w", "-t", "tree", "--literally", "tree"]).await.expect_success();
    let evil = git(&clone, &["commit-tree", &tree, "-p", "HEAD", "-m", "evil"]).await.expect_success();
    let refspec = format!("{evil}:refs/heads/{BRANCH}");
    git(&clone, &["push", "origin", &refspec]).await.expect_failure("hasDotgit");
    assert!(!home.refs().await.contains(BRANCH));
    assert_eq!(door.pushed(), Vec::<String>::new());
}

/// Whoever pushed may be gone before the answer: what happened to the branch is in the ledger all the same.
#[tokio::test]
async fn a_client_that_leaves_early_never_makes_the_ledger_wrong() {
    let (home, _, clone) = working_clone().await;
    for (number, keep) in [1, 2, 3, 4, 4].into_iter().enumerate() {
        let door = Door::open(grant(&home.repository()), Upstreams::default()).await;
        let new = commit(&clone, "work.txt", &noise(300_000 + number)).await;
        let old = git(&home.repository(), &["rev-parse", "--verify", "-q", &format!("refs/heads/{BRANCH}")])
            .await
            .text;
        let old = if old.is_empty() { "0".repeat(40) } else { old };
        let command = format!("{old} {new} refs/heads/{BRANCH}\0report-status");
        let mut body = format!("{:04x}{command}0000", command.len() + 4).into_bytes();
        body.extend(pack(&clone, &new).await);
        let head = format!(
            "POST /git/repository.git/git-receive-pack HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\
             content-type: application/x-git-receive-pack-request\r\n\r\n",
            body.len()
        );
        let mut socket = tokio::net::TcpStream::connect(&door.address).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        // A quarter of it, half of it, … and then the whole.
        socket.write_all(&body[..body.len() * keep / 4]).await.unwrap();
        drop(socket);
        door.stream_ended().await;
        door.settled().await;
        let at = git(&home.repository(), &["rev-parse", "--verify", "-q", &format!("refs/heads/{BRANCH}")])
            .await
            .text;
        assert_eq!(door.pushed().contains(&new), at == new);
        assert!(keep == 4 || at != new, "half a push was taken");
        git(&home.repository(), &["fsck", "--strict"]).await.expect_success();
    }
}

/// What no git sends, but a program in a sandbox may.
#[tokio::test]
async fn crafted_pushes_are_refused_before_git_sees_them() {
    let (home, door, clone) = working_clone().await;
    let before = home.refs().await;
    let new = head(&clone).await;
    let zero = "0".repeat(40);
    let own = format!("refs/heads/{BRANCH}");
    let packet = |text: &str| format!("{:04x}{text}", text.len() + 4);
    let line = |name: &str| format!("{zero} {new} {name}");
    let caps = "\0report-status";
    for (name, body, status, words) in [
        ("no report asked for", packet(&line("refs/heads/main")) + "0000", 403, "may push only its branch"),
        (
            "capabilities on a later line",
            packet(&(line(&own) + caps)) + &packet(&(line(&own) + caps)) + "0000",
            400,
            "belong to the first",
        ),
        (
            "the same ref twice",
            packet(&(line(&own) + caps)) + &packet(&line(&own)) + "0000",
            200,
            "ng refs/heads/lamplight",
        ),
        (
            "a certificate",
            packet(&format!("push-cert{caps}")) + &packet("certificate version 0.1") + "0000",
            403,
            "Signed",
        ),
        (
            "push options",
            packet(&(line(&own) + "\0report-status push-options")) + "0000",
            200,
            "push options are not",
        ),
        (
            "a newline in the name",
            packet(&(line("refs/heads/x\nrefs/heads/y") + caps)) + "0000",
            200,
            "ng refs/heads/x",
        ),
        ("no length", "zzzz".to_owned(), 400, "does not begin with its length"),
        ("a sign in the length", "+008abcd".to_owned(), 400, "does not begin with its length"),
        ("a special packet", "0001".to_owned(), 400, "no such packet"),
        ("an end in the middle", packet(&line(&own))[..40].to_owned(), 400, "ends before"),
        ("not a command", packet("hello there, git") + "0000", 400, "not a list of refs"),
        ("an endless list", packet(&line(&own)).repeat(1000), 413, "Too many refs"),
    ] {
        let answer = reqwest::Client::new()
            .post(format!("{}/git-receive-pack", door.git_url()))
            .header("content-type", "application/x-git-receive-pack-request")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{name}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(words), "{name}: {text}");
        assert_eq!(home.refs().await, before, "{name}");
    }
    let compressed = reqwest::Client::new()
        .post(format!("{}/git-receive-pack", door.git_url()))
        .header("content-type", "application/x-git-receive-pack-request")
        .header("content-encoding", "gzip")
        .body("anything");
    assert_eq!(compressed.send().await.unwrap().status(), 415);
}
