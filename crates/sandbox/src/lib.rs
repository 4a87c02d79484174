//! Sandbox providers behind one trait, and the host end of the link

pub mod capability;
pub mod error;
pub mod handle;
pub mod provider;
