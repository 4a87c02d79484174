//! Something that happened on GitHub and may be meant for us, however we heard of it.

use super::User;
use serde::{Deserialize, Serialize};

/// What is kept of a text; longer ones are cut. GitHub's own bound is 65,536 characters.
const TEXT_BYTES: usize = 64 * 1024;

/// One thing that somebody did on an issue or a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// `owner/name`.
    pub repository: String,
    /// Of the issue or pull request.
    pub number: u64,
    #[serde(default)]
    pub is_pull_request: bool,
    pub by: Author,
    /// Milliseconds since 1970, by GitHub's clock.
    pub at: i64,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    pub login: String,
    pub id: u64,
    /// A program, not a person.
    #[serde(default)]
    pub is_bot: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    Labelled {
        label: String,
    },
    Assigned {
        assignee: String,
    },
    Opened {
        text: String,
    },
    Commented {
        comment: u64,
        text: String,
    },
    /// The summary of a review of a pull request.
    Reviewed {
        review: u64,
        text: String,
    },
    /// At a line of what a pull request changes.
    Remarked {
        comment: u64,
        text: String,
    },
}

impl What {
    /// What somebody wrote.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Labelled { .. } | Self::Assigned { .. } => None,
            Self::Opened { text }
            | Self::Commented { text, .. }
            | Self::Reviewed { text, .. }
            | Self::Remarked { text, .. } => Some(text),
        }
    }
}

impl Occurrence {
    /// What it is by GitHub's own ids, the same whichever way it came. `None` of what has no id of its own on every way.
    pub fn identity(&self) -> Option<String> {
        let Self { repository, number, .. } = self;
        let repository = repository.to_lowercase();
        match &self.what {
            What::Commented { comment, .. } => Some(format!("{repository}/comments/{comment}")),
            What::Opened { .. } => Some(format!("{repository}/issues/{number}/opened")),
            What::Reviewed { review, .. } => Some(format!("{repository}/reviews/{review}")),
            What::Remarked { comment, .. } => Some(format!("{repository}/remarks/{comment}")),
            What::Labelled { .. } | What::Assigned { .. } => None,
        }
    }
}

impl From<User> for Author {
    fn from(user: User) -> Self {
        Self { is_bot: user.kind != "User", login: user.login, id: user.id }
    }
}

/// A text as it is kept.
pub(super) fn cut(text: Option<String>) -> String {
    let mut text = text.unwrap_or_default();
    text.truncate(text.floor_char_boundary(TEXT_BYTES));
    text
}
