//! What is asked of the client, and whether its answers are some.

use super::{Over, Turn};
use crate::peer::misused;
use serde_json::{Value, json};

const METHOD_NOT_FOUND: i64 = -32601;

impl Turn<'_> {
    pub(super) fn ask_and_wait(&mut self, title: &str) -> Result<(), Over> {
        let id = self.ask(title);
        loop {
            if let Some(answer) = self.next_answer(None)?.filter(|(answered, _)| *answered == id) {
                self.say(&format!("Permission: {}.", answer.1));
                return Ok(());
            }
        }
    }

    pub(super) fn ask(&mut self, title: &str) -> u64 {
        self.calls += 1;
        let call = json!({
            "toolCallId": format!("call-{}-{}", self.conversation.prompts, self.calls),
            "title": title,
            "kind": "execute",
            "status": "pending",
        });
        let session = self.conversation.id.clone();
        self.request(
            "session/request_permission",
            json!({ "sessionId": session, "toolCall": call, "options": options() }),
        )
    }

    /// An agent that was not told that it may ask does not.
    pub(super) fn ask_form(&mut self, mut question: Value) -> Result<(), Over> {
        if !self.may_ask {
            self.say("Nobody can be asked.");
            return Ok(());
        }
        question["sessionId"] = self.conversation.id.as_str().into();
        let form = question["requestedSchema"].clone();
        let id = self.request("elicitation/create", question);
        self.forms.insert(id, form);
        loop {
            if let Some(answer) = self.next_answer(None)?.filter(|(answered, _)| *answered == id) {
                self.say(&format!("Answer: {}.", answer.1));
                return Ok(());
            }
        }
    }

    pub(super) fn answered(&mut self, message: &Value) -> (u64, String) {
        let id = message["id"].as_u64().filter(|id| self.open.remove(id));
        let id =
            id.unwrap_or_else(|| misused(&format!("an answer to a request that is not open: {message}")));
        if let Some(code) = message["error"]["code"].as_i64() {
            if code != METHOD_NOT_FOUND {
                misused(&format!("a request was refused with {code}"));
            }
            return (id, "refused".to_owned());
        }
        if let Some(form) = self.forms.remove(&id) {
            return (id, reply(&form, &message["result"]));
        }
        let outcome = &message["result"]["outcome"];
        match (outcome["outcome"].as_str(), &outcome["optionId"]) {
            (Some("cancelled"), _) => (id, "cancelled".to_owned()),
            (Some("selected"), chosen) if options().iter().any(|option| option["optionId"] == *chosen) => {
                (id, chosen.as_str().unwrap_or_default().to_owned())
            }
            _ => misused(&format!("an answer that was not on offer: {message}")),
        }
    }
}

/// `accept {"name":"value"}`, `decline` or `cancel`.
fn reply(form: &Value, result: &Value) -> String {
    let (action, content) = (result["action"].as_str().unwrap_or_default(), &result["content"]);
    match (action, content.as_object()) {
        ("accept", Some(filled)) => {
            let asked = |name: &String| form["properties"][name.as_str()].is_object();
            let required = form["required"].as_array().into_iter().flatten();
            let mut missing = required.filter(|name| !filled.contains_key(name.as_str().unwrap_or_default()));
            if !filled.keys().all(asked) || missing.next().is_some() {
                misused(&format!("{content} does not fit {form}"));
            }
            format!("accept {content}")
        }
        ("decline" | "cancel", None) => action.to_owned(),
        _ => misused(&format!("no answer to a question: {result}")),
    }
}

fn options() -> [Value; 3] {
    // The refusal comes first: who chooses by position chooses wrong.
    [
        json!({ "optionId": "no", "name": "No", "kind": "reject_once" }),
        json!({ "optionId": "always", "name": "Always", "kind": "allow_always" }),
        json!({ "optionId": "once", "name": "Once", "kind": "allow_once" }),
    ]
}
