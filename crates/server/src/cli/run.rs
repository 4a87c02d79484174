//! `lamplight run`: hand over a task and watch it.

use super::attach::AttachArguments;
use super::budget::{micros, money};
use super::client::{Client, refused_with};
use super::output::{Output, Style, duration, plural};
use super::render::{Renderer, short};
use super::sandbox::LimitArguments;
use super::watch::{Seen, Watch};
use super::{Common, compare, server_process};
use crate::clock;
use crate::http::resources::{Network, Phase, SessionView};
use crate::http::sessions::attempts::AttemptList;
use crate::http::sessions::create::{AttemptRequest, LimitsRequest, NewSessionRequest};
use anyhow::Context;
use clap::Args;
use futures::StreamExt;
use lamplight_domain::ImageChoice;
use serde_json::json;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// A second Ctrl-C this soon after the first means "leave it running"; without one the turn is stopped.
const TWICE: Duration = Duration::from_millis(700);
/// Between two drawings of the status line.
const TICK: Duration = Duration::from_millis(250);
/// More than any server takes; it says how many it does.
const MOST_ATTEMPTS: usize = 100;
/// As shells say "ended by SIGINT": 128 + 2.
const STOPPED: u8 = 130;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What is to be done
    text: String,
    #[command(flatten)]
    files: AttachArguments,
    /// The repository to work on; your own working tree is not touched
    #[arg(long, value_name = "PATH", default_value = ".")]
    repo: PathBuf,
    /// The agent to give it to; `lamplight agents list` names them
    #[arg(long)]
    agent: Option<String>,
    /// The agent's own name of a model
    #[arg(long)]
    model: Option<String>,
    /// The branch to start from [default: the one that is checked out]
    #[arg(long, value_name = "BRANCH")]
    base: Option<String>,
    /// One line for lists [default: the start of the text]
    #[arg(long)]
    title: Option<String>,
    /// What programs in the sandbox may connect to: `open`, `none`, or hosts such as `example.org,*.example.net`
    /// [default: as configured]
    #[arg(long, value_name = "POLICY", value_parser = network)]
    network: Option<Network>,
    /// Dollars that all turns of the session together may cost, such as 2.50 [default: as configured]
    #[arg(long, value_name = "DOLLARS", value_parser = micros)]
    budget: Option<u64>,
    /// What the sandbox's files begin with: an image of `lamplight image list`, or `host` for this machine's own
    /// [default: as configured]
    #[arg(long, value_name = "NAME")]
    image: Option<ImageChoice>,
    #[command(flatten)]
    sandbox: LimitArguments,
    /// Begin it for this session, on its repository and what it has committed, and with what is left of its budget
    #[arg(long, value_name = "SESSION", conflicts_with_all = ["attempts", "each", "repo"])]
    parent: Option<String>,
    /// Give it to so many sessions at once, of which you take one later: `lamplight compare`, `lamplight take`
    #[arg(long, value_name = "NUMBER")]
    attempts: Option<usize>,
    /// The agent of one of those, and its model; once for each that is to have its own
    #[arg(long = "attempt", value_name = "AGENT[:MODEL]", value_parser = attempt)]
    each: Vec<AttemptRequest>,
    /// Hand it over and return
    #[arg(long)]
    detach: bool,
    /// One JSON document a line: the session, its log, and the session again
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    common: &Common,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let repository = match &arguments.parent {
        Some(_) => PathBuf::new(),
        None => {
            arguments.repo.canonicalize().with_context(|| format!("find {}", arguments.repo.display()))?
        }
    };
    let client = server_process::find_or_start(common).await?;
    let parent = match &arguments.parent {
        Some(parent) => Some(client.resolve(parent).await?),
        None => None,
    };
    let request = NewSessionRequest {
        repository: repository.to_str().context("the repository's path is not UTF-8")?.to_owned(),
        prompt: arguments.text.clone(),
        attachments: arguments.files.upload(&client).await?,
        agent: arguments.agent.clone(),
        model: arguments.model.clone(),
        title: arguments.title.clone(),
        base: arguments.base.clone(),
        network: arguments.network.clone(),
        limits: arguments
            .budget
            .map(|budget| LimitsRequest { budget_micros: Some(budget), ..LimitsRequest::default() }),
        image: arguments.image.as_ref().map(ToString::to_string),
        sandbox: arguments.sandbox.request(),
        attempts: arguments.attempts(),
        parent,
        ..NewSessionRequest::default()
    };
    if !request.attempts.is_empty() {
        return begin_attempts(&client, &request, arguments.json, output).await;
    }
    hand_over(&client, &request, arguments.detach, arguments.json, output).await
}

