//! Keeping the session's files as they are, and making them what they were.

use super::Trouble;
use super::context::Context;
use lamplight_domain::session::Report;
use lamplight_sandbox::checkpoint::Checkpoint;
use lamplight_sandbox::error::{ErrorKind, SandboxError};
use lamplight_sandbox::handle::Handle;

pub(super) async fn keep(
    context: &Context,
    handle: String,
    checkpoint: u32,
    known: Vec<String>,
) -> Result<Report, Trouble> {
    let kept = context.shared.provider.checkpoint(&Handle::from_log(handle), checkpoint).await;
    match kept {
        Ok(kept) => {
            if let Err(error) = forget_others(context, &kept, &known).await {
                tracing::warn!(session.id = %context.id, %error, "a checkpoint that is not needed any more stays until the next");
            }
            Ok(Report::CheckpointKept { checkpoint, name: kept.as_str().to_owned() })
        }
        // What it takes too much room for now, it takes a moment later too.
        Err(error) if error.retryable && error.kind != ErrorKind::Exhausted => Err(error.into()),
        Err(error) => Ok(Report::CheckpointFailed { checkpoint, detail: error.to_string() }),
    }
}

async fn forget_others(context: &Context, kept: &Checkpoint, known: &[String]) -> Result<(), SandboxError> {
    let provider = &context.shared.provider;
    for other in provider.checkpoints(&context.id).await? {
        if other != *kept && !known.iter().any(|name| name == other.as_str()) {
            provider.remove_checkpoint(&other).await?;
        }
    }
    Ok(())
}

pub(super) async fn restore(context: &Context, restore: u32, name: String) -> Result<Report, Trouble> {
    match context.shared.provider.restore(&Checkpoint::from_log(name), &context.id).await {
        Ok(()) => Ok(Report::FilesRestored { restore }),
        Err(error) if error.retryable => Err(error.into()),
        Err(error) => Ok(Report::RestoreFailed { restore, detail: error.to_string() }),
    }
}
