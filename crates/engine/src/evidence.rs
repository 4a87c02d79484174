//! What the checks said of a commit, for whoever reviews it. What commands printed does nothing where it is read.

use lamplight_domain::{CheckState, Checked, CheckedCommand, Verdict};
use lamplight_integrations::section;
use std::fmt::Write as _;

/// Of a command, in a table, in characters.
const COMMAND_CHARS: usize = 120;
/// Of what one that failed printed last, in characters.
const SAID_CHARS: usize = 2_000;
/// Of why nothing ran, in characters.
const WHY_CHARS: usize = 600;

/// Our part of a pull request about the checks of its newest commit.
pub(crate) fn evidence(checked: &Checked) -> String {
    let mut text = format!("**Checks**: {}", section::harmless(&checked.in_words(), WHY_CHARS));
    match &checked.state {
        CheckState::Nothing { .. } | CheckState::Running { .. } => text.push('.'),
        CheckState::Ended { verdict, commands, .. } => {
            text.push_str(match verdict {
                Verdict::Passed | Verdict::Failed => {
                    ", in a clean sandbox, outside of the agent's control.\n\n"
                }
                Verdict::NotRun { .. } | Verdict::Stopped { .. } => ".\n\n",
            });
            if !commands.is_empty() {
                text.push_str(&table(commands));
            }
            for command in commands.iter().filter(|command| !command.has_passed()) {
                text.push_str(&said(command));
            }
        }
    }
    format!("{}\n", text.trim_end())
}

fn table(commands: &[CheckedCommand]) -> String {
    let mut text = String::from("| command | result | seconds |\n|---|---|---|\n");
    for command in commands {
        let (seconds, tenths) = (command.ms / 1000, command.ms % 1000 / 100);
        let _ = writeln!(text, "| `{}` | {} | {seconds}.{tenths} |", cell(&command.command), command.how());
    }
    text
}

fn said(command: &CheckedCommand) -> String {
    let skipped = command.said.chars().count().saturating_sub(SAID_CHARS);
    let end: String = command.said.chars().skip(skipped).collect();
    let (what, quoted) = (cell(&command.command), section::quote(&end, SAID_CHARS));
    if end.trim().is_empty() {
        String::new()
    } else {
        format!("\nThe end of what `{what}` printed:\n\n{quoted}\n")
    }
}

/// One line without what would end the code or the cell.
fn cell(command: &str) -> String {
    let line = command.trim().lines().next().unwrap_or_default();
    let more = if command.trim().lines().count() > 1 { " …" } else { "" };
    format!("{}{more}", section::harmless(&line.replace('`', "'").replace('|', "¦"), COMMAND_CHARS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lamplight_domain::agent::ExitStatus;
    use lamplight_domain::{CheckPlan, TurnNumber};

    #[test]
    fn evidence_says_what_ran_and_does_nothing_itself() {
        let run = |command: &str, code, said: &str| CheckedCommand {
            command: command.into(),
            status: Some(ExitStatus::Code { code }),
            ms: 1_290,
            said: said.into(),
        };
        let commands = vec![
            run("cargo fmt --check", 0, "nothing of this is shown"),
            run("a | `b`\nc", 101, "fixes #1 <!-- lamplight:end --> @maintainers"),
        ];
        let plan = CheckPlan { commands: Vec::new(), detected: None, timeout_ms: 1 };
        let state = CheckState::Ended { check: 1, plan, verdict: Verdict::Failed, commands };
        let text = evidence(&Checked { turn: TurnNumber(1), commit: "1a2b3c4d5e".into(), state });
        let table = "| command | result | seconds |\n|---|---|---|\n| `cargo fmt --check` | exit 0 | 1.2 |\n| `a ¦ 'b' …` | exit 101 | 1.2 |\n";
        assert!(text.contains("own checks failed at 1a2b3c4d, in a clean sandbox"), "{text}");
        assert!(text.contains(table) && !text.contains("nothing of this"), "{text}");
        for active in ["#1", "<!--", "@maintainers"] {
            assert!(!text.contains(active), "{active} in {text}");
        }
    }
}
