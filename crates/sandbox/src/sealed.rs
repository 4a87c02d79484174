//! Names that a provider gives and the log keeps, opaque to everybody else: JSON with a version, so that every later release still reads
//! them.

use crate::error::{ErrorKind, SandboxError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The newest version written.
const VERSION: u32 = 1;

/// What such a name says.
pub(crate) trait Content: Serialize + DeserializeOwned {
    /// What it names, for people.
    const WHAT: &str;

    fn provider(&self) -> &str;
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    #[serde(flatten)]
    content: T,
}

/// In the newest version.
pub(crate) fn seal(content: impl Content) -> String {
    let text = serde_json::to_string(&Versioned { v: VERSION, content });
    text.expect("a struct of strings and numbers is always JSON")
}

/// What is inside, if it is `provider`'s and not from a newer release.
pub(crate) fn open<T: Content>(text: &str, provider: &str) -> Result<T, SandboxError> {
    let invalid = |why: String| SandboxError::new(ErrorKind::Invalid, format!("{} {text}: {why}", T::WHAT));
    let Versioned { v, content }: Versioned<T> =
        serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
    if v > VERSION {
        return Err(invalid(format!("version {v} is newer than this Lamplight")));
    }
    if content.provider() != provider {
        return Err(invalid(format!("belongs to {}, not to {provider}", content.provider())));
    }
    Ok(content)
}
