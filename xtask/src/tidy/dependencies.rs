//! Every dependency has a reason: docs/dependencies.md names each direct one of cargo and npm, and no other.

use super::{Complaints, Repository};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const DOCUMENT: &str = "docs/dependencies.md";

/// Of `web/package.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    dependencies: BTreeMap<String, String>,
    dev_dependencies: BTreeMap<String, String>,
}

pub(super) fn check(repository: &Repository) -> Complaints {
    let Some(document) = repository.texts.get(DOCUMENT) else {
        return vec![format!("{DOCUMENT} is missing")];
    };
    let Some(Ok(page)) =
        repository.texts.get("web/package.json").map(|text| serde_json::from_str::<Page>(text))
    else {
        return vec!["web/package.json cannot be read".to_owned()];
    };
    let cargo = repository.packages.iter().flat_map(|package| &package.dependencies);
    let cargo =
        cargo.filter(|dependency| dependency.path.is_none()).map(|dependency| dependency.name.clone());
    let npm = page.dependencies.into_keys().chain(page.dev_dependencies.into_keys());
    let used: BTreeSet<String> = cargo.chain(npm).collect();
    // A row of a table, whose first column holds the names: | `serde`, `serde_json` | why |
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let named: BTreeSet<String> =
        rows.flat_map(|names| names.split(", ")).map(|name| name.trim_matches('`').to_owned()).collect();
    let without = used.difference(&named).map(|name| format!("{DOCUMENT} does not say why {name} is there"));
    let gone = named.difference(&used).map(|name| format!("{DOCUMENT} names {name}, which nothing uses"));
    without.chain(gone).collect()
}
