//! What is usual where a repository does not say how it is checked. The first of these that is there counts, and no other:
//!
//! | there is | with | runs |
//! |---|---|---|
//! | `Cargo.toml` | | `cargo test` |
//! | `package.json` | a script called `test` that is not the one of `npm init`; no lock file of another package manager | `npm ci`, if there is a `package-lock.json` and no setup; `npm test` |
//! | `pytest.ini`, `conftest.py`, or a section for pytest in `pyproject.toml`, `setup.cfg` or `tox.ini` | | `python3 -m pytest -q` |
//! | `go.mod` | | `go test ./...` |
//! | `Makefile` | a target called `check`, else `test` | `make check`, `make test` |

use std::collections::BTreeMap;

/// Files that say something, at the top of the repository.
pub(super) const FILES: &[&str] = &[
    "Cargo.toml",
    "Makefile",
    "conftest.py",
    "go.mod",
    "package-lock.json",
    "package.json",
    "pnpm-lock.yaml",
    "pyproject.toml",
    "pytest.ini",
    "setup.cfg",
    "tox.ini",
    "yarn.lock",
];

/// What was found, and the file that it was found by.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Detected {
    pub(super) file: &'static str,
    pub(super) commands: Vec<&'static str>,
}

/// What has to be in the sandbox for it, and how that is seen.
pub(super) struct Needed {
    pub(super) what: &'static str,
    pub(super) probe: &'static str,
}

pub(super) fn needs(file: &str) -> Option<Needed> {
    let (what, probe) = match file {
        "Cargo.toml" => ("cargo", "command -v cargo"),
        "package.json" => ("npm", "command -v npm"),
        "pytest.ini" | "conftest.py" | "pyproject.toml" | "setup.cfg" | "tox.ini" => {
            ("pytest", "python3 -c 'import pytest'")
        }
        "go.mod" => ("go", "command -v go"),
        "Makefile" => ("make", "command -v make"),
        _ => return None,
    };
    Some(Needed { what, probe })
}

/// `files` are those of [`FILES`] that are there, with what is in them.
pub(super) fn detect(files: &BTreeMap<&'static str, String>, has_setup: bool) -> Option<Detected> {
    let is_there = |name: &str| files.contains_key(name);
    let found = |file, commands: &[&'static str]| Some(Detected { file, commands: commands.to_vec() });
    if is_there("Cargo.toml") {
        return found("Cargo.toml", &["cargo test"]);
    }
    if let Some(package) = files.get("package.json")
        && has_tests(package)
        && !is_there("pnpm-lock.yaml")
        && !is_there("yarn.lock")
    {
        return match is_there("package-lock.json") && !has_setup {
            true => found("package.json", &["npm ci", "npm test"]),
            false => found("package.json", &["npm test"]),
        };
    }
    if let Some(file) = pytest(files) {
        return found(file, &["python3 -m pytest -q"]);
    }
    if is_there("go.mod") {
        return found("go.mod", &["go test ./..."]);
    }
    let makefile = files.get("Makefile")?;
    let has = |target: &str| makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
    match (has("check"), has("test")) {
        (true, _) => found("Makefile", &["make check"]),
        (false, true) => found("Makefile", &["make test"]),
        (false, false) => None,
    }
}

/// What `npm init` writes fails in every repository.
fn has_tests(package: &str) -> bool {
    let package: serde_json::Value = serde_json::from_str(package).unwrap_or_default();
    package["scripts"]["test"].as_str().is_some_and(|test| !test.contains("no test specified"))
}

fn pytest(files: &BTreeMap<&'static str, String>) -> Option<&'static str> {
    let sections = [
        ("pytest.ini", ""),
        ("conftest.py", ""),
        ("pyproject.toml", "[tool.pytest"),
        ("setup.cfg", "[tool:pytest]"),
        ("tox.ini", "[pytest]"),
    ];
    let is_it = |(file, section): &(&'static str, &str)| {
        files.get(file).is_some_and(|text| section.is_empty() || text.contains(section))
    };
    sections.iter().find(|one| is_it(one)).map(|(file, _)| *file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_there_counts() {
        let check = |files: &[(&'static str, &str)], has_setup, expected: Option<(&str, &[&str])>| {
            let files = files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
            let detected = detect(&files, has_setup);
            let detected = detected.as_ref().map(|found| (found.file, found.commands.as_slice()));
            assert_eq!(detected, expected, "{files:?}");
        };
        let tests = r#"{"scripts":{"test":"node --test"}}"#;
        let none = r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#;
        check(&[], false, None);
        check(&[("Cargo.toml", ""), ("package.json", tests)], false, Some(("Cargo.toml", &["cargo test"])));
        let npm = [("package.json", tests), ("package-lock.json", "{}")];
        check(&npm, false, Some(("package.json", &["npm ci", "npm test"])));
        check(&npm, true, Some(("package.json", &["npm test"])));
        check(&[("package.json", tests)], false, Some(("package.json", &["npm test"])));
        check(&[("package.json", tests), ("yarn.lock", "")], false, None);
        check(&[("package.json", none)], false, None);
        check(&[("package.json", "[")], false, None);
        let pytest: &[&str] = &["python3 -m pytest -q"];
        check(&[("pyproject.toml", "[tool.pytest.ini_options]")], false, Some(("pyproject.toml", pytest)));
        check(&[("pyproject.toml", "[project]"), ("tox.ini", "[tox]")], false, None);
        check(&[("go.mod", "module a")], false, Some(("go.mod", &["go test ./..."])));
        check(&[("Makefile", "all:\ntest: all\n\ttrue")], false, Some(("Makefile", &["make test"])));
        check(&[("Makefile", "test:\ncheck: test")], false, Some(("Makefile", &["make check"])));
        check(&[("Makefile", "all:\n\tcheck:")], false, None);
    }

    #[test]
    fn whatever_is_detected_is_looked_for_in_the_sandbox() {
        for file in FILES {
            let is_lock = matches!(*file, "package-lock.json" | "pnpm-lock.yaml" | "yarn.lock");
            assert_eq!(needs(file).is_none(), is_lock, "{file}");
        }
    }
}
