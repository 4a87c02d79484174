//! Reading the person's repository.

use crate::door::{BRANCH, Door, grant};
use crate::repository::{Home, commit, git, head, noise};
use lamplight_gateway::Upstreams;

#[tokio::test]
async fn a_clone_and_a_later_fetch_are_what_the_repository_is() {
    let home = Home::new().await;
    git(&home.repository(), &["tag", "v1"]).await.expect_success();
    let door = Door::open(grant(&home.repository()), Upstreams::default()).await;

    let clone = home.clone_of(&door.git_url()).await;
    assert_eq!(head(&clone).await, head(&home.repository()).await);
    assert_eq!(std::fs::read(clone.join("README.md")).unwrap(), b"hello\n");
    assert_eq!(git(&clone, &["tag"]).await.expect_success(), "v1");

    let newer = commit(&home.repository(), "new.txt", b"new\n").await;
    git(&clone, &["fetch", "-q"]).await.expect_success();
    assert_eq!(git(&clone, &["rev-parse", "origin/main"]).await.expect_success(), newer);
}

#[tokio::test]
async fn both_protocol_versions_and_bare_and_shallow_clones_work() {
    let home = Home::new().await;
    commit(&home.repository(), "second", b"2").await;
    let bare = home.path("bare.git");
    git(&home.repository(), &["clone", "-q", "--bare", ".", bare.to_str().unwrap()]).await.expect_success();
    for repository in [home.repository(), bare] {
        let door = Door::open(grant(&repository), Upstreams::default()).await;
        for version in ["0", "1", "2"] {
            let clone = tempfile::tempdir().unwrap();
            let version = format!("protocol.version={version}");
            git(
                clone.path(),
                &["-c", &version, "clone", "-q", "-b", "main", "--depth=1", &door.git_url(), "."],
            )
            .await
            .expect_success();
            git(clone.path(), &["-c", &version, "fetch", "-q", "--unshallow"]).await.expect_success();
            assert_eq!(head(clone.path()).await, head(&repository).await);
        }
    }
}

/// Git compresses what it asks for when that is more than a kilobyte.
#[tokio::test]
async fn a_fetch_that_asks_for_much_is_read_though_it_is_compressed() {
    let home = Home::new().await;
    for number in 0..40 {
        let name = number.to_string();
        git(&home.repository(), &["commit", "-q", "--allow-empty", "-m", &name]).await.expect_success();
        git(&home.repository(), &["branch", &name]).await.expect_success();
    }
    let door = Door::open(grant(&home.repository()), Upstreams::default()).await;
    for version in ["protocol.version=0", "protocol.version=2"] {
        let (clone, trace) = (home.path(version), home.path(&format!("{version}.trace")));
        let cloned = tokio::process::Command::new("git")
            .args(["-c", version, "clone", "-q", "-b", "main", &door.git_url()])
            .arg(&clone)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TRACE_CURL", &trace)
            .output()
            .await
            .unwrap();
        assert!(cloned.status.success(), "{}", String::from_utf8_lossy(&cloned.stderr));
        let trace = std::fs::read_to_string(trace).unwrap().to_lowercase();
        assert!(trace.contains("content-encoding: gzip"), "this clone was too small to show anything");
        assert_eq!(head(&clone).await, head(&home.repository()).await);
    }
}

#[tokio::test]
async fn only_branches_and_tags_are_shown_and_no_other_session() {
    let home = Home::new().await;
    let repository = home.repository();
    let stashed = commit(&repository, "README.md", b"unfinished\n").await;
    for name in ["refs/stash", "refs/notes/commits", "refs/heads/lamplight/other-01jb", "refs/heads/feature"]
    {
        git(&repository, &["update-ref", name, &stashed]).await.expect_success();
    }
    git(&repository, &["update-ref", &format!("refs/heads/{BRANCH}"), "HEAD~1"]).await.expect_success();
    // What the repository itself says is not what decides.
    git(&repository, &["config", "transfer.hideRefs", "!refs/stash"]).await.expect_success();
    let door = Door::open(grant(&repository), Upstreams::default()).await;
    for version in ["protocol.version=0", "protocol.version=2"] {
        let listed = git(&repository, &["-c", version, "ls-remote", &door.git_url()]).await.expect_success();
        let names: Vec<_> = listed.lines().filter_map(|line| line.split('\t').nth(1)).collect();
        assert_eq!(names, ["refs/heads/feature", &format!("refs/heads/{BRANCH}"), "refs/heads/main"]);
    }
}

#[tokio::test]
async fn a_fetch_runs_nothing_that_the_repository_names() {
    let home = Home::new().await;
    let repository = home.repository();
    let witness = home.path("witness");
    let program = format!("touch {}", witness.display());
    for key in
        ["uploadpack.packObjectsHook", "core.fsmonitor", "core.alternateRefsCommand", "core.sshCommand"]
    {
        git(&repository, &["config", key, &program]).await.expect_success();
    }
    let door = Door::open(grant(&repository), Upstreams::default()).await;
    home.clone_of(&door.git_url()).await;
    assert!(!witness.exists());
}

#[tokio::test]
async fn other_repositories_and_the_older_protocol_are_not_there() {
    let home = Home::new().await;
    let door = Door::open(grant(&home.repository()), Upstreams::default()).await;
    let client = reqwest::Client::new();
    for (path, status) in [
        ("/git/other.git/info/refs?service=git-upload-pack", 404),
        ("/git/repository.git/../../etc/info/refs?service=git-upload-pack", 404),
        ("/git/repository.git/HEAD", 404),
        ("/git/repository.git/objects/info/packs", 404),
        ("/git/repository.git/info/refs", 403),
        ("/git/repository.git/info/refs?service=git-upload-archive", 403),
        ("/git/repository.git/info/refs?service=git-upload-pack&service=git-receive-pack", 403),
        ("/git/repository.git/git-upload-pack", 405),
        ("/", 404),
    ] {
        assert_eq!(client.get(door.url(path)).send().await.unwrap().status(), status, "{path}");
    }
}

#[tokio::test]
async fn a_repository_that_is_gone_is_said_to_be_and_where_it_was_is_not() {
    let home = Home::new().await;
    let door = Door::open(grant(&home.path("nowhere")), Upstreams::default()).await;
    let answer =
        reqwest::get(door.url("/git/repository.git/info/refs?service=git-upload-pack")).await.unwrap();
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.text().await.unwrap(), "The session's repository cannot be read.\n");
}

/// A hundred megabytes pass, and this process holds none of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_clone_keeps_memory_bounded() {
    let home = Home::new().await;
    let content = noise(100 << 20);
    commit(&home.repository(), "large.bin", &content).await;
    drop(content);
    let door = Door::open(grant(&home.repository()), Upstreams::default()).await;
    let before = highest_memory_bytes(true);
    let clone = home.clone_of(&door.git_url()).await;
    let grown = highest_memory_bytes(false) - before;
    assert_eq!(std::fs::metadata(clone.join("large.bin")).unwrap().len(), 100 << 20);
    assert!(grown < 16 << 20, "the clone took {grown} bytes of memory");
}

/// The most physical memory that this process had at a time, since it was last asked to begin anew.
fn highest_memory_bytes(anew: bool) -> i64 {
    if anew {
        // Source: proc_pid_clear_refs(5): 5 resets the peak.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap() * 1024
}
