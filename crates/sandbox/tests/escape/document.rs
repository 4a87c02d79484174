//! docs/security.md names every attempt, and no other; what came of them is from the last `cargo xtask escape`.

use std::collections::BTreeSet;
use std::path::Path;

const DOCUMENT: &str = "../../docs/security.md";

pub(crate) fn check(attempts: BTreeSet<String>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let text = std::fs::read_to_string(file).unwrap();
    let (_, rest) = text.split_once("<!-- escape -->").expect("the table begins");
    let (table, _) = rest.split_once("<!-- /escape -->").expect("the table ends");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let named: BTreeSet<String> =
        rows.filter(|name| *name != "an agent tries to").map(str::to_owned).collect();
    let missing: Vec<_> = attempts.difference(&named).collect();
    let gone: Vec<_> = named.difference(&attempts).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "run cargo xtask escape: missing {missing:?}, gone {gone:?}"
    );
}
