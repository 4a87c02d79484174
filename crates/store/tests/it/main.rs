//! What a caller of the store can observe.

mod append;
mod projections;
mod support;
