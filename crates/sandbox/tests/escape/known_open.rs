//! What is still open, and why. It only gets shorter: what is closed has to be taken off.

const BOTH: &[&str] = &["root", "user"];
const USER: &[&str] = &["user"];

const DISK: &str = "the disk is looked at every few seconds, which is too late for one who is quick";
const NO_CGROUP: &str = "a user who was given no cgroup has limits for each process alone";

/// Attempt, as whom, reason.
const KNOWN_OPEN: &[(&str, &[&str], &str)] = &[
    (
        "change the priority of PID 1",
        USER,
        "to the kernel the guest is the same user as the agent, which harms nobody but the session",
    ),
    (
        "be spared when memory is short",
        BOTH,
        "only a server with CAP_SYS_RESOURCE can fix the score; a limit on memory does not look at it outside of the sandbox",
    ),
    ("use 1.5 GiB of memory in three processes", USER, NO_CGROUP),
    ("keep 1 GiB in System V segments", USER, NO_CGROUP),
    ("keep every processor busy", USER, NO_CGROUP),
    ("fill the disk from /workspace", BOTH, DISK),
    ("fill the disk from /tmp", BOTH, DISK),
    ("fill the disk from the home", BOTH, DISK),
    ("fill the disk from the guest's spool", BOTH, "the spool is not looked at"),
    ("make 50,000 files in /workspace", BOTH, "the number of files is not limited"),
];

pub(crate) fn reason(name: &str, who: &str) -> Option<&'static str> {
    KNOWN_OPEN.iter().find(|(known, whom, _)| *known == name && whom.contains(&who)).map(|(_, _, why)| *why)
}
