//! Agents: programs that speak ACP (Agent Client Protocol, version 1) on their standard input and output.
//!
//! This crate reads what an agent says and writes what it is told, both as pure functions of bytes and of the log; it
//! knows which agents there are, how each is started, and how they are installed, and with them VS Code for a browser, which
//! comes the same way. It never sees a sandbox or the store: who carries the bytes is somebody else's business.
//!
//! Answers are told apart by their JSON-RPC id alone ([`ids`]), so that a control plane that has just started, and
//! remembers nothing, understands the next line as well as the one that died.

pub mod catalogue;
pub mod code_server;
pub mod ids;
pub mod install;
pub mod lines;
pub mod reading;
pub mod writing;

pub use catalogue::{Agent, Catalogue, Launch, Models, Setup};
pub use lines::{Line, LineTooLong, Lines};
pub use reading::{Listening, Reader, Said};
pub use writing::{Context, render};
