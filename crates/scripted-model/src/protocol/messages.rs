//! Anthropic messages.

use serde_json::{Value, json};

use super::{Misuse, assistant, push_line, schema_of, text_of};
use crate::asked::{Asked, Message, OfferedTool, Takes};
use crate::reply::{Call, Frame, Ids, Input, Reply, chunks};

pub(super) fn read(json: &Value, mut asked: Asked) -> Result<Asked, Misuse> {
    if !json["max_tokens"].is_u64() {
        return Err(Misuse::invalid("max_tokens: Field required"));
    }
    asked.system = text_of(&json["system"]);
    let messages = json["messages"]
        .as_array()
        .filter(|messages| !messages.is_empty())
        .ok_or_else(|| Misuse::invalid("messages: at least one message is required"))?;
    let mut open: Vec<&str> = vec![];
    for (n, message) in messages.iter().enumerate() {
        let content = &message["content"];
        let blocks: Vec<&Value> = content.as_array().into_iter().flatten().collect();
        match message["role"].as_str() {
            Some("user") => {
                read_user(content, &blocks, n, &open, &mut asked)?;
                open.clear();
            }
            Some("assistant") => {
                refuse_unanswered(n, &open)?;
                let calls = blocks.iter().filter(|block| block["type"] == "tool_use");
                open = calls.filter_map(|call| call["id"].as_str()).collect();
                asked.messages.push(assistant(open.first().copied()));
            }
            // Newer clients put further instructions between the messages.
            Some("system") => push_line(&mut asked.system, &text_of(content)),
            _ => {
                return Err(Misuse::invalid(format!(
                    "messages.{n}.role: Input should be 'user' or 'assistant'"
                )));
            }
        }
    }
    refuse_unanswered(messages.len(), &open)?;
    for tool in json["tools"].as_array().into_iter().flatten() {
        // Tools that the vendor runs have a type and no schema; they are not the agent's to call.
        if let (Some(name), true) = (tool["name"].as_str(), tool["input_schema"].is_object()) {
            asked.tools.push(OfferedTool {
                name: name.to_owned(),
                namespace: None,
                takes: Takes::Object { schema: tool["input_schema"].clone() },
            });
        }
    }
    asked.answer_schema = schema_of(&json["output_config"]["format"]);
    asked.thinking = matches!(json["thinking"]["type"].as_str(), Some("enabled" | "adaptive"));
    Ok(asked)
}

/// A user message carries the results of all calls before it, the person's words, or both.
fn read_user(
    content: &Value,
    blocks: &[&Value],
    n: usize,
    open: &[&str],
    asked: &mut Asked,
) -> Result<(), Misuse> {
    let mut missing = open.to_vec();
    for block in blocks.iter().filter(|block| block["type"] == "tool_result") {
        let id = block["tool_use_id"].as_str().unwrap_or_default();
        let place = missing.iter().position(|open| *open == id).ok_or_else(|| {
            Misuse::invalid(format!(
                "messages.{n}.content: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each \
                 `tool_result` block must have a corresponding `tool_use` block in the previous message."
            ))
        })?;
        missing.remove(place);
        asked.messages.push(Message::ToolResult(text_of(&block["content"])));
    }
    refuse_unanswered(n, &missing)?;
    let text = text_of(content);
    if !text.is_empty() {
        asked.messages.push(Message::User(text));
    }
    Ok(())
}

fn refuse_unanswered(n: usize, open: &[&str]) -> Result<(), Misuse> {
    if open.is_empty() {
        return Ok(());
    }
    Err(Misuse::invalid(format!(
        "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` \
         block must have a corresponding `tool_result` block in the next message.",
        n.saturating_sub(1),
        open.join(", ")
    )))
}

