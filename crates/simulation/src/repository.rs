//! One git repository in memory, as far as the engine asks of it: on the machine before a session begins, and in sandboxes.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Output};

/// The branch that sessions begin from.
pub(crate) const BASE: &str = "main";

#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) commits: BTreeMap<String, Commit>,
    pub(crate) branches: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Commit {
    pub(crate) parent: Option<String>,
    pub(crate) content: BTreeMap<String, String>,
    pub(crate) message: String,
    pub(crate) date: String,
}

impl Commit {
    /// The same for the same, as git's are.
    fn id(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        let hash = hasher.finish();
        format!("{hash:016x}{:016x}{:08x}", hash.rotate_left(21), hash as u32)
    }
}

impl Repository {
    pub(crate) fn new() -> Self {
        let content = BTreeMap::from([("README.md".to_owned(), "a repository".to_owned())]);
        let first =
            Commit { parent: None, content, message: "Begin".to_owned(), date: "@1 +0000".to_owned() };
        let mut repository = Self { commits: BTreeMap::new(), branches: BTreeMap::new() };
        let id = repository.add(first);
        repository.branches.insert(BASE.to_owned(), id);
        repository
    }

    pub(crate) fn add(&mut self, commit: Commit) -> String {
        let id = commit.id();
        self.commits.insert(id.clone(), commit);
        id
    }

    /// What the machine's git says; `None` to what nobody has asked it yet.
    pub(crate) fn answer(&self, repository: &Path, arguments: &[&str]) -> Option<Output> {
        Some(match arguments {
            ["rev-parse", "--is-bare-repository"] => output(0, "false\n"),
            ["rev-parse", "--show-toplevel"] => output(0, &format!("{}\n", repository.display())),
            ["rev-parse", "--verify", "--quiet", reference] => {
                let branch = reference.strip_prefix("refs/heads/")?.strip_suffix("^{commit}")?;
                match self.branches.get(branch) {
                    Some(id) => output(0, &format!("{id}\n")),
                    None => output(1, ""),
                }
            }
            ["log", "-1", "--first-parent", "--shortstat", _, reference, "--"] => {
                let id = self.branches.get(reference.strip_prefix("refs/heads/")?);
                match id.and_then(|id| Some((id, self.commits.get(id)?))) {
                    Some((id, Commit { parent, message, date, .. })) => {
                        let seconds = date.strip_prefix('@')?.split(' ').next()?;
                        let parent = parent.as_deref().unwrap_or_default();
                        let stat = " 1 file changed, 1 insertion(+)";
                        output(0, &format!("{id}\n{seconds}\n{parent}\n{message}\0\n\n{stat}\n"))
                    }
                    None => output(128, ""),
                }
            }
            _ => return None,
        })
    }
}

pub(crate) fn output(code: i32, stdout: &str) -> Output {
    Output { status: ExitStatus::from_raw(code << 8), stdout: stdout.into(), stderr: Vec::new() }
}
