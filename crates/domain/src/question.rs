//! What an agent asks a person: a few fields of plain kinds, and the answer. What cannot be asked like that is put to
//! nobody. Source: ACP v1 `elicitation/create` in its mode `form`.

mod fit;

pub use fit::Misfit;

use crate::permission::AnsweredBy;
use crate::{Timestamp, TurnNumber};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Fields of one question.
pub const MAX_FIELDS: usize = 20;
/// Choices of one field.
pub const MAX_CHOICES: usize = 50;
/// What one question may take as JSON; bytes.
pub const MAX_QUESTION_BYTES: usize = 16 * 1024;
/// All texts of one answer; bytes.
pub const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// A question; all words in it are the agent's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Question {
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// At most 20, in the agent's order; none asks for a yes.
    pub fields: Vec<Field>,
}

/// One thing that is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = question::Field)]
pub struct Field {
    /// What it is called in the answer.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    pub takes: Takes,
}

/// What a field takes. Bounds are inclusive, lengths are in characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = question::Takes)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Takes {
    Text {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<TextFormat>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_length: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_length: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<String>,
    },
    Number {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        minimum: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        maximum: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<f64>,
    },
    Integer {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        minimum: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        maximum: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<i64>,
    },
    YesNo {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<bool>,
    },
    /// One of them.
    Choice {
        choices: Vec<Choice>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<String>,
    },
    /// Any of them, each once.
    Choices {
        choices: Vec<Choice>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_items: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_items: Option<u32>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        default: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextFormat {
    Email,
    /// With a scheme.
    Uri,
    /// `2026-01-31`
    Date,
    /// RFC 3339, such as `2026-01-31T12:00:00Z`.
    DateTime,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = question::Choice)]
pub struct Choice {
    /// What is answered.
    pub value: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What a person said to a question. Agents take a declined question for one that was skipped, and a cancelled one for
/// the end of what they asked it for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = question::Reply)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// By the names of the fields.
    Accepted {
        content: BTreeMap<String, FieldValue>,
    },
    Declined,
    Cancelled,
}

/// What was filled into a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum FieldValue {
    YesNo(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    Choices(Vec<String>),
}

/// The agent asked, and goes on when it is answered: by a person, or at the deadline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QuestionAsked {
    pub turn: TurnNumber,
    /// The agent's own id of the request.
    pub request: Value,
    pub question: Box<Question>,
    pub deadline: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QuestionAnswered {
    pub request: Value,
    pub reply: Reply,
    pub by: AnsweredBy,
    /// Why nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
