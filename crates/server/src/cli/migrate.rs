//! `lamplight migrate`: an installation from SQLite to PostgreSQL. Works on this machine, while no server does.

use super::Common;
use super::output::{Output, plural};
use clap::Args;
use lamplight_engine::{Migrated, PostgresAddress};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The data directory with the store on SQLite; it is only read
    from: PathBuf,
    /// The database, such as postgres://lamplight@db.example.org/lamplight, with nothing in it [default: LAMPLIGHT_DATABASE, database.url]
    to: Option<String>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &mut Output) -> anyhow::Result<ExitCode> {
    let database = common.configuration(None)?.database;
    let address = match (&arguments.to, database.engine()) {
        (Some(to), _) => PostgresAddress::new(to, database.ca_file.as_deref())?,
        (None, Some(configured)) => configured.address()?,
        (None, None) => {
            anyhow::bail!("name the database: lamplight migrate FROM postgres://…, or LAMPLIGHT_DATABASE")
        }
    };
    let from = std::path::absolute(&arguments.from)?;
    let moved = Migrated::run(&from, &address)?;
    if arguments.json {
        output.json(&moved)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (sessions, entries, rows) = (plural(moved.sessions, "session"), moved.entries, moved.rows);
    output.line(&format!(
        "{sessions} with {entries} entries of their logs are in {address} ({rows} rows; every log compared)"
    ))?;
    output.line(&format!(
        "Start `lamplight serve` with it and the same data directory, {}. The store on SQLite is there as it was.",
        from.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
