//! E2B's protocol, as bytes: what its clients ask of a sandbox cloud, and of a sandbox. No IO, no clock; whoever serves it or asks it
//! brings their own sockets.
//!
//! | module | is | spoken to |
//! |---|---|---|
//! | [`control`] | REST: sandboxes made, listed, ended | the cloud |
//! | [`listing`] | what a list is narrowed to, and its pages | the cloud |
//! | [`template`] | templates, built and told of | the cloud |
//! | [`connect`] | the frames and errors of Connect, in which the next two are | a sandbox |
//! | [`process`] | processes, their input and output | a sandbox |
//! | [`filesystem`] | files by their names, and what happens to them | a sandbox |
//! | [`metadata`] | what is kept with a file | a sandbox |
//! | [`signature`] | addresses of files that count without a token | a sandbox |
//!
//! Sources: the OpenAPI document and the protobuf files of E2B's repository (Apache-2.0), of which nothing is copied, and what its
//! SDKs of 2.45 to 2.63 send and read. Fields that are not known are ignored, as the protocol grows without a version.

pub mod connect;
pub mod control;
pub mod filesystem;
pub mod listing;
pub mod metadata;
pub mod process;
pub mod signature;
pub mod template;

/// The version of the daemon in a sandbox that clients are told of: they leave out what came later. Of 0.6.2 is the metadata of files,
/// of 0.6.3 are entries in events, of 0.6.4 is watching what is mounted from a network, which is never refused here.
pub const ENVD_VERSION: &str = "0.6.4";

/// The port of that daemon.
pub const ENVD_PORT: u16 = 49983;

/// The template of the code interpreter's SDKs, and the port of what runs code in it.
pub const CODE_INTERPRETER: &str = "code-interpreter-v1";
pub const CODE_INTERPRETER_PORT: u16 = 49999;

/// The template of who names none.
pub const BASE_TEMPLATE: &str = "base";
