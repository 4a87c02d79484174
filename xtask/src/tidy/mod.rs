//! `cargo xtask tidy`: rules that a compiler does not know, one a file. They are run by the tests too.

mod architecture;
mod dependencies;
mod edges;
mod hosts;
mod length;
mod lints;
mod paths;
mod words;

use crate::command::output_of;
use crate::workspace::{cargo, root};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What is wrong, one sentence each.
type Complaints = Vec<String>;

struct Rule {
    name: &'static str,
    check: fn(&Repository) -> Complaints,
}

const RULES: [Rule; 8] = [
    Rule { name: "crates see only what the design lets them see", check: edges::check },
    Rule { name: "every crate takes the workspace's lints", check: lints::check },
    Rule { name: "nothing is put off or silenced", check: words::check },
    Rule { name: "files stay short", check: length::check },
    Rule { name: "documents name what exists", check: paths::check },
    Rule { name: "the map fits on a few pages", check: architecture::check },
    Rule { name: "nothing names a machine or a registry", check: hosts::check },
    Rule { name: "every dependency has a reason", check: dependencies::check },
];

pub(crate) fn run() -> Result<ExitCode> {
    let broken = complaints()?.into_iter().filter(|(_, complaints)| !complaints.is_empty()).count();
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks all rules and prints what is wrong.
pub(crate) fn complaints() -> Result<Vec<(&'static str, Complaints)>> {
    let repository = Repository::read(&root())?;
    let checked: Vec<_> = RULES.iter().map(|rule| (rule.name, (rule.check)(&repository))).collect();
    for (name, complaints) in &checked {
        println!("{} {name}", if complaints.is_empty() { "✓" } else { "✗" });
        for complaint in complaints {
            println!("    {complaint}");
        }
    }
    Ok(checked)
}

/// The repository as the rules see it: what git tracks or would track.
struct Repository {
    root: PathBuf,
    /// Paths from the root, and contents; files that are not UTF-8 are not here.
    texts: BTreeMap<String, String>,
    packages: Vec<Package>,
}

/// Of `cargo metadata`.
#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `None` is an ordinary one; else `dev` or `build`.
    kind: Option<String>,
    /// Only ours have one.
    path: Option<PathBuf>,
}

impl Repository {
    fn read(root: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Metadata {
            packages: Vec<Package>,
        }
        let mut metadata = cargo();
        metadata.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
        let metadata: Metadata =
            serde_json::from_str(&output_of(&mut metadata)?).context("read cargo's metadata")?;
        let mut list = Command::new("git");
        list.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let mut texts = BTreeMap::new();
        for path in output_of(&mut list)?.split('\0').filter(|path| !path.is_empty()) {
            // What was removed but is still in git's index cannot be read, and what is no text is not judged.
            if let Ok(text) = std::fs::read_to_string(root.join(path)) {
                texts.insert(path.to_owned(), text);
            }
        }
        Ok(Self { root: root.to_owned(), texts, packages: metadata.packages })
    }

    /// Texts whose path ends so.
    fn ending(&self, ends: &'static [&'static str]) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        texts.filter(|(path, _)| ends.iter().any(|end| path.ends_with(end)))
    }

    fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        let broken: Vec<_> = super::complaints()
            .expect("the repository can be read")
            .into_iter()
            .filter(|(_, complaints)| !complaints.is_empty())
            .collect();
        assert_eq!(broken, []);
    }
}
