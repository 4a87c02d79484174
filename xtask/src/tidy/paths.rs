//! Documents name what exists: every path in them, be it in a link or between backticks, is there.

use super::{Complaints, Repository};
use std::path::Path;

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
        let quoted = quoted.filter(|word| !word.contains(['*', '<', '…', ' ', '{'])).map(Into::into);
        for path in linked.chain(quoted) {
            if !repository.has(&path.to_string_lossy()) {
                complaints.push(format!("{document} names {}, which does not exist", path.display()));
            }
        }
    }
    complaints
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
}
