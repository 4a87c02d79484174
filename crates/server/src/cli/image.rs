//! `lamplight image`: make images, list them, take their names away. Works on this machine, with or without a server.

use super::output::{Output, Style, clean, plural};
use super::{Common, block_on};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use lamplight_domain::ImageName;
use lamplight_engine::{Image, ImageProgress, Images};
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an image and give it a name; sessions that are on what had the name before stay on that
    Add {
        name: ImageName,
        /// A directory; a tar archive (also .tar.gz, .tar.zst); an OCI layout or what `docker save` wrote; `debian` or
        /// `debian:<release>`; or an image of a registry, such as `docker.io/library/debian:12`
        source: String,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// The images that sandboxes can be made from
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Take a name away; the image goes when no session is on it any more
    Remove { name: ImageName },
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &mut Output) -> anyhow::Result<ExitCode> {
    let config = common.configuration(None)?;
    let images = Images::of(&std::path::absolute(&config.server.data_dir)?);
    match &arguments.command {
        Command::Add { name, source, json } => {
            lamplight_engine::install_tls_provider();
            let image = block_on(images.add(name, source, tell))?;
            if *json {
                output.json(&image)?;
            } else {
                output.line(&row(&image, output))?;
            }
        }
        Command::List { json: true } => output.json(&json!({ "items": images.list()? }))?,
        Command::List { json: false } => {
            for image in images.list()? {
                output.line(&row(&image, output))?;
            }
        }
        Command::Remove { name } => {
            let image = images.find(name)?.with_context(|| format!("there is no image {name}"))?;
            if !images.remove(name)? {
                bail!("there is no image {name}");
            }
            if image.sessions > 0 {
                let sessions = plural(image.sessions as u64, "session");
                output.line(&format!("its files stay for as long as they are needed: {sessions} on them"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(image: &Image, output: &Output) -> String {
    let digest = output.paint(Style::Dim, image.digest.short());
    let size = format!("{} MB in {}", image.bytes.div_ceil(1_000_000), plural(image.entries, "file"));
    let used = match image.sessions {
        0 => String::new(),
        some => format!("  ({} on it)", plural(some as u64, "session")),
    };
    format!("{:16}  {digest}  {size}  {}{used}", image.name.as_str(), clean(&image.source))
}

/// On standard error, so that what is asked for stays alone on standard output.
fn tell(progress: ImageProgress) {
    match progress {
        ImageProgress::Fetching { layer, of, bytes } => {
            eprintln!("fetching layer {layer} of {of}, {} MB", bytes.div_ceil(1_000_000));
        }
        ImageProgress::Building { suite } => {
            eprintln!("making a Debian ({suite}), which takes a minute or so")
        }
        ImageProgress::Unpacking { layer, of } => eprintln!("unpacking layer {layer} of {of}"),
        ImageProgress::Reading => eprintln!("reading it once"),
    }
}