impl Arguments {
    /// Those that were described come first; none where one session is wanted.
    fn attempts(&self) -> Vec<AttemptRequest> {
        let mut attempts = self.each.clone();
        let number = self.attempts.unwrap_or(0).max(attempts.len()).min(MOST_ATTEMPTS);
        attempts.resize(number, AttemptRequest::default());
        attempts
    }
}

/// `AGENT`, `AGENT:MODEL`, or `:MODEL` for the usual agent.
fn attempt(text: &str) -> Result<AttemptRequest, String> {
    let (agent, model) = text.split_once(':').unwrap_or((text, ""));
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    match (said(agent), said(model)) {
        (None, None) => Err("say an agent, a model after a colon, or both".to_owned()),
        (agent, model) => Ok(AttemptRequest { agent, model }),
    }
}

/// Starts several, and says how they are looked at.
async fn begin_attempts(
    client: &Client,
    request: &NewSessionRequest,
    json: bool,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let first: SessionView = client.post_once("/sessions", request).await?;
    let list: AttemptList = client.get(&format!("/sessions/{}/attempts", first.id)).await?;
    if json {
        output.json(&list)?;
    } else {
        compare::show(&list, client, output)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts a session, and watches it unless it is to be left alone.
pub(super) async fn hand_over(
    client: &Client,
    request: &NewSessionRequest,
    detach: bool,
    json: bool,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let view: SessionView = client.post_once("/sessions", request).await?;
    if json {
        output.json(&json!({ "session": &view }))?;
    }
    if detach {
        if !json {
            output.line(&format!("{}\n{}", view.id, client.page(&view.id)))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !json {
        output.line(&output.paint(Style::Dim, &client.page(&view.id)))?;
    }
    let end = watch(client, &view.id, 0, json, output).await?;
    let view = client.session(&view.id).await?;
    match end {
        End::Settled => conclude(&view, client, json, output),
        End::Left => {
            if !json {
                output.line(&format!("It runs on in the background: lamplight logs -f {}", view.id))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        End::Stopping => {
            if !json {
                output.line(&format!("It is being stopped: lamplight logs -f {}", view.id))?;
            }
            Ok(ExitCode::from(STOPPED))
        }
    }
}

/// A word, or hosts separated by commas.
pub(super) fn network(text: &str) -> Result<Network, String> {
    match text {
        "open" => Ok(Network::Open),
        "none" => Ok(Network::None),
        hosts => {
            let network =
                Network::Allowlist { hosts: hosts.split(',').map(|host| host.trim().to_owned()).collect() };
            let checked = lamplight_domain::Network::try_from(network).map_err(|error| error.to_string())?;
            Ok(checked.into())
        }
    }
}

/// How watching ended.
enum End {
    /// Nothing more happens until somebody says something.
    Settled,
    /// The person left it running.
    Left,
    /// The person did not wait for the end of what they had stopped.
    Stopping,
}

/// Draws the log until the session settles; Ctrl-C once stops the turn, twice leaves.
async fn watch(
    client: &Client,
    id: &str,
    after: u64,
    json: bool,
    output: &mut Output,
) -> anyhow::Result<End> {
    let mut renderer =
        Renderer::new(std::io::stdout(), output.colours, output.status_width().filter(|_| !json));
    let mut seen = pin!(Watch::new(client, id, after).into_stream());
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop_at = None::<Instant>;
    let mut stopping = false;
    let end = loop {
        tokio::select! {
            next = seen.next() => {
                let settles = match next.context("the event stream ended")?? {
                    Seen::Live => true,
                    Seen::Entry { text, entry } => {
                        if json {
                            output.line(&text)?;
                        } else if let Some(entry) = &entry {
                            renderer.entry(entry)?;
                        }
                        // Of a kind that a newer server knows, it may be the last.
                        entry.is_none_or(|entry| entry.event.may_settle())
                    }
                };
                if settles && is_settled(client.session(id).await?.phase) {
                    break End::Settled;
                }
            }
            _ = interrupts.recv() => {
                if stopping {
                    break End::Stopping;
                }
                if stop_at.is_some() {
                    break End::Left;
                }
                stop_at = Some(Instant::now() + TWICE);
                if !json {
                    renderer.note("stopping the turn; Ctrl-C again leaves it running in the background")?;
                }
            }
            () = sleep_until(stop_at.unwrap_or_else(Instant::now)), if stop_at.is_some() => {
                stop_at = None;
                stopping = true;
                stop(client, id).await?;
                if is_settled(client.session(id).await?.phase) {
                    break End::Settled;
                }
            }
            _ = tick.tick() => renderer.tick(clock::now())?,
        }
    };
    renderer.finish()?;
    Ok(end)
}

/// Stops the turn; where none runs yet, takes back what was asked.
async fn stop(client: &Client, id: &str) -> anyhow::Result<()> {
    let stopped = client.post::<SessionView>(&format!("/sessions/{id}/stop"), None::<&()>).await;
    match stopped {
        Ok(_) => Ok(()),
        Err(error) if refused_with(&error, "no_turn_running") => {
            for queued in client.session(id).await?.queued {
                client.delete(&format!("/sessions/{id}/prompts/{}", queued.prompt)).await?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn is_settled(phase: Phase) -> bool {
    match phase {
        Phase::Done | Phase::Failed | Phase::Stuck | Phase::Paused => true,
        Phase::Queued | Phase::Starting | Phase::Planning | Phase::Executing | Phase::WaitingForYou => false,
    }
}

/// The last words, and the exit code.
fn conclude(
    view: &SessionView,
    client: &Client,
    json: bool,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let code = match view.phase {
        Phase::Paused => ExitCode::from(STOPPED),
        Phase::Done
        | Phase::Queued
        | Phase::Starting
        | Phase::Planning
        | Phase::Executing
        | Phase::WaitingForYou => ExitCode::SUCCESS,
        Phase::Failed | Phase::Stuck => ExitCode::FAILURE,
    };
    if json {
        output.json(&json!({ "session": view }))?;
        return Ok(code);
    }
    let style = match view.phase {
        Phase::Failed | Phase::Stuck => Style::Bad,
        Phase::Paused => Style::Warm,
        Phase::Done
        | Phase::Queued
        | Phase::Starting
        | Phase::Planning
        | Phase::Executing
        | Phase::WaitingForYou => Style::Good,
    };
    let reason = view.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    output.line("")?;
    output.line(&format!(
        "{}{reason} {}",
        output.paint(style, view.phase.as_str()),
        output.paint(Style::Dim, &numbers(view)),
    ))?;
    if view.tripped.as_ref().is_some_and(|tripped| tripped.can_be_continued) {
        output.line(&format!("go on   lamplight continue {}", view.id))?;
    }
    if let Some(commit) = view.commits.last() {
        output.line(&format!("branch  {} at {}", view.branch, short(&commit.id)))?;
        output.line(&format!("review  lamplight diff {id}   then   lamplight merge {id}", id = view.id))?;
    }
    output.line(&format!("page    {}", client.page(&view.id)))?;
    Ok(code)
}

/// `· 3 steps · 12 s · 4.1k tokens · $0.12`
pub(super) fn numbers(view: &SessionView) -> String {
    let tokens = view.tokens.input + view.tokens.output;
    let tokens =
        if tokens > 0 { format!(" · {} tokens", super::output::count(tokens)) } else { String::new() };
    let cost = money(view.cost).map(|cost| format!(" · {cost}")).unwrap_or_default();
    format!("· {} · {}{tokens}{cost}", plural(view.steps.into(), "step"), duration(view.elapsed_ms))
}
