//! Prepared layers: a clone with its dependencies in place, made once for each content of what it depends on, from which new sessions
//! start.
//!
//! ```text
//! first session ──▶ a sandbox of its own: clone, setup ──▶ its files kept as a checkpoint ──▶ the session's files are those
//! later ones    ───────────────────────────────────────────────────────────────────────────▶ at once
//! ```
//! Of a large repository without a setup it is the clone alone, where sandboxes share files: what lies in a layer is there once for all
//! sessions, and no checkpoint has to look at it. Where somebody begins to write a task, the layer is made ahead of the session
//! ([`ahead`]), of a small repository too. What is made is a sandbox that no session has; its id and what it was made from are in a file
//! below `<data>/prepared`. One that was not finished when the server ended is removed by the next.

mod recipe;
mod shelf;

pub(crate) use recipe::{DEFAULT_TIMEOUT, named_checks, template};
pub(crate) use shelf::Shelf;

use crate::effects::{Context, SAID_CHARACTERS, clone_into, last_words};
use crate::engine::Shared;
use crate::git;
use crate::ids;
use anyhow::{Context as _, anyhow};
use lamplight_domain::agent::ExitStatus;
use lamplight_domain::session::Report;
use lamplight_domain::{Generation, SessionId, SessionSpec};
use lamplight_sandbox::checkpoint::Checkpoint;
use lamplight_sandbox::error::{ErrorKind, SandboxError};
use lamplight_sandbox::link::{Link, ProcessSpec, RunLimits};
use lamplight_sandbox::provider::{Files, SandboxSpec, inside};
use recipe::Recipe;
use std::path::Path;
use std::sync::Arc;

/// The end of what a setup prints, whose last words explain a failure; bytes. Much more than those: where it is cut, it may be in the
/// middle of a secret.
const OUTPUT: usize = 16 * 1024;
/// As a person would run it, but that the first command that fails ends it.
const RUN: &str = r#"
log=$(mktemp)
sh -e -c "$LAMPLIGHT_SETUP" > "$log" 2>&1 < /dev/null
code=$?
tail -c 16000 "$log"
rm -f "$log"
exit $code
"#;
/// Objects of a repository whose clone is made a layer without a setup. A smaller one is as quickly cloned by each session as brought up to
/// date, and soon copied.
const LARGE_KIB: u64 = 8 * 1024;
/// A few short lines.
const COUNTED_BYTES: usize = 4 * 1024;
const GENERATION: Generation = Generation(1);

/// Gives a new session what its repository's setup makes, or the clone of a large one. What goes wrong with a setup is told, and the session
/// starts without.
pub(crate) async fn lay(context: &Arc<Context>, generation: Generation) {
    if !context.shared.provider.capabilities().checkpoints {
        return;
    }
    let recipe = match recipe_of(&context.spec).await {
        Ok(recipe) => recipe,
        Err(error) => return ended(context, generation, Some(format!("{error:#}"))).await,
    };
    let shelf = &context.shared.prepared;
    if let Some(found) = shelf.find(&recipe)
        && restore(context, &recipe, found).await
    {
        return;
    }
    let is_shared = context.shared.provider.capabilities().shares_files && shelf.can_be_filled();
    let is_worth_it = recipe.has_setup() || is_shared && is_large(&recipe.repository).await;
    if !is_worth_it {
        return;
    }
    if recipe.has_setup() {
        let command = recipe.command().to_owned();
        context.report(Report::SetupBegun { generation, command, timeout_ms: recipe.timeout_ms }).await;
    }
    // Goes on when this session is not interested any more: the next one will be.
    let making = context.shared.tasks.spawn(make(Arc::clone(context), recipe.clone()));
    let failure = match making.await.map_err(anyhow::Error::new).and_then(|made| made) {
        Ok(made) => (!restore(context, &recipe, made).await).then(|| "its result is gone again".to_owned()),
        Err(error) => Some(format!("{error:#}")),
    };
    match failure {
        failure if recipe.has_setup() => ended(context, generation, failure).await,
        // The session clones for itself, and tells what is wrong with that.
        Some(error) => tracing::info!(session.id = %context.id, error, "its clone could not be made a layer"),
        None => {}
    }
}

