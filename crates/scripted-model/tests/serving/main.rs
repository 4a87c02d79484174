//! The server as agents meet it: over a socket, in each protocol.

mod agent;
mod client;
mod conversations;
mod faults;
mod misuse;
mod program;
