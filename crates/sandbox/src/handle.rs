//! The name of one sandbox, as the log keeps it.

use crate::error::{ErrorKind, SandboxError};
use lamplight_domain::{Generation, SessionId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names one sandbox of one provider for as long as the log lives. Opaque to everybody else; inside it is JSON with a
/// version, so that every later release still reads it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Handle(String);

/// The newest version written.
const VERSION: u32 = 1;

/// What a provider of ours puts into a handle.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandleContent {
    pub provider: String,
    pub session: SessionId,
    pub generation: Generation,
}

#[derive(Serialize, Deserialize)]
struct Versioned {
    v: u32,
    #[serde(flatten)]
    content: HandleContent,
}

impl Handle {
    /// Of this sandbox, in the newest version.
    pub fn new(content: HandleContent) -> Self {
        let text = serde_json::to_string(&Versioned { v: VERSION, content });
        Self(text.expect("a struct of strings and numbers is always JSON"))
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
        let invalid =
            |why: String| SandboxError::new(ErrorKind::Invalid, format!("sandbox handle {self}: {why}"));
        let versioned: Versioned =
            serde_json::from_str(&self.0).map_err(|error| invalid(error.to_string()))?;
        if versioned.v > VERSION {
            return Err(invalid(format!("version {} is newer than this Lamplight", versioned.v)));
        }
        if versioned.content.provider != provider {
            return Err(invalid(format!("belongs to {}, not to {provider}", versioned.content.provider)));
        }
        Ok(versioned.content)
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