/// Whether a clone is worth a sandbox of its own. Where git does not tell, it is not. Source: git-count-objects(1), whose sizes are KiB.
async fn is_large(repository: &str) -> bool {
    let counted = git::bounded(Path::new(repository), &["count-objects", "-v"], COUNTED_BYTES).await;
    let counted = counted.map(|(text, _)| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
    let sizes =
        counted.lines().filter_map(|line| line.strip_prefix("size: ").or(line.strip_prefix("size-pack: ")));
    sizes.filter_map(|kib| kib.parse::<u64>().ok()).sum::<u64>() >= LARGE_KIB
}

/// What the repository's setup makes, for a sandbox that nobody waits in; `None` where there is no setup.
pub(crate) async fn made(context: &Arc<Context>) -> anyhow::Result<Option<Checkpoint>> {
    if !context.shared.provider.capabilities().checkpoints {
        return Ok(None);
    }
    let recipe = recipe_of(&context.spec).await?;
    if !recipe.has_setup() {
        return Ok(None);
    }
    let making = context.shared.tasks.spawn(make(Arc::clone(context), recipe));
    making.await.map_err(anyhow::Error::new)?.map(Some)
}

async fn recipe_of(spec: &SessionSpec) -> anyhow::Result<Recipe> {
    let recipe = Recipe::read(&spec.repository, &spec.base).await?;
    let recipe = recipe.unwrap_or_else(|| Recipe::of_clone(&spec.repository, &spec.base));
    Ok(recipe.on(spec.image.as_ref()))
}

/// How it stands with what a new session would wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// It is there.
    Ready,
    /// It is being made.
    Begun,
    /// It is not, and is not being made; a session makes what it needs itself.
    No { why: &'static str },
}

/// Makes the layer that a session like this would start from, unless it is there, without waiting for it. What goes wrong is told to
/// the session that tries it again.
pub(crate) async fn ahead(shared: &Arc<Shared>, spec: SessionSpec) -> anyhow::Result<Ahead> {
    if !shared.provider.capabilities().checkpoints {
        return Ok(Ahead::No { why: "sandboxes here have no layers" });
    }
    let recipe = recipe_of(&spec).await?;
    if shared.prepared.find(&recipe).is_some() {
        return Ok(Ahead::Ready);
    }
    if shared.prepared.turn(&recipe).try_lock_owned().is_err() {
        return Ok(Ahead::Begun);
    }
    let Some(leave) = shared.prepared.ahead() else {
        return Ok(Ahead::No { why: "enough is being made already" });
    };
    let context = Arc::new(Context::alone(ids::session_id(), spec, Arc::clone(shared)));
    shared.tasks.spawn(async move {
        if let Err(error) = make(context, recipe).await {
            tracing::info!(error = format!("{error:#}"), "a layer could not be made ahead of its session");
        }
        drop(leave);
    });
    Ok(Ahead::Begun)
}

async fn ended(context: &Context, generation: Generation, failure: Option<String>) {
    context.report(Report::SetupEnded { generation, failure }).await;
}

/// False when it is not there any more.
async fn restore(context: &Context, recipe: &Recipe, checkpoint: Checkpoint) -> bool {
    match context.shared.provider.restore(&checkpoint, &context.id).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(session.id = %context.id, %error, "a prepared layer could not be used");
            if error.kind == ErrorKind::Gone {
                context.shared.prepared.forget(&context.shared.provider, recipe).await;
            }
            false
        }
    }
}

/// Makes it, unless somebody else is faster.
async fn make(context: Arc<Context>, recipe: Recipe) -> anyhow::Result<Checkpoint> {
    let shared = Arc::clone(&context.shared);
    let _turn = shared.prepared.turn(&recipe).lock_owned().await;
    if let Some(found) = shared.prepared.find(&recipe) {
        return Ok(found);
    }
    let holder = ids::session_id();
    shared.prepared.begin(&recipe, &holder)?;
    let mut closing = shared.closing();
    let made = tokio::select! {
        made = sandbox(&context, &recipe, &holder) => made,
        // What there is of it by then is removed at the next start.
        () = crate::engine::closed(&mut closing) => return Err(anyhow!("the server is being stopped")),
    };
    match made {
        Ok(checkpoint) => {
            shared.prepared.finish(&recipe, &holder, &checkpoint)?;
            shared.prepared.tidy(&shared.provider, &recipe.repository).await;
            Ok(checkpoint)
        }
        Err(error) => {
            let is_refused = |error: &SandboxError| error.kind == ErrorKind::Unsupported;
            if error.downcast_ref().is_some_and(is_refused) {
                shared.prepared.give_up();
            }
            shared.prepared.forget(&shared.provider, &recipe).await;
            Err(error)
        }
    }
}

/// Clones and sets up in a sandbox like the session's, and keeps its files.
async fn sandbox(context: &Context, recipe: &Recipe, holder: &SessionId) -> anyhow::Result<Checkpoint> {
    let context = context.beside(holder.clone(), "lamplight/prepared".to_owned());
    let provider = &context.shared.provider;
    let spec = SandboxSpec {
        session: holder.clone(),
        generation: GENERATION,
        environment: Default::default(),
        mounts: crate::agents::mounts(&context.shared),
        egress: crate::provider::has_way_out(&context.shared, &context.spec.network),
        gateway: true,
        limits: context.spec.sandbox.clone(),
        image: context.spec.image.clone(),
    };
    let handle = provider.create(&spec).await.context("make a sandbox")?;
    let name = handle.as_str().to_owned();
    let link =
        context.link(GENERATION, &name).await.map_err(|trouble| anyhow!("reach the sandbox: {trouble:?}"))?;
    clone_into(&context, &link).await?.map_err(|failure| anyhow!(failure.message))?;
    if recipe.has_setup() {
        set_up(&context, &link, recipe).await?;
    }
    context.close();
    provider.destroy(&handle, Files::Keep).await.context("end its sandbox")?;
    provider.checkpoint(&handle, GENERATION.0).await.context("keep its files")
}

async fn set_up(context: &Context, link: &Link, recipe: &Recipe) -> anyhow::Result<()> {
    let setup = ProcessSpec {
        argv: ["sh", "-c", RUN, "lamplight"].map(str::to_owned).to_vec(),
        env: [("LAMPLIGHT_SETUP".to_owned(), recipe.run.clone())].into(),
        cwd: Some(inside::WORKSPACE.to_owned()),
        stdin: false,
    };
    let limits = RunLimits { timeout_ms: recipe.timeout_ms, output_bytes: OUTPUT };
    let output = link.run(&setup, None, limits).await.context("run the setup")?;
    if output.status != (ExitStatus::Code { code: 0 }) {
        let redactor = context.shared.config.redaction.now();
        let said = last_words(&redactor, &output.stdout, SAID_CHARACTERS);
        return Err(anyhow!("{} failed: {said}", recipe.command()));
    }
    Ok(())
}
