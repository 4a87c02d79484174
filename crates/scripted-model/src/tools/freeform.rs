//! Tools that take one text: Codex' patches and its code mode (OpenAI responses, `custom` tools).

use serde_json::json;

use super::arguments::YIELD_TIME_MS;
use super::shell;
use crate::script::LogicalTool;

/// A patch in the form of `apply_patch`, when a patch can do it.
pub(super) fn patch(wanted: &LogicalTool) -> Option<String> {
    let marked =
        |mark: char, text: &str| text.lines().map(|line| format!("{mark}{line}\n")).collect::<String>();
    let body = match wanted {
        LogicalTool::Write { path, content } => format!("*** Add File: {path}\n{}", marked('+', content)),
        // Whole lines only, which is all that a patch can say.
        LogicalTool::Edit { path, old, new } => {
            format!("*** Update File: {path}\n@@\n{}{}", marked('-', old), marked('+', new))
        }
        LogicalTool::Run { .. }
        | LogicalTool::Read { .. }
        | LogicalTool::List { .. }
        | LogicalTool::Plan { .. } => return None,
    };
    Some(format!("*** Begin Patch\n{body}*** End Patch\n"))
}

/// The JavaScript by which Codex' code mode does it, where the tool's description says that it runs such.
pub(super) fn program(wanted: &LogicalTool, description: &str) -> Option<String> {
    let nested = |name: &str| description.contains(&format!("### `{name}`"));
    match patch(wanted) {
        Some(patch) if nested("apply_patch") => {
            Some(format!("text(await tools.apply_patch({}));\n", json!(patch)))
        }
        _ if nested("exec_command") => {
            let arguments = json!({"cmd": shell::command(wanted)?, "yield_time_ms": YIELD_TIME_MS});
            Some(format!("const result = await tools.exec_command({arguments});\ntext(result);\n"))
        }
        _ => None,
    }
}
