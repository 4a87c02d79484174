//! The name of one session's files at one moment, as the log keeps it.

use crate::error::SandboxError;
use crate::sealed::{self, Content};
use lamplight_domain::SessionId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names the files of a session as they were. Opaque to everybody but the provider that made it; inside it is JSON with a version,
/// as a [`Handle`](crate::handle::Handle) is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Checkpoint(String);

/// What a provider of ours puts into the name of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointContent {
    pub provider: String,
    /// Whose files they were.
    pub session: SessionId,
    /// As whoever asked for it counts.
    pub number: u32,
}

impl Content for CheckpointContent {
    const WHAT: &str = "checkpoint";

    fn provider(&self) -> &str {
        &self.provider
    }
}

impl Checkpoint {
    /// Of this content, in the newest version.
    pub fn new(content: CheckpointContent) -> Self {
        Self(sealed::seal(content))
    }

    /// A name from the log, unread: providers judge it when it is used.
    pub fn from_log(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is inside, if it is `provider`'s and not from a newer release.
    pub fn open(&self, provider: &str) -> Result<CheckpointContent, SandboxError> {
        sealed::open(&self.0, provider)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn version_1_is_frozen() {
        let session = "01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap();
        let content = CheckpointContent { provider: "local".into(), session, number: 3 };
        let text = r#"{"v":1,"provider":"local","session":"01JD5ZK8W3Q4R6T7V8X9Y0Z1A2","number":3}"#;
        assert_eq!(Checkpoint::new(content.clone()).as_str(), text);
        assert_eq!(Checkpoint::from_log(text).open("local").unwrap(), content);
        assert_eq!(Checkpoint::from_log(text).open("e2b").unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(Checkpoint::from_log("{}").open("local").unwrap_err().kind, ErrorKind::Invalid);
    }
}
