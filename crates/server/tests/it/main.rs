//! The program from the outside: a real server process, real sandboxes, an agent that does what its prompt says.

mod access;
mod archive;
mod artifacts;
mod attempts;
mod automations;
mod backups;
mod bucket;
mod budgets;
mod checkpoints;
mod checks;
mod children;
mod cli;
#[path = "../../../store/tests/it/cluster.rs"]
mod cluster;
mod code;
mod compatible;
mod configuration;
mod dead;
mod e2b;
mod exhausted;
mod forge;
mod gateway;
mod guards;
mod hooks;
mod hostile;
mod http;
mod images;
mod installations;
mod kills;
mod merges;
mod metrics;
mod migrating;
mod network;
mod pauses;
mod people;
mod postgres;
mod prepared;
mod previews;
mod pull_requests;
mod queue;
mod sandboxes;
#[expect(dead_code, reason = "the store's tests ask it for more")]
#[path = "../../../store/tests/it/seaweed.rs"]
mod seaweed;
mod secret_search;
mod secrets;
mod several;
mod signing;
#[path = "../../../store/tests/it/small.rs"]
mod small;
mod socket;
mod support;
mod terminals;
mod torture;
mod traces;
mod usage;
mod vanished;
