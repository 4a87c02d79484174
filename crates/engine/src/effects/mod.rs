//! What the machine says is owed, done. Each effect is idempotent by its numbers; its result comes back as a report, and one
//! that ends without a report is started again for as long as it is owed.

mod agent;
mod artifacts;
mod commit;
mod context;
mod files;
mod limits;
mod murmur;
mod naming;
mod sandbox;
mod workspace;

pub(crate) use artifacts::{Patience, put};
pub(crate) use commit::statistics;
pub(crate) use context::Context;
pub(crate) use murmur::last_words;
pub(crate) use workspace::{clone_into, script};

use crate::checks::{self, Asked};
use crate::prepared;
use futures::future::BoxFuture;
use lamplight_domain::agent::ExitStatus;
use lamplight_domain::session::{Effect, Report, Session};
use lamplight_domain::{Failure, FailureClass};
use lamplight_sandbox::error::{ErrorKind, SandboxError};
use lamplight_sandbox::link::{LinkError, RunOutput};
use std::future::Future;
use std::sync::Arc;

/// The end of what a command of ours said, which explains its failure; characters.
pub(crate) const SAID_CHARACTERS: usize = 600;

/// Why an effect did not come to its report.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The sandbox is gone, and the session has to know.
    Lost(String),
    /// The same again may succeed.
    Again(anyhow::Error),
}

impl From<LinkError> for Trouble {
    fn from(error: LinkError) -> Self {
        Self::Again(anyhow::Error::new(error).context("talk to the guest"))
    }
}

impl From<SandboxError> for Trouble {
    fn from(error: SandboxError) -> Self {
        match error.kind {
            ErrorKind::Gone => Self::Lost(error.to_string()),
            _ => Self::Again(anyhow::Error::new(error).context("reach the sandbox")),
        }
    }
}

/// Does one effect. What it needs of the state is taken now; the rest comes through the context.
pub(crate) fn perform(
    context: Arc<Context>,
    effect: Effect,
    session: &Session,
) -> impl Future<Output = ()> + Send + use<> {
    let work = commit::Work::of(session);
    let read = session.read();
    let model = session.model().map(str::to_owned);
    let is_new = session.base_commit().is_none() && session.spec().origin.is_none();
    async move {
        if let Effect::RunChecks { check, turn, commit, plan } = effect {
            let report = Box::pin(checks::run(&context, Asked { check, turn, commit, plan })).await;
            return context.report(report).await;
        }
        let generation = match &effect {
            Effect::CreateSandbox { generation, .. }
            | Effect::PrepareWorkspace { generation, .. }
            | Effect::PauseSandbox { generation, .. }
            | Effect::ResumeSandbox { generation, .. }
            | Effect::KeepFiles { generation, .. }
            | Effect::RestoreFiles { generation, .. }
            | Effect::DestroySandbox { generation, .. }
            | Effect::RunAgent { generation, .. }
            | Effect::KillAgent { generation, .. }
            | Effect::UpdateWorkspace { generation, .. }
            | Effect::CommitWork { generation, .. } => *generation,
            Effect::RunChecks { .. } => return,
        };
        let (context, handle) = (&context, handle(&effect).unwrap_or_default().to_owned());
        // Each in a box of its own size: one of them lasts as long as the session, and is not the largest.
        let doing: BoxFuture<'_, Result<Report, Trouble>> = match effect {
            Effect::CreateSandbox { after, .. } => Box::pin(async move {
                if is_new {
                    prepared::lay(context, generation).await;
                }
                sandbox::create(context, generation, after).await
            }),
            Effect::DestroySandbox { handle, keep_files, .. } => {
                Box::pin(sandbox::destroy(context, generation, handle, keep_files))
            }
            Effect::PauseSandbox { handle, pause, .. } => {
                Box::pin(sandbox::pause(context, generation, handle, pause))
            }
            Effect::ResumeSandbox { handle, pause, .. } => {
                Box::pin(sandbox::resume(context, generation, handle, pause))
            }
            Effect::KeepFiles { handle, checkpoint, known, .. } => {
                Box::pin(files::keep(context, handle, checkpoint, known))
            }
            Effect::RestoreFiles { restore, name, .. } => Box::pin(files::restore(context, restore, name)),
            Effect::PrepareWorkspace { .. } => Box::pin(workspace::prepare(context, generation, &handle)),
            Effect::UpdateWorkspace { commit, .. } => {
                Box::pin(workspace::update(context, generation, &handle, commit))
            }
            Effect::RunAgent { run, .. } => {
                Box::pin(agent::run(context, generation, &handle, run, read, model))
            }
            Effect::KillAgent { run, .. } => Box::pin(agent::kill(context, generation, &handle, run)),
            Effect::CommitWork { turn, .. } => {
                Box::pin(commit::commit(context, generation, &handle, turn, work))
            }
            Effect::RunChecks { .. } => return,
        };
        match doing.await {
            Ok(report) => context.report(report).await,
            Err(Trouble::Lost(detail)) => {
                let detail = limits::explain(context, &handle, detail).await;
                context.report(Report::SandboxLost { generation, detail }).await;
            }
            Err(Trouble::Again(error)) => {
                tracing::warn!(session.id = %context.id, sandbox.generation = generation.0, error = format!("{error:#}"), "an effect has to be tried again");
            }
        }
    }
}

/// The sandbox that an effect is about, where it is known.
fn handle(effect: &Effect) -> Option<&str> {
    match effect {
        Effect::CreateSandbox { .. } | Effect::RestoreFiles { .. } | Effect::RunChecks { .. } => None,
        Effect::DestroySandbox { handle, .. } => handle.as_deref(),
        Effect::PrepareWorkspace { handle, .. }
        | Effect::PauseSandbox { handle, .. }
        | Effect::ResumeSandbox { handle, .. }
        | Effect::KeepFiles { handle, .. }
        | Effect::RunAgent { handle, .. }
        | Effect::KillAgent { handle, .. }
        | Effect::UpdateWorkspace { handle, .. }
        | Effect::CommitWork { handle, .. } => Some(handle),
    }
}

/// A command of ours inside the sandbox that failed by itself, such as a clone.
pub(crate) fn command_failed(context: &Context, what: &str, output: &RunOutput) -> Failure {
    let end = match output.status {
        ExitStatus::Code { .. } => {
            last_words(&context.shared.config.redaction.now(), &output.stderr, SAID_CHARACTERS)
        }
        ExitStatus::Signal { signal } => format!("signal {signal} ended it each time"),
    };
    Failure::infrastructure(FailureClass::Persistent, format!("{what}: {end}"))
}
