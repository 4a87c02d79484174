//! What an agent says and does inside a turn, in the words people read. These items are appended to the log as they
//! come and never pass through `decide`; the guards count them in `apply`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A tool call, or news of one. Items with the same id are one call: a later item replaces the fields that it carries.
/// An update may come first, and any field but the id may be missing. Source: ACP v1 `tool_call`, `tool_call_update`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolCall {
    pub id: String,
    /// The tool's own name (`shell`), where the agent tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// ACP's kind: read, edit, delete, move, search, execute, think, fetch, switch_mode, other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ToolStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// More of what the tool prints while it runs; unlike the others it is appended to what was printed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printed: Option<String>,
    /// Replaces what was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<ToolContent>>,
    /// Files the call touches; replaces what was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locations: Option<Vec<Location>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolStatus {
    Pending,
    InProgress,
    Completed,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Location {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// What a tool call shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "show", rename_all = "snake_case")]
pub enum ToolContent {
    /// Text, with ANSI colours where the tool wrote them.
    Text { text: String },
    Diff {
        path: String,
        #[serde(default)]
        old: Option<String>,
        new: String,
    },
    /// A terminal of the agent's own; opaque, its output comes in other items.
    Terminal { id: String },
    /// Something else, unread.
    Other { raw: Value },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanEntry {
    pub text: String,
    pub priority: String,
    pub status: PlanStatus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    Pending,
    InProgress,
    Completed,
}

/// Tokens of one turn or session, as counted by whoever says so. All counts are tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = log::Tokens)]
pub struct Tokens {
    /// Everything sent to the model, what it had cached included.
    pub input: u64,
    pub output: u64,
    /// The part of `input` that the model read from its cache.
    pub cached: u64,
    /// The part of `input` that was written to its cache.
    pub cache_written: u64,
    /// The part of `output` that nobody is shown.
    pub reasoning: u64,
}

impl Tokens {
    /// To the model and from it: the other counts are parts of these.
    pub fn all(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl std::ops::AddAssign for Tokens {
    fn add_assign(&mut self, more: Self) {
        self.input += more.input;
        self.output += more.output;
        self.cached += more.cached;
        self.cache_written += more.cache_written;
        self.reasoning += more.reasoning;
    }
}
