//! What a caller of this crate can observe: real processes, recorded agents, hostile bytes.

mod catalogue;
mod client;
mod conversation;
mod hostile;
mod installing;
mod noise;
mod questions;
mod recorded;
mod splitting;
mod writing;
