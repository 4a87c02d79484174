//! The link, with a real guest as PID 1 of a PID namespace of its own and a real socket between.

mod basics;
mod bounds;
mod cuts;
mod kill;
mod proxy;
mod sandbox;
