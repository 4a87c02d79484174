//! `lamplight artifacts`

use super::SessionArgument;
use super::client::Client;
use super::output::{Output, clean};
use crate::http::artifacts::ArtifactList;
use anyhow::{Context, bail};
use clap::Args;
use std::fs::File;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// Save all of them below this directory; nothing is written over
    #[arg(long, value_name = "DIRECTORY")]
    save: Option<PathBuf>,
    /// One JSON document
    #[arg(long, conflicts_with = "save")]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let id = client.resolve(&arguments.session.session).await?;
    let list: ArtifactList = client.get(&format!("/sessions/{id}/artifacts")).await?;
    if arguments.json {
        output.json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    for artifact in &list.items {
        match &arguments.save {
            Some(directory) => {
                let path = below(directory, &artifact.name)?;
                save(&path, &client.attachment(&artifact.id).await?)?;
                output.line(&clean(&path.display().to_string()))?;
            }
            None => output.line(&format!(
                "{:>10}  {}",
                artifact.bytes,
                clean(&format!("{} ({}, turn {})", artifact.name, artifact.media_type, artifact.turn))
            ))?,
        }
    }
    if list.items.is_empty() {
        output.line("The session offers no artifacts; an agent puts them into .lamplight/artifacts.")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The server gives plain names only; whoever pretends to be it may not.
fn below(directory: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let is_plain = |part: Component| matches!(part, Component::Normal(_));
    if name.is_empty() || !Path::new(name).components().all(is_plain) {
        bail!("{name:?} is no name of an artifact");
    }
    Ok(directory.join(name))
}

fn save(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let context = || format!("save {}", path.display());
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).with_context(context)?;
    File::create_new(path).and_then(|mut file| file.write_all(content)).with_context(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_below_the_directory() {
        assert_eq!(below(Path::new("/d"), "a/b.png").unwrap(), Path::new("/d/a/b.png"));
        for name in ["", "../a", "/a", "a/../../b", "./a"] {
            assert!(below(Path::new("/d"), name).is_err(), "{name}");
        }
    }
}
