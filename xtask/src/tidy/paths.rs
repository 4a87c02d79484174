//! Documents name what exists: every path in them, be it in a link or between backticks, is there, and so is every test of a file that they
//! name (`crates/a/tests/b.rs::it_holds`).

use super::{Complaints, Repository};
use std::path::{Path, PathBuf};

/// How a path between backticks begins; other words there are code.
const PLACES: [&str; 6] = ["crates/", "docs/", "web/", "xtask/", ".ci/", ".config/"];

pub(super) fn check(repository: &Repository) -> Complaints {
    let mut complaints = Complaints::new();
    for (document, text) in repository.ending(&[".md"]) {
        if document.starts_with("crates/scripted-model/sample/") {
            continue;
        }
        let folder = Path::new(document).parent().unwrap_or(Path::new(""));
        let linked = between(text, "](", ")").filter(|link| is_local(link));
        let linked = linked.map(|link| folder.join(link.split('#').next().unwrap_or(link)));
        let quoted =
            between(text, "`", "`").filter(|word| PLACES.iter().any(|place| word.starts_with(place)));
        let quoted: Vec<&str> = quoted.filter(|word| !word.contains(['*', '<', '…', ' ', '{'])).collect();
        let paths = quoted.iter().map(|word| PathBuf::from(word.split("::").next().unwrap_or(word)));
        for path in linked.chain(paths) {
            if !repository.has(&path.to_string_lossy()) {
                complaints.push(format!("{document} names {}, which does not exist", path.display()));
            }
        }
        let tests = quoted.iter().filter_map(|word| word.split_once("::"));
        let missing = tests.filter(|(path, test)| !has_test(repository.texts.get(*path), test));
        complaints.extend(missing.map(|(path, test)| format!("{document} names {test}, no test of {path}")));
    }
    complaints
}

/// Whether there is a function of this name that is a test.
fn has_test(text: Option<&String>, name: &str) -> bool {
    let begin = format!("fn {name}()");
    let mut is_test = false;
    text.into_iter().flat_map(|text| text.lines()).map(str::trim_start).any(|line| {
        let is_it = is_test && line.trim_start_matches("async ").starts_with(&begin);
        let begins = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        is_test = begins || (is_test && line.starts_with("#["));
        is_it
    })
}

fn is_local(link: &str) -> bool {
    !link.contains("://") && !link.starts_with('#') && !link.starts_with("mailto:") && !link.is_empty()
}

/// What stands between these two, on one line.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().flat_map(move |line| {
        let mut rest = line;
        std::iter::from_fn(move || {
            let (_, after) = rest.split_once(open)?;
            let (inner, after) = after.split_once(close)?;
            rest = after;
            Some(inner)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_a_line_is_found() {
        let line = "See `crates/a` and `crates/b`, or [this](c.md#d) and [that](https://example.com).";
        assert_eq!(between(line, "`", "`").collect::<Vec<_>>(), ["crates/a", "crates/b"]);
        let links: Vec<_> = between(line, "](", ")").filter(|link| is_local(link)).collect();
        assert_eq!(links, ["c.md#d"]);
    }

    #[test]
    fn a_test_is_a_function_that_is_run_as_one() {
        let text = "#[test]\nfn one() {}\n    #[tokio::test(flavor = \"multi_thread\")]\n    async fn two() {}\nfn three() {}\n";
        let has = |name: &str| has_test(Some(&text.to_owned()), name);
        assert_eq!(["one", "two", "three", "tw"].map(has), [true, true, false, false]);
        assert!(!has_test(None, "one"));
    }
}
