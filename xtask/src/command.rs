//! Programs that are started and waited for. A failure names the command, as one would type it.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

/// Runs it with our own standard streams; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("start {}", line(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// Runs it quietly and gives its standard output; its standard error is in the error, if it fails.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {}", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {}", line(command), output.status, said.trim());
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("{} printed something else than text", line(command)))
}

/// The command as a person would type it, its program without the directory.
pub(crate) fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_as_it_would_be_typed() {
        let mut command = Command::new("/usr/bin/git");
        command.args(["commit", "-m", "it's done", ""]);
        assert_eq!(line(&command), r"git commit -m 'it'\''s done' ''");
    }

    #[test]
    fn a_failure_says_what_failed_and_why() {
        let error = output_of(Command::new("sh").args(["-c", "echo so >&2; exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "sh -c 'echo so >&2; exit 3' ended with exit status: 3: so");
    }
}
