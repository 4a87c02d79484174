//! What an agent is told and what it reports, without the protocol. `lamplight-agent` turns these into ACP and back.

use crate::permission::{Answer, PermissionOption};
use crate::question::{Question, Reply};
use crate::transcript::ToolCall;
use crate::{Attachment, Failure, TurnNumber};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One message to an agent's standard input. It is numbered and logged before it is written, and rendered from the
/// log and nothing else, so that writing it again after a crash writes the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum AgentInput {
    Initialize,
    /// A fresh conversation.
    NewSession,
    /// The conversation of an earlier process in the same files.
    LoadSession {
        agent_session: String,
    },
    ChooseModel {
        agent_session: String,
        config: ModelConfig,
        model: String,
    },
    ChooseMode {
        agent_session: String,
        mode: String,
    },
    /// `retry` is 0 the first time that the agent hears of this turn.
    Prompt {
        agent_session: String,
        turn: TurnNumber,
        #[serde(default, skip_serializing_if = "is_first")]
        retry: u32,
        text: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<Attachment>,
        /// Whether those among them that are images are shown to it; otherwise it is told where they are, as of all others.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        images: bool,
    },
    Cancel {
        agent_session: String,
    },
    /// The answer to the agent's request with this JSON-RPC id.
    AnswerPermission {
        request: Value,
        answer: Answer,
    },
    /// The same for a question.
    AnswerQuestion {
        request: Value,
        reply: Reply,
    },
    /// The agent asked for something that we do not do (files, terminals, anything unknown): JSON-RPC -32601.
    Unsupported {
        request: Value,
        method: String,
    },
}

fn is_first(retry: &u32) -> bool {
    *retry == 0
}

/// How this agent lets its model be chosen. Source: ACP v1 `session/set_config_option`, and the older `session/set_model`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum ModelConfig {
    Option { id: String },
    SetModel,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = log::Model)]
pub struct Model {
    pub id: String,
    pub name: String,
}

/// What opening a conversation told us.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Opened {
    pub agent_session: String,
    pub models: Vec<Model>,
    pub model: Option<String>,
    pub model_config: Option<ModelConfig>,
    /// Ids of the modes on offer.
    pub modes: Vec<String>,
    pub mode: Option<String>,
}

/// Why a prompt came back. Source: ACP v1 `StopReason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    EndTurn,
    MaxTokens,
    MaxTurnRequests,
    Refusal,
    Cancelled,
}

/// A boundary that the agent's output crossed: the part of what it says that the machine decides about.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentReport {
    Initialized {
        can_load: bool,
        takes_images: bool,
    },
    SessionOpened(Box<Opened>),
    /// Opening, loading or configuring was refused by the agent.
    RequestFailed {
        what: RequestKind,
        failure: Failure,
    },
    Configured,
    PromptEnded {
        turn: TurnNumber,
        result: Result<StopReason, Failure>,
    },
    PermissionAsked {
        request: Value,
        call: Box<ToolCall>,
        options: Vec<PermissionOption>,
    },
    /// `unfit` is why it cannot be put to anybody; then only as much of it is here as could be read.
    QuestionAsked {
        request: Value,
        question: Box<Question>,
        unfit: Option<String>,
    },
    /// A request that we do not serve.
    UnknownRequest {
        request: Value,
        method: String,
    },
    /// Output that breaks the protocol's bounds: a line over the limit, a flood of requests.
    ProtocolBroken {
        failure: Failure,
    },
}

/// Which of our requests an answer belongs to; encoded in the JSON-RPC id, so that an answer needs no memory of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    Initialize,
    NewSession,
    LoadSession,
    ChooseModel,
    ChooseMode,
    Prompt,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "ended", rename_all = "snake_case")]
pub enum ExitStatus {
    Code { code: i32 },
    Signal { signal: i32 },
}
