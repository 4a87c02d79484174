//! What the host asks for.

use super::process::Process;
use super::stream::{Stream, receive, send};
use super::{Guest, refusal};
use crate::universe::lock;
use crate::weather::Flaw;
use bytes::{Bytes, BytesMut};
use lamplight_wire::output::ACKNOWLEDGE_BYTES;
use lamplight_wire::stdin::{ANSWER_BYTES, CLOSE, ENDED, STDIN_HEADER, decode_header};
use lamplight_wire::{
    Acknowledge, Code, ExitStatus, Generations, Hello, Offsets, Open, Output, Refusal, Reply, chunk,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

/// What a guest takes that takes its time.
const LATE: Duration = Duration::from_secs(10);

/// Answers one call.
pub(super) async fn answer(guest: &Arc<Guest>, link: u64, mut stream: Stream) -> io::Result<()> {
    let asked = receive(&mut stream).await?;
    guest.universe.step().await;
    guest.runs().await;
    let Ok(open) = serde_json::from_value::<Open>(asked.clone()) else {
        guest.universe.wrong(format!("a guest does not know {asked}"));
        return Err(io::ErrorKind::InvalidData.into());
    };
    let reply = match open {
        Open::Hello { .. } => Ok(Reply::Hello(Hello {
            version: "simulated".to_owned(),
            generations: Generations::OURS,
            link,
            init: true,
        })),
        Open::Spawn { process, spec, transient } => guest
            .spawn(process, spec, transient.then_some(link))
            .map(|process| Reply::Process(process.state())),
        Open::Attach { process, from } => match guest.process(&process) {
            Ok(process) => return attach(guest, &process, from, stream).await,
            Err(refused) => Err(refused),
        },
        Open::Stdin { process } => match guest.process(&process).and_then(with_input) {
            Ok(process) => return input(guest, &process, stream).await,
            Err(refused) => Err(refused),
        },
        Open::KillAll { .. } => Ok(Reply::Killed { count: kill_all(guest).await }),
        Open::Forget { process } => forget(guest, &process).map(|()| Reply::Done),
        Open::Processes => {
            let processes = guest.processes().iter().map(|process| process.state()).collect();
            Ok(Reply::Processes { processes })
        }
        Open::WriteFile { .. } => whole_file(&mut stream).await.map(|()| Ok(Reply::Done))?,
        other => {
            guest.universe.wrong(format!("a guest was asked for {other:?}"));
            Err(refusal(Code::Unsupported, "the simulation has nobody who asks for this"))
        }
    };
    send(&mut stream, &reply.unwrap_or_else(Reply::Refused)).await?;
    // As long as the host has not read it.
    let _ = stream.shutdown().await;
    Ok(())
}

async fn kill_all(guest: &Guest) -> u32 {
    if guest.universe.flaw == Some(Flaw::EndsNothing) {
        return 1;
    }
    if guest.universe.flaw == Some(Flaw::EndsLate) {
        tokio::time::sleep(LATE).await;
    }
    guest.kill_all()
}

fn with_input(process: Arc<Process>) -> Result<Arc<Process>, Refusal> {
    match lock(&process.inner).has_input {
        true => Ok(process.clone()),
        false => Err(refusal(Code::NoStdin, "it was started without a standard input")),
    }
}

fn forget(guest: &Guest, name: &str) -> Result<(), Refusal> {
    if let Ok(process) = guest.process(name) {
        if lock(&process.inner).status.is_none() {
            return Err(refusal(Code::StillRunning, format!("process {name} has not ended")));
        }
        guest.forget(name);
    }
    Ok(())
}

async fn whole_file(stream: &mut Stream) -> io::Result<()> {
    loop {
        let mut header = [0; chunk::CHUNK_HEADER];
        stream.read_exact(&mut header).await?;
        match chunk::decode_header(header).map_err(io::Error::other)? {
            chunk::Chunk::Bytes(length) => {
                let mut bytes = vec![0; length];
                stream.read_exact(&mut bytes).await?;
            }
            chunk::Chunk::End => return Ok(()),
            chunk::Chunk::Failed => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A transient process ends with whoever is attached to it.
async fn attach(guest: &Guest, process: &Process, from: Offsets, mut stream: Stream) -> io::Result<()> {
    struct Leave<'a>(&'a Guest, &'a Process);
    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            if self.1.transient.is_some() {
                self.0.abandon(self.1);
            }
        }
    }

    if guest.universe.flaw == Some(Flaw::ForgetsOutput) {
        let mut inner = lock(&process.inner);
        let end = inner.stdout.bounds().end;
        inner.stdout.acknowledge(end);
    }
    if !is_there(process, from) {
        let message = format!("the output of {} cannot be read from {from:?}", process.name);
        return send(&mut stream, &Reply::Refused(refusal(Code::OutOfBounds, message))).await;
    }
    let _leave = Leave(guest, process);
    send(&mut stream, &Reply::Process(process.state())).await?;
    let (reader, writer) = tokio::io::split(stream);
    tokio::select! {
        biased;
        sent = tell(guest, process, from, writer) => sent,
        received = acknowledged(guest, process, reader) => received,
    }
}

fn is_there(process: &Process, from: Offsets) -> bool {
    let inner = lock(&process.inner);
    let [stdout, stderr] = [inner.stdout.bounds(), inner.stderr.bounds()];
    (stdout.start..=stdout.end).contains(&from.stdout) && (stderr.start..=stderr.end).contains(&from.stderr)
}

enum Next {
    Stdout(Bytes),
    Stderr(Bytes),
    Exited(ExitStatus),
    Nothing,
}

/// Sends what there is and then what comes; after the exit status nothing more.
async fn tell(
    guest: &Guest,
    process: &Process,
    mut sent: Offsets,
    mut writer: WriteHalf<Stream>,
) -> io::Result<()> {
    loop {
        let news = process.news.notified();
        let next = {
            let inner = lock(&process.inner);
            match (inner.stdout.read(sent.stdout), inner.stderr.read(sent.stderr)) {
                (Some(bytes), _) if !bytes.is_empty() => Next::Stdout(bytes),
                (_, Some(bytes)) if !bytes.is_empty() => Next::Stderr(bytes),
                (Some(_), Some(_)) => inner.status.map_or(Next::Nothing, Next::Exited),
                _ => return Err(io::Error::other("somebody else has acknowledged it")),
            }
        };
        let output = match next {
            Next::Stdout(bytes) => {
                let offset = sent.stdout;
                sent.stdout += bytes.len() as u64;
                Output::Stdout { offset, bytes }
            }
            Next::Stderr(bytes) => {
                let offset = sent.stderr;
                sent.stderr += bytes.len() as u64;
                Output::Stderr { offset, bytes }
            }
            Next::Exited(status) => {
                write(&mut writer, &Output::Exited(status)).await?;
                return std::future::pending().await;
            }
            Next::Nothing => {
                news.await;
                continue;
            }
        };
        write(&mut writer, &output).await?;
        guest.universe.step().await;
        guest.runs().await;
    }
}

async fn write(writer: &mut WriteHalf<Stream>, output: &Output) -> io::Result<()> {
    let mut frame = BytesMut::new();
    output.encode(&mut frame).map_err(io::Error::other)?;
    writer.write_all(&frame).await
}

async fn acknowledged(guest: &Guest, process: &Process, mut reader: ReadHalf<Stream>) -> io::Result<()> {
    loop {
        let mut bytes = [0; ACKNOWLEDGE_BYTES];
        reader.read_exact(&mut bytes).await?;
        let Some(Acknowledge(durable)) = Acknowledge::decode(&mut BytesMut::from(&bytes[..])) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut inner = lock(&process.inner);
        let stdout = inner.stdout.acknowledge(durable.stdout);
        let stderr = inner.stderr.acknowledge(durable.stderr);
        drop(inner);
        if !stdout || !stderr {
            guest.universe.wrong(format!("{} has not said what is acknowledged: {durable:?}", process.name));
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

/// Takes numbered messages, each once, until a newer stream does, or the process has ended.
async fn input(guest: &Guest, process: &Process, mut stream: Stream) -> io::Result<()> {
    let mine = {
        let mut inner = lock(&process.inner);
        inner.inputs += 1;
        if guest.universe.flaw == Some(Flaw::LosesAcknowledgements) {
            inner.written = inner.written.saturating_sub(1);
        }
        inner.inputs
    };
    process.news.notify_waiters();
    let told = process.state().stdin_written;
    send(&mut stream, &Reply::Process(process.state())).await?;
    let (reader, writer) = tokio::io::split(stream);
    tokio::select! {
        biased;
        answered = answers(process, mine, told, writer) => answered,
        taken = take(guest, process, mine, reader) => taken,
    }
}

async fn answers(
    process: &Process,
    mine: u64,
    mut told: u64,
    mut writer: WriteHalf<Stream>,
) -> io::Result<()> {
    loop {
        let news = process.news.notified();
        let (written, has_ended, is_newest) = {
            let inner = lock(&process.inner);
            (inner.written, inner.status.is_some(), inner.inputs == mine)
        };
        if !is_newest {
            return Ok(());
        }
        if written > told {
            told = written;
            let answer: [u8; ANSWER_BYTES] = told.to_be_bytes();
            writer.write_all(&answer).await?;
        }
        if has_ended {
            return writer.write_all(&ENDED.to_be_bytes()).await;
        }
        news.await;
    }
}

async fn take(guest: &Guest, process: &Process, mine: u64, mut reader: ReadHalf<Stream>) -> io::Result<()> {
    loop {
        let mut header = [0; STDIN_HEADER];
        reader.read_exact(&mut header).await?;
        let (n, length) = decode_header(header).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes).await?;
        guest.universe.step().await;
        guest.runs().await;
        if n == CLOSE {
            continue;
        }
        if !hand_over(guest, process, mine, n, &bytes)? {
            return std::future::pending().await;
        }
        process.news.notify_waiters();
        guest.universe.step().await;
    }
}

/// Whether this stream still serves the input.
fn hand_over(guest: &Guest, process: &Process, mine: u64, n: u64, message: &[u8]) -> io::Result<bool> {
    let mut inner = lock(&process.inner);
    if inner.inputs != mine || inner.status.is_some() {
        return Ok(false);
    }
    if n > inner.written + 1 {
        guest.universe.wrong(format!("message {n} follows message {}", inner.written));
        return Err(io::ErrorKind::InvalidData.into());
    }
    if n <= inner.written {
        return Ok(true);
    }
    inner.written = n;
    let heard = String::from_utf8_lossy(message);
    guest.universe.tell(|| format!("{} {} hears {}", guest.session, process.name, heard.trim()));
    if let Some(agent) = &mut inner.agent {
        agent.hear(message);
    }
    Ok(true)
}
