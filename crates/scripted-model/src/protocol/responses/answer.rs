//! An answer as OpenAI responses has it: a list of items, each announced, filled and completed.

use serde_json::{Value, json};

use crate::asked::Asked;
use crate::reply::{CREATED, Call, Frame, Ids, Input, Reply, chunks};

pub(in crate::protocol) fn whole(asked: &Asked, reply: &Reply, ids: Ids) -> Value {
    let output: Vec<_> = items(reply).iter().enumerate().map(|(n, item)| item.done(n, ids)).collect();
    response(asked, "completed", json!(output), usage(reply), ids)
}

pub(in crate::protocol) fn frames(asked: &Asked, reply: &Reply, ids: Ids) -> Vec<Frame> {
    let opening = response(asked, "in_progress", json!([]), Value::Null, ids);
    let mut events = vec![
        (json!({"type": "response.created", "response": opening}), false),
        (json!({"type": "response.in_progress", "response": opening}), false),
    ];
    for (n, item) in items(reply).iter().enumerate() {
        let mut own =
            vec![(json!({"type": "response.output_item.added", "item": item.added(n, ids)}), false)];
        own.extend(item.filling(&item.id(n, ids)));
        own.push((json!({"type": "response.output_item.done", "item": item.done(n, ids)}), false));
        own.iter_mut().for_each(|(event, _)| event["output_index"] = json!(n));
        events.extend(own);
    }
    events.push((json!({"type": "response.completed", "response": whole(asked, reply, ids)}), false));
    let numbered = events.into_iter().enumerate().map(|(n, (mut event, paced))| {
        event["sequence_number"] = json!(n);
        Frame { paced, ..Frame::named(&event) }
    });
    numbered.collect()
}

/// What one item of an answer is, before and after it is filled.
enum Item<'a> {
    Thought(&'a str),
    Said(&'a str),
    Called(&'a Call),
}

fn items(reply: &Reply) -> Vec<Item<'_>> {
    let thought = (!reply.thinking.is_empty()).then_some(Item::Thought(&reply.thinking));
    let said = (!reply.text.is_empty()).then_some(Item::Said(&reply.text));
    thought.into_iter().chain(said).chain(reply.calls.iter().map(Item::Called)).collect()
}

impl Item<'_> {
    fn id(&self, n: usize, ids: Ids) -> String {
        match self {
            Self::Thought(_) => ids.part("rs_", n),
            Self::Said(_) => ids.part("msg_", n),
            Self::Called(Call { input: Input::Object(_), .. }) => ids.part("fc_", n),
            Self::Called(Call { input: Input::Text(_), .. }) => ids.part("ctc_", n),
        }
    }

    fn done(&self, n: usize, ids: Ids) -> Value {
        let id = self.id(n, ids);
        match self {
            Self::Thought(text) => {
                json!({"id": id, "type": "reasoning", "summary": [{"type": "summary_text", "text": text}],
                       "encrypted_content": null})
            }
            Self::Said(text) => json!({
                "id": id, "type": "message", "status": "completed", "role": "assistant",
                "content": [text_part(text)],
            }),
            Self::Called(call) => {
                let mut item = json!({"id": id, "status": "completed", "call_id": ids.part("call_", n),
                                      "name": call.name});
                if let Some(namespace) = &call.namespace {
                    item["namespace"] = json!(namespace);
                }
                match &call.input {
                    Input::Object(_) => {
                        item["type"] = json!("function_call");
                        item["arguments"] = json!(call.input_text());
                    }
                    Input::Text(text) => {
                        item["type"] = json!("custom_tool_call");
                        item["input"] = json!(text);
                    }
                }
                item
            }
        }
    }

    /// The item as it is announced: the same with nothing in it yet.
    fn added(&self, n: usize, ids: Ids) -> Value {
        let mut item = self.done(n, ids);
        let (field, empty) = match self {
            Self::Thought(_) => ("summary", json!([])),
            Self::Said(_) => ("content", json!([])),
            Self::Called(Call { input: Input::Object(_), .. }) => ("arguments", json!("")),
            Self::Called(Call { input: Input::Text(_), .. }) => ("input", json!("")),
        };
        item[field] = empty;
        if item.get("status").is_some() {
            item["status"] = json!("in_progress");
        }
        item
    }

    /// The events between its announcement and its completion; whether each is a piece of text to be paced.
    fn filling(&self, id: &str) -> Vec<(Value, bool)> {
        match self {
            Self::Thought(text) => {
                let part = |kind: &str, text: &str| {
                    json!({"type": kind, "item_id": id, "summary_index": 0,
                           "part": {"type": "summary_text", "text": text}})
                };
                let mut events = vec![(part("response.reasoning_summary_part.added", ""), false)];
                events.extend(chunks(text).map(|piece| {
                    (json!({"type": "response.reasoning_summary_text.delta", "item_id": id, "summary_index": 0,
                            "delta": piece}), true)
                }));
                events.push((
                    json!({"type": "response.reasoning_summary_text.done", "item_id": id, "summary_index": 0,
                           "text": text}),
                    false,
                ));
                events.push((part("response.reasoning_summary_part.done", text), false));
                events
            }
            Self::Said(text) => {
                let part = |kind: &str, text: &str| json!({"type": kind, "item_id": id, "content_index": 0, "part": text_part(text)});
                let mut events = vec![(part("response.content_part.added", ""), false)];
                events.extend(chunks(text).map(|piece| {
                    (
                        json!({"type": "response.output_text.delta", "item_id": id, "content_index": 0,
                            "delta": piece, "logprobs": []}),
                        true,
                    )
                }));
                events.push((
                    json!({"type": "response.output_text.done", "item_id": id, "content_index": 0, "text": text,
                           "logprobs": []}),
                    false,
                ));
                events.push((part("response.content_part.done", text), false));
                events
            }
            Self::Called(call) => {
                let (kind, field) = match call.input {
                    Input::Object(_) => ("response.function_call_arguments", "arguments"),
                    Input::Text(_) => ("response.custom_tool_call_input", "input"),
                };
                let input = call.input_text();
                let mut events: Vec<_> = chunks(&input)
                    .map(|piece| {
                        (json!({"type": format!("{kind}.delta"), "item_id": id, "delta": piece}), false)
                    })
                    .collect();
                let mut done = json!({"type": format!("{kind}.done"), "item_id": id});
                done[field] = json!(input);
                events.push((done, false));
                events
            }
        }
    }
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn response(asked: &Asked, status: &str, output: Value, usage: Value, ids: Ids) -> Value {
    json!({
        "id": ids.answer("resp_"), "object": "response", "created_at": CREATED, "status": status, "error": null,
        "incomplete_details": null, "instructions": null, "max_output_tokens": null, "model": asked.model,
        "output": output, "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null}, "store": false, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "usage": usage, "metadata": {},
    })
}

fn usage(reply: &Reply) -> Value {
    json!({
        "input_tokens": reply.usage.input, "input_tokens_details": {"cached_tokens": reply.usage.cached},
        "output_tokens": reply.usage.output, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": reply.usage.input + reply.usage.output,
    })
}
