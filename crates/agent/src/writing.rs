//! Renders what an agent is told as one line of ACP. The same input always gives the same bytes, so that writing it
//! again after a crash is harmless. Source: ACP v1, schema crate `agent-client-protocol-schema`.

use crate::ids;
use agent_client_protocol_schema::ProtocolVersion;
use agent_client_protocol_schema::v1::{
    CancelNotification, ClientCapabilities, ContentBlock, ElicitationCapabilities,
    ElicitationFormCapabilities, ImageContent, Implementation, InitializeRequest, LoadSessionRequest,
    NewSessionRequest, PromptRequest, RequestPermissionOutcome, RequestPermissionResponse,
    SelectedPermissionOutcome, SetSessionConfigOptionRequest, SetSessionModeRequest, TextContent,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use lamplight_domain::Attachment;
use lamplight_domain::agent::{AgentInput, ModelConfig};
use lamplight_domain::permission::Answer;
use lamplight_domain::question::Reply;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// JSON-RPC's "method not found".
const METHOD_NOT_FOUND: i32 = -32601;

/// What rendering needs to know beside the input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// Absolute path inside the sandbox of the working copy.
    pub cwd: String,
    /// Absolute path inside the sandbox of the agent's home, where attached files are.
    pub home: String,
    /// What is in the images that it is to be shown, by their blobs; one that is not here is told as other files are.
    pub images: BTreeMap<String, Bytes>,
    /// Whether the agent is told that it may ask questions: there is a person who can answer.
    pub questions: bool,
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
                .client_capabilities(capabilities(context))
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
        AgentInput::Prompt { agent_session, text, attachments, .. } => request(
            id(),
            "session/prompt",
            &PromptRequest::new(agent_session.clone(), blocks(text, attachments, context)),
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
        AgentInput::AnswerQuestion { request, reply } => {
            let result = match reply {
                Reply::Accepted { content } => json!({ "action": "accept", "content": value(content) }),
                Reply::Declined => json!({ "action": "decline" }),
                Reply::Cancelled => json!({ "action": "cancel" }),
            };
            json!({ "jsonrpc": "2.0", "id": request, "result": result })
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

/// Forms, and no pages: see `reading::questions`.
fn capabilities(context: &Context) -> ClientCapabilities {
    let form = ElicitationFormCapabilities::new();
    let elicitation = context.questions.then(|| ElicitationCapabilities::new().form(form));
    ClientCapabilities::default().elicitation(elicitation)
}

/// The text, where the files that came with it are, and the images among them.
fn blocks(text: &str, attachments: &[Attachment], context: &Context) -> Vec<ContentBlock> {
    let mut text = text.to_owned();
    if !attachments.is_empty() {
        text.push_str("\n\nAttached files:");
    }
    for file in attachments {
        text.push_str(&format!(
            "\n- {} ({}, {} bytes)",
            file.path(&context.home),
            file.media_type,
            file.bytes
        ));
    }
    let images = attachments.iter().filter_map(|file| {
        let content = STANDARD.encode(context.images.get(&file.blob)?);
        Some(ContentBlock::Image(ImageContent::new(content, file.media_type.as_str())))
    });
    std::iter::once(ContentBlock::Text(TextContent::new(text))).chain(images).collect()
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
