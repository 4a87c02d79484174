//! Arguments of a tool, found through its JSON schema.

use serde_json::{Map, Value, json};

use crate::schema::fill_required;
use crate::script::LogicalTool;

const COMMAND: &[&str] = &["command", "cmd", "script", "shell_command", "commands"];
const PATH: &[&str] = &["filePath", "file_path", "path", "absolute_path", "filename", "file", "target_file"];
const CONTENT: &[&str] = &["content", "contents", "file_text", "text", "new_content"];
const OLD: &[&str] = &["oldString", "old_string", "old_str", "old_text", "before", "search"];
const NEW: &[&str] = &["newString", "new_string", "new_str", "new_text", "after", "replace"];
const ENTRIES: &[&str] = &["todos", "plan", "items", "entries", "content"];
const PATCH: &[&str] = &["input", "patch", "patchText", "patch_text"];

/// The value of texts that a tool requires beside what is wanted, such as a description.
const FILLER: &str = "scripted";

/// How long Codex' tool is to wait for a command before it hands the rest to a later call; its maximum.
pub(super) const YIELD_TIME_MS: u64 = 30_000;

/// Values of `command` by which a tool that does several things is told which one.
const VERB_WRITE: &[&str] = &["write", "create"];
const VERB_EDIT: &[&str] = &["str_replace", "edit", "replace"];
const VERB_READ: &[&str] = &["view", "read"];

/// The arguments for what is wanted; none when the schema has no place for a part of it.
pub(super) fn for_schema(wanted: &LogicalTool, schema: &Value, directory: &str) -> Option<Value> {
    let properties = schema["properties"].as_object()?;
    let mut arguments = Map::new();
    let mut put = |names: &[&str], value: Value| {
        let name =
            names.iter().find(|name| properties.contains_key(**name) && !arguments.contains_key(**name))?;
        let value = shaped(value, &properties[*name]);
        arguments.insert((*name).to_owned(), value);
        Some(())
    };
    let verbs = match wanted {
        LogicalTool::Write { .. } => VERB_WRITE,
        LogicalTool::Edit { .. } => VERB_EDIT,
        LogicalTool::Read { .. } => VERB_READ,
        LogicalTool::Run { .. } | LogicalTool::List { .. } | LogicalTool::Plan { .. } => &[],
    };
    if let Some(choice) = properties.get("command").and_then(|command| command["enum"].as_array()) {
        let verb = verbs.iter().find(|verb| choice.iter().any(|offered| offered == **verb))?;
        put(&["command"], json!(verb))?;
    }
    match wanted {
        LogicalTool::Run { command } => {
            put(COMMAND, json!(command))?;
            // Where the tool has no such argument, it waits by itself.
            let _ = put(&["yield_time_ms"], json!(YIELD_TIME_MS));
        }
        LogicalTool::Write { path, content } => {
            put(PATH, json!(absolute(path, directory)))?;
            put(CONTENT, json!(content))?;
        }
        LogicalTool::Edit { path, old, new } => {
            put(PATH, json!(absolute(path, directory)))?;
            put(OLD, json!(old))?;
            put(NEW, json!(new))?;
        }
        LogicalTool::Read { path } | LogicalTool::List { path } => {
            put(PATH, json!(absolute(path, directory)))?
        }
        LogicalTool::Plan { entries } => put(ENTRIES, json!(entries))?,
    }
    fill_required(schema, &mut arguments, FILLER);
    Some(Value::Object(arguments))
}

/// The arguments of a tool that takes one text as an object.
pub(super) fn for_text(text: String, schema: &Value) -> Option<Value> {
    let properties = schema["properties"].as_object()?;
    let name = PATCH.iter().find(|name| properties.contains_key(**name))?;
    let mut arguments = Map::from_iter([((*name).to_owned(), json!(text))]);
    fill_required(schema, &mut arguments, FILLER);
    Some(Value::Object(arguments))
}

fn absolute(path: &str, directory: &str) -> String {
    match path {
        "." => directory.to_owned(),
        path if path.starts_with('/') => path.to_owned(),
        path => format!("{}/{path}", directory.trim_end_matches('/')),
    }
}

/// A value in the form that its schema asks for: a command as an argument list, plan entries as objects.
fn shaped(value: Value, schema: &Value) -> Value {
    let is_list = schema["type"] == "array";
    match value {
        Value::String(command) if is_list => json!(["bash", "-lc", command]),
        Value::Array(entries) if is_list && schema["items"]["properties"].is_object() => {
            let items = &schema["items"];
            entries.iter().map(|entry| plan_entry(entry, items)).collect()
        }
        Value::Array(entries) if !is_list => {
            let lines: Vec<_> =
                entries.iter().filter_map(Value::as_str).map(|entry| format!("- {entry}")).collect();
            Value::String(lines.join("\n"))
        }
        value => value,
    }
}

fn plan_entry(entry: &Value, schema: &Value) -> Value {
    let properties = schema["properties"].as_object();
    let mut object = Map::new();
    for name in ["content", "step", "title", "text", "description"] {
        if object.is_empty() && properties.is_some_and(|properties| properties.contains_key(name)) {
            object.insert(name.to_owned(), entry.clone());
        }
    }
    fill_required(schema, &mut object, FILLER);
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: &LogicalTool, schema: &Value, expected: Option<Value>) {
        assert_eq!(for_schema(wanted, schema, "/repo"), expected);
    }

    #[test]
    fn a_command_fits_every_form() {
        let run = LogicalTool::Run { command: "ls".into() };
        let text = json!({"type": "string"});
        check(
            &run,
            &json!({"properties": {"command": text, "description": text, "timeout": {"type": "number"}},
                    "required": ["command", "description"]}),
            Some(json!({"command": "ls", "description": "scripted"})),
        );
        check(&run, &json!({"properties": {"cmd": text}}), Some(json!({"cmd": "ls"})));
        check(
            &run,
            &json!({"properties": {"command": {"type": "array", "items": text}}}),
            Some(json!({"command": ["bash", "-lc", "ls"]})),
        );
        check(&run, &json!({"properties": {"session": text}}), None);
    }

    #[test]
    fn a_tool_of_many_verbs_is_told_which() {
        let text = json!({"type": "string"});
        let editor = json!({
            "properties": {"command": {"type": "string", "enum": ["view", "create", "str_replace"]}, "path": text,
                           "file_text": text, "old_str": text, "new_str": text},
            "required": ["command", "path"],
        });
        check(
            &LogicalTool::Edit { path: "a.py".into(), old: "1".into(), new: "2".into() },
            &editor,
            Some(json!({"command": "str_replace", "path": "/repo/a.py", "old_str": "1", "new_str": "2"})),
        );
        check(
            &LogicalTool::Write { path: "/tmp/a".into(), content: "x".into() },
            &editor,
            Some(json!({"command": "create", "path": "/tmp/a", "file_text": "x"})),
        );
        check(&LogicalTool::Run { command: "ls".into() }, &editor, None);
    }

    #[test]
    fn a_plan_takes_the_shape_of_its_entries() {
        let schema = json!({"properties": {"plan": {"type": "array", "items": {
            "properties": {"step": {"type": "string"}, "status": {"type": "string", "enum": ["pending", "completed"]}},
            "required": ["step", "status"]}}}, "required": ["plan"]});
        check(
            &LogicalTool::Plan { entries: vec!["look".into()] },
            &schema,
            Some(json!({"plan": [{"step": "look", "status": "pending"}]})),
        );
    }
}
