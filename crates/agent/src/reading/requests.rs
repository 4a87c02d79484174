//! What the agent asks of us: leave to do something, or a question. Everything else is refused politely, by the machine.

use super::{questions, tools};
use lamplight_domain::agent::AgentReport;
use lamplight_domain::permission::{OptionKind, PermissionOption};
use lamplight_domain::transcript::ToolCall;
use serde_json::Value;

/// Reads a request of the agent's. One for permission that offers nothing readable is still one: with no option to
/// choose, it will be cancelled.
pub(super) fn read(id: Value, method: String, params: &Value) -> AgentReport {
    match method.as_str() {
        "session/request_permission" => permission(id, params),
        "elicitation/create" => questions::read(id, params),
        _ => AgentReport::UnknownRequest { request: id, method },
    }
}

fn permission(id: Value, params: &Value) -> AgentReport {
    let call = params.get("toolCall").and_then(tools::read).unwrap_or_else(|| ToolCall {
        // A call that cannot be told from others gets the request's own id.
        id: format!("request-{id}"),
        ..ToolCall::default()
    });
    let options = params.get("options").and_then(Value::as_array).into_iter().flatten().filter_map(option);
    AgentReport::PermissionAsked { request: id, options: options.collect(), call: Box::new(call) }
}

/// An option; one of a kind that we do not know is not offered to anybody, since nobody could say what it means.
fn option(value: &Value) -> Option<PermissionOption> {
    let id = value.get("optionId")?.as_str()?.to_owned();
    let kind = match value.get("kind")?.as_str()? {
        "allow_once" => OptionKind::AllowOnce,
        "allow_always" => OptionKind::AllowAlways,
        "reject_once" => OptionKind::RejectOnce,
        "reject_always" => OptionKind::RejectAlways,
        _ => return None,
    };
    let name = value.get("name").and_then(Value::as_str).unwrap_or(&id).to_owned();
    Some(PermissionOption { id, name, kind })
}
