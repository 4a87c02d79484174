//! What a refusal of GitHub's means.

use serde::Deserialize;

/// Why GitHub did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitHubError {
    #[error("{host} does not take the token")]
    Unauthorized { host: String },
    /// The key or the id is of another App, or one of the clocks is wrong.
    #[error("{host} does not take the App's key: {message}")]
    AppUnauthorized { host: String, message: String },
    #[error("the App is not installed on {repository}")]
    NotInstalled { repository: String },
    /// With what GitHub says about it.
    #[error("the token may not do this on {repository}: {message}")]
    Forbidden { repository: String, message: String },
    #[error("there is no {repository} on {host}, or the token may not see it")]
    NotFound { host: String, repository: String },
    #[error("{host} takes no more requests for now{}", .seconds.map(|s| format!("; in {s} s again")).unwrap_or_default())]
    Limited { host: String, seconds: Option<u64> },
    /// It understood, and does not want to.
    #[error("GitHub refused: {message}")]
    Refused { message: String },
    #[error("{host} could not be asked: {why}")]
    Unreachable { host: String, why: String },
}

impl GitHubError {
    /// Whether it may go well later without anybody doing anything.
    pub fn passes(&self) -> bool {
        match self {
            Self::Limited { .. } | Self::Unreachable { .. } => true,
            Self::Unauthorized { .. }
            | Self::AppUnauthorized { .. }
            | Self::NotInstalled { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Refused { .. } => false,
        }
    }
}

/// What GitHub says with a refusal.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) errors: Vec<Detail>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Detail {
    Text(String),
    Of {
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        field: Option<String>,
        #[serde(default)]
        code: Option<String>,
    },
}

impl Refusal {
    pub(super) fn in_words(&self) -> String {
        let details = self.errors.iter().map(|detail| match detail {
            Detail::Text(text) => text.clone(),
            Detail::Of { message: Some(message), .. } => message.clone(),
            Detail::Of { message: None, field, code } => {
                [field.as_deref(), code.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
        });
        std::iter::once(self.message.clone())
            .chain(details)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(": ")
    }
}
