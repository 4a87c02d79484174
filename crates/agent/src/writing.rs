//! Renders what an agent is told as one line of ACP. The same input always gives the same bytes, so that writing it
//! again after a crash is harmless. Source: ACP v1, schema crate `agent-client-protocol-schema`.

use crate::ids;
use agent_client_protocol_schema::ProtocolVersion;
use agent_client_protocol_schema::v1::{
    CancelNotification, ClientCapabilities, ContentBlock, Implementation, InitializeRequest,
    LoadSessionRequest, NewSessionRequest, PromptRequest, RequestPermissionOutcome,
    RequestPermissionResponse, SelectedPermissionOutcome, SetSessionConfigOptionRequest,
    SetSessionModeRequest, TextContent,
};
use lamplight_domain::agent::{AgentInput, ModelConfig};
use lamplight_domain::permission::Answer;
use serde::Serialize;
use serde_json::{Value, json};

/// JSON-RPC's "method not found".
const METHOD_NOT_FOUND: i32 = -32601;

/// What rendering needs to know beside the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Absolute path inside the sandbox of the working copy.
    pub cwd: String,
}

/// One line, its newline included.
pub fn render(input: &AgentInput, context: &Context) -> Vec<u8> {
    let id = || ids::of(input);
    let message = match input {
        // Neither files nor terminals are advertised: an agent works on its own, inside its sandbox.
        AgentInput::Initialize => request(
            id(),
            "initialize",
            &InitializeRequest::new(ProtocolVersion::V1)
                .client_capabilities(ClientCapabilities::default())
                .client_info(
                    Implementation::new("lamplight", env!("CARGO_PKG_VERSION")).title("Lamplight".to_owned()),
                ),
        ),
        AgentInput::NewSession => request(id(), "session/new", &NewSessionRequest::new(&context.cwd)),
        AgentInput::LoadSession { agent_session } => {
            request(id(), "session/load", &LoadSessionRequest::new(agent_session.clone(), &context.cwd))
        }
        AgentInput::ChooseModel { agent_session, config: ModelConfig::Option { id: option }, model } => {
            request(
                id(),
                "session/set_config_option",
                &SetSessionConfigOptionRequest::new(agent_session.clone(), option.clone(), model.as_str()),
            )
        }
        // Older agents only; no longer in the schema.
        AgentInput::ChooseModel { agent_session, config: ModelConfig::SetModel, model } => {
            request(id(), "session/set_model", &json!({ "sessionId": agent_session, "modelId": model }))
        }
        AgentInput::ChooseMode { agent_session, mode } => request(
            id(),
            "session/set_mode",
            &SetSessionModeRequest::new(agent_session.clone(), mode.clone()),
        ),
        AgentInput::Prompt { agent_session, text, .. } => request(
            id(),
            "session/prompt",
            &PromptRequest::new(
                agent_session.clone(),
                vec![ContentBlock::Text(TextContent::new(text.as_str()))],
            ),
        ),
        AgentInput::Cancel { agent_session } => {
            request(None, "session/cancel", &CancelNotification::new(agent_session.clone()))
        }
        AgentInput::AnswerPermission { request, answer } => {
            let outcome = match answer {
                Answer::Selected { option } => {
                    RequestPermissionOutcome::Selected(SelectedPermissionOutcome::new(option.clone()))
                }
                Answer::Cancelled => RequestPermissionOutcome::Cancelled,
            };
            json!({ "jsonrpc": "2.0", "id": request, "result": value(&RequestPermissionResponse::new(outcome)) })
        }
        AgentInput::Unsupported { request, method } => json!({
            "jsonrpc": "2.0",
            "id": request,
            "error": { "code": METHOD_NOT_FOUND, "message": format!("Lamplight does not serve {method}") },
        }),
    };
    let mut line = message.to_string().into_bytes();
    line.push(b'\n');
    line
}

fn request(id: Option<String>, method: &str, params: &impl Serialize) -> Value {
    match id {
        Some(id) => json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": value(params) }),
        None => json!({ "jsonrpc": "2.0", "method": method, "params": value(params) }),
    }
}

fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).expect("messages of the schema have text keys and serialise")
}
