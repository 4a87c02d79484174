//! The files that an agent offers as results, taken out of the sandbox when a turn is over and kept as long as the log.
//!
//! This is a part of recording the turn's work, and is done again with it after a crash: what is known already is not told again. Files
//! are read through the guest, with the agent's rights; links are not followed, and nothing is written on the host under a name from
//! inside. An object store that is away is waited for, for a while: the sandbox may be gone when it is back. What a known secret is in, or
//! in the name of, is not kept: an artifact is for everybody who sees the session, and is passed on.

use super::context::Context;
use super::workspace::script;
use crate::attachments::media_type;
use crate::session::Message;
use bytes::Bytes;
use lamplight_domain::agent::ExitStatus;
use lamplight_domain::artifact::{ARTIFACTS, Artifact, KeptArtifact, artifact_name};
use lamplight_domain::{Event, TurnNumber};
use lamplight_sandbox::link::{Link, LinkError, RunLimits};
use lamplight_sandbox::provider::inside;
use lamplight_store::BlobError;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// Files that are taken at the end of one turn.
const MAX_FILES: usize = 100;
/// The largest of them; bytes.
const FILE_BYTES: u64 = 10 << 20;
/// All of one turn; bytes.
const TURN_BYTES: u64 = 50 << 20;

/// Prints the paths of regular files, each with a NUL after it, of a folder that is one and no link to another.
const LIST: &str = r#"
for part in .lamplight .lamplight/artifacts; do
  [ -d "$part" ] && [ ! -L "$part" ] || exit 0
done
cd .lamplight/artifacts && find . -xdev -type f -print0
"#;

/// How long what is to be kept waits for an object store that is away, all of one turn together.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// From one try to the next, beside what the store's client waits by itself.
const PAUSE: Duration = Duration::from_secs(2);

const LIMITS: RunLimits = RunLimits { timeout_ms: 30_000, output_bytes: 256 * 1024 };

/// Keeps what is new since `known`, and tells so in the log. What of it cannot be kept stays in the sandbox, and how much of that there
/// is, is told too.
pub(super) async fn keep(
    context: &Context,
    link: &Link,
    turn: TurnNumber,
    known: &[KeptArtifact],
) -> Result<(), LinkError> {
    let listed = link.run(&script(context, LIST, &[]), None, LIMITS).await?;
    if listed.status != (ExitStatus::Code { code: 0 }) || listed.stdout.is_empty() {
        return Ok(());
    }
    let mut paths: Vec<&[u8]> = listed.stdout.split(|byte| *byte == 0).collect();
    // After the last NUL there is nothing, or the beginning of a path that was cut.
    paths.pop();
    paths.sort_unstable();
    let mut found = Found { left_out: usize::from(listed.truncated), ..Found::default() };
    for path in paths {
        match found.take(context, link, path).await? {
            Taken::Kept => {}
            Taken::LeftOut => found.left_out += 1,
            Taken::Secret(name) => found.secrets.push(name),
        }
    }
    let notes = found.notes();
    let is_new = |artifact: &Artifact| !known.iter().any(|kept| kept.artifact == *artifact);
    let artifacts: Vec<Artifact> = found.artifacts.into_iter().filter(is_new).collect();
    let mut told = Vec::new();
    if !artifacts.is_empty() {
        told.push(Event::ArtifactsKept { turn, artifacts });
    }
    told.extend(notes);
    if !told.is_empty() {
        context.send(Message::Facts(told)).await;
    }
    Ok(())
}

#[derive(Default)]
struct Found {
    patience: Patience,
    /// Why the last of those that could not be put was not.
    failure: Option<BlobError>,
    artifacts: Vec<Artifact>,
    names: BTreeSet<String>,
    bytes: u64,
    left_out: usize,
    /// What the secrets are called of files that were left out for them, one each.
    secrets: Vec<String>,
}

/// What became of a file.
enum Taken {
    Kept,
    LeftOut,
    /// A known secret, called this, is in it or in its name.
    Secret(String),
}

impl Found {
    async fn take(&mut self, context: &Context, link: &Link, path: &[u8]) -> Result<Taken, LinkError> {
        let redactor = context.shared.config.redaction.now();
        let secret = |bytes: &[u8]| redactor.find(bytes, 0).map(|found| Taken::Secret(found.name.to_owned()));
        if let Some(secret) = secret(path) {
            return Ok(secret);
        }
        let Some((path, name)) =
            std::str::from_utf8(path).ok().and_then(|path| Some((path, artifact_name(path)?)))
        else {
            return Ok(Taken::LeftOut);
        };
        let is_over = matches!(self.patience, Patience::Over(_));
        if is_over || self.artifacts.len() >= MAX_FILES || self.names.contains(&name) {
            return Ok(Taken::LeftOut);
        }
        let limit = FILE_BYTES.min(TURN_BYTES - self.bytes);
        let content = match link.read_file(&format!("{}/{ARTIFACTS}/{path}", inside::WORKSPACE), limit).await
        {
            Ok(content) => content,
            Err(LinkError::Refused { .. }) => return Ok(Taken::LeftOut),
            Err(other) => return Err(other),
        };
        if let Some(secret) = secret(&content) {
            return Ok(secret);
        }
        let artifact = match put(context, &mut self.patience, name.clone(), content).await {
            Ok(artifact) => artifact,
            Err(error) => {
                self.failure = Some(error);
                return Ok(Taken::LeftOut);
            }
        };
        self.bytes += artifact.bytes;
        self.artifacts.push(artifact);
        self.names.insert(name);
        Ok(Taken::Kept)
    }

