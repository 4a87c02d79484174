//! What a step wants done, as a shell command, for agents that have little more than a shell.

use crate::script::LogicalTool;

/// None for what a shell cannot do.
pub(super) fn command(wanted: &LogicalTool) -> Option<String> {
    Some(match wanted {
        LogicalTool::Run { command } => command.clone(),
        LogicalTool::Write { path, content } => write(path, content),
        LogicalTool::Edit { path, old, new } => edit(path, old, new),
        LogicalTool::Read { path } => format!("cat {}", quoted(path)),
        LogicalTool::List { path } => format!("ls -a {}", quoted(path)),
        LogicalTool::Plan { .. } => return None,
    })
}

fn write(path: &str, content: &str) -> String {
    let end = absent_from(content);
    let newline = if content.ends_with('\n') { "" } else { "\n" };
    let directory = path.rsplit_once('/').map(|(directory, _)| format!("mkdir -p {} && ", quoted(directory)));
    format!("{}cat > {} <<'{end}'\n{content}{newline}{end}", directory.unwrap_or_default(), quoted(path))
}

/// Exactly one occurrence is replaced, as an agent's own tool would have it.
fn edit(path: &str, old: &str, new: &str) -> String {
    let (path, old, new) = (quoted(path), quoted(old), quoted(new));
    format!(
        "python3 -c 'import sys, pathlib\n\
         path, old, new = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]\n\
         text = path.read_text()\n\
         assert text.count(old) == 1, \"the text to replace must occur once\"\n\
         path.write_text(text.replace(old, new))' {path} {old} {new}"
    )
}

/// A word that a POSIX shell reads as exactly this text.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A line for the end of a here-document that the text does not hold.
fn absent_from(text: &str) -> String {
    let mut end = "END".to_owned();
    while text.lines().any(|line| line == end) {
        end.push('_');
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the commands where the shell runs them: in a directory of files.
    #[test]
    fn a_shell_writes_edits_and_reads() {
        let directory = std::env::temp_dir().join(format!("scripted-model-shell-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let run = |wanted: LogicalTool| {
            let output = std::process::Command::new("bash")
                .args(["-c", &command(&wanted).unwrap()])
                .current_dir(&directory)
                .output()
                .unwrap();
            (output.status.success(), String::from_utf8(output.stdout).unwrap())
        };
        let path = String::from("a directory/it's a file");
        let content = String::from("a 'quoted' $word\nEND\n");
        assert!(run(LogicalTool::Write { path: path.clone(), content: content.clone() }).0);
        assert_eq!(run(LogicalTool::Read { path: path.clone() }), (true, content));
        let edit = LogicalTool::Edit { path: path.clone(), old: "'quoted'".into(), new: "\"other\"".into() };
        assert!(run(edit.clone()).0);
        assert_eq!(run(LogicalTool::Read { path }), (true, "a \"other\" $word\nEND\n".into()));
        assert!(!run(edit).0, "the text is gone, so a second edit has to fail");
        std::fs::remove_dir_all(directory).unwrap();
    }
}
