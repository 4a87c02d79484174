//! `lamplight terminal`: a shell in a session's sandbox, at the terminal that this runs in.

use super::SessionArgument;
use super::client::{Client, Socket};
use super::output::Output;
use crate::http::terminals::open::OpenTerminal;
use crate::http::terminals::{Terminal, TerminalList};
use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use serde::Deserialize;
use std::io::{Read, Write};
use std::pin::pin;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;

/// Ctrl-], which telnet(1) leaves by too.
const LEAVE: u8 = 0x1d;
/// Pieces of what is typed that wait to be sent; who types more waits too.
const TYPED: usize = 16;
const PIECE: usize = 4096;
/// Of a terminal that is none, such as a pipe.
const DEFAULT_SIZE: (u16, u16) = (24, 80);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// One that is open already: its id, or the end of it
    terminal: Option<String>,
    /// List the terminals that are open
    #[arg(long, conflicts_with = "terminal")]
    list: bool,
    /// One JSON document
    #[arg(long, requires = "list")]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let session = client.resolve(&arguments.session.session).await?;
    let all = format!("/sessions/{session}/terminals");
    if arguments.list {
        return list(&client.get(&all).await?, arguments.json, output);
    }
    let (rows, columns) = size();
    let terminal = match &arguments.terminal {
        Some(wanted) => find(&client.get(&all).await?, wanted)?,
        None => client.post::<Terminal>(&all, Some(&OpenTerminal { rows, columns })).await?.id,
    };
    let socket = client.terminal(&session, &terminal).await.context("connect to the terminal")?;
    // From here on what is typed goes inside, until this is dropped.
    let raw = Raw::begin()?;
    let end = sit(socket).await;
    drop(raw);
    match end? {
        End::Exited(code) => Ok(ExitCode::from(code)),
        End::Left => {
            output
                .line(&format!("The shell goes on. Back to it: lamplight terminal {session} {terminal}"))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(terminals: &TerminalList, json: bool, output: &mut Output) -> anyhow::Result<ExitCode> {
    if json {
        output.json(terminals)?;
        return Ok(ExitCode::SUCCESS);
    }
    for terminal in &terminals.items {
        let state = match (terminal.exit_code, terminal.signal) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (_, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => "running".to_owned(),
        };
        output.line(&format!("{}  {state}", terminal.id))?;
    }
    if terminals.items.is_empty() {
        output.line("No terminal is open.")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn find(terminals: &TerminalList, wanted: &str) -> anyhow::Result<String> {
    let wanted = wanted.to_ascii_uppercase();
    let mut found = terminals.items.iter().filter(|terminal| terminal.id.ends_with(&wanted));
    match (found.next(), found.next()) {
        (Some(terminal), None) => Ok(terminal.id.clone()),
        (None, _) => bail!("no terminal's id ends with {wanted}; --list shows those that are open"),
        (Some(_), Some(_)) => bail!("several terminals' ids end with {wanted}; say more of it"),
    }
}

enum End {
    Exited(u8),
    /// By the key for it, or because there is nothing more to read.
    Left,
}

async fn sit(socket: Socket) -> anyhow::Result<End> {
    let (mut sink, stream) = socket.split();
    let mut typed = keyboard();
    let mut resized = signal(SignalKind::window_change()).context("listen for a new size")?;
    resize(&mut sink).await?;
    let (seen, mut acks) = watch::channel(0);
    let mut shown = pin!(show(stream, seen));
    // A script that is piped in comes to its end; what it does is still shown.
    let mut reading = true;
    loop {
        tokio::select! {
            end = &mut shown => return end,
            keys = typed.recv(), if reading => match keys {
                Some(keys) if keys.contains(&LEAVE) => return Ok(End::Left),
                Some(keys) => sink.send(Message::Binary(keys)).await.context("send what was typed")?,
                None => reading = false,
            },
            Ok(()) = acks.changed() => {
                let frame = serde_json::json!({ "ack": *acks.borrow_and_update() }).to_string();
                sink.send(Message::text(frame)).await.context("say what was shown")?;
            }
            _ = resized.recv() => resize(&mut sink).await?,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "control", rename_all = "snake_case")]
enum Control {
    Exited {
        exit_code: Option<i32>,
        signal: Option<i32>,
    },
    Refused {
        detail: String,
        what_to_do: String,
    },
    GoingAway,
    #[serde(other)]
    Other,
}

/// Until the shell has ended, or the server leaves.
async fn show(mut stream: SplitStream<Socket>, seen: watch::Sender<u64>) -> anyhow::Result<End> {
    let mut screen = std::io::stdout();
    while let Some(message) = stream.next().await {
        match message.context("the connection to the server broke")? {
            Message::Binary(bytes) => {
                let (offset, shown) = bytes.split_first_chunk().context("the server sent half a frame")?;
                screen.write_all(shown).and_then(|()| screen.flush()).context("show output")?;
                seen.send_replace(u64::from_be_bytes(*offset) + shown.len() as u64);
            }
            Message::Text(text) => match serde_json::from_str(&text).context("understand the server")? {
                Control::Exited { exit_code, signal } => return Ok(End::Exited(exit(exit_code, signal))),
                Control::Refused { detail, what_to_do } => bail!("{detail} {what_to_do}"),
                Control::GoingAway => bail!("the server is going away; the shell goes on"),
                Control::Other => {}
            },
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            Message::Close(_) => break,
        }
    }
    bail!("the connection to the terminal is gone; the shell may go on, --list shows it")
}

/// As shells say it.
fn exit(code: Option<i32>, signal: Option<i32>) -> u8 {
    let number = code.or(signal.map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(number).unwrap_or(1)
}

async fn resize(sink: &mut SplitSink<Socket, Message>) -> anyhow::Result<()> {
    let (rows, columns) = size();
    let frame = serde_json::json!({ "rows": rows, "columns": columns }).to_string();
    sink.send(Message::text(frame)).await.context("say how large the terminal is")
}

fn size() -> (u16, u16) {
    match tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row, size.ws_col),
        Ok(_) | Err(_) => DEFAULT_SIZE,
    }
}

/// Reads on a thread of its own, which nothing can interrupt and which ends with the process.
fn keyboard() -> mpsc::Receiver<Bytes> {
    let (sender, typed) = mpsc::channel(TYPED);
    std::thread::spawn(move || {
        let mut piece = [0; PIECE];
        while let Ok(length @ 1..) = std::io::stdin().read(&mut piece) {
            if sender.blocking_send(Bytes::copy_from_slice(&piece[..length])).is_err() {
                return;
            }
        }
    });
    typed
}

/// Keys go inside as they are, signals too. What was before comes back when this is dropped.
struct Raw(Option<Termios>);

impl Raw {
    fn begin() -> anyhow::Result<Self> {
        let keys = std::io::stdin();
        if !isatty(&keys) {
            return Ok(Self(None));
        }
        let before = tcgetattr(&keys).context("look at the terminal")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&keys, OptionalActions::Flush, &raw).context("take keys as they are")?;
        Ok(Self(Some(before)))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, before);
        }
    }
}
