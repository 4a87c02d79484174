//! The program from the outside: a real server process, real sandboxes, an agent that does what its prompt says.

mod artifacts;
mod backups;
mod budgets;
mod checkpoints;
mod cli;
mod code;
mod configuration;
mod forge;
mod gateway;
mod hostile;
mod http;
mod images;
mod kills;
mod metrics;
mod network;
mod pauses;
mod prepared;
mod previews;
mod pull_requests;
mod queue;
mod secret_search;
mod secrets;
mod socket;
mod support;
mod terminals;
mod usage;
