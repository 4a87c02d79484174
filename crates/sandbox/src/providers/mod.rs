//! One room per provider, each with the same furniture.

pub mod e2b;
/// For tests; see its first lines.
#[doc(hidden)]
pub mod fake;
pub mod local;
mod lock;
