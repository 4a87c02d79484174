//! What is still open, and why. It only gets shorter: what is closed has to be taken off.

use super::place::LAUNCHER;

const USER: &[&str] = &["user"];
const BOTH: &[&str] = &["root", "user"];

/// Attempt, as whom, reason.
const KNOWN_OPEN: &[(&str, &[&str], &str)] = &[(
    "keep every processor busy",
    USER,
    "a user who was given no cgroup can limit how long a process runs, and not how much of a processor it has meanwhile",
)];

/// And where a container runtime puts sandboxes up.
const BY_RUNTIME: &[(&str, &[&str], &str)] = &[
    (
        "be spared when memory is short",
        BOTH,
        "there is no Landlock, which keeps everybody from writing to /proc",
    ),
    (
        "read the kernel's log (/proc/kmsg)",
        BOTH,
        "it is covered by a /dev/null that can be opened, and reads as nothing",
    ),
    (
        "read the kernel's timers",
        BOTH,
        "it is covered by a /dev/null that can be opened, and reads as nothing",
    ),
];

pub(crate) fn reason(name: &str, who: &str) -> Option<&'static str> {
    let by_runtime = if std::env::var_os(LAUNCHER).is_some() { BY_RUNTIME } else { &[] };
    let mut all = KNOWN_OPEN.iter().chain(by_runtime);
    all.find(|(known, whom, _)| *known == name && whom.contains(&who)).map(|(_, _, why)| *why)
}
