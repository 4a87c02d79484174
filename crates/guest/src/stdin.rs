//! The standard input of a process: numbered messages, each written once, whole and in order, whatever happens to links.
//!
//! A message is taken whole before it is handed to the writer, which belongs to the process and not to a link. So a cut leaves
//! either a message that is not taken, which the host sends again, or one that will be written, which it may send again and is
//! then dropped.

use crate::guest::Guest;
use crate::process::Process;
use crate::stream::{Stream, send};
use lamplight_wire::stdin::{ANSWER_BYTES, CLOSE, ENDED, STDIN_HEADER, decode_header};
use lamplight_wire::{ExitStatus, Reply};
use std::cell::Cell;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::unix::pipe;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

/// Messages that wait behind the one that is being written.
const QUEUE: usize = 1;

/// Bytes of a message, already taken before, that are read at a time to be dropped.
const DROP_PIECE: usize = 16 * 1024;

pub(crate) struct Input {
    /// `None` when the process was started without.
    queue: Option<mpsc::Sender<Message>>,
    /// The last message that was handed to the writer.
    accepted: Cell<u64>,
    progress: watch::Sender<Progress>,
    /// Counts the streams that ever served this input; the newest is the one that does.
    streams: watch::Sender<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    written: u64,
    ended: bool,
}

enum Message {
    Write { n: u64, bytes: Vec<u8>, _budget: OwnedSemaphorePermit },
    Close,
}

impl Input {
    /// The input, and the work of its writer.
    pub(crate) fn open(
        pipe: pipe::Sender,
        exit: watch::Receiver<Option<ExitStatus>>,
    ) -> (Self, impl Future<Output = ()> + 'static) {
        let (queue, messages) = mpsc::channel(QUEUE);
        let input = Self::new(Some(queue));
        let progress = input.progress.clone();
        (input, write(pipe, messages, progress, exit))
    }

    /// The input of a process that has none.
    pub(crate) fn absent() -> Self {
        Self::new(None)
    }

    fn new(queue: Option<mpsc::Sender<Message>>) -> Self {
        let progress = Progress { written: 0, ended: queue.is_none() };
        Self {
            queue,
            accepted: Cell::new(0),
            progress: watch::Sender::new(progress),
            streams: watch::Sender::new(0),
        }
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.queue.is_none()
    }

    pub(crate) fn written(&self) -> u64 {
        self.progress.borrow().written
    }
}

async fn write(
    mut pipe: pipe::Sender,
    mut messages: mpsc::Receiver<Message>,
    progress: watch::Sender<Progress>,
    mut exit: watch::Receiver<Option<ExitStatus>>,
) {
    let writing = async {
        while let Some(Message::Write { n, bytes, _budget }) = messages.recv().await {
            if pipe.write_all(&bytes).await.is_err() {
                break;
            }
            progress.send_modify(|progress| progress.written = n);
        }
    };
    // What the process left running may hold the pipe open; nobody is to wait for that.
    tokio::select! {
        biased;
        () = writing => {}
        _ = exit.wait_for(Option::is_some) => {}
    }
    drop(pipe);
    drop(messages);
    progress.send_modify(|progress| progress.ended = true);
}

/// Serves one `stdin` stream until it is cut, or a newer one takes over, or the input has ended.
pub(crate) async fn serve(guest: &Guest, process: &Process, mut stream: Stream) -> io::Result<()> {
    let input = &process.input;
    let Some(queue) = &input.queue else {
        return Ok(());
    };
    let mut progress = input.progress.subscribe();
    let state = process.state();
    let told = state.stdin_written;
    send(&mut stream, &Reply::Process(state)).await?;

    input.streams.send_modify(|streams| *streams += 1);
    let mut newer = input.streams.subscribe();
    let (reader, writer) = tokio::io::split(stream);
    tokio::select! {
        biased;
        answered = answer(writer, &mut progress, told) => answered,
        taken = take(guest, input, queue, reader) => taken,
        _ = newer.changed() => Ok(()),
    }
}

async fn answer(
    mut writer: WriteHalf<Stream>,
    progress: &mut watch::Receiver<Progress>,
    mut told: u64,
) -> io::Result<()> {
    loop {
        let now = *progress.borrow_and_update();
        if now.written > told {
            told = now.written;
            let answer: [u8; ANSWER_BYTES] = told.to_be_bytes();
            writer.write_all(&answer).await?;
        }
        if now.ended {
            return writer.write_all(&ENDED.to_be_bytes()).await;
        }
        // The sender lives in the process, which this stream's task holds.
        let _ = progress.changed().await;
    }
}

async fn take(
    guest: &Guest,
    input: &Input,
    queue: &mpsc::Sender<Message>,
    mut reader: ReadHalf<Stream>,
) -> io::Result<()> {
    loop {
        let mut header = [0; STDIN_HEADER];
        reader.read_exact(&mut header).await?;
        let (n, length) = decode_header(header).map_err(io::Error::other)?;
        let message = if n == CLOSE {
            Message::Close
        } else if n <= input.accepted.get() {
            drop_message(&mut reader, length).await?;
            continue;
        } else {
            let count = u32::try_from(length).map_err(io::Error::other)?;
            let budget = Arc::clone(&guest.stdin_budget).acquire_many_owned(count).await;
            let mut bytes = vec![0; length];
            reader.read_exact(&mut bytes).await?;
            Message::Write { n, bytes, _budget: budget.map_err(io::Error::other)? }
        };
        let Ok(place) = queue.reserve().await else {
            // The writer is gone, and the other half of this stream says so.
            return std::future::pending().await;
        };
        // Nothing below waits: a message is either not taken at all or counted and handed over.
        if n != CLOSE {
            match n.checked_sub(input.accepted.get()) {
                Some(1) => input.accepted.set(n),
                // Taken meanwhile from another stream.
                None | Some(0) => continue,
                Some(_) => return Err(io::Error::other("a message is missing before this one")),
            }
        }
        place.send(message);
    }
}

async fn drop_message(reader: &mut ReadHalf<Stream>, length: usize) -> io::Result<()> {
    let mut piece = [0; DROP_PIECE];
    let mut rest = length;
    while rest > 0 {
        let wanted = rest.min(DROP_PIECE);
        rest -= reader.read_exact(&mut piece[..wanted]).await?;
    }
    Ok(())
}
