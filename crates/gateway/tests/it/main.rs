//! The gateway as a program inside a sandbox sees it: through a socket, by real git and real HTTP.

mod broken_off;
mod by_token;
mod children;
mod compatible;
mod crafted;
mod door;
mod elsewhere;
mod fetch;
mod gemini;
mod include_usage;
mod keys;
mod models;
mod push;
mod push_matrix;
mod pushes;
mod repository;
mod reserving;
mod sdk;
mod ssrf;
mod stage;
mod unpriced;
mod upstream;
mod usage;
mod web;
