//! A process on a terminal of its own, and one who sits at it. Others may sit there as well.

use super::attached::Output;
use super::stream::next_frame;
use super::{
    CALL_DEADLINE, Link, LinkError, ProcessSpec, ProcessState, Stream, exit_status, unexpected, within,
};
use bytes::{Bytes, BytesMut};
use lamplight_wire::terminal::MAX_TYPED;
use lamplight_wire::{Code, Open, Output as Frame, Reply, TerminalSize, Typed};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};

/// What a shell that is hung up on gets to end by itself.
const HANG_UP: Duration = Duration::from_secs(2);

impl Link {
    /// Like [`spawn`](Link::spawn), on a terminal. What the process writes never waits for a reader: the newest mebibyte is kept.
    /// A guest that is older than this refuses it as `Unsupported`.
    pub async fn spawn_terminal(
        &self,
        process: &str,
        spec: &ProcessSpec,
        size: TerminalSize,
    ) -> Result<ProcessState, LinkError> {
        let open = Open::SpawnTerminal { process: process.to_owned(), spec: spec.clone(), size };
        self.process_call("spawn_terminal", open).await
    }

    /// Sits down at the terminal of a process: its output from `from` on, or from the oldest byte that is kept, and the keys to it.
    pub async fn terminal(&self, process: &str, from: u64) -> Result<Terminal, LinkError> {
        let open = Open::Terminal { process: process.to_owned(), from };
        let (stream, reply) = self.call("terminal", &open).await?;
        match reply {
            Reply::Process(state) => Ok(Terminal::new(stream, from, state)),
            other => Err(unexpected("terminal", other)),
        }
    }

    /// Ends a process on a terminal as closing its window does, kills it when that is not enough, and forgets it. Fine for one unknown.
    pub async fn close_terminal(&self, process: &str) -> Result<(), LinkError> {
        let mut terminal = match self.terminal(process, 0).await {
            Err(LinkError::Refused { code: Code::UnknownProcess, .. }) => return Ok(()),
            sat_down => sat_down?,
        };
        for signal in [libc::SIGHUP, libc::SIGKILL] {
            match self.signal(process, signal).await {
                Err(LinkError::Refused { code: Code::NotRunning, .. }) => break,
                signalled => signalled?,
            }
            if tokio::time::timeout(HANG_UP, terminal.screen.until_exit()).await.is_ok() {
                break;
            }
        }
        within("the end of a terminal", CALL_DEADLINE, self.forget(process)).await
    }

    /// The ports at which somebody inside listens and [`dial`](Link::dial) arrives, in order; at most 256.
    pub async fn ports(&self) -> Result<Vec<u16>, LinkError> {
        match self.call("ports", &Open::Ports).await?.1 {
            Reply::Ports { ports } => Ok(ports),
            other => Err(unexpected("ports", other)),
        }
    }
}

/// Somebody at a terminal.
pub struct Terminal {
    screen: Screen,
    keyboard: Keyboard,
    state: ProcessState,
}

/// What it shows.
pub struct Screen {
    stream: ReadHalf<Stream>,
    buffer: BytesMut,
    /// Of the next byte; what is before the first one that comes may be gone.
    next: u64,
    exited: bool,
}

/// What is typed.
pub struct Keyboard {
    stream: WriteHalf<Stream>,
}

impl Terminal {
    fn new(stream: Stream, from: u64, state: ProcessState) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let screen = Screen { stream: reader, buffer: BytesMut::new(), next: from, exited: false };
        Self { screen, keyboard: Keyboard { stream: writer }, state }
    }

    /// The process as it was when this one sat down.
    pub fn state(&self) -> &ProcessState {
        &self.state
    }

    /// For one task that reads and another that types.
    pub fn split(self) -> (Screen, Keyboard) {
        (self.screen, self.keyboard)
    }
}

impl Screen {
    /// The next piece of output, at most 64 KiB; never standard error. Its offset is beyond the end of the one before where bytes in
    /// between are gone. `None` only after `Exited`; a cut is an error. Nothing is lost when this is dropped half-way.
    pub async fn next(&mut self) -> Result<Option<Output>, LinkError> {
        if self.exited {
            return Ok(None);
        }
        let decode = |buffer: &mut BytesMut| Frame::decode(buffer).map_err(LinkError::received);
        match next_frame(&mut self.stream, &mut self.buffer, decode).await? {
            Frame::Stdout { offset, bytes } if offset >= self.next => {
                self.next = offset + bytes.len() as u64;
                Ok(Some(Output::Stdout { offset, bytes }))
            }
            Frame::Stdout { offset, .. } | Frame::Stderr { offset, .. } => {
                let detail = format!("a terminal goes on at {offset}, not at {}", self.next);
                Err(LinkError::Protocol { detail })
            }
            Frame::Exited(status) => {
                self.exited = true;
                Ok(Some(Output::Exited { status: exit_status(status) }))
            }
        }
    }

    async fn until_exit(&mut self) {
        while let Ok(Some(Output::Stdout { .. })) = self.next().await {}
    }
}

impl Keyboard {
    /// Types bytes. Waits while the process reads nothing and the way to it is full.
    pub async fn write(&mut self, bytes: &Bytes) -> Result<(), LinkError> {
        for piece in bytes.chunks(MAX_TYPED) {
            self.send(Typed::Keys(Bytes::copy_from_slice(piece))).await?;
        }
        Ok(())
    }

    pub async fn resize(&mut self, size: TerminalSize) -> Result<(), LinkError> {
        self.send(Typed::Size(size)).await
    }

    async fn send(&mut self, typed: Typed) -> Result<(), LinkError> {
        let mut frame = BytesMut::new();
        typed.encode(&mut frame).map_err(LinkError::sending)?;
        Ok(self.stream.write_all(&frame).await?)
    }
}
