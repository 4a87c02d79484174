//! A repository's own checks, run on what a turn has committed.
//!
//! ```text
//! what its setup makes ─▶ a sandbox of their own, with the commit in it ─▶ each command ─▶ the sandbox goes
//! ```
//! Nothing of the session's sandbox is in there, no agent runs, no model can be asked and nothing be pushed. Which sandbox it is, nobody
//! remembers: one that is left by a crash bears an id that no session has, so that the reconciler removes it, and the checks are run again
//! for as long as the log says that they are owed.

mod detect;
mod find;

pub(crate) use find::find;

use crate::effects::{Context, Patience, last_words, put, script};
use crate::engine::Shared;
use crate::session::Message;
use crate::{ids, prepared};
use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use lamplight_domain::agent::ExitStatus;
use lamplight_domain::check::SAID_CHARACTERS;
use lamplight_domain::session::Report;
use lamplight_domain::{CheckPlan, CheckedCommand, Event, Generation, SessionId, TurnNumber, Verdict};
use lamplight_sandbox::link::{Link, LinkError, ProcessSpec, RunLimits};
use lamplight_sandbox::provider::{SandboxSpec, inside};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Checked at a time, of all sessions; what is more waits.
const AT_ONCE: usize = 2;
/// Times that it is tried where the sandbox cannot be had, or is lost.
const TRIES: u32 = 2;
/// The end of what one command printed that is kept as an artifact; bytes.
const OUTPUT: usize = 256 * 1024;
/// No session's own, so that nothing is taken for a report of its sandbox.
const GENERATION: Generation = Generation(0);

