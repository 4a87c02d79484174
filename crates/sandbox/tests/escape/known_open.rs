//! What is still open, and why. It only gets shorter: what is closed has to be taken off.

const USER: &[&str] = &["user"];

/// Attempt, as whom, reason.
const KNOWN_OPEN: &[(&str, &[&str], &str)] = &[(
    "keep every processor busy",
    USER,
    "a user who was given no cgroup can limit how long a process runs, and not how much of a processor it has meanwhile",
)];

pub(crate) fn reason(name: &str, who: &str) -> Option<&'static str> {
    KNOWN_OPEN.iter().find(|(known, whom, _)| *known == name && whom.contains(&who)).map(|(_, _, why)| *why)
}
