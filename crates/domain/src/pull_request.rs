//! Where a branch is reviewed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A pull request of a session's branch, as it was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = log::PullRequest)]
pub struct PullRequest {
    /// `owner/name`.
    pub repository: String,
    pub number: u64,
    /// For people.
    pub url: String,
    pub draft: bool,
    /// The commit that the branch was pushed at; forty hexadecimal digits.
    pub head: String,
    /// The n-th checks of the session, whose end it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<u32>,
}
