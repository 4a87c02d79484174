//! One room per provider, each with the same furniture.

pub mod local;
mod lock;
