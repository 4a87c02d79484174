//! Files stay short: past 400 lines they are split by meaning.

use super::{Complaints, Repository};

const LIMIT: usize = 400;
/// A file that says so within as many lines was not written by hand.
const GENERATED: usize = 3;
/// All words of the page, for whoever translates them: a table, which is as long as there is to say.
const WORDS: &str = "web/src/text/english.ts";

pub(super) fn check(repository: &Repository) -> Complaints {
    let written = repository.ending(&[".rs", ".ts", ".tsx", ".mjs", ".sql", ".css"]);
    let written =
        written.filter(|(_, text)| !text.lines().take(GENERATED).any(|line| line.contains("auto-generated")));
    let counted = written.map(|(path, text)| (path, text.lines().count()));
    let long = counted.filter(|(path, lines)| *lines > LIMIT && *path != WORDS);
    long.map(|(path, lines)| format!("{path} has {lines} lines, more than {LIMIT}: split it by meaning"))
        .collect()
}
