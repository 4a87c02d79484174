//! OpenAI chat completions.

use serde_json::{Value, json};

use super::{Misuse, assistant, push_line, schema_of, text_of};
use crate::asked::{Asked, Message, OfferedTool, Takes};
use crate::reply::{CREATED, Call, Frame, Ids, Reply, chunks};

pub(super) fn read(json: &Value, mut asked: Asked) -> Result<Asked, Misuse> {
    let messages = json["messages"]
        .as_array()
        .filter(|messages| !messages.is_empty())
        .ok_or_else(|| Misuse::invalid("Invalid 'messages': expected a list with at least one message."))?;
    let mut open: Vec<&str> = vec![];
    for (n, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if role != "tool" && !open.is_empty() {
            return Err(unanswered(&open));
        }
        let text = text_of(&message["content"]);
        match role {
            "system" | "developer" => push_line(&mut asked.system, &text),
            "user" => asked.messages.push(Message::User(text)),
            "assistant" => {
                let calls = message["tool_calls"].as_array().into_iter().flatten();
                open = calls.filter_map(|call| call["id"].as_str()).collect();
                asked.messages.push(assistant(open.first().copied()));
            }
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                let place = open.iter().position(|open| *open == id).ok_or_else(|| {
                    Misuse::invalid(format!(
                        "Invalid parameter: messages[{n}] with role 'tool' must be a response to a preceeding \
                         message with 'tool_calls'."
                    ))
                })?;
                open.remove(place);
                asked.messages.push(Message::ToolResult(text));
            }
            other => {
                return Err(Misuse::invalid(format!("Invalid value: '{other}' for messages[{n}].role.")));
            }
        }
    }
    if !open.is_empty() {
        return Err(unanswered(&open));
    }
    for tool in json["tools"].as_array().into_iter().flatten() {
        let name = tool["function"]["name"]
            .as_str()
            .ok_or_else(|| Misuse::invalid("Missing required parameter: 'tools[0].function.name'."))?;
        asked.tools.push(OfferedTool {
            name: name.to_owned(),
            namespace: None,
            takes: Takes::Object { schema: tool["function"]["parameters"].clone() },
        });
    }
    // The API has no field for thoughts; agents read the `reasoning_content` that other vendors send.
    asked.thinking = true;
    asked.answer_schema = schema_of(&json["response_format"]["json_schema"]);
    asked.usage_in_stream = json["stream_options"]["include_usage"] == true;
    Ok(asked)
}

fn unanswered(open: &[&str]) -> Misuse {
    Misuse::invalid(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
         'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    ))
}

pub(super) fn whole(asked: &Asked, reply: &Reply, ids: Ids) -> Value {
    let mut message = json!({"role": "assistant", "content": null, "refusal": null});
    if !reply.text.is_empty() {
        message["content"] = json!(reply.text);
    }
    if !reply.thinking.is_empty() {
        message["reasoning_content"] = json!(reply.thinking);
    }
    if !reply.calls.is_empty() {
        message["tool_calls"] =
            reply.calls.iter().enumerate().map(|(n, call)| tool_call(call, n, ids)).collect();
    }
    json!({
        "id": ids.answer("chatcmpl-"), "object": "chat.completion", "created": CREATED, "model": asked.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(reply)}],
        "usage": usage(reply), "system_fingerprint": null,
    })
}

pub(super) fn frames(asked: &Asked, reply: &Reply, ids: Ids) -> Vec<Frame> {
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": ids.answer("chatcmpl-"), "object": "chat.completion.chunk", "created": CREATED,
            "model": asked.model, "system_fingerprint": null, "choices": choices,
        });
        if asked.usage_in_stream {
            chunk["usage"] = usage;
        }
        Frame::plain(&chunk)
    };
    let delta = |delta: Value, finish_reason: Value| {
        let choice = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}]);
        chunk(choice, Value::Null)
    };
    let mut frames = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
    frames.extend(
        chunks(&reply.thinking).map(|text| delta(json!({"reasoning_content": text}), Value::Null).paced()),
    );
    frames.extend(chunks(&reply.text).map(|text| delta(json!({"content": text}), Value::Null).paced()));
    for (n, call) in reply.calls.iter().enumerate() {
        let mut opening = tool_call(call, n, ids);
        opening["index"] = json!(n);
        opening["function"]["arguments"] = json!("");
        frames.push(delta(json!({"tool_calls": [opening]}), Value::Null));
        frames.extend(chunks(&call.input_text()).map(|text| {
            delta(json!({"tool_calls": [{"index": n, "function": {"arguments": text}}]}), Value::Null)
        }));
    }
    frames.push(delta(json!({}), json!(finish_reason(reply))));
    if asked.usage_in_stream {
        frames.push(chunk(json!([]), usage(reply)));
    }
    frames.push(Frame { bytes: "data: [DONE]\n\n".to_owned(), paced: false });
    frames
}

fn tool_call(call: &Call, n: usize, ids: Ids) -> Value {
    json!({"id": ids.part("call_", n), "type": "function",
           "function": {"name": call.name, "arguments": call.input_text()}})
}

fn finish_reason(reply: &Reply) -> &'static str {
    if reply.calls.is_empty() { "stop" } else { "tool_calls" }
}

fn usage(reply: &Reply) -> Value {
    json!({
        "prompt_tokens": reply.usage.input, "completion_tokens": reply.usage.output,
        "total_tokens": reply.usage.input + reply.usage.output,
        "prompt_tokens_details": {"cached_tokens": reply.usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
                                      "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    })
}
