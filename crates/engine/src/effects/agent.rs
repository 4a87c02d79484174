//! The agent's process: started, told, heard, ended. The guest has it; this is only the conversation with it, and can be cut
//! and taken up again at any byte.

use super::context::Context;
use super::murmur::{Murmur, Murmured, last_words};
use super::naming::Naming;
use super::{Trouble, limits};
use crate::CommandError;
use crate::images;
use crate::session::{Heard, Message};
use crate::{agents, attachments};
use bytes::Bytes;
use lamplight_agent::{Line, LineTooLong, Lines, Listening, Reader as AgentReader, Said, render};
use lamplight_domain::agent::{AgentInput, AgentReport, ExitStatus};
use lamplight_domain::session::Report;
use lamplight_domain::{Event, Generation};
use lamplight_sandbox::link::{Acks, Code, Link, LinkError, Offsets, Output, ProcessState, Reader, Stdin};
use lamplight_sandbox::provider::inside;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Between asking everything in the sandbox to end and killing it; ms.
const KILL_GRACE_MS: u64 = 500;
/// Permission bits of files that are written for an agent.
const FILE_MODE: u32 = 0o600;
/// And of files that people attach: the agent's own programs may run as others.
const ATTACHED_MODE: u32 = 0o644;
/// From one try to get a prompt's files to the next, beside what the object store's client waits by itself.
const PAUSE: Duration = Duration::from_secs(2);
/// The end of standard error that explains an exit; characters, and the bytes that it is taken from.
const LAST_WORDS: usize = 600;
const KEPT_WORDS: usize = 16 * 1024;

fn process_name(run: u32) -> String {
    format!("agent-{run}")
}

/// Follows the process until it ends; starts it first if it was not.
pub(super) async fn run(
    context: &Context,
    generation: Generation,
    handle: &str,
    run: u32,
    read: u64,
    model: Option<String>,
) -> Result<Report, Trouble> {
    let link = context.link(generation, handle).await?;
    let name = process_name(run);
    let naming = Naming::of(&context.shared, &context.spec.agent, model.as_deref());
    let known = link.processes().await?.into_iter().find(|process| process.process == name);
    let state = match known {
        Some(state) => state,
        None => {
            let image = context.spec.image.as_ref().map(|image| &image.digest);
            let Some(how) = agents::start(&context.shared, &context.spec.agent, model, image) else {
                let detail = format!("the configuration has no agent {:?} any more", context.spec.agent);
                return Ok(Report::AgentExited { run, status: None, detail });
            };
            match start(&link, run, how).await {
                Err(LinkError::Refused { message, .. }) => {
                    let image = context.spec.image.as_ref();
                    let detail = images::explain(&context.shared.config, image, message);
                    return Ok(Report::AgentExited { run, status: None, detail });
                }
                started => started?,
            }
        }
    };
    // What was acknowledged is either before the log's place or had nothing for it. Standard error has no place in the log; what
    // was not acknowledged of it is read again.
    let read = read.max(state.stdout.start);
    let attached = link.attach(&name, Offsets { stdout: read, stderr: state.stderr.start }).await?;
    let stdin = link.stdin(&name).await;
    let (reader, acks) = attached.split();
    tokio::select! {
        exited = hear(context, run, reader, Offsets { stdout: read, stderr: state.stderr.start }, &naming) => {
            let (status, detail) = exited?;
            let detail = limits::explain(context, handle, detail).await;
            link.kill_all(0).await?;
            Ok(Report::AgentExited { run, status: Some(status), detail })
        }
        Err(trouble) = tell(context, &link, stdin, &naming) => Err(trouble),
        Err(trouble) = limits::tell(context, handle) => Err(trouble),
        Err(trouble) = acknowledge(context, run, acks, state.stderr.start) => Err(trouble),
    }
}

