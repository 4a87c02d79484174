//! The map fits on a few pages, or nobody reads it.

use super::{Complaints, Repository};

const MAP: &str = "ARCHITECTURE.md";
const LIMIT: usize = 250;

pub(super) fn check(repository: &Repository) -> Complaints {
    match repository.texts.get(MAP).map(|text| text.lines().count()) {
        None => vec![format!("{MAP} is missing")],
        Some(lines) if lines > LIMIT => vec![format!("{MAP} has {lines} lines, more than {LIMIT}")],
        Some(_) => Complaints::new(),
    }
}
