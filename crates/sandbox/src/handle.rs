//! The name of one sandbox, as the log keeps it.

use crate::error::SandboxError;
use crate::sealed::{self, Content};
use lamplight_domain::{Generation, SessionId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names one sandbox of one provider for as long as the log lives. Opaque to everybody else; inside it is JSON with a
/// version, so that every later release still reads it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Handle(String);

/// What a provider of ours puts into a handle.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandleContent {
    pub provider: String,
    pub session: SessionId,
    pub generation: Generation,
}

impl Content for HandleContent {
    const WHAT: &str = "sandbox handle";

    fn provider(&self) -> &str {
        &self.provider
    }
}

impl Handle {
    /// Of this sandbox, in the newest version.
    pub fn new(content: HandleContent) -> Self {
        Self(sealed::seal(content))
    }

    /// A handle from the log, unread: providers judge it when it is used.
    pub fn from_log(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is inside, if it is `provider`'s and not from a newer release.
    pub fn open(&self, provider: &str) -> Result<HandleContent, SandboxError> {
        sealed::open(&self.0, provider)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn content() -> HandleContent {
        let session = "01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap();
        HandleContent { provider: "local".into(), session, generation: Generation(3) }
    }

    #[test]
    fn version_1_is_frozen() {
        let text = r#"{"v":1,"provider":"local","session":"01JD5ZK8W3Q4R6T7V8X9Y0Z1A2","generation":3}"#;
        assert_eq!(Handle::new(content()).as_str(), text);
        assert_eq!(Handle::from_log(text).open("local").unwrap(), content());
    }

    #[test]
    fn what_is_not_ours_is_refused_with_the_reason() {
        let check = |text: &str, reason: &str| {
            let error = Handle::from_log(text).open("local").unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid);
            assert!(error.to_string().contains(reason), "{error}");
        };
        check("", "EOF");
        check(r#"{"v":2,"provider":"local","session":"01JD5ZK8W3Q4R6T7V8X9Y0Z1A2","generation":3}"#, "newer");
        check(
            r#"{"v":1,"provider":"e2b","session":"01JD5ZK8W3Q4R6T7V8X9Y0Z1A2","generation":3}"#,
            "belongs to e2b",
        );
        check(r#"{"v":1,"provider":"local","session":"../../etc","generation":3}"#, "is not an id");
    }
}
