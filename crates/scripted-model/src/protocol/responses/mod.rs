//! OpenAI responses. Nothing is stored, so a request has to bring its whole conversation.

mod answer;

use std::collections::BTreeSet;

use serde_json::Value;

pub(super) use self::answer::{frames, whole};
use super::{Misuse, assistant, push_line, schema_of, text_of};
use crate::asked::{Asked, Message, OfferedTool, Takes};

pub(super) fn read(json: &Value, mut asked: Asked) -> Result<Asked, Misuse> {
    if let Some(id) = json["previous_response_id"].as_str() {
        return Err(Misuse::invalid(format!("Previous response with id '{id}' not found.")));
    }
    asked.system = json["instructions"].as_str().unwrap_or_default().to_owned();
    asked.answer_schema = schema_of(&json["text"]["format"]);
    asked.thinking = json["reasoning"].is_object();
    read_tools(&json["tools"], None, &mut asked.tools)?;
    match &json["input"] {
        Value::String(text) => asked.messages.push(Message::User(text.clone())),
        Value::Array(items) => read_items(items, &mut asked)?,
        _ => return Err(Misuse::invalid("Missing required parameter: 'input'.")),
    }
    Ok(asked)
}

fn read_items(items: &[Value], asked: &mut Asked) -> Result<(), Misuse> {
    let mut open = BTreeSet::new();
    for (n, item) in items.iter().enumerate() {
        let call = item["call_id"].as_str().unwrap_or_default();
        match item["type"].as_str().unwrap_or("message") {
            "message" => match item["role"].as_str().unwrap_or_default() {
                "system" | "developer" => push_line(&mut asked.system, &text_of(&item["content"])),
                "user" => asked.messages.push(Message::User(text_of(&item["content"]))),
                "assistant" => asked.messages.push(assistant(None)),
                other => {
                    return Err(Misuse::invalid(format!("Invalid value: '{other}' for input[{n}].role.")));
                }
            },
            "function_call" | "custom_tool_call" => {
                open.insert(call);
                asked.messages.push(assistant(Some(call)));
            }
            "function_call_output" | "custom_tool_call_output" => {
                if !open.remove(call) {
                    let message = format!("No tool call found for function call output with call_id {call}.");
                    return Err(Misuse::invalid(message));
                }
                let output = &item["output"];
                asked.messages.push(Message::ToolResult(text_of(output)));
            }
            "additional_tools" => read_tools(&item["tools"], None, &mut asked.tools)?,
            "reasoning" => asked.messages.push(assistant(None)),
            _ => {}
        }
    }
    match open.first() {
        Some(call) => Err(Misuse::invalid(format!("No tool output found for function call {call}."))),
        None => Ok(()),
    }
}

fn read_tools(tools: &Value, namespace: Option<&str>, into: &mut Vec<OfferedTool>) -> Result<(), Misuse> {
    for (n, tool) in tools.as_array().into_iter().flatten().enumerate() {
        let takes = match tool["type"].as_str() {
            Some("function") => Takes::Object { schema: tool["parameters"].clone() },
            Some("custom") => {
                Takes::Text { description: tool["description"].as_str().unwrap_or_default().to_owned() }
            }
            Some("namespace") => {
                read_tools(&tool["tools"], tool["name"].as_str(), into)?;
                continue;
            }
            // Tools that the vendor runs.
            _ => continue,
        };
        let name = tool["name"]
            .as_str()
            .ok_or_else(|| Misuse::invalid(format!("Missing required parameter: 'tools[{n}].name'.")))?;
        into.push(OfferedTool { name: name.to_owned(), namespace: namespace.map(str::to_owned), takes });
    }
    Ok(())
}
