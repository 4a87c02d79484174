//! What can go wrong with a sandbox, and what that means for the session.

use lamplight_domain::{Failure, FailureClass, Side};
use std::fmt;

/// What kind of thing went wrong. Callers branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The sandbox no longer runs. A new generation can.
    Gone,
    /// This machine, or its configuration, cannot do what isolation needs; a person has to change something.
    Unsupported,
    /// Disk, memory, processes or another bounded thing is used up.
    Exhausted,
    /// The request itself is wrong: a handle of somebody else, a path that cannot be mounted.
    Invalid,
    /// Something outside did not answer in time.
    Unavailable,
    /// Anything else the machine or the provider refused.
    Failed,
}

impl ErrorKind {
    /// What an error number of the operating system says; `Failed` when there is none.
    pub(crate) fn of_system(number: Option<i32>) -> Self {
        match number {
            Some(libc::ENOSPC | libc::EDQUOT | libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EAGAIN) => {
                Self::Exhausted
            }
            _ => Self::Failed,
        }
    }
}

/// A failed call of a provider: kind × retryable × side, and a sentence for people.
#[derive(Debug)]
pub struct SandboxError {
    pub kind: ErrorKind,
    /// Whether the same call may succeed later. The provider itself never tries again.
    pub retryable: bool,
    /// Who is at fault.
    pub side: Side,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl SandboxError {
    /// An infrastructure error, retryable as its kind usually is.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let retryable = match kind {
            ErrorKind::Exhausted | ErrorKind::Unavailable | ErrorKind::Failed => true,
            ErrorKind::Gone | ErrorKind::Unsupported | ErrorKind::Invalid => false,
        };
        Self { kind, retryable, side: Side::Infrastructure, message: message.into(), source: None }
    }

    /// An error of the operating system, its kind read from the error number.
    pub fn from_io(message: impl Into<String>, error: std::io::Error) -> Self {
        Self::new(ErrorKind::of_system(error.raw_os_error()), message).with_source(error)
    }

    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SandboxError {}

/// The one place where an error of a sandbox becomes a failure of a session.
impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let class = match error.kind {
            ErrorKind::Unsupported => FailureClass::NeedsYou,
            _ if error.retryable => FailureClass::Transient,
            _ => FailureClass::Persistent,
        };
        Failure { side: error.side, class, message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_and_retryable_decide_the_class() {
        let check = |kind, class| {
            assert_eq!(Failure::from(SandboxError::new(kind, "it")), Failure::infrastructure(class, "it"));
        };
        check(ErrorKind::Gone, FailureClass::Persistent);
        check(ErrorKind::Unsupported, FailureClass::NeedsYou);
        check(ErrorKind::Exhausted, FailureClass::Transient);
        check(ErrorKind::Invalid, FailureClass::Persistent);
        check(ErrorKind::Unavailable, FailureClass::Transient);
        check(ErrorKind::Failed, FailureClass::Transient);
    }

    #[test]
    fn a_full_disk_is_told_apart_and_named() {
        let error =
            SandboxError::from_io("write sandbox.json", std::io::Error::from_raw_os_error(libc::ENOSPC));
        assert_eq!(error.kind, ErrorKind::Exhausted);
        assert_eq!(error.to_string(), "write sandbox.json: No space left on device (os error 28)");
    }
}
