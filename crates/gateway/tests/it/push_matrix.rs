//! Every way to push that git knows, and some that it does not: afterwards the repository has exactly the refs that it may have.
//! Prints a table: what was pushed, what was said, and what became of the refs.

use crate::door::{BRANCH, Door, grant};
use crate::pushes::{BY_GIT, WITH_REWRITING};
use crate::repository::{Home, commit, git, head};
use lamplight_gateway::Upstreams;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// What has to come of a push.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// The session's branch is where the clone's is, and git is content.
    Taken,
    /// Git is content, and nothing has changed.
    Nothing,
    /// Git is not, says these words, and nothing has changed.
    Refused(&'static str),
}

/// A person's repository with all kinds of refs, its door, and a clone with one commit to push.
struct Scene {
    home: Home,
    door: Door,
    clone: PathBuf,
    work: String,
}

impl Scene {
    async fn new(rewrite: bool) -> Self {
        let home = Home::new().await;
        let repository = home.repository();
        for arguments in [
            &["tag", "v1"][..],
            &["branch", "feature"],
            &["branch", "lamplight/other-01jb"],
            &["symbolic-ref", "refs/heads/alias", "refs/heads/main"],
            &["update-ref", "refs/notes/mine", "HEAD"],
        ] {
            git(&repository, arguments).await.expect_success();
        }
        let mut grant = grant(&repository);
        grant.rewrite = rewrite;
        let door = Door::open(grant, Upstreams::default()).await;
        let clone = home.clone_of(&door.git_url()).await;
        let work = commit(&clone, "work.txt", b"done\n").await;
        Self { home, door, clone, work }
    }

    /// Everything that a push could have changed: refs, what the symbolic ones stand for, what is checked out.
    async fn state(&self) -> String {
        let repository = self.home.repository();
        let refs = ["for-each-ref", "--format=%(refname) %(objectname) %(symref)"];
        let refs = git(&repository, &refs).await.expect_success();
        let head = git(&repository, &["symbolic-ref", "HEAD"]).await.expect_success();
        let changed = git(&repository, &["status", "--porcelain"]).await.expect_success();
        // Everything but the session's own branch, which is looked at by itself.
        let own = format!("refs/heads/{BRANCH} ");
        let refs: Vec<&str> = refs.lines().filter(|line| !line.starts_with(&own)).collect();
        format!("{}\nHEAD {head}\n{changed}", refs.join("\n"))
    }

    /// Where the session's branch is; empty if it is nowhere.
    async fn branch(&self) -> String {
        let name = format!("refs/heads/{BRANCH}");
        git(&self.home.repository(), &["rev-parse", "--verify", "--quiet", &name]).await.text
    }

    /// Runs a line of shell in the clone, with this git: whether it succeeded, and what was said.
    async fn shell(&self, line: &str, git: &Path) -> (bool, String) {
        let path = std::env::var("PATH").unwrap();
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(&self.clone)
            .env("PATH", format!("{}:{path}", git.display()))
            .env("B", BRANCH)
            .env("URL", self.door.git_url())
            .env("BASE", self.door.url(""))
            .env("HOST_PATH", self.home.repository())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "Ada")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "ada@example.org")))
            .output()
            .await
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

/// The gits of this machine: the directories that hold different ones, with what they say they are.
async fn gits() -> Vec<(PathBuf, String)> {
    let path = std::env::var_os("PATH").unwrap();
    let usual = std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    let mut known = BTreeSet::new();
    let mut gits = Vec::new();
    for directory in usual.filter(|directory| directory.join("git").is_file()) {
        let version = Command::new(directory.join("git")).arg("--version").output().await.unwrap();
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        if known.insert(version.clone()) {
            gits.push((directory, version));
        }
    }
    gits
}

#[tokio::test(flavor = "multi_thread")]
async fn after_every_push_the_repository_has_exactly_the_refs_that_it_may_have() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (number, (directory, version)) in gits().await.into_iter().enumerate() {
        let rows = BY_GIT.iter().map(|row| (row, false)).chain(WITH_REWRITING.iter().map(|row| (row, true)));
        println!("\n{version}\n| pushed | git said | afterwards |\n|---|---|---|");
        for ((name, line, expected), rewrite) in rows {
            // The large ones show nothing new with another version.
            if number > 0 && line.contains("100000000") {
                continue;
            }
            let scene = Scene::new(rewrite).await;
            let before = scene.state().await;
            let (succeeded, said) = scene.shell(line, &directory).await;
            let (after, branch) = (scene.state().await, scene.branch().await);
            let became = if after != before {
                format!("CHANGED: {after}")
            } else if branch.is_empty() {
                "as before".to_owned()
            } else {
                "the branch alone".to_owned()
            };
            let name = if rewrite { format!("rewriting allowed: {name}") } else { (*name).to_owned() };
            println!("| {name} | {} | {became} |", gist(&said));
            count += 1;
            let right = after == before
                && match expected {
                    Expected::Taken => succeeded && branch == tip(&scene, line).await,
                    Expected::Nothing => succeeded && branch.is_empty(),
                    // Some push something allowed before.
                    Expected::Refused(words) => {
                        let before =
                            if line.starts_with("git push -q origin $B &&") { &scene.work } else { "" };
                        !succeeded && said.contains(words) && branch == before
                    }
                };
            if !right {
                wrong.push(format!("{version}: {name}: {became}, branch at {branch:?}\n{said}"));
            }
            // The ledger knows what is true.
            if scene.door.pushed().last().map_or("", String::as_str) != branch {
                wrong.push(format!("{version}: {name}: the ledger says {:?}", scene.door.pushed()));
            }
        }
    }
    println!("\n{count} pushes");
    assert!(count >= 40 && wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the shell's last push was of.
async fn tip(scene: &Scene, line: &str) -> String {
    let clone = if line.contains("../shallow") { scene.home.path("shallow") } else { scene.clone.clone() };
    head(&clone).await
}

/// The line of git's that says most.
fn gist(said: &str) -> String {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let refused = lines().find(|line| line.starts_with("! ["));
    let line =
        refused.or_else(|| lines().find(|line| line.starts_with("fatal:"))).or_else(|| lines().next_back());
    let words: Vec<&str> = line.unwrap_or("nothing").split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