/// The commit, on top of what the setup has left or of nothing.
const CHECKOUT: &str = r#"
set -eu
[ -d .git ] || git init -q .
rm -f .git/*.lock
git fetch -q --no-tags --no-recurse-submodules "$LAMPLIGHT_REMOTE" "+refs/heads/$LAMPLIGHT_BASE:refs/remotes/origin/$LAMPLIGHT_BASE" "+refs/heads/$LAMPLIGHT_OF:refs/lamplight/checked"
git checkout -q -f --detach "$LAMPLIGHT_COMMIT"
"#;
const CHECKOUT_LIMITS: RunLimits = RunLimits { timeout_ms: 10 * 60_000, output_bytes: 64 * 1024 };

/// As a person would run it, but that the first command that fails ends it.
const RUN: &str = r#"sh -e -c "$LAMPLIGHT_CHECK" > "$LAMPLIGHT_LOG" 2>&1 < /dev/null"#;
/// What it printed, also when it was ended.
const SAID: &str = r#"tail -c "$LAMPLIGHT_BYTES" "$LAMPLIGHT_LOG""#;
const LOG: &str = "/tmp/lamplight-check.log";
const SAID_LIMITS: RunLimits = RunLimits { timeout_ms: 30_000, output_bytes: OUTPUT };

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) check: u32,
    pub(crate) turn: TurnNumber,
    pub(crate) commit: String,
    pub(crate) plan: CheckPlan,
}

/// What became of it. Never fails: what keeps the checks from running is told.
pub(crate) async fn run(context: &Arc<Context>, asked: Asked) -> Report {
    let mut why = String::new();
    for _ in 0..TRIES {
        match checked(context, &asked).await {
            Ok(Ok(ran)) => return ended(context, &asked, ran).await,
            Ok(Err(lasting)) => {
                why = lasting;
                break;
            }
            Err(error) => {
                tracing::warn!(session.id = %context.id, error = format!("{error:#}"), "the checks could not be run");
                why = format!("{error:#}");
            }
        }
    }
    report(asked.check, Verdict::NotRun { why }, Vec::new())
}

fn report(check: u32, verdict: Verdict, commands: Vec<CheckedCommand>) -> Report {
    Report::ChecksEnded { check, verdict, commands, prompt: ids::prompt_id() }
}

/// One command that ran: what is told of it, and all that is kept.
struct Ran {
    told: CheckedCommand,
    output: String,
}

/// All that was printed is an artifact; its end is in the log.
async fn ended(context: &Context, asked: &Asked, ran: Vec<Ran>) -> Report {
    let mut text = String::new();
    for Ran { told, output } in &ran {
        let _ =
            writeln!(text, "$ {}\n{output}\n[{} after {} ms]\n", told.command.trim(), told.how(), told.ms);
    }
    let name = format!("checks/turn-{}.log", asked.turn);
    if let Ok(artifact) = put(context, &mut Patience::default(), name, Bytes::from(text)).await {
        let kept = Event::ArtifactsKept { turn: asked.turn, artifacts: vec![artifact] };
        context.send(Message::Facts(vec![kept])).await;
    }
    let commands: Vec<_> = ran.into_iter().map(|ran| ran.told).collect();
    let passed = commands.iter().all(CheckedCommand::has_passed);
    report(asked.check, if passed { Verdict::Passed } else { Verdict::Failed }, commands)
}

/// Each command of the plan, or why trying again is no use.
async fn checked(context: &Arc<Context>, asked: &Asked) -> anyhow::Result<Result<Vec<Ran>, String>> {
    let shared = &context.shared;
    let _place = shared.checks.places.acquire().await.context("wait for a place")?;
    let layer = match prepared::made(context).await {
        Ok(layer) => layer,
        Err(error) => return Ok(Err(format!("the repository's setup: {error:#}"))),
    };
    let holder = Holder::new(shared);
    let alone = context.beside(holder.id.clone(), String::new()).without_leave();
    if let Some(layer) = &layer {
        shared.provider.restore(layer, &holder.id).await.context("lay what the setup makes")?;
    }
    let spec = SandboxSpec {
        session: holder.id.clone(),
        generation: GENERATION,
        environment: Default::default(),
        mounts: crate::agents::mounts(shared),
        egress: crate::provider::has_way_out(shared, &context.spec.network),
        gateway: true,
        limits: context.spec.sandbox.clone(),
        image: context.spec.image.clone(),
    };
    let handle = shared.provider.create(&spec).await.context("make a sandbox")?;
    let link = alone.link(GENERATION, handle.as_str()).await;
    let link = link.map_err(|trouble| anyhow!("reach the sandbox: {trouble:?}"))?;
    check_out(context, &alone, &link, &asked.commit).await?;
    let ran = commands(&alone, &link, &asked.plan).await;
    alone.close();
    ran
}

async fn check_out(context: &Context, alone: &Context, link: &Link, commit: &str) -> anyhow::Result<()> {
    let more = [("LAMPLIGHT_OF", context.spec.branch.clone()), ("LAMPLIGHT_COMMIT", commit.to_owned())];
    let output = link.run(&script(alone, CHECKOUT, &more), None, CHECKOUT_LIMITS).await?;
    if output.status != (ExitStatus::Code { code: 0 }) {
        let redactor = context.shared.config.redaction.now();
        bail!("check the commit out: {}", last_words(&redactor, &output.stderr, SAID_CHARACTERS));
    }
    Ok(())
}

async fn commands(
    alone: &Context,
    link: &Link,
    plan: &CheckPlan,
) -> anyhow::Result<Result<Vec<Ran>, String>> {
    if let Some(needed) = plan.detected.as_deref().and_then(detect::needs) {
        let limits = RunLimits { timeout_ms: 30_000, output_bytes: 1024 };
        if link.run(&script(alone, needed.probe, &[]), None, limits).await?.status
            != (ExitStatus::Code { code: 0 })
        {
            return Ok(Err(format!("{} is not in the sandbox", needed.what)));
        }
    }
    let until = Instant::now() + Duration::from_millis(plan.timeout_ms);
    let mut ran = Vec::new();
    for command in &plan.commands {
        ran.push(command_ran(alone, link, command, until).await?);
    }
    Ok(Ok(ran))
}

/// Ended when the time of all is over.
async fn command_ran(alone: &Context, link: &Link, command: &str, until: Instant) -> anyhow::Result<Ran> {
    let left = until.saturating_duration_since(Instant::now());
    let begun = Instant::now();
    let limits = RunLimits { timeout_ms: millis(left).max(1), output_bytes: 1024 };
    let status = match link.run(&process(RUN, command), None, limits).await {
        Ok(output) => Some(output.status),
        Err(LinkError::Deadline { .. }) => None,
        Err(error) => return Err(error).context("run a check"),
    };
    let ms = millis(begun.elapsed());
    let said = link.run(&process(SAID, command), None, SAID_LIMITS).await.context("read what it printed")?;
    let redactor = alone.shared.config.redaction.now();
    let output = last_words(&redactor, &said.stdout, OUTPUT);
    let skipped = output.chars().count().saturating_sub(SAID_CHARACTERS);
    let told = CheckedCommand {
        command: command.to_owned(),
        status,
        ms,
        said: output.chars().skip(skipped).collect(),
    };
    Ok(Ran { told, output })
}

fn process(text: &str, command: &str) -> ProcessSpec {
    let env = [
        ("LAMPLIGHT_CHECK", command.to_owned()),
        ("LAMPLIGHT_LOG", LOG.to_owned()),
        ("LAMPLIGHT_BYTES", OUTPUT.to_string()),
        // So that no test runner waits for somebody to press a key.
        ("CI", "true".to_owned()),
    ];
    ProcessSpec {
        argv: ["sh", "-c", text, "lamplight"].map(str::to_owned).to_vec(),
        env: env.map(|(name, value)| (name.to_owned(), value)).into(),
        cwd: Some(inside::WORKSPACE.to_owned()),
        stdin: false,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whose sandboxes are checked in now.
pub(crate) struct Holders {
    places: Semaphore,
    ids: Mutex<BTreeSet<SessionId>>,
}

impl Default for Holders {
    fn default() -> Self {
        Self { places: Semaphore::new(AT_ONCE), ids: Mutex::default() }
    }
}

impl Holders {
    /// Whether this is a sandbox in which something is checked.
    pub(crate) fn holds(&self, session: &SessionId) -> bool {
        self.lock().contains(session)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<SessionId>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id that a sandbox bears for as long as it is checked in. When this is dropped, also by whoever wants no checks any more, all of it
/// is removed.
struct Holder {
    id: SessionId,
    shared: Arc<Shared>,
}

impl Holder {
    fn new(shared: &Arc<Shared>) -> Self {
        let id = ids::session_id();
        shared.checks.lock().insert(id.clone());
        Self { id, shared: shared.clone() }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let (id, shared) = (self.id.clone(), self.shared.clone());
        self.shared.tasks.spawn(async move {
            if let Err(error) = shared.provider.forget(&id).await {
                tracing::warn!(%error, "the sandbox of some checks could not be removed; the reconciler tries again");
            }
            shared.checks.lock().remove(&id);
        });
    }
}
