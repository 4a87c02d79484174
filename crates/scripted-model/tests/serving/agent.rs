//! A small agent: keeps a conversation in one of the protocols and sends it whole each time.

use serde_json::{Value, json};

use crate::client::Server;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Chat,
    Responses,
    Messages,
}

pub(crate) const PROTOCOLS: [Protocol; 3] = [Protocol::Chat, Protocol::Responses, Protocol::Messages];

pub(crate) struct Agent<'a> {
    server: &'a Server,
    protocol: Protocol,
    stream: bool,
    /// Name and JSON schema of each.
    tools: Vec<(&'static str, Value)>,
    history: Vec<Value>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) thinking: String,
    pub(crate) text: String,
    pub(crate) calls: Vec<Call>,
    /// Input and output tokens.
    pub(crate) usage: (u64, u64),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
}

impl Call {
    pub(crate) fn argument(&self, name: &str) -> String {
        let arguments: Value = serde_json::from_str(&self.arguments).unwrap();
        arguments[name].as_str().unwrap_or_else(|| panic!("{name} in {arguments}")).to_owned()
    }
}

impl Protocol {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/openai/v1/chat/completions",
            Self::Responses => "/openai/v1/responses",
            Self::Messages => "/anthropic/v1/messages?beta=true",
        }
    }
}

impl<'a> Agent<'a> {
    pub(crate) fn new(server: &'a Server, protocol: Protocol, stream: bool) -> Self {
        let text = json!({"type": "string"});
        let bash = json!({"type": "object", "properties": {"command": text, "description": text},
                          "required": ["command", "description"]});
        Self { server, protocol, stream, tools: vec![("bash", bash)], history: vec![] }
    }

    pub(crate) fn says(&mut self, text: &str) {
        self.history.push(json!({"role": "user", "content": text}));
    }

    pub(crate) fn results(&mut self, results: &[(&Call, String)]) {
        match self.protocol {
            Protocol::Chat => self.history.extend(
                results
                    .iter()
                    .map(|(call, text)| json!({"role": "tool", "tool_call_id": call.id, "content": text})),
            ),
            Protocol::Responses => self.history.extend(results.iter().map(
                |(call, text)| json!({"type": "function_call_output", "call_id": call.id, "output": text}),
            )),
            Protocol::Messages => {
                let blocks: Vec<_> = results
                    .iter()
                    .map(|(call, text)| json!({"type": "tool_result", "tool_use_id": call.id, "content": text}))
                    .collect();
                self.history.push(json!({"role": "user", "content": blocks}));
            }
        }
    }

    /// Asks the model, and keeps what it says in the conversation.
    pub(crate) async fn ask(&mut self) -> Answer {
        let headers = ["content-type: application/json", "anthropic-version: 2023-06-01"];
        let response = self.server.post(self.protocol.path(), &headers, &self.request()).await;
        assert_eq!(response.status, 200, "{}", response.body);
        assert!(response.whole);
        let answer = match (self.stream, self.protocol) {
            (false, Protocol::Chat) => chat(&response.json()),
            (false, Protocol::Responses) => responses(&response.json()),
            (false, Protocol::Messages) => messages(&response.json()),
            (true, Protocol::Chat) => chat_stream(&response.events()),
            (true, Protocol::Responses) => responses_stream(&response.events()),
            (true, Protocol::Messages) => messages_stream(&response.events()),
        };
        self.remember(&answer);
        answer
    }

    fn request(&self) -> Value {
        let tools = self.tools.iter();
        let mut request = json!({"model": "any", "stream": self.stream});
        match self.protocol {
            Protocol::Chat => {
                request["messages"] = json!(self.history);
                request["stream_options"] = json!({"include_usage": true});
                request["tools"] = tools
                    .map(|(name, schema)| json!({"type": "function", "function": {"name": name, "parameters": schema}}))
                    .collect();
            }
            Protocol::Responses => {
                request["input"] = json!(self.history);
                request["reasoning"] = json!({"summary": "auto"});
                request["tools"] = tools
                    .map(|(name, schema)| json!({"type": "function", "name": name, "parameters": schema}))
                    .collect();
            }
            Protocol::Messages => {
                request["messages"] = json!(self.history);
                request["max_tokens"] = json!(1000);
                request["thinking"] = json!({"type": "adaptive"});
                request["tools"] =
                    tools.map(|(name, schema)| json!({"name": name, "input_schema": schema})).collect();
            }
        }
        request
    }

    fn remember(&mut self, answer: &Answer) {
        match self.protocol {
            Protocol::Chat => {
                let calls = answer.calls.iter().map(|call| {
                    json!({"id": call.id, "type": "function",
                           "function": {"name": call.name, "arguments": call.arguments}})
                });
                let calls: Vec<_> = calls.collect();
                self.history.push(json!({"role": "assistant", "content": answer.text, "tool_calls": calls}));
            }
            Protocol::Responses => {
                let content = json!([{"type": "output_text", "text": answer.text}]);
                self.history.push(json!({"type": "message", "role": "assistant", "content": content}));
                self.history.extend(answer.calls.iter().map(|call| {
                    json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments})
                }));
            }
            Protocol::Messages => {
                let mut blocks = vec![json!({"type": "text", "text": answer.text})];
                blocks.extend(answer.calls.iter().map(|call| {
                    let input: Value = serde_json::from_str(&call.arguments).unwrap();
                    json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})
                }));
                self.history.push(json!({"role": "assistant", "content": blocks}));
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn tokens(usage: &Value, input: &str, output: &str) -> (u64, u64) {
    (usage[input].as_u64().unwrap(), usage[output].as_u64().unwrap())
}

