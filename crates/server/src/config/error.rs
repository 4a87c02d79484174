//! What is wrong with a configuration, told so that a person finds the place.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}:{line}: {message}", path = path.display())]
    File { path: PathBuf, line: usize, message: String },
    #[error("the variable {name} is not one that Lamplight reads{}", similar.map(|s| format!("; did you mean {s}?")).unwrap_or_default())]
    UnknownVariable { name: String, similar: Option<&'static str> },
    #[error("the variable {name} cannot be used: {message}")]
    Variable { name: String, message: String },
    #[error("the configuration cannot be used: {0}")]
    Invalid(String),
    #[error("HOME is not set, so there is no default data directory; say --data-dir DIRECTORY")]
    NoHome,
}

impl ConfigError {
    pub(super) fn in_file(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
        // "unknown field" is serde's word for what a reader of the file calls a key.
        let message = error.message().replace("unknown field", "unknown key");
        Self::File { path: path.to_owned(), line, message }
    }
}
