//! `lamplight doctor`: what is missing on this machine and how to get it.

use super::output::{Output, Style};
use super::{Common, block_on};
use crate::doctor::{self, Examination, Finding, State};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &mut Output) -> anyhow::Result<ExitCode> {
    let config = common.configuration(None)?;
    let Examination { tier, findings } = block_on(async { Ok(doctor::examine(&config).await) })?;
    let is_missing = findings.iter().any(|finding| finding.state == State::Missing);
    if arguments.json {
        output.json(&json!({ "ok": !is_missing, "tier": tier, "findings": findings }))?;
    } else {
        for finding in &findings {
            tell(finding, output)?;
        }
        output.line(if is_missing { "\nSomething that is needed is missing." } else { "\nReady." })?;
    }
    Ok(if is_missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(finding: &Finding, output: &mut Output) -> anyhow::Result<()> {
    let mark = match finding.state {
        State::Ok => output.paint(Style::Good, "ok     "),
        State::Limited => output.paint(Style::Warm, "limited"),
        State::Missing => output.paint(Style::Bad, "missing"),
    };
    output.line(&format!("{mark}  {:16}  {}", finding.name, finding.detail))?;
    if let Some(remedy) = &finding.remedy {
        output.line(&format!("         {:16}  {}", "", output.paint(Style::Dim, &format!("→ {remedy}"))))?;
    }
    Ok(())
}
