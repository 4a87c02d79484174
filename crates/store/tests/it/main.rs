//! What a caller of the store can observe.

mod append;
mod audit;
mod automations;
mod cluster;
mod damage;
mod disk;
mod forge;
mod full;
mod kill;
mod lent;
mod migrate;
mod people;
mod postgres;
mod power;
mod projections;
mod reviews;
mod secrets;
mod servers;
mod support;
mod sync;
mod usage;
