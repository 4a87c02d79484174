//! `lamplight backup`: copy what cannot be made again, while the server runs, and bring it back. Works on this machine, with or without a
//! server.

use super::Common;
use super::output::{Output, plural};
use clap::{Args, Subcommand};
use lamplight_engine::Backup;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copy all logs, what is derived from them, attachments and sealed keys into a new directory
    Create {
        /// Where to; it must not be there yet
        directory: PathBuf,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make a data directory (--data-dir) of a backup; there must be none yet
    Restore {
        /// What `lamplight backup create` made
        directory: PathBuf,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &mut Output) -> anyhow::Result<ExitCode> {
    let config = common.configuration(None)?;
    if config.database.url.is_some() {
        anyhow::bail!(
            "the log is on PostgreSQL: take pg_dump for it, and copy blobs and attachments of {}; docs/operating.md says how",
            config.blobs.url.clone().unwrap_or_else(|| config.server.data_dir.display().to_string())
        );
    }
    let data = std::path::absolute(&config.server.data_dir)?;
    let (backup, json, next) = match &arguments.command {
        Command::Create { directory, json } => {
            let (to, bucket) = (std::path::absolute(directory)?, config.blobs.url.as_deref());
            let backup = Backup::create(&data, &to, lamplight_engine::now(), bucket)?;
            (backup, *json, KEY_IS_ELSEWHERE.to_owned())
        }
        Command::Restore { directory, json } => {
            let backup = Backup::restore(directory, &data)?;
            (backup, *json, next_after(&data))
        }
    };
    if json {
        output.json(&backup)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (sessions, entries) = (plural(backup.sessions, "session"), backup.entries);
    let size = backup.bytes.div_ceil(1_000_000);
    output.line(&format!("{sessions} with {entries} entries of their logs, {size} MB"))?;
    output.line(&next)?;
    if let Some(bucket) = &backup.bucket {
        output.line(&format!(
            "Attachments and artifacts are in {bucket}, and not in the backup: the server needs that bucket, or a copy of it ([blobs])."
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

const KEY_IS_ELSEWHERE: &str =
    "The key that seals stored keys is not in it (secrets.key_file): keep that elsewhere.";

fn next_after(data: &Path) -> String {
    format!(
        "They are in {}; `lamplight serve` goes on with them. Their sandboxes are made anew from their branches.",
        data.display()
    )
}
