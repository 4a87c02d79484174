//! Tool calls and their updates: one reading for both, since an agent may send the update first or alone. Source: ACP
//! v1 `ToolCall`, `ToolCallUpdate`, `ToolCallContent`.

use lamplight_domain::transcript::{Location, ToolCall, ToolContent, ToolStatus};
use serde_json::{Value, json};

/// Reads a tool call; `None` when it does not say which call it is. A field that is missing says nothing; a list that
/// is null is emptied; a null anywhere else says nothing, as there is no agent that takes a title back.
pub(super) fn read(update: &Value) -> Option<ToolCall> {
    let text = |name: &str| update.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let any = |name: &str| update.get(name).filter(|value| !value.is_null()).cloned();
    Some(ToolCall {
        id: text("toolCallId")?,
        name: text("name").or_else(|| name_in_meta(update)),
        title: text("title"),
        kind: text("kind"),
        status: update.get("status").and_then(status),
        input: any("rawInput"),
        output: any("rawOutput").or_else(|| terminal_exit(update)),
        printed: printed(update),
        content: list(update, "content", content),
        locations: list(update, "locations", location).map(|found| found.into_iter().flatten().collect()),
    })
}

fn status(value: &Value) -> Option<ToolStatus> {
    match value.as_str()? {
        "pending" => Some(ToolStatus::Pending),
        "in_progress" => Some(ToolStatus::InProgress),
        "completed" => Some(ToolStatus::Completed),
        "failed" => Some(ToolStatus::Failed),
        _ => None,
    }
}

fn list<T>(update: &Value, name: &str, read: impl Fn(&Value) -> T) -> Option<Vec<T>> {
    match update.get(name)? {
        Value::Array(items) => Some(items.iter().map(read).collect()),
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}

fn content(item: &Value) -> ToolContent {
    known_content(item).unwrap_or_else(|| ToolContent::Other { raw: item.clone() })
}

fn known_content(item: &Value) -> Option<ToolContent> {
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    match item.get("type")?.as_str()? {
        "content" => {
            let block = item.get("content")?;
            (block.get("type")? == "text")
                .then(|| text(block, "text").map(|text| ToolContent::Text { text }))?
        }
        "diff" => Some(ToolContent::Diff {
            path: text(item, "path")?,
            old: text(item, "oldText"),
            new: text(item, "newText")?,
        }),
        "terminal" => Some(ToolContent::Terminal { id: text(item, "terminalId")? }),
        _ => None,
    }
}

fn location(item: &Value) -> Option<Location> {
    let line = item.get("line").and_then(Value::as_u64).and_then(|line| u32::try_from(line).ok());
    Some(Location { path: item.get("path")?.as_str()?.to_owned(), line })
}

/// Where agents put the tool's name that do not use ACP's newer `name`.
fn name_in_meta(update: &Value) -> Option<String> {
    let meta = update.get("_meta")?;
    let places = ["/claudeCode/toolName", "/goose/toolCall/toolName", "/toolName"];
    places.iter().find_map(|place| meta.pointer(place)?.as_str()).map(ToOwned::to_owned)
}

/// What a terminal of the agent's own printed: Codex tells it here and nowhere else, piece by piece.
fn printed(update: &Value) -> Option<String> {
    let meta = update.get("_meta")?;
    let places = ["/terminal_output_delta/data", "/terminal_output/data"];
    places.iter().find_map(|place| meta.pointer(place)?.as_str()).map(ToOwned::to_owned)
}

/// How a program in such a terminal ended, where nothing else is said about its output.
fn terminal_exit(update: &Value) -> Option<Value> {
    let exit = update.pointer("/_meta/terminal_exit")?;
    Some(json!({ "exit_code": exit.get("exit_code"), "signal": exit.get("signal") }))
}