fn chat(whole: &Value) -> Answer {
    let message = &whole["choices"][0]["message"];
    let calls = message["tool_calls"].as_array().into_iter().flatten().map(|call| Call {
        id: text(&call["id"]),
        name: text(&call["function"]["name"]),
        arguments: text(&call["function"]["arguments"]),
    });
    let calls: Vec<_> = calls.collect();
    assert_eq!(whole["choices"][0]["finish_reason"], if calls.is_empty() { "stop" } else { "tool_calls" });
    Answer {
        thinking: text(&message["reasoning_content"]),
        text: text(&message["content"]),
        calls,
        usage: tokens(&whole["usage"], "prompt_tokens", "completion_tokens"),
    }
}

fn chat_stream(events: &[&str]) -> Answer {
    let (last, chunks) = events.split_last().unwrap();
    assert_eq!(*last, "[DONE]");
    let mut answer = Answer::default();
    for chunk in chunks {
        let chunk: Value = serde_json::from_str(chunk).unwrap();
        assert_eq!(chunk["object"], "chat.completion.chunk");
        if chunk["usage"].is_object() {
            answer.usage = tokens(&chunk["usage"], "prompt_tokens", "completion_tokens");
        }
        let delta = &chunk["choices"][0]["delta"];
        answer.thinking += &text(&delta["reasoning_content"]);
        answer.text += &text(&delta["content"]);
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            if call["id"].is_string() {
                assert_eq!(call["index"], answer.calls.len());
                let name = text(&call["function"]["name"]);
                answer.calls.push(Call { id: text(&call["id"]), name, arguments: String::new() });
            }
            let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            answer.calls[index].arguments += &text(&call["function"]["arguments"]);
        }
    }
    answer
}

fn responses(whole: &Value) -> Answer {
    assert_eq!(whole["status"], "completed");
    let mut answer =
        Answer { usage: tokens(&whole["usage"], "input_tokens", "output_tokens"), ..Answer::default() };
    for item in whole["output"].as_array().unwrap() {
        match item["type"].as_str().unwrap() {
            "reasoning" => answer.thinking += &text(&item["summary"][0]["text"]),
            "message" => answer.text += &text(&item["content"][0]["text"]),
            "function_call" => answer.calls.push(Call {
                id: text(&item["call_id"]),
                name: text(&item["name"]),
                arguments: text(&item["arguments"]),
            }),
            other => panic!("{other}"),
        }
    }
    answer
}

/// The pieces have to add up to the items that the last event holds.
fn responses_stream(events: &[&str]) -> Answer {
    let mut pieces = Answer::default();
    let mut whole = None;
    for (n, event) in events.iter().enumerate() {
        let event: Value = serde_json::from_str(event).unwrap();
        assert_eq!(event["sequence_number"], n);
        let delta = text(&event["delta"]);
        match event["type"].as_str().unwrap() {
            "response.reasoning_summary_text.delta" => pieces.thinking += &delta,
            "response.output_text.delta" => pieces.text += &delta,
            "response.output_item.added" if event["item"]["type"] == "function_call" => {
                pieces.calls.push(Call {
                    id: text(&event["item"]["call_id"]),
                    name: text(&event["item"]["name"]),
                    arguments: String::new(),
                })
            }
            "response.function_call_arguments.delta" => pieces.calls.last_mut().unwrap().arguments += &delta,
            "response.completed" => whole = Some(responses(&event["response"])),
            _ => {}
        }
    }
    let whole = whole.expect("a stream is completed");
    assert_eq!(Answer { usage: whole.usage, ..pieces }, whole);
    whole
}

fn messages(whole: &Value) -> Answer {
    let usage = tokens(&whole["usage"], "input_tokens", "output_tokens");
    let mut answer = Answer { usage, ..Answer::default() };
    for block in whole["content"].as_array().unwrap() {
        match block["type"].as_str().unwrap() {
            "thinking" => answer.thinking += &text(&block["thinking"]),
            "text" => answer.text += &text(&block["text"]),
            "tool_use" => answer.calls.push(Call {
                id: text(&block["id"]),
                name: text(&block["name"]),
                arguments: block["input"].to_string(),
            }),
            other => panic!("{other}"),
        }
    }
    assert_eq!(whole["stop_reason"], if answer.calls.is_empty() { "end_turn" } else { "tool_use" });
    answer
}

/// Builds the message from the events, as the vendor's own clients do.
fn messages_stream(events: &[&str]) -> Answer {
    let mut message = Value::Null;
    let mut input = String::new();
    let mut stopped = false;
    for event in events {
        let event: Value = serde_json::from_str(event).unwrap();
        let index = usize::try_from(event["index"].as_u64().unwrap_or_default()).unwrap();
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(index, content.len());
                content.push(event["content_block"].clone());
                input.clear();
            }
            "content_block_delta" => {
                let block = &mut message["content"][index];
                for (kind, field) in [("text_delta", "text"), ("thinking_delta", "thinking")] {
                    if event["delta"]["type"] == kind {
                        block[field] = json!(text(&block[field]) + &text(&event["delta"][field]));
                    }
                }
                input += &text(&event["delta"]["partial_json"]);
            }
            "content_block_stop" if !input.is_empty() => {
                message["content"][index]["input"] = serde_json::from_str(&input).unwrap();
            }
            "message_delta" => {
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["usage"]["output_tokens"] = event["usage"]["output_tokens"].clone();
            }
            "message_stop" => stopped = true,
            _ => {}
        }
    }
    assert!(stopped);
    messages(&message)
}
