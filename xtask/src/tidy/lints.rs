//! Every crate takes the workspace's lints.

use super::{Complaints, Repository};

pub(super) fn check(repository: &Repository) -> Complaints {
    let manifests = repository.ending(&["/Cargo.toml"]);
    let without = manifests.filter(|(_, text)| !text.contains("[lints]\nworkspace = true\n"));
    without.map(|(path, _)| format!("{path} lacks `[lints]` with `workspace = true`")).collect()
}
