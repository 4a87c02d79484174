//! GitHub, and GitHub Enterprise Server: what is asked of its REST interface, version 2022-11-28, and what it tells by itself.

mod app;
mod client;
mod error;
mod examine;
mod happening;
mod issue;
mod large_file;
mod limits;
mod manifest;
mod occurrence;
mod poll;
mod pull_request;
mod repository;
mod review;
mod webhook;
mod words;

pub use app::{Scope, check_app_key};
pub use client::{Access, Fresh, GitHub, GitHubConfig, Surroundings, Tag};
pub use error::GitHubError;
pub use examine::{Attempt, Attempts, Deliveries, HookConfig, Identity};
pub use happening::{Happened, Happening};
pub use issue::{Comment, Issue, Place, RepositoryFacts, Right, User};
pub use large_file::LargeFile;
pub use limits::Limits;
pub use manifest::{EVENTS, NewApp, PERMISSIONS, manifest, take_app};
pub use occurrence::{Author, Occurrence, What};
pub use poll::{Seen, Watch};
pub use pull_request::{NewPullRequest, PullRequest};
pub use repository::Repository;
pub use review::{CheckRun, Review, ReviewComment};
pub use webhook::{NoDelivery, Told, WebhookSecret, parse as parse_delivery};
pub use words::{Call, Words};
