//! `lamplight config`

use super::Common;
use super::output::Output;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &mut Output) -> anyhow::Result<ExitCode> {
    let config = common.configuration(None)?;
    if arguments.json {
        output.json(&config)?
    } else {
        output.text(&config.to_toml())?
    }
    Ok(ExitCode::SUCCESS)
}
