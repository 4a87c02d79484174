//! What a caller of the store can observe.

mod append;
mod audit;
mod damage;
mod disk;
mod full;
mod kill;
mod power;
mod projections;
mod secrets;
mod support;
mod sync;
mod usage;