async fn start(link: &Link, run: u32, start: agents::Start) -> Result<ProcessState, LinkError> {
    if run > 1 {
        let _ = link.forget(&process_name(run - 1)).await;
    }
    for (path, content) in start.files {
        link.write_file(&path, FILE_MODE, content).await?;
    }
    link.spawn(&process_name(run), &start.process).await
}

/// Writes what the log says the agent is told, each message once: the guest drops numbers that it has written before.
async fn tell(
    context: &Context,
    link: &Link,
    stdin: Result<Stdin, LinkError>,
    naming: &Naming,
) -> Result<std::convert::Infallible, Trouble> {
    let mut durable = context.durable.clone();
    let mut stdin = match stdin {
        Ok(stdin) => stdin,
        Err(error) => return closed_input(error).await,
    };
    loop {
        let inputs: Vec<_> = durable.borrow_and_update().inputs.clone();
        for input in inputs {
            if input.n <= stdin.written() {
                continue;
            }
            let writing = agents::writing(&context.spec, Box::pin(bring(context, link, &input.input)).await?);
            if let Err(error) =
                stdin.write(input.n, Bytes::from(render(&naming.told(&input.input), &writing))).await
            {
                return closed_input(error).await;
            }
        }
        if durable.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Puts the files that come with a message into the sandbox; those of them that the agent is shown. One that cannot be put there is
/// told to people: what else was said is worth saying without it. An object store that is away is waited for, as the prompt was accepted
/// with its files: people are told, and how long is for the turn's guards.
async fn bring(
    context: &Context,
    link: &Link,
    input: &AgentInput,
) -> Result<BTreeMap<String, Bytes>, Trouble> {
    let AgentInput::Prompt { attachments, images, .. } = input else { return Ok(BTreeMap::new()) };
    let (shared, mut told) = (&context.shared, false);
    for file in attachments {
        let find = || attachments::find(shared, &file.blob);
        let missing = match once_there(context, &mut told, find).await {
            Ok(content) => match link.write_file(&file.path(inside::HOME), ATTACHED_MODE, content).await {
                Ok(()) => continue,
                Err(LinkError::Refused { message, .. }) => message,
                Err(error) => return Err(error.into()),
            },
            Err(error) => error.to_string(),
        };
        let text = format!("The attached {} could not be put into the sandbox: {missing}", file.name);
        context.send(Message::Facts(vec![Event::Noted { text }])).await;
    }
    match *images {
        true => {
            let shown = once_there(context, &mut told, || attachments::shown(shared, attachments)).await;
            shown.map_err(|error| Trouble::Again(error.into()))
        }
        false => Ok(BTreeMap::new()),
    }
}

/// What is asked of an object store, asked again for as long as that is away.
async fn once_there<T, F>(context: &Context, told: &mut bool, ask: impl Fn() -> F) -> Result<T, CommandError>
where
    F: Future<Output = Result<T, CommandError>>,
{
    loop {
        let why = match ask().await {
            Err(CommandError::StorageUnavailable(why)) => why,
            answered => return answered,
        };
        if !std::mem::replace(told, true) {
            tracing::warn!(session.id = %context.id, "a prompt waits for its files: {why}");
            let text = "The object store does not answer. The prompt waits for its files; meanwhile the agent is silent.";
            context.send(Message::Facts(vec![Event::Noted { text: text.into() }])).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// An agent that no longer reads is about to end, or is told so by a guard: its exit is what counts.
async fn closed_input(error: LinkError) -> Result<std::convert::Infallible, Trouble> {
    match error {
        LinkError::Refused { code: Code::NoStdin | Code::NotRunning, .. } => std::future::pending().await,
        other => Err(other.into()),
    }
}

/// Tells the guest what it need not keep any longer.
async fn acknowledge(
    context: &Context,
    run: u32,
    mut acks: Acks,
    stderr: u64,
) -> Result<std::convert::Infallible, Trouble> {
    let mut durable = context.durable.clone();
    loop {
        let offsets = {
            let durable = durable.borrow_and_update();
            let logged = durable.logged.filter(|(of, _)| *of == run);
            Offsets { stdout: durable.read, stderr: logged.map_or(stderr, |(_, end)| end) }
        };
        acks.ack(offsets).await?;
        if durable.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Reads until the process has ended and everything it said is with the actor.
async fn hear(
    context: &Context,
    run: u32,
    mut reader: Reader,
    from: Offsets,
    naming: &Naming,
) -> Result<(ExitStatus, String), Trouble> {
    let redaction = &context.shared.config.redaction;
    let mut lines = Lines::starting_at(from.stdout);
    let mut murmur = Murmur::starting_at(from.stderr);
    let mut understanding = AgentReader::default();
    let mut words = VecDeque::new();
    loop {
        let output = tokio::select! {
            output = reader.next() => output?,
            () = reached(murmur.until()) => {
                log(context, run, murmur.rest()).await;
                continue;
            }
        };
        match output {
            Some(Output::Stdout { bytes, .. }) => {
                let heard = understand(context, naming, &mut lines, &mut understanding, &bytes);
                if !heard.is_empty() {
                    context.send(Message::Heard { run, lines: heard }).await;
                }
            }
            Some(Output::Stderr { bytes, .. }) => {
                words.extend(bytes.iter().copied());
                let excess = words.len().saturating_sub(KEPT_WORDS);
                words.drain(..excess);
                log(context, run, murmur.hear(&bytes, Instant::now(), &redaction.now())).await;
            }
            Some(Output::Exited { status }) => {
                log(context, run, murmur.rest()).await;
                let words = last_words(&redaction.now(), words.make_contiguous(), LAST_WORDS);
                return Ok((status, describe(status, &words)));
            }
            None => std::future::pending().await,
        }
    }
}

async fn log(context: &Context, run: u32, murmured: Option<Murmured>) {
    if let Some(Murmured { text, end }) = murmured {
        context.send(Message::Logged { run, text, end }).await;
    }
}

async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn understand(
    context: &Context,
    naming: &Naming,
    lines: &mut Lines,
    reader: &mut AgentReader,
    bytes: &[u8],
) -> Vec<Heard> {
    let durable = context.durable.borrow();
    let listening = if durable.loading { Listening::Loading } else { Listening::Turn(durable.turn) };
    drop(durable);
    let understand = |line| match line {
        Ok(Line { text, end }) => {
            let Said { events, reports } = reader.read(&text, listening);
            let reports = reports.into_iter().map(|report| naming.heard(report)).collect();
            Heard { events, reports, end }
        }
        // Nothing after it is read, so how far it reaches does not matter, as long as it is news.
        Err(too_long @ LineTooLong { start }) => {
            let report = AgentReport::ProtocolBroken { failure: too_long.into() };
            Heard { events: Vec::new(), reports: vec![report], end: start + 1 }
        }
    };
    lines.push(bytes).into_iter().map(understand).collect()
}

fn describe(status: ExitStatus, last_words: &str) -> String {
    let how = match status {
        ExitStatus::Code { code } => format!("it ended with exit code {code}"),
        ExitStatus::Signal { signal } => format!("it was ended by signal {signal}"),
    };
    if last_words.is_empty() { how } else { format!("{how}: {last_words}") }
}

/// Ends everything that runs in the sandbox but the guest. When this reports, nothing of the turn runs.
pub(super) async fn kill(
    context: &Context,
    generation: Generation,
    handle: &str,
    run: u32,
) -> Result<Report, Trouble> {
    let link = context.link(generation, handle).await?;
    let count = link.kill_all(KILL_GRACE_MS).await?;
    tracing::debug!(session.id = %context.id, count, "ended everything in the sandbox");
    Ok(Report::AgentExited { run, status: None, detail: "it was ended with everything that it ran".into() })
}
