//! The commands of ours that run in sandboxes, known by what they say: each does to the repository in memory what git would do to a real one.

use crate::repository::Commit;
use crate::universe::{Files, Universe, lock};
use crate::weather::Flaw;
use lamplight_domain::SessionId;
use lamplight_wire::ProcessSpec;
use std::sync::Mutex;

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn printed(stdout: String) -> Self {
        Self { code: 0, stdout, stderr: String::new() }
    }

    fn failed(why: &str) -> Self {
        Self { code: 128, stdout: String::new(), stderr: format!("fatal: {why}\n") }
    }
}

pub(crate) fn run(universe: &Universe, session: &SessionId, files: &Mutex<Files>, spec: &ProcessSpec) -> Ran {
    let text = spec.argv.get(2).map_or("", String::as_str);
    let variable = |name: &str| spec.env.get(name).cloned().unwrap_or_default();
    let branch = variable("LAMPLIGHT_BRANCH");
    let fails = universe.happens(universe.weather().command);
    if text.contains(".git/lamplight-base.new") {
        match fails {
            true => Ran::failed("the repository cannot be read"),
            false => prepare(universe, files, &branch, &variable("LAMPLIGHT_BASE")),
        }
    } else if text.contains("git commit-tree") {
        let commit = Commit {
            parent: Some(variable("LAMPLIGHT_PARENT")),
            content: lock(files).content.clone(),
            message: variable("LAMPLIGHT_MESSAGE"),
            date: variable("GIT_COMMITTER_DATE"),
        };
        // What fails, fails before or after the push.
        let is_late = fails && universe.happens(500);
        match fails && !is_late {
            true => Ran::failed("the remote end hung up unexpectedly"),
            false => {
                let made = push(universe, session, files, &branch, commit);
                universe.tell(|| {
                    format!("{branch} of {session} is pushed: {}{}", made.stdout.trim(), made.stderr.trim())
                });
                if is_late { Ran::failed("it was interrupted") } else { made }
            }
        }
    } else if text.contains("find . -xdev -type f -print0") {
        Ran::printed(String::new())
    } else {
        universe.wrong(format!("in the sandbox of {session} nobody knows {:?}", spec.argv));
        Ran::failed("nobody knows that")
    }
}

fn prepare(universe: &Universe, files: &Mutex<Files>, branch: &str, base: &str) -> Ran {
    let repository = lock(&universe.repository);
    let mut files = lock(files);
    if let Some(base) = &files.base {
        return Ran::printed(format!("{base}\n"));
    }
    let Some(commit) = repository.branches.get(branch).or_else(|| repository.branches.get(base)) else {
        return Ran::failed("there is no such branch");
    };
    files.content = repository.commits[commit].content.clone();
    files.base = Some(commit.clone());
    Ran::printed(format!("{commit}\n"))
}

fn push(
    universe: &Universe,
    session: &SessionId,
    files: &Mutex<Files>,
    branch: &str,
    mut commit: Commit,
) -> Ran {
    let mut repository = lock(&universe.repository);
    if lock(files).base.is_none() {
        return Ran::failed("not a git repository");
    }
    let parent = commit.parent.as_ref().and_then(|parent| repository.commits.get(parent));
    let Some(parent) = parent else { return Ran::failed("bad object") };
    if parent.content == commit.content {
        return Ran::printed(String::new());
    }
    // The way to the person's repository is through the gateway of the server that this machine has.
    if !universe.engine().is_some_and(|engine| engine.may_push(session)) {
        return Ran::failed("nothing is taken for now: this session may be at another server");
    }
    if universe.flaw == Some(Flaw::CommitsTwice) {
        commit.parent = Some(repository.add(commit.clone()));
    }
    let id = repository.add(commit);
    repository.branches.insert(branch.to_owned(), id.clone());
    Ran::printed(format!("{id}\n 1 file changed, 1 insertion(+)\n"))
}
