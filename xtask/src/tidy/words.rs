//! Nothing is put off or silenced: what is to be done later is an issue, and a lint is expected with a reason.

use super::{Complaints, Repository};

/// Put together here, so that this file does not hold them.
const WORDS: [(&str, &str); 5] = [
    (concat!("TO", "DO"), "open an issue instead"),
    (concat!("FIX", "ME"), "open an issue instead"),
    (concat!("#[ig", "nore"), "a test that does not run shows nothing"),
    (concat!("#[al", "low("), "say #[expect(…, reason = \"…\")]"),
    (concat!("#![al", "low("), "say #![expect(…, reason = \"…\")]"),
];

pub(super) fn check(repository: &Repository) -> Complaints {
    let mut complaints = Complaints::new();
    for (path, text) in repository.ending(&[".rs", ".ts", ".tsx", ".mjs", ".toml", ".sql", ".md", ".css"]) {
        for (number, line) in text.lines().enumerate() {
            for (word, instead) in WORDS {
                if line.contains(word) {
                    complaints.push(format!("{path}:{}: {word}: {instead}", number + 1));
                }
            }
        }
    }
    complaints
}
