//! `cargo xtask escape`: everything that an agent could try to get out of a sandbox, tried. Prints the table and keeps it in
//! docs/security.md.
//!
//! The attempts and what is expected of them are a test of `crates/sandbox`, which `cargo xtask test` runs too.

use crate::missing::{self, CC, PYTHON};
use crate::workspace::{Workspace, cargo};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::ExitCode;

const DOCUMENT: &str = "docs/security.md";
/// Around the table; the test looks for them too.
const MARKS: (&str, &str) = ("<!-- escape -->", "<!-- /escape -->");
/// Where the test writes the table to.
const TABLE: &str = "LAMPLIGHT_ESCAPE_TABLE";
/// Which container runtime puts the sandboxes up, where the test is to have one.
const LAUNCHER: &str = "LAMPLIGHT_ESCAPE_LAUNCHER";

pub(crate) fn run() -> Result<ExitCode> {
    missing::provide(&[CC, PYTHON])?;
    let workspace = Workspace::find()?;
    let table = workspace.scratch().join("escape.md");
    std::fs::create_dir_all(workspace.scratch())?;
    // That of an earlier run must not be taken for this one's.
    let _ = std::fs::remove_file(&table);
    let mut test = cargo();
    test.env(TABLE, &table);
    test.args(["test", "--quiet", "--locked", "--package", "lamplight-sandbox", "--test", "escape", "--"]);
    let status = test.args(["--exact", "nothing_is_open", "--nocapture"]).status().context("start cargo")?;
    if std::env::var_os(LAUNCHER).is_some() {
        println!("not kept: the document is of Lamplight's own launcher");
    } else if !rustix::process::geteuid().is_root() {
        println!("not kept: only root can make the attempts as both and without walls");
    } else if table.exists() {
        keep(&workspace.root.join(DOCUMENT), &std::fs::read_to_string(&table)?)?;
        println!("kept in {DOCUMENT}");
    }
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn keep(document: &Path, table: &str) -> Result<()> {
    let text = std::fs::read_to_string(document).with_context(|| format!("read {}", document.display()))?;
    let new = between(&text, table).with_context(|| format!("{} has lost its marks", document.display()))?;
    std::fs::write(document, new).with_context(|| format!("write {}", document.display()))
}

/// The text with the table in place of what stands between the marks.
fn between(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(MARKS.0)?;
    let (_, after) = rest.split_once(MARKS.1)?;
    Some(format!("{before}{}\n{}\n{}{after}", MARKS.0, table.trim_end(), MARKS.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let text = "a\n<!-- escape -->\nold\n<!-- /escape -->\nb\n";
        let new = between(text, "new\n\n").expect("it has marks");
        assert_eq!(new, "a\n<!-- escape -->\nnew\n<!-- /escape -->\nb\n");
        assert_eq!(between("none", "new"), None);
    }
}
