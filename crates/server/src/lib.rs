//! The edge: HTTP, WebSocket, the web page, configuration and the command line.

pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
mod e2b;
pub mod http;
mod person;
mod places;
pub mod preview;
mod random;
mod start_code;
