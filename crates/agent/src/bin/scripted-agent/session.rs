//! The conversation with the client: what may be asked when, and what is answered.

use crate::behaviour::Behaviour;
use crate::conversation::Conversation;
use crate::peer::{Heard, Peer, misused};
use crate::turn::Turn;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const AUTHENTICATION_REQUIRED: i64 = -32000;
const RESOURCE_NOT_FOUND: i64 = -32002;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

const MODELS: [&str; 2] = ["scripted-large", "scripted-small"];
const MODES: [&str; 2] = ["full-access", "read-only"];

pub(crate) struct Session {
    behaviour: Behaviour,
    peer: Peer,
    initialized: bool,
    /// The client puts questions to a person.
    may_ask: bool,
    conversation: Option<Conversation>,
    model: String,
    mode: String,
    /// Ids of all requests that this process got: none comes twice.
    seen: BTreeSet<String>,
    /// Requests of our own so far, which are numbered from 0.
    asked: u64,
}

impl Session {
    pub(crate) fn new(behaviour: Behaviour, peer: Peer) -> Self {
        Self {
            behaviour,
            peer,
            initialized: false,
            may_ask: false,
            conversation: None,
            model: MODELS[0].to_owned(),
            mode: MODES[0].to_owned(),
            seen: BTreeSet::new(),
            asked: 0,
        }
    }

    pub(crate) fn run(mut self) {
        if self.behaviour.banner {
            eprintln!("scripted-agent: good morning");
            self.peer.write(b"Welcome to the scripted agent!\n\n");
        }
        loop {
            match self.peer.wait() {
                Heard::Message(message) => self.take(&message),
                Heard::Nothing => {}
                Heard::End if self.behaviour.deaf => loop {
                    std::thread::park();
                },
                Heard::End => return,
            }
        }
    }

    fn take(&mut self, message: &Value) {
        let Some(method) = message["method"].as_str() else {
            misused(&format!("an answer to nothing: {message}"));
        };
        let (id, params) = (&message["id"], &message["params"]);
        if method == "session/cancel" {
            // It may cross the answer to the prompt.
            self.require_session(params);
            return;
        }
        if id.is_null() {
            misused(&format!("{method} is a request and has no id"));
        }
        // Settings are chosen again and again under the same id.
        let once = !matches!(method, "session/set_mode" | "session/set_model" | "session/set_config_option");
        if once && !self.seen.insert(id.to_string()) {
            misused(&format!("{method} {id} came twice"));
        }
        if !self.initialized && method != "initialize" {
            misused(&format!("{method} before initialize"));
        }
        match method {
            "initialize" => self.initialize(id, params),
            "session/new" => self.open(id, params),
            "session/load" => self.load(id, params),
            "session/set_mode" => {
                self.require_session(params);
                let known = MODES.iter().find(|mode| params["modeId"] == **mode);
                self.choose(id, known, json!({}), |session| &mut session.mode);
            }
            "session/set_model" if self.behaviour.old_models => {
                self.require_session(params);
                let known = MODELS.iter().find(|model| params["modelId"] == **model);
                self.choose(id, known, json!({}), |session| &mut session.model);
            }
            "session/set_config_option" if params["configId"] == "model" => {
                self.require_session(params);
                let known = MODELS.iter().find(|model| params["value"] == **model);
                let result =
                    json!({ "configOptions": [model_option(params["value"].as_str().unwrap_or_default())] });
                self.choose(id, known, result, |session| &mut session.model);
            }
            "session/prompt" => self.prompt(id, params),
            _ => self.peer.refuse(id, METHOD_NOT_FOUND, &format!("no method {method}")),
        }
    }

    fn initialize(&mut self, id: &Value, params: &Value) {
        if self.initialized {
            misused("initialize came twice");
        }
        if params["protocolVersion"] != 1 {
            misused(&format!("protocol version {}", params["protocolVersion"]));
        }
        let capabilities = &params["clientCapabilities"];
        for advertised in ["/fs/readTextFile", "/fs/writeTextFile", "/terminal"] {
            if capabilities.pointer(advertised) == Some(&Value::Bool(true)) {
                misused(&format!(
                    "{advertised} is advertised, and an agent must never work outside its sandbox"
                ));
            }
        }
        if !capabilities["elicitation"]["url"].is_null() {
            misused("pages are offered to be opened, and nobody opens them");
        }
        self.may_ask = capabilities["elicitation"]["form"].is_object();
        std::thread::sleep(self.behaviour.start);
        self.initialized = true;
        self.peer.answer(
            id,
            json!({
                "protocolVersion": 1,
                "agentCapabilities": {
                    "loadSession": !self.behaviour.no_load,
                    "promptCapabilities": { "image": self.behaviour.images },
                },
                "authMethods": [],
                "agentInfo": { "name": "scripted-agent", "version": env!("CARGO_PKG_VERSION") },
            }),
        );
    }