    /// What people are told of those that were left out.
    fn notes(&self) -> Vec<Event> {
        let mut notes = Vec::new();
        if self.left_out > 0 {
            notes.push(format!("Not every artifact was kept: {}.", self.why()));
        }
        if !self.secrets.is_empty() {
            let names = self.secrets.iter().map(String::as_str).collect::<BTreeSet<_>>();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            notes.push(format!(
                "Artifacts with secrets in them were not kept: {} ({names}).",
                self.secrets.len()
            ));
        }
        notes.into_iter().map(|text| Event::Noted { text }).collect()
    }

    /// Why some were left out.
    fn why(&self) -> String {
        match &self.failure {
            Some(error) => format!("{error}; what is still in the sandbox then is kept with the next turn"),
            None => format!(
                "at most {MAX_FILES} of a turn, {} MiB each and {} MiB together, in few folders and under names in UTF-8",
                FILE_BYTES >> 20,
                TURN_BYTES >> 20,
            ),
        }
    }
}

/// How much longer an object store that is away is waited for.
#[derive(Debug, Default, PartialEq)]
pub(crate) enum Patience {
    /// It was not away yet.
    #[default]
    Whole,
    /// People are told that it is.
    Until(Instant),
    /// It is waited for no more: what else there is to be kept is not tried.
    Over(BlobError),
}

impl Patience {
    /// Waits for the next try after one that failed; whether there is one.
    async fn wait(&mut self, context: &Context, error: &BlobError) -> bool {
        if *self == Self::Whole {
            let minutes = PATIENCE.as_secs() / 60;
            let text = format!(
                "The object store does not answer. What is to be kept of this turn waits for it, for {minutes} minutes at most."
            );
            context.send(Message::Facts(vec![Event::Noted { text }])).await;
        }
        self.tried(error, Instant::now());
        if let Self::Over(_) = self {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
        true
    }

    /// A try has failed at `now`.
    fn tried(&mut self, error: &BlobError, now: Instant) {
        match self {
            Self::Whole => *self = Self::Until(now + PATIENCE),
            Self::Until(until) if now + PAUSE >= *until => *self = Self::Over(error.clone()),
            Self::Until(_) | Self::Over(_) => {}
        }
    }
}

/// An error where nothing takes it: the turn's work is worth more than its artifacts.
pub(crate) async fn put(
    context: &Context,
    patience: &mut Patience,
    name: String,
    content: Bytes,
) -> Result<Artifact, BlobError> {
    if let Patience::Over(error) = patience {
        return Err(error.clone());
    }
    let (media_type, bytes) = (media_type(&content).to_owned(), content.len() as u64);
    loop {
        let error = match context.shared.store.attachments().put(content.clone()).await {
            Ok(blob) => return Ok(Artifact { name, blob: blob.to_string(), media_type, bytes }),
            Err(error) => error,
        };
        let is_away = matches!(error, BlobError::Unavailable(_));
        if !(is_away && patience.wait(context, &error).await) {
            tracing::warn!(session.id = %context.id, %error, "an artifact could not be kept");
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> BlobError {
        BlobError::Unavailable("Connection refused".into())
    }

    #[test]
    fn patience_is_of_one_turn_and_over_once() {
        let (begun, mut patience) = (Instant::now(), Patience::default());
        patience.tried(&away(), begun);
        assert_eq!(patience, Patience::Until(begun + PATIENCE));
        // Of another file, and it may have been there in between.
        patience.tried(&away(), begun + PATIENCE - 2 * PAUSE);
        assert_eq!(patience, Patience::Until(begun + PATIENCE));
        patience.tried(&away(), begun + PATIENCE - PAUSE);
        assert_eq!(patience, Patience::Over(away()));
        patience.tried(&away(), begun + 2 * PATIENCE);
        assert_eq!(patience, Patience::Over(away()));
    }

    #[test]
    fn people_are_told_of_what_secrets_are_in() {
        let secrets = ["openai key", "GitHub token", "openai key"].map(str::to_owned).to_vec();
        let text = "Artifacts with secrets in them were not kept: 3 (GitHub token, openai key).".to_owned();
        assert_eq!(Found { secrets, ..Found::default() }.notes(), [Event::Noted { text }]);
        assert!(Found::default().notes().is_empty());
    }

    #[test]
    fn people_are_told_why_not_all_was_kept() {
        let limits =
            "at most 100 of a turn, 10 MiB each and 50 MiB together, in few folders and under names in UTF-8";
        assert_eq!(Found::default().why(), limits);
        let why = Found { failure: Some(away()), ..Found::default() }.why();
        assert_eq!(
            why,
            "the object store cannot be used: Connection refused; what is still in the sandbox then is kept with the next turn"
        );
    }
}
