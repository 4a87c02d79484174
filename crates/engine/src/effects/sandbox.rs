//! Making a sandbox, letting it stand still, and making sure that one is gone.

use super::Trouble;
use super::context::Context;
use lamplight_domain::session::Report;
use lamplight_domain::{Enforced, Generation};
use lamplight_sandbox::error::{ErrorKind, SandboxError};
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::provider::{Files, SandboxSpec};
use tokio::time::Instant;

pub(super) async fn create(
    context: &Context,
    generation: Generation,
    after: Generation,
) -> Result<Report, Trouble> {
    let spec = SandboxSpec {
        session: context.id.clone(),
        generation,
        environment: Default::default(),
        mounts: crate::agents::mounts(&context.shared),
        egress: crate::provider::has_way_out(&context.shared, &context.spec.network),
        gateway: true,
        limits: context.spec.sandbox.clone(),
        image: context.spec.image.clone(),
    };
    Ok(match made(context, &spec, after).await {
        Ok((handle, enforced)) => {
            Report::SandboxCreated { generation, handle: handle.as_str().to_owned(), enforced }
        }
        Err(error) => Report::SandboxFailed { generation, failure: error.into() },
    })
}

async fn made(
    context: &Context,
    spec: &SandboxSpec,
    after: Generation,
) -> Result<(Handle, Option<Enforced>), SandboxError> {
    if context.shared.store.is_shared() {
        end_earlier(context, spec.generation).await?;
        context.shared.provider.leave_behind(&context.id, after).await?;
    }
    let begun = Instant::now();
    let handle = context.shared.provider.create(spec).await?;
    context.shared.metrics.made_sandbox(begun.elapsed());
    let enforced = context.shared.provider.inspect(&handle).await?.enforced;
    if enforced.as_ref().is_some_and(Enforced::is_unsafe) {
        tracing::warn!(session.id = %context.id, sandbox.generation = spec.generation.0, "the sandbox lacks walls, as sandbox.unsafe allows");
    }
    Ok((handle, enforced))
}

/// A session that was at another server meanwhile, and has come back, may have left a sandbox here that the reconciler has not found yet:
/// two would have the same files. Those files themselves are then of before what it did there.
async fn end_earlier(context: &Context, generation: Generation) -> Result<(), SandboxError> {
    let provider = &context.shared.provider;
    for found in provider.list().await? {
        if found.session == context.id && found.generation < generation {
            provider.destroy(&found.handle, Files::Keep).await?;
        }
    }
    Ok(())
}

pub(super) async fn pause(
    context: &Context,
    generation: Generation,
    handle: String,
    pause: u32,
) -> Result<Report, Trouble> {
    match context.shared.provider.pause(&Handle::from_log(handle)).await {
        Ok(()) => Ok(Report::SandboxPaused { generation, pause }),
        Err(error) if error.kind == ErrorKind::Gone => Err(error.into()),
        Err(error) => {
            tracing::warn!(session.id = %context.id, sandbox.generation = generation.0, %error, "the sandbox could not be paused");
            Ok(Report::PauseFailed { generation, pause, detail: error.to_string() })
        }
    }
}

pub(super) async fn resume(
    context: &Context,
    generation: Generation,
    handle: String,
    pause: u32,
) -> Result<Report, Trouble> {
    context.shared.provider.resume(&Handle::from_log(handle)).await?;
    Ok(Report::SandboxResumed { generation, pause })
}

/// `handle` is missing when the sandbox was given up before it was known to exist; then it is looked for.
pub(super) async fn destroy(
    context: &Context,
    generation: Generation,
    handle: Option<String>,
    keep_files: bool,
) -> Result<Report, Trouble> {
    context.unlink(generation).await;
    let provider = &context.shared.provider;
    if !keep_files {
        provider.forget(&context.id).await?;
        return Ok(Report::SandboxDestroyed { generation, keep_files });
    }
    let handle = match handle {
        Some(handle) => Some(Handle::from_log(handle)),
        None => {
            let listed = provider.list().await?;
            let ours = listed
                .into_iter()
                .find(|found| found.session == context.id && found.generation == generation);
            ours.map(|found| found.handle)
        }
    };
    if let Some(handle) = handle {
        provider.destroy(&handle, Files::Keep).await?;
    }
    Ok(Report::SandboxDestroyed { generation, keep_files })
}
