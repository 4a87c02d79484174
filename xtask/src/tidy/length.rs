//! Files stay short: past 400 lines they are split by meaning. The list of those that are longer only shrinks.

use super::{Complaints, Repository};

const LIMIT: usize = 400;
/// A file that says so within as many lines was not written by hand.
const GENERATED: usize = 3;
/// Longer ones, and how long they may be. Splitting one takes it off; nothing is added.
const LONG: [(&str, usize); 0] = [];

pub(super) fn check(repository: &Repository) -> Complaints {
    let mut complaints = Complaints::new();
    for (path, text) in repository.ending(&[".rs", ".ts", ".tsx", ".mjs", ".sql", ".css"]) {
        let (lines, generated) =
            (text.lines().count(), text.lines().take(GENERATED).any(|line| line.contains("auto-generated")));
        let limit = LONG.iter().find(|(long, _)| *long == path).map_or(LIMIT, |(_, lines)| *lines);
        if lines > limit && !generated {
            complaints.push(format!("{path} has {lines} lines, more than {limit}: split it by meaning"));
        }
    }
    for (path, limit) in LONG {
        let lines = repository.texts.get(path).map_or(0, |text| text.lines().count());
        if lines <= LIMIT {
            complaints.push(format!("{path} is short now: take it off the list"));
        } else if lines < limit {
            complaints.push(format!("{path} has {lines} lines now: let the list say so instead of {limit}"));
        }
    }
    complaints
}
