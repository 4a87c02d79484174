//! One request, whatever protocol it came by: what was said so far and what the agent can do.

use serde_json::Value;

/// Elements by which agents add context to the person's words; they are not part of a prompt.
const INJECTED: [&str; 6] = [
    "system-reminder",
    "environment_context",
    "info-msg",
    "user_instructions",
    "turn_aborted",
    "permissions instructions",
];

/// Where a sandbox has the repository, when the agent does not say.
const DEFAULT_DIRECTORY: &str = "/workspace";

/// Openings of requests that agents make beside the conversation though they offer tools with them: Claude's for
/// what the person might say next.
const SIDE_PROMPTS: [&str; 1] = ["[SUGGESTION MODE"];

#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// All system and developer texts.
    pub(crate) system: String,
    pub(crate) messages: Vec<Message>,
    pub(crate) tools: Vec<OfferedTool>,
    /// Whether the request wants to see the model think.
    pub(crate) thinking: bool,
    /// The JSON schema that the answer has to fit, when the request gives one.
    pub(crate) answer_schema: Option<Value>,
    /// Whether a stream ends with the number of tokens; a client of OpenAI chat completions has to ask for it.
    pub(crate) usage_in_stream: bool,
    /// Size of the request in bytes, from which tokens are counted when the script gives none.
    pub(crate) bytes: usize,
    /// The same for the same request, and for hardly any other; the ids of the answer are made from it.
    pub(crate) fingerprint: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    User(String),
    /// An answer of the model, or a part of one: what its tool calls' ids say about which answer it is.
    Assistant {
        answer: Option<String>,
    },
    ToolResult(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OfferedTool {
    pub(crate) name: String,
    /// The namespace the name is in (OpenAI responses).
    pub(crate) namespace: Option<String>,
    pub(crate) takes: Takes,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Takes {
    /// Arguments as an object of this JSON schema.
    Object { schema: Value },
    /// One text (OpenAI responses, `custom`), described for the model.
    Text { description: String },
}

/// Where in its conversation a request stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// What the person said last.
    pub(crate) prompt: String,
    /// What they said before, oldest first; only what was answered counts.
    pub(crate) earlier: Vec<String>,
    /// Answers the model gave since that prompt.
    pub(crate) answers: usize,
    /// Results of the tools called in the newest of those answers.
    pub(crate) results: Vec<String>,
}

impl Asked {
    /// Everything here is read from the request, so that a repeated request, a resumed session and sessions side
    /// by side need no memory of ours.
    pub(crate) fn place(&self) -> Place {
        let mut place = Place { prompt: String::new(), earlier: vec![], answers: 0, results: vec![] };
        let mut in_a_row = false;
        let mut current: Option<&String> = None;
        for message in &self.messages {
            match message {
                Message::User(text) => {
                    let said = without_injected(text);
                    if said.is_empty() {
                        continue;
                    }
                    if place.answers > 0 {
                        place.earlier.push(std::mem::take(&mut place.prompt));
                    }
                    place.prompt = said;
                    place.answers = 0;
                    place.results.clear();
                }
                Message::Assistant { answer } => {
                    // Several in a row are parts of one answer; so are calls of one answer that the agent has put
                    // apart, each with its result (goose).
                    let same_answer = answer.is_some() && answer.as_ref() == current;
                    if !in_a_row && !same_answer {
                        place.answers += 1;
                        place.results.clear();
                    }
                    current = answer.as_ref();
                }
                Message::ToolResult(text) => place.results.push(text.clone()),
            }
            in_a_row = matches!(message, Message::Assistant { .. });
        }
        place
    }

    /// A request beside the conversation: a title, a summary, a classification. Those want an answer of a certain
    /// form, or come with instructions and without tools; a bare question without either is a conversation.
    pub(crate) fn is_side_request(&self, place: &Place) -> bool {
        let known = SIDE_PROMPTS.iter().any(|opening| place.prompt.starts_with(opening));
        known || self.answer_schema.is_some() || (self.tools.is_empty() && !self.system.is_empty())
    }

    /// The directory the agent works in.
    pub(crate) fn directory(&self) -> &str {
        let user = self.messages.iter().rev().filter_map(|message| match message {
            Message::User(text) => Some(text.as_str()),
            Message::Assistant { .. } | Message::ToolResult(_) => None,
        });
        std::iter::once(self.system.as_str()).chain(user).find_map(directory_in).unwrap_or(DEFAULT_DIRECTORY)
    }
}

fn directory_in(text: &str) -> Option<&str> {
    let after = ["<cwd>", "orking directory: ", "urrent directory: "]
        .iter()
        .find_map(|label| text.split_once(label).map(|(_, after)| after))?;
    let directory = after.split(['\n', '<']).next().map(str::trim)?;
    directory.starts_with('/').then_some(directory)
}

/// The person's own words in a user message.
fn without_injected(text: &str) -> String {
    let mut text = text.to_owned();
    for element in INJECTED {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        while let Some(start) = text.find(&open) {
            let end = text[start..].find(&close).map_or(text.len(), |end| start + end + close.len());
            text.replace_range(start..end, "");
        }
    }
    text.trim().to_owned()
}

/// The value of the marker `[[name:VALUE]]` in a text; the last one where there are several.
pub(crate) fn marker<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = text.rsplit_once(&format!("[[{name}:"))?;
    after.split_once("]]").map(|(value, _)| value)
}

/// FNV-1a, which is the same in every build and on every machine.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(messages: &[Message]) -> Asked {
        Asked {
            model: "m".into(),
            stream: false,
            system: "You are an agent.\nWorking directory: /srv/repo\n".into(),
            messages: messages.to_vec(),
            tools: vec![],
            thinking: false,
            answer_schema: None,
            usage_in_stream: false,
            bytes: 0,
            fingerprint: 0,
        }
    }

    fn user(text: &str) -> Message {
        Message::User(text.into())
    }

    fn result(text: &str) -> Message {
        Message::ToolResult(text.into())
    }

    fn assistant(answer: Option<&str>) -> Message {
        Message::Assistant { answer: answer.map(str::to_owned) }
    }

    #[test]
    fn a_place_counts_answers_since_the_prompt() {
        let asked = asked(&[
            user("<environment_context><cwd>/a</cwd></environment_context>"),
            user("first"),
            assistant(None),
            user("second"),
            assistant(None),
            assistant(Some("a")),
            result("one"),
            assistant(None),
            user("<info-msg>It is noon</info-msg>"),
            assistant(Some("b")),
            result("two"),
            assistant(Some("b")),
            result("three"),
            user("<info-msg>It is noon</info-msg>"),
        ]);
        assert_eq!(
            asked.place(),
            Place {
                prompt: "second".into(),
                earlier: vec!["first".into()],
                answers: 2,
                results: vec!["two".into(), "three".into()],
            }
        );
        assert_eq!(asked.directory(), "/srv/repo");
    }

    #[test]
    fn a_marker_is_the_last_of_its_name() {
        assert_eq!(marker("[[a:1]] [[b:2]] [[a:3]]", "a"), Some("3"));
        assert_eq!(marker("[[a:1", "a"), None);
        assert_eq!(marker("a:1", "a"), None);
    }
}
