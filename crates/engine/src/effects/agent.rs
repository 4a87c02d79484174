//! The agent's process: started, told, heard, ended. The guest has it; this is only the conversation with it, and can be cut
//! and taken up again at any byte.

use super::context::Context;
use super::{Trouble, limits};
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
use std::sync::atomic::{AtomicU64, Ordering};

/// Between asking everything in the sandbox to end and killing it; ms.
const KILL_GRACE_MS: u64 = 500;
/// Permission bits of files that are written for an agent.
const FILE_MODE: u32 = 0o600;
/// And of files that people attach: the agent's own programs may run as others.
const ATTACHED_MODE: u32 = 0o644;
/// The end of standard error that explains an exit; bytes.
const LAST_WORDS: usize = 600;

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
    let end = AtomicU64::new(state.stderr.start);
    tokio::select! {
        exited = hear(context, run, reader, read, &end) => {
            let (status, detail) = exited?;
            let detail = limits::explain(context, handle, detail).await;
            link.kill_all(0).await?;
            Ok(Report::AgentExited { run, status: Some(status), detail })
        }
        Err(trouble) = tell(context, &link, stdin) => Err(trouble),
        Err(trouble) = limits::tell(context, handle) => Err(trouble),
        Err(trouble) = acknowledge(context, acks, &end) => Err(trouble),
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
            let writing = agents::writing(bring(context, link, &input.input).await?);
            if let Err(error) = stdin.write(input.n, Bytes::from(render(&input.input, &writing))).await {
                return closed_input(error).await;
            }
        }
        if durable.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Puts the files that come with a message into the sandbox; those of them that the agent is shown. One that cannot be put there is
/// told to people: what else was said is worth saying without it.
async fn bring(
    context: &Context,
    link: &Link,
    input: &AgentInput,
) -> Result<BTreeMap<String, Bytes>, Trouble> {
    let AgentInput::Prompt { attachments, images, .. } = input else { return Ok(BTreeMap::new()) };
    let store = &context.shared.store;
    for file in attachments {
        let missing = match attachments::find(store, &file.blob).await {
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
    Ok(if *images { attachments::shown(store, attachments).await } else { BTreeMap::new() })
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
    mut acks: Acks,
    stderr: &AtomicU64,
) -> Result<std::convert::Infallible, Trouble> {
    let mut durable = context.durable.clone();
    loop {
        let read = durable.borrow_and_update().read;
        acks.ack(Offsets { stdout: read, stderr: stderr.load(Ordering::Relaxed) }).await?;
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
    read: u64,
    stderr_end: &AtomicU64,
) -> Result<(ExitStatus, String), Trouble> {
    let mut lines = Lines::starting_at(read);
    let mut understanding = AgentReader::default();
    let mut last_words = VecDeque::new();
    loop {
        match reader.next().await? {
            Some(Output::Stdout { bytes, .. }) => {
                let heard = understand(context, &mut lines, &mut understanding, &bytes);
                if !heard.is_empty() {
                    context.send(Message::Heard { run, lines: heard }).await;
                }
            }
            Some(Output::Stderr { offset, bytes }) => {
                last_words.extend(bytes.iter().copied());
                let excess = last_words.len().saturating_sub(LAST_WORDS);
                last_words.drain(..excess);
                stderr_end.store(offset + bytes.len() as u64, Ordering::Relaxed);
                let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                context.send(Message::Facts(vec![Event::AgentLogged { text }])).await;
            }
            Some(Output::Exited { status }) => {
                let words: Vec<u8> = last_words.into();
                return Ok((status, describe(status, String::from_utf8_lossy(&words).trim())));
            }
            None => std::future::pending().await,
        }
    }
}

fn understand(context: &Context, lines: &mut Lines, reader: &mut AgentReader, bytes: &[u8]) -> Vec<Heard> {
    let durable = context.durable.borrow();
    let listening = if durable.loading { Listening::Loading } else { Listening::Turn(durable.turn) };
    drop(durable);
    let understand = |line| match line {
        Ok(Line { text, end }) => {
            let Said { events, reports } = reader.read(&text, listening);
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
