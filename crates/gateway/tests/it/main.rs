//! The gateway as a program inside a sandbox sees it: through a socket, by real git and real HTTP.

mod door;
mod fetch;
mod keys;
mod models;
mod push;
mod repository;
mod stage;
mod upstream;
mod usage;
mod web;
