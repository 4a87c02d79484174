//! From what a step wants done to a call of a tool that the agent offers.
//!
//! Agents name the same things differently: `bash`, `shell` and `exec_command` run a command, `filePath`,
//! `file_path` and `path` say where. The tool is found by its name, its arguments by the names in its JSON schema.
//! What the agent has no tool for is done with a patch, a program or in its shell.

mod arguments;
mod freeform;
mod shell;

use crate::asked::{Asked, OfferedTool, Takes};
use crate::reply::{Call, Input};
use crate::script::LogicalTool;

/// Names are compared without `_`, `-` and case, and after the last `__` (an MCP server's prefix); first is best.
const RUN: &[&str] = &[
    "bash",
    "shell",
    "execcommand",
    "shellcommand",
    "runshellcommand",
    "terminal",
    "executecommand",
    "executebash",
    "localshell",
    "exec",
];
const WRITE: &[&str] =
    &["write", "writefile", "createfile", "texteditor", "strreplacebasededittool", "fileeditor"];
const EDIT: &[&str] =
    &["edit", "editfile", "replace", "strreplace", "texteditor", "strreplacebasededittool", "fileeditor"];
const READ: &[&str] =
    &["read", "readfile", "view", "viewfile", "texteditor", "strreplacebasededittool", "fileeditor"];
const LIST: &[&str] = &["list", "ls", "listdirectory", "listdir", "tree"];
const PLAN: &[&str] = &["todowrite", "updateplan", "writetodos", "todo"];
const PATCH: &[&str] = &["applypatch"];
const PROGRAM: &[&str] = &["exec"];

/// The call that does what is wanted; none when the agent offers nothing for it.
pub(crate) fn call(wanted: &LogicalTool, asked: &Asked) -> Option<Call> {
    own_tool(wanted, asked).or_else(|| by_patch(wanted, asked)).or_else(|| by_program(wanted, asked)).or_else(
        || {
            let command = shell::command(wanted)?;
            own_tool(&LogicalTool::Run { command }, asked)
        },
    )
}

fn own_tool(wanted: &LogicalTool, asked: &Asked) -> Option<Call> {
    let names = match wanted {
        LogicalTool::Run { .. } => RUN,
        LogicalTool::Write { .. } => WRITE,
        LogicalTool::Edit { .. } => EDIT,
        LogicalTool::Read { .. } => READ,
        LogicalTool::List { .. } => LIST,
        LogicalTool::Plan { .. } => PLAN,
    };
    offered(names, asked).into_iter().find_map(|tool| match &tool.takes {
        Takes::Object { schema } => {
            let arguments = arguments::for_schema(wanted, schema, asked.directory())?;
            Some(call_of(tool, Input::Object(arguments)))
        }
        Takes::Text { .. } => None,
    })
}

fn by_patch(wanted: &LogicalTool, asked: &Asked) -> Option<Call> {
    let patch = freeform::patch(wanted)?;
    let tool = offered(PATCH, asked).into_iter().next()?;
    let input = match &tool.takes {
        Takes::Object { schema } => Input::Object(arguments::for_text(patch, schema)?),
        Takes::Text { .. } => Input::Text(patch),
    };
    Some(call_of(tool, input))
}

fn by_program(wanted: &LogicalTool, asked: &Asked) -> Option<Call> {
    offered(PROGRAM, asked).into_iter().find_map(|tool| match &tool.takes {
        Takes::Object { .. } => None,
        Takes::Text { description } => {
            Some(call_of(tool, Input::Text(freeform::program(wanted, description)?)))
        }
    })
}

fn call_of(tool: &OfferedTool, input: Input) -> Call {
    Call { name: tool.name.clone(), namespace: tool.namespace.clone(), input }
}

/// The offered tools of these names, in the order of the names.
fn offered<'a>(names: &[&str], asked: &'a Asked) -> Vec<&'a OfferedTool> {
    let mut found: Vec<(usize, &OfferedTool)> = vec![];
    for tool in &asked.tools {
        let name = plain_name(&tool.name);
        if let Some(rank) = names.iter().position(|known| *known == name) {
            found.push((rank, tool));
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, tool)| tool).collect()
}

fn plain_name(name: &str) -> String {
    let own = name.rsplit_once("__").map_or(name, |(_, own)| own);
    own.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}