pub(super) fn whole(asked: &Asked, reply: &Reply, ids: Ids) -> Value {
    let mut message = opening(asked, reply, ids);
    let mut content = vec![];
    if !reply.thinking.is_empty() {
        content.push(json!({"type": "thinking", "thinking": reply.thinking, "signature": signature(ids)}));
    }
    if !reply.text.is_empty() {
        content.push(json!({"type": "text", "text": reply.text}));
    }
    content.extend(reply.calls.iter().enumerate().map(|(n, call)| tool_use(call, n, ids)));
    message["content"] = Value::Array(content);
    message["stop_reason"] = json!(stop_reason(reply));
    message["usage"] = usage(reply, reply.usage.output);
    message
}

pub(super) fn frames(asked: &Asked, reply: &Reply, ids: Ids) -> Vec<Frame> {
    let mut frames =
        vec![Frame::named(&json!({"type": "message_start", "message": opening(asked, reply, ids)}))];
    for (n, block) in blocks(reply, ids).into_iter().enumerate() {
        frames.push(Frame::named(
            &json!({"type": "content_block_start", "index": n, "content_block": block.start}),
        ));
        if n == 0 {
            frames.push(Frame::named(&json!({"type": "ping"})));
        }
        frames.extend(block.deltas.into_iter().map(|delta| {
            let frame = Frame::named(&json!({"type": "content_block_delta", "index": n, "delta": delta}));
            Frame { paced: block.paced, ..frame }
        }));
        frames.push(Frame::named(&json!({"type": "content_block_stop", "index": n})));
    }
    frames.push(Frame::named(&json!({
        "type": "message_delta", "delta": {"stop_reason": stop_reason(reply), "stop_sequence": null},
        "usage": usage(reply, reply.usage.output),
    })));
    frames.push(Frame::named(&json!({"type": "message_stop"})));
    frames
}

/// One content block as it is streamed.
struct Block {
    start: Value,
    deltas: Vec<Value>,
    paced: bool,
}

fn blocks(reply: &Reply, ids: Ids) -> Vec<Block> {
    let mut blocks = vec![];
    if !reply.thinking.is_empty() {
        let thoughts =
            chunks(&reply.thinking).map(|text| json!({"type": "thinking_delta", "thinking": text}));
        let signed = json!({"type": "signature_delta", "signature": signature(ids)});
        blocks.push(Block {
            start: json!({"type": "thinking", "thinking": "", "signature": ""}),
            deltas: thoughts.chain([signed]).collect(),
            paced: true,
        });
    }
    if !reply.text.is_empty() {
        let texts = chunks(&reply.text).map(|text| json!({"type": "text_delta", "text": text}));
        blocks.push(Block {
            start: json!({"type": "text", "text": ""}),
            deltas: texts.collect(),
            paced: true,
        });
    }
    for (n, call) in reply.calls.iter().enumerate() {
        let mut start = tool_use(call, n, ids);
        start["input"] = json!({});
        let input = call.input_text();
        let pieces = chunks(&input).map(|text| json!({"type": "input_json_delta", "partial_json": text}));
        blocks.push(Block { start, deltas: pieces.collect(), paced: false });
    }
    blocks
}

/// The message as it stands before anything is said.
fn opening(asked: &Asked, reply: &Reply, ids: Ids) -> Value {
    json!({
        "id": ids.answer("msg_"), "type": "message", "role": "assistant", "model": asked.model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage(reply, 1),
    })
}

fn tool_use(call: &Call, n: usize, ids: Ids) -> Value {
    let input = match &call.input {
        Input::Object(object) => object.clone(),
        Input::Text(text) => json!({"input": text}),
    };
    json!({"type": "tool_use", "id": ids.part("toolu_", n), "name": call.name, "input": input})
}

fn stop_reason(reply: &Reply) -> &'static str {
    if reply.calls.is_empty() { "end_turn" } else { "tool_use" }
}

/// Not the vendor's cryptography, but of its form.
fn signature(ids: Ids) -> String {
    ids.answer("c2NyaXB0ZWQ")
}

/// Input counts exclude what came from the cache, unlike OpenAI's.
fn usage(reply: &Reply, output: u64) -> Value {
    json!({
        "input_tokens": reply.usage.input.saturating_sub(reply.usage.cached), "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": reply.usage.cached, "output_tokens": output, "service_tier": "standard",
    })
}
