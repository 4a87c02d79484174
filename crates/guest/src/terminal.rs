//! A process's own terminal, and who sits at it: any number of hosts' streams, each of which sees all and may type.
//!
//! Unlike a pipe's, its output waits for nobody. A person wants the newest of it, and a shell that nobody looks at goes on.

use crate::attach::{unsent, write};
use crate::guest::refusal;
use crate::process::Process;
use crate::spool::Spool;
use crate::stream::{Stream, send};
use bytes::BytesMut;
use lamplight_wire::output::{MAX_OUTPUT, OUTPUT_HEADER};
use lamplight_wire::terminal::{MAX_TYPED, TYPED_HEADER};
use lamplight_wire::{Code, ExitStatus, Output, Refusal, Reply, TerminalSize, Typed};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Newest bytes of output that are kept, in memory.
pub(crate) const KEPT_BYTES: u64 = 1024 * 1024;

/// The most bytes taken from a terminal at a time; the kernel gives no more.
const PIECE: usize = 4096;

/// Between two looks at a terminal that its process has closed, and may open again.
const CLOSED: Duration = Duration::from_millis(100);

/// How long the last output may take after the process has ended; the kernel hangs up with it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The side of the terminal at which a person sits.
pub(crate) struct Terminal {
    side: AsyncFd<OwnedFd>,
}

impl Terminal {
    /// A new one, and the side of it that is for the process.
    pub(crate) fn open(size: TerminalSize) -> io::Result<(Self, OwnedFd)> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let side = openpt(flags)?;
        unlockpt(&side)?;
        // A kernel that does not give it (gVisor) has it under its name.
        let inner = ioctl_tiocgptpeer(&side, flags).or_else(|_| {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            rustix::fs::open(ptsname(&side, Vec::new())?, flags, Mode::empty())
        })?;
        rustix::io::ioctl_fionbio(&side, true)?;
        // SAFETY: an OwnedFd keeps its one descriptor open until it is dropped, and nothing takes it out of the AsyncFd.
        let terminal = Self { side: unsafe { AsyncFd::register(side)? } };
        terminal.resize(size)?;
        Ok((terminal, inner))
    }

    /// Whoever runs in the foreground is told by a signal.
    fn resize(&self, TerminalSize { rows, columns }: TerminalSize) -> io::Result<()> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(&self.side, size)?)
    }

    async fn read(&self, piece: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.side.readable().await?;
            if let Ok(done) = ready.try_io(|side| Ok(rustix::io::read(side, &mut *piece)?)) {
                return done;
            }
        }
    }

    /// Waits while the process reads nothing of what was typed.
    async fn type_in(&self, mut keys: &[u8]) -> io::Result<()> {
        while !keys.is_empty() {
            let mut ready = self.side.writable().await?;
            if let Ok(done) = ready.try_io(|side| Ok(rustix::io::write(side, keys)?)) {
                keys = &keys[done?..];
            }
        }
        Ok(())
    }
}

/// From the terminal into the spool, until the process has ended.
pub(crate) async fn pump(
    terminal: Rc<Terminal>,
    spool: Rc<Spool>,
    mut exit: watch::Receiver<Option<ExitStatus>>,
) {
    let reading = async {
        let mut piece = [0; PIECE];
        loop {
            match terminal.read(&mut piece).await {
                // What there is no memory for is not seen; nobody waits for that.
                Ok(length) if length > 0 => drop(spool.append_newest(&piece[..length])),
                // Nobody has the other side open.
                Ok(_) | Err(_) => sleep(CLOSED).await,
            }
        }
    };
    let ended = async {
        let _ = exit.wait_for(Option::is_some).await;
    };
    tokio::pin!(reading);
    tokio::select! {
        () = &mut reading => {}
        () = ended => {}
    }
    let _ = timeout(LAST_WORDS, until_closed(&terminal, &spool)).await;
    spool.process_ended(0);
}

async fn until_closed(terminal: &Terminal, spool: &Spool) {
    let mut piece = [0; PIECE];
    while let Ok(length @ 1..) = terminal.read(&mut piece).await {
        let _ = spool.append_newest(&piece[..length]);
    }
}

/// One more at the terminal, until the host leaves.
pub(crate) async fn serve(process: &Process, from: u64, mut stream: Stream) -> io::Result<()> {
    let terminal = match terminal_of(process, from) {
        Ok(terminal) => terminal,
        Err(refused) => return send(&mut stream, &Reply::Refused(refused)).await,
    };
    send(&mut stream, &Reply::Process(process.state())).await?;
    let (reader, writer) = tokio::io::split(stream);
    let showing = async {
        show(process, from, writer).await?;
        // All is said; the host is the one that leaves.
        std::future::pending().await
    };
    tokio::select! {
        shown = showing => shown,
        taken = take(terminal, reader) => taken,
    }
}

fn terminal_of(process: &Process, from: u64) -> Result<&Terminal, Refusal> {
    let Some(terminal) = &process.terminal else {
        return Err(refusal(Code::Failed, "this process has no terminal".to_owned()));
    };
    let end = process.stdout.bounds().end;
    if from > end {
        let message = format!("there are {end} bytes of output, so none from {from} on");
        return Err(refusal(Code::OutOfBounds, message));
    }
    Ok(terminal)
}

async fn show(process: &Process, from: u64, mut writer: WriteHalf<Stream>) -> io::Result<()> {
    let spool = &process.stdout;
    let mut exit = process.exit();
    let mut frame = BytesMut::with_capacity(OUTPUT_HEADER + MAX_OUTPUT);
    let mut sent = from;
    loop {
        let more = spool.grown.notified();
        // Who is too slow goes on with what is there.
        sent = sent.max(spool.bounds().start);
        if let Some((offset, bytes)) = unsent(spool, &mut sent)? {
            write(&mut writer, &mut frame, &Output::Stdout { offset, bytes }).await?;
            continue;
        }
        if let (Some(status), true) = (process.status(), spool.is_complete_at(sent)) {
            return write(&mut writer, &mut frame, &Output::Exited(status)).await;
        }
        tokio::select! {
            () = more => {}
            _ = exit.changed() => {}
        }
    }
}

async fn take(terminal: &Terminal, mut reader: ReadHalf<Stream>) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(TYPED_HEADER + MAX_TYPED);
    loop {
        while let Some(typed) = Typed::decode(&mut buffer).map_err(io::Error::other)? {
            // Of a process that has ended, nobody reads it.
            let _ = match typed {
                Typed::Keys(keys) => terminal.type_in(&keys).await,
                Typed::Size(size) => terminal.resize(size),
            };
        }
        if reader.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}
