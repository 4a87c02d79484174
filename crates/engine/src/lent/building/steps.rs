//! What is run for one step of a recipe.

use super::super::hearing::Lines;
use super::super::journal::{Journal, JournalLevel};
use super::super::processes::{NewProcess, Piece, started};
use super::super::starting::Place;
use super::super::{Entry, LentUser};
use super::recipe::{Layer, LayerKind, without_patterns};
use anyhow::Context;
use lamplight_domain::agent::ExitStatus;
use lamplight_sandbox::link::{Link, ProcessSpec, Who};
use std::collections::BTreeMap;
use std::path::Path;
use tokio_util::io::ReaderStream;

/// Moves what was unpacked to its place, as Dockerfiles have it: of a folder what is in it, a file as the target or into it.
const COPY: &str = r#"
set -e
cd -- "$FOLDER"
case "$TARGET" in /*) to=$TARGET;; *) to=$FOLDER/$TARGET;; esac
at=$(mktemp -d)
trap 'rm -rf "$at" "$ARCHIVE"' EXIT
mkdir "$at/all"
tar -xf "$ARCHIVE" -C "$at/all"
from=$at/all/$SOURCE
own() { [ -z "$OWNER" ] || chown "$@"; }
if [ -d "$from" ] && [ ! -L "$from" ]; then
  own -R "$OWNER" "$from"
  [ -z "$MODE" ] || chmod -R "$MODE" "$from"
  mkdir -p "$to"
  cp -a "$from/." "$to/"
else
  own -h "$OWNER" "$from"
  [ -z "$MODE" ] || [ -L "$from" ] || chmod "$MODE" "$from"
  case "$to" in */) mkdir -p "$to";; *) mkdir -p "$(dirname -- "$to")";; esac
  mv -f "$from" "$to"
fi
"#;
const ARCHIVE: &str = "/var/tmp/lamplight-copy.tar";

/// Makes a folder, whose whoever works in it then is.
const FOLDER: &str =
    r#"[ -d "$TARGET" ] || { mkdir -p "$TARGET" && { [ -z "$OWNER" ] || chown "$OWNER" "$TARGET"; }; }"#;

pub(super) fn spec(layer: &Layer, place: &Place, root: Option<LentUser>) -> ProcessSpec {
    let name = place.user.name;
    // Where there is no root, everything is the agent's.
    let owned = |owner: String| if root.is_some() { owner } else { String::new() };
    match &layer.kind {
        LayerKind::Run { command } => place.shell(command),
        LayerKind::Copy { source, target, owner, mode, .. } => {
            let owner = owner.clone().unwrap_or_else(|| name.to_owned());
            let owner = if owner.contains(':') { owner } else { format!("{owner}:{owner}") };
            let variables = [
                ("ARCHIVE", ARCHIVE.to_owned()),
                ("SOURCE", without_patterns(source)),
                ("TARGET", target.clone()),
                ("OWNER", owned(owner)),
                ("MODE", mode.clone().unwrap_or_default()),
                ("FOLDER", place.folder.clone()),
            ];
            place.script(root, COPY, &variables)
        }
        LayerKind::Folder(_) => {
            let folder = layer.begins.folder.clone().unwrap_or_default();
            place.script(root, FOLDER, &[("TARGET", folder), ("OWNER", owned(format!("{name}:{name}")))])
        }
    }
}

pub(super) async fn upload(link: &Link, archive: &Path, as_root: bool) -> anyhow::Result<()> {
    let file = tokio::fs::File::open(archive).await.context("open what was uploaded")?;
    let who = if as_root { Who::Root } else { Who::Agent };
    let written =
        link.as_write_file_from(who, ARCHIVE, 0o600, BTreeMap::new(), ReaderStream::new(file)).await;
    written.context("copy what was uploaded")?.context("read what was uploaded")
}

/// Runs something to its end; what it says is told line by line.
pub(super) async fn heard(
    entry: &Entry,
    link: &Link,
    spec: ProcessSpec,
    journal: &Journal,
    step: usize,
) -> anyhow::Result<ExitStatus> {
    let mut follower = started(entry, link, &NewProcess::of(spec)).await?;
    let (mut out, mut err) = (Lines::default(), Lines::default());
    let tell = |lines: Vec<String>| {
        for line in lines {
            journal.add(JournalLevel::Info, Some(step), line);
        }
    };
    loop {
        match follower.next().await.context("the sandbox is gone")? {
            Piece::Stdout(bytes) | Piece::Terminal(bytes) => tell(out.add(&bytes)),
            Piece::Stderr(bytes) => tell(err.add(&bytes)),
            Piece::Ended(status) => {
                tell(out.rest().into_iter().chain(err.rest()).collect());
                return Ok(status);
            }
        }
    }
}

pub(super) fn told(layer: &Layer) -> String {
    match &layer.kind {
        LayerKind::Run { command } => command.clone(),
        LayerKind::Copy { source, target, .. } => format!("COPY {source} {target}"),
        LayerKind::Folder(path) => format!("WORKDIR {path}"),
    }
}
