//! One actor per awake session: decide, append to the log, apply, publish, start what is owed.
//!
//! [`Engine`] is the whole public face: commands in, views and readers out.

pub mod config;
pub mod error;
pub mod review;

use bytes::Bytes;
use lamplight_domain::permission::Policy;
use lamplight_domain::session::{SessionSummary, SessionView};
use lamplight_domain::{Limits, Person, PromptId, Seq, SessionId};
use serde_json::Value;

/// A new session, as asked for; what is `None` comes from the configuration or the repository.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Absolute path of a git repository.
    pub repository: String,
    pub prompt: String,
    pub title: Option<String>,
    pub base: Option<String>,
    pub agent: Option<String>,
    pub model: Option<String>,
    pub permissions: Option<Policy>,
    pub limits: Option<Limits>,
    /// `None`: the repository's own git configuration, then the machine's.
    pub person: Option<Person>,
}

/// Where a prompt landed.
#[derive(Debug, Clone)]
pub struct PromptPlaced {
    pub prompt: PromptId,
    /// 0 when it is the next to be sent.
    pub position: usize,
}

/// Which part of a log.
#[derive(Debug, Clone, Copy)]
pub enum LogRange {
    After { seq: Seq, limit: usize },
    Before { seq: Seq, limit: usize },
}

/// Entries as JSON texts, exactly as readers get them.
#[derive(Debug, Clone)]
pub struct LogPage {
    pub entries: Vec<(Seq, Bytes)>,
    pub last_seq: Seq,
}

/// Sessions, newest first.
#[derive(Debug, Clone, Default)]
pub struct SessionQuery {
    pub text: Option<String>,
    pub phase: Option<String>,
    pub cursor: Option<String>,
    pub limit: usize,
}

#[derive(Debug, Clone)]
pub struct SessionPage {
    pub items: Vec<SessionSummary>,
    pub next_cursor: Option<String>,
}

/// One agent of the catalogue, as seen on this machine.
#[derive(Debug, Clone)]
pub struct AgentInfo {
    pub name: String,
    pub title: String,
    /// The version found in the tools directory.
    pub installed: Option<String>,
    pub default: bool,
}