    fn open(&mut self, id: &Value, params: &Value) {
        self.require_place(params);
        if self.behaviour.no_key {
            return self.peer.refuse(id, AUTHENTICATION_REQUIRED, "Authentication required");
        }
        let conversation = Conversation::create();
        if self.behaviour.early_updates {
            let commands = json!({ "sessionUpdate": "available_commands_update", "availableCommands": [] });
            self.peer.update(&conversation.id, commands);
        }
        let mut result = self.settings();
        result["sessionId"] = conversation.id.as_str().into();
        self.conversation = Some(conversation);
        self.peer.answer(id, result);
    }

    fn load(&mut self, id: &Value, params: &Value) {
        self.require_place(params);
        if self.behaviour.no_load {
            misused("session/load, which is not offered");
        }
        let wanted = params["sessionId"].as_str().unwrap_or_default();
        let found = if self.behaviour.refuse_load { None } else { Conversation::load(wanted) };
        let Some((conversation, said)) = found else {
            return self.peer.refuse(id, RESOURCE_NOT_FOUND, &format!("no conversation {wanted}"));
        };
        for item in said {
            let kind = if item["by"] == "user" { "user_message_chunk" } else { "agent_message_chunk" };
            let content = json!({ "type": "text", "text": item["text"] });
            self.peer.update(wanted, json!({ "sessionUpdate": kind, "content": content }));
        }
        self.conversation = Some(conversation);
        self.peer.answer(id, self.settings());
    }

    fn prompt(&mut self, id: &Value, params: &Value) {
        self.require_session(params);
        let blocks =
            params["prompt"].as_array().unwrap_or_else(|| misused("a prompt without a list of blocks"));
        let texts: Vec<&str> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
        let seen = self.look(blocks);
        let conversation =
            self.conversation.as_mut().unwrap_or_else(|| misused("a prompt before a conversation"));
        let turn = Turn::new(&self.peer, &self.behaviour, conversation, &mut self.asked, self.may_ask);
        turn.run(id, &texts.join("\n"), &seen);
    }

    /// A sentence for each image; anything that was not offered is misuse.
    fn look(&self, blocks: &[Value]) -> Vec<String> {
        let others = blocks.iter().filter(|block| block["type"] != "text");
        let look = |block: &Value| {
            let (kind, data) =
                (block["mimeType"].as_str(), block["data"].as_str().map(|data| STANDARD.decode(data)));
            match (block["type"].as_str(), kind, data) {
                (Some("image"), Some(kind), Some(Ok(data))) if self.behaviour.images => {
                    format!("I see {kind} of {} bytes. ", data.len())
                }
                _ => misused(&format!("a block that was not offered, or is none: {}", block["type"])),
            }
        };
        others.map(look).collect()
    }

    fn choose(
        &mut self,
        id: &Value,
        known: Option<&&'static str>,
        result: Value,
        place: impl Fn(&mut Self) -> &mut String,
    ) {
        match known {
            Some(known) => {
                *place(self) = (*known).to_owned();
                self.peer.answer(id, result);
            }
            None => self.peer.refuse(id, INVALID_PARAMS, "no such choice"),
        }
    }

    fn settings(&self) -> Value {
        let modes: Vec<Value> = MODES.iter().map(|mode| json!({ "id": mode, "name": mode })).collect();
        let mut settings = json!({ "modes": { "currentModeId": self.mode, "availableModes": modes } });
        if self.behaviour.old_models {
            let models: Vec<Value> =
                MODELS.iter().map(|model| json!({ "modelId": model, "name": model })).collect();
            settings["models"] = json!({ "currentModelId": self.model, "availableModels": models });
        } else {
            settings["configOptions"] = json!([model_option(&self.model)]);
        }
        settings
    }

    fn require_session(&self, params: &Value) {
        let known = self.conversation.as_ref().map(|conversation| conversation.id.as_str());
        if params["sessionId"].as_str() != known || known.is_none() {
            misused(&format!("conversation {} is not open; {known:?} is", params["sessionId"]));
        }
    }

    fn require_place(&self, params: &Value) {
        if self.conversation.is_some() {
            misused("a second conversation in one process");
        }
        let cwd = Path::new(params["cwd"].as_str().unwrap_or_default());
        if !cwd.is_absolute() || !cwd.is_dir() {
            misused(&format!("the working directory {} is not one", params["cwd"]));
        }
        if !params["mcpServers"].is_array() {
            misused("mcpServers is not a list");
        }
        std::env::set_current_dir(cwd)
            .unwrap_or_else(|error| misused(&format!("the working directory: {error}")));
    }
}

fn model_option(current: &str) -> Value {
    let options: Vec<Value> = MODELS.iter().map(|model| json!({ "value": model, "name": model })).collect();
    json!({
        "id": "model",
        "name": "Model",
        "category": "model",
        "type": "select",
        "currentValue": current,
        "options": options,
    })
}
