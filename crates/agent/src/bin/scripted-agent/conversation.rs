//! What was said, kept in `HOME/.scripted-agent/<conversation>.jsonl` so that a later process can go on with it.

use crate::peer::misused;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

pub(crate) struct Conversation {
    pub(crate) id: String,
    file: PathBuf,
    /// Prompts so far, those of earlier processes included.
    pub(crate) prompts: usize,
}

impl Conversation {
    pub(crate) fn create() -> Self {
        let directory = directory();
        fs::create_dir_all(&directory)
            .unwrap_or_else(|error| misused(&format!("HOME cannot be written: {error}")));
        // Each number is taken by whoever creates its file.
        let taken = |n: &usize| {
            let file = directory.join(format!("scripted-{n}.jsonl"));
            OpenOptions::new().write(true).create_new(true).open(file).is_ok()
        };
        let id = (1..10_000).find(taken).map(|n| format!("scripted-{n}"));
        let id = id.unwrap_or_else(|| misused("no conversation can be created in HOME"));
        Self { file: directory.join(format!("{id}.jsonl")), id, prompts: 0 }
    }

    /// An earlier conversation and everything said in it; `None` when there is none of that name.
    pub(crate) fn load(id: &str) -> Option<(Self, Vec<Value>)> {
        let file = directory().join(format!("{id}.jsonl"));
        let text = fs::read_to_string(&file).ok()?;
        // A process that was killed while it wrote leaves half a line.
        let said: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let prompts = said.iter().filter(|item| item["by"] == "user").count();
        Some((Self { id: id.to_owned(), file, prompts }, said))
    }

    /// What was last asked before it was told to go on.
    pub(crate) fn interrupted(&self) -> Option<String> {
        let text = fs::read_to_string(&self.file).ok()?;
        let said = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let asked = said.filter(|item| item["by"] == "user");
        let mut texts = asked.filter_map(|item| item["text"].as_str().map(str::to_owned));
        texts.rfind(|text| !goes_on(text))
    }

    pub(crate) fn keep(&mut self, by: &str, text: &str) {
        self.prompts += usize::from(by == "user");
        let line = format!("{}\n", json!({ "by": by, "text": text }));
        let kept = OpenOptions::new()
            .append(true)
            .open(&self.file)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        kept.unwrap_or_else(|error| misused(&format!("the conversation cannot be written: {error}")));
    }
}

/// How Lamplight tells an agent to go on after a guard stopped it.
const GO_ON: &str = "Go on with the interrupted work.";

/// Whether a prompt is no more than that.
pub(crate) fn goes_on(prompt: &str) -> bool {
    prompt.starts_with(GO_ON)
}

fn directory() -> PathBuf {
    let home = std::env::var_os("HOME").unwrap_or_else(|| misused("HOME is not set"));
    PathBuf::from(home).join(".scripted-agent")
}
