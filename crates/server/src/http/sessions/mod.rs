//! `/sessions`

pub mod ahead;
pub mod answer;
pub mod archive;
pub mod budget;
pub mod choose_model;
pub mod create;
pub mod diff;
pub mod edit_prompt;
pub mod end;
pub mod events;
pub mod gateway_token;
pub mod list;
pub mod log;
pub mod merge;
pub mod pause;
pub mod priority;
pub mod prompt;
pub mod pull_request;
pub mod remove_prompt;
pub mod restore;
pub mod resume;
pub mod search_secrets;
pub mod show;
pub mod stop;
pub mod unarchive;
pub mod usage;
