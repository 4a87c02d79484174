//! What a caller of the store can observe.

mod append;
mod attempts;
mod audit;
mod automations;
mod blobs;
mod cluster;
mod damage;
mod disk;
mod forge;
mod full;
mod hooks;
mod kill;
mod lent;
mod migrate;
mod people;
mod postgres;
mod power;
mod projections;
mod reviews;
mod seaweed;
mod secrets;
mod servers;
mod support;
mod sync;
mod tls;
mod usage;
