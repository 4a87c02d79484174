//! In and out.

pub mod enter;
pub mod everywhere;
pub mod out;
pub mod way;
pub mod ways;
