//! What runs in a lent sandbox from its beginning on, as its template says, and when that is ready.

use super::hearing::{Lines, told};
use super::journal::{Journal, JournalLevel};
use super::processes::{NewProcess, Piece, ProcessError, WhichProcess, started};
use super::template::Begins;
use super::{Entry, LentSandbox, LentUser, lock};
use crate::engine::Shared;
use crate::error::CommandError;
use bytes::Bytes;
use futures::stream;
use lamplight_domain::agent::ExitStatus;
use lamplight_sandbox::link::{Link, ProcessSpec, RunLimits, Who};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// To become ready; whoever makes a sandbox waits for it.
const READY: Duration = Duration::from_secs(60);

/// Between two questions whether it is.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// For one question.
const QUESTION: RunLimits = RunLimits { timeout_ms: 30_000, output_bytes: 4096 };

/// Where something of a template's runs.
pub(super) struct Place {
    pub(super) user: LentUser,
    pub(super) folder: String,
    pub(super) environment: BTreeMap<String, String>,
}

impl Place {
    /// `None` where there is no such user.
    pub(super) fn of(shared: &Shared, begins: &Begins, beside: &BTreeMap<String, String>) -> Option<Self> {
        let user = shared.lent_user(begins.user.as_deref())?;
        let folder = begins.folder.clone().unwrap_or_else(|| user.home.to_owned());
        let mut environment = begins.environment.clone();
        environment.extend(user.environment());
        environment.extend(beside.clone());
        Some(Self { user, folder, environment })
    }

    /// A shell command, as commands of clients are run.
    pub(super) fn shell(&self, command: &str) -> ProcessSpec {
        let argv = ["/bin/bash", "-l", "-c", command].map(str::to_owned).to_vec();
        let (argv, cwd) = self.user.runs(argv, self.folder.clone(), &self.environment);
        ProcessSpec { argv, env: self.environment.clone(), cwd, stdin: false }
    }

    /// One of ours, in the folder that is everybody's, as this user or as root.
    pub(super) fn script(
        &self,
        root: Option<LentUser>,
        script: &str,
        variables: &[(&str, String)],
    ) -> ProcessSpec {
        let user = root.unwrap_or(self.user);
        let mut environment = self.environment.clone();
        environment.extend(user.environment());
        environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let (argv, cwd) = user.runs(argv, "/".to_owned(), &environment);
        ProcessSpec { argv, env: environment, cwd, stdin: false }
    }
}

/// Starts what the template says, and waits until it is ready.
pub(super) async fn begin(shared: &Shared, entry: &Entry, facts: &LentSandbox) -> Result<(), CommandError> {
    let Begins { start, ready: question, files, .. } = &facts.begins;
    if start.is_none() && question.is_none() && files.is_empty() {
        return Ok(());
    }
    let place = Place::of(shared, &facts.begins, &facts.environment)
        .ok_or_else(|| not_begun("there is no such user in it".to_owned()))?;
    let link = entry.context.link(facts.generation, &facts.handle).await;
    let link =
        link.map_err(|trouble| CommandError::Failed(anyhow::anyhow!("reach the sandbox: {trouble:?}")))?;
    let who = if shared.lent_user(Some("root")).is_some() { Who::Root } else { Who::Agent };
    for (path, content) in files {
        let content = stream::iter([Ok::<_, Infallible>(Bytes::from(content.clone()))]);
        let written = link.as_write_file_from(who, path, 0o644, BTreeMap::new(), content).await;
        written
            .map_err(|error| not_begun(format!("{path}: {error}")))?
            .unwrap_or_else(|never| match never {});
    }
    let mut started = None;
    if let Some(command) = start {
        let begun = run(shared, entry, &link, place.shell(command)).await;
        started = Some(begun.map_err(|error| not_begun(format!("{command}: {error}")))?);
    }
    let Some(question) = question else { return Ok(()) };
    let has_failed = || {
        let process = entry.processes.find(&WhichProcess::Name(started.clone()?))?;
        let ended = *lock(&process.ended);
        ended.filter(|status| *status != ExitStatus::Code { code: 0 })
    };
    ready(&link, &place, question, has_failed).await.map_err(not_begun)
}

/// Starts it; what it says is in the journal.
async fn run(shared: &Shared, entry: &Entry, link: &Link, spec: ProcessSpec) -> Result<String, ProcessError> {
    let mut follower = started(entry, link, &NewProcess::of(spec)).await?;
    let (name, journal) = (follower.name.clone(), Arc::clone(&entry.journal));
    shared.tasks.spawn(async move {
        let (mut out, mut err) = (Lines::default(), Lines::default());
        while let Some(piece) = follower.next().await {
            match piece {
                Piece::Stdout(bytes) | Piece::Terminal(bytes) => {
                    tell(&journal, JournalLevel::Info, out.add(&bytes));
                }
                Piece::Stderr(bytes) => tell(&journal, JournalLevel::Warn, err.add(&bytes)),
                Piece::Ended(_) => break,
            }
        }
        tell(&journal, JournalLevel::Info, out.rest());
        tell(&journal, JournalLevel::Warn, err.rest());
    });
    Ok(name)
}

fn tell(journal: &Journal, level: JournalLevel, lines: impl IntoIterator<Item = String>) {
    for line in lines {
        journal.add(level, None, line);
    }
}

/// Asks until the answer is yes. Fails with the last answer when that takes too long, and where what was started has failed.
async fn ready(
    link: &Link,
    place: &Place,
    question: &str,
    has_failed: impl Fn() -> Option<ExitStatus>,
) -> Result<(), String> {
    let until = Instant::now() + READY;
    loop {
        let asked = link.run(&place.shell(question), None, QUESTION).await;
        let asked = asked.map_err(|error| format!("the ready command could not be asked: {error}"))?;
        if asked.status == (ExitStatus::Code { code: 0 }) {
            return Ok(());
        }
        if let Some(status) = has_failed() {
            return Err(format!("the start command ended with {}", told(status)));
        }
        if Instant::now() >= until {
            let said = String::from_utf8_lossy(&asked.stderr).trim().to_owned();
            return Err(format!("the ready command did not succeed in {} s: {said}", READY.as_secs()));
        }
        sleep(ASK_AGAIN).await;
    }
}

fn not_begun(why: String) -> CommandError {
    CommandError::invalid("not_begun", why, "Look at the template's start and ready command.")
}
