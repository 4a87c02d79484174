//! Sandbox providers behind one trait, and the host end of the link.

pub mod capability;
pub mod checkpoint;
pub mod conformance;
pub mod egress;
pub mod error;
pub mod handle;
pub mod link;
pub mod provider;
pub mod providers;
mod sealed;

/// The guest: a static program for this target's architecture, to be started inside a sandbox.
pub const GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lamplight-guest"));
