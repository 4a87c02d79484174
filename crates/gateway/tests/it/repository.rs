//! Real repositories, and real git run in them.

use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;
use tokio::process::Command;

/// Text of a finished git: its status and everything it wrote.
pub(crate) struct Ran {
    pub(crate) success: bool,
    pub(crate) text: String,
}

/// A person's repository with one commit on `main`, and room for clones beside it.
pub(crate) struct Home {
    directory: TempDir,
}

impl Home {
    pub(crate) async fn new() -> Self {
        let home = Self { directory: TempDir::new().unwrap() };
        let repository = home.repository();
        git(home.directory.path(), &["init", "-q", "-b", "main", repository.to_str().unwrap()])
            .await
            .expect_success();
        commit(&repository, "README.md", b"hello\n").await;
        home
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.directory.path().join("repository")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A clone through the gateway, on the session's branch.
    pub(crate) async fn clone_of(&self, url: &str) -> PathBuf {
        let clone = self.path("clone");
        git(self.directory.path(), &["clone", "-q", "-b", "main", url, clone.to_str().unwrap()])
            .await
            .expect_success();
        git(&clone, &["checkout", "-q", "-b", super::door::BRANCH]).await.expect_success();
        clone
    }

    /// Every ref of the person's repository with what it points to.
    pub(crate) async fn refs(&self) -> String {
        git(&self.repository(), &["for-each-ref", "--format=%(refname) %(objectname)"]).await.text
    }
}

pub(crate) async fn git(directory: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=ada@example.org",
            "-c",
            "protocol.version=2",
            "-c",
            "core.compression=0",
        ])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .await
        .unwrap();
    let Output { status, stdout, stderr } = output;
    let text = [stdout, stderr].concat();
    Ran { success: status.success(), text: String::from_utf8_lossy(&text).trim().to_owned() }
}

impl Ran {
    #[track_caller]
    pub(crate) fn expect_success(self) -> String {
        assert!(self.success, "{}", self.text);
        self.text
    }

    /// Git failed, and this is what its user reads.
    #[track_caller]
    pub(crate) fn expect_failure(self, words: &str) {
        assert!(!self.success, "it went through: {}", self.text);
        assert!(self.text.contains(words), "{words:?} is not in: {}", self.text);
    }
}

/// Commits one file and gives the commit.
pub(crate) async fn commit(repository: &Path, file: &str, content: &[u8]) -> String {
    std::fs::write(repository.join(file), content).unwrap();
    git(repository, &["add", "-A"]).await.expect_success();
    git(repository, &["commit", "-q", "-m", file]).await.expect_success();
    head(repository).await
}

pub(crate) async fn head(repository: &Path) -> String {
    git(repository, &["rev-parse", "HEAD"]).await.expect_success()
}

/// Bytes that do not compress, the same in each run.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(length)
    .collect()
}

/// Everything that a commit needs, as one pack.
pub(crate) async fn pack(clone: &Path, commit: &str) -> Vec<u8> {
    let packing = Command::new("sh")
        .args(["-c", &format!("echo {commit} | git pack-objects -q --stdout --revs")])
        .current_dir(clone)
        .output();
    packing.await.unwrap().stdout
}
