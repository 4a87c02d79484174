//! Others on the network that people work with: GitHub, where code is reviewed, and those who say who somebody is (OpenID Connect, GitHub).
//! Everything here is said in their words; what a session is, nobody here knows.

pub mod github;
pub mod section;
pub mod sign_in;

pub use github::{Access, GitHub, GitHubConfig, GitHubError, Repository, Surroundings};
