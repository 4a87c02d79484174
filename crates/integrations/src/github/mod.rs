//! GitHub, and GitHub Enterprise Server: what is asked of its REST interface, version 2022-11-28.

mod client;
mod pull_request;
mod repository;

pub use client::{GitHub, GitHubConfig, GitHubError};
pub use pull_request::{NewPullRequest, PullRequest};
pub use repository::Repository;
