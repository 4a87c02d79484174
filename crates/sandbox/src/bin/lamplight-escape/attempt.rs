//! One way out of a sandbox: its name, what has to stop it, and the attempt itself.

use crate::errno;
use crate::facts::Facts;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;

/// Something that an attacker inside would try.
pub(crate) struct Attempt {
    /// Reads after "an agent tries to".
    pub(crate) name: &'static str,
    pub(crate) stopped_by: StoppedBy,
    /// Makes the attempt, in a process of its own that may be left in any state.
    pub(crate) run: fn(&Facts) -> Tried,
}

/// What has to stop an attempt; anything else that stops it was not meant, and is no wall.
#[derive(Clone, Copy)]
pub(crate) enum StoppedBy {
    /// One of these errors of the kernel, and how they are called together.
    Errors(&'static str, &'static [i32]),
    /// There is nothing of the kind to be seen; also an error that says so.
    Absence,
    /// A limit that ends it before its bound is reached.
    Limit,
}

/// What came of an attempt: how it succeeded, or what stopped it.
pub(crate) type Tried = Result<String, Stop>;

/// What stopped an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stop {
    Error(i32),
    Nothing(String),
    Limit(String),
    /// The attempt could not be made: what it needs for itself was not to be had.
    Broken(String),
}

/// How it went, measured against what was meant to stop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Blocked,
    Limited,
    Open,
    /// This kernel does not have what would be attacked.
    Lacking,
    /// Stopped, but not by what has to stop it; or not made at all.
    Unexpected,
}

/// Errors by which a kernel says that it was built without something.
const LACKING: &[i32] = &[
    libc::ENOSYS,
    libc::ENODEV,
    libc::ENXIO,
    libc::EAFNOSUPPORT,
    libc::EPROTONOSUPPORT,
    libc::EOPNOTSUPP,
    libc::ENOTTY,
];

/// What a filter of system calls, or the kernel for want of a capability, answers.
pub(crate) const REFUSED: StoppedBy =
    StoppedBy::Errors("a refusal", &[libc::EPERM, libc::EACCES, libc::ENOSYS]);

/// The same for files that are not shown at all or cannot be written.
pub(crate) const NO_FILE: StoppedBy = StoppedBy::Errors(
    "no such file, or no right to it",
    &[libc::ENOENT, libc::ENOTDIR, libc::ELOOP, libc::EACCES, libc::EPERM, libc::EROFS],
);

impl Attempt {
    pub(crate) const fn new(name: &'static str, stopped_by: StoppedBy, run: fn(&Facts) -> Tried) -> Self {
        Self { name, stopped_by, run }
    }

    pub(crate) fn judge(&self, tried: &Tried) -> (Verdict, String) {
        let stop = match tried {
            Ok(evidence) => return (Verdict::Open, evidence.clone()),
            Err(stop) => stop,
        };
        let verdict = match (stop, self.stopped_by) {
            (Stop::Error(error), StoppedBy::Errors(_, meant)) if meant.contains(error) => Verdict::Blocked,
            (Stop::Error(libc::ENOENT | libc::ENOTDIR | libc::EACCES), StoppedBy::Absence)
            | (Stop::Nothing(_), StoppedBy::Absence) => Verdict::Blocked,
            (Stop::Limit(_), StoppedBy::Limit) => Verdict::Limited,
            (Stop::Error(error), _) if LACKING.contains(error) => Verdict::Lacking,
            (Stop::Error(_) | Stop::Nothing(_) | Stop::Limit(_) | Stop::Broken(_), _) => Verdict::Unexpected,
        };
        (verdict, stop.to_string())
    }
}

impl fmt::Display for StoppedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors(name, _) => f.write_str(name),
            Self::Absence => f.write_str("nothing to find"),
            Self::Limit => f.write_str("a limit"),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => f.write_str(&errno::name(*error)),
            Self::Nothing(what) | Self::Limit(what) => f.write_str(what),
            Self::Broken(why) => write!(f, "not made: {why}"),
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => Self::Error(number),
            None => Self::Broken(error.to_string()),
        }
    }
}

/// For what an attempt needs before it begins: that this fails shows nothing about any wall.
pub(crate) trait Needed<T> {
    fn needed(self, what: &str) -> Result<T, Stop>;
}

impl<T> Needed<T> for io::Result<T> {
    fn needed(self, what: &str) -> Result<T, Stop> {
        self.map_err(|error| Stop::Broken(format!("{what}: {error}")))
    }
}

/// Some calls look at the caller's rights before they look at the arguments. Wrong arguments then show, without any
/// harm, that the rights would do: these errors come only after that.
pub(crate) fn beyond(result: io::Result<i64>, errors: &[i32]) -> Tried {
    match result {
        Ok(value) => Ok(format!("returned {value}")),
        Err(error) => match error.raw_os_error() {
            Some(number) if errors.contains(&number) => {
                Ok(format!("{}: only the arguments were wrong", errno::name(number)))
            }
            _ => Err(error.into()),
        },
    }
}

/// Whether anything was found.
pub(crate) fn found(what: Vec<String>) -> Tried {
    const SHOWN: usize = 4;
    if what.is_empty() {
        return Err(Stop::Nothing("nothing found".into()));
    }
    let more = if what.len() > SHOWN { format!(" and {} more", what.len() - SHOWN) } else { String::new() };
    Ok(format!("{}{more}", what[..what.len().min(SHOWN)].join(", ")))
}
