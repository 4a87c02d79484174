//! One host following one process: frames out, acknowledgements in.

use crate::guest::refusal;
use crate::process::Process;
use crate::spool::Spool;
use crate::stream::{Stream, send};
use bytes::{Bytes, BytesMut};
use lamplight_wire::output::{ACKNOWLEDGE_BYTES, MAX_OUTPUT, OUTPUT_HEADER};
use lamplight_wire::{Acknowledge, Code, Offsets, Output, Refusal, Reply};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

/// Ends with the stream; a transient process ends with it.
pub(crate) async fn serve(process: &Process, from: Offsets, mut stream: Stream) -> io::Result<()> {
    /// However this ends.
    struct Leave<'a>(&'a Process);
    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            self.0.abandon();
        }
    }

    if let Err(refused) = check(process, from) {
        return send(&mut stream, &Reply::Refused(refused)).await;
    }
    let _leave = Leave(process);
    send(&mut stream, &Reply::Process(process.state())).await?;
    let (reader, writer) = tokio::io::split(stream);
    let sending = async {
        tell(process, from, writer).await?;
        // All is said; acknowledgements may still come.
        std::future::pending().await
    };
    tokio::select! {
        sent = sending => sent,
        received = receive(process, reader) => received,
    }
}

fn check(process: &Process, from: Offsets) -> Result<(), Refusal> {
    for (name, spool, offset) in
        [("output", &process.stdout, from.stdout), ("error output", &process.stderr, from.stderr)]
    {
        let bounds = spool.bounds();
        if offset < bounds.start || offset > bounds.end {
            let (start, end) = (bounds.start, bounds.end);
            let message =
                format!("the {name} of this process can be read from {start} to {end}, not from {offset}");
            return Err(refusal(Code::OutOfBounds, message));
        }
    }
    Ok(())
}

/// Sends what there is and then what comes, until the process has ended and all that it wrote is sent.
async fn tell(process: &Process, mut sent: Offsets, mut writer: WriteHalf<Stream>) -> io::Result<()> {
    let mut exit = process.exit();
    let mut frame = BytesMut::with_capacity(OUTPUT_HEADER + MAX_OUTPUT);
    loop {
        let (more_stdout, more_stderr) = (process.stdout.grown.notified(), process.stderr.grown.notified());
        let mut idle = true;
        if let Some((offset, bytes)) = unsent(&process.stdout, &mut sent.stdout)? {
            write(&mut writer, &mut frame, &Output::Stdout { offset, bytes }).await?;
            idle = false;
        }
        if let Some((offset, bytes)) = unsent(&process.stderr, &mut sent.stderr)? {
            write(&mut writer, &mut frame, &Output::Stderr { offset, bytes }).await?;
            idle = false;
        }
        if !idle {
            continue;
        }
        let complete =
            process.stdout.is_complete_at(sent.stdout) && process.stderr.is_complete_at(sent.stderr);
        if let (Some(status), true) = (process.status(), complete) {
            return write(&mut writer, &mut frame, &Output::Exited(status)).await;
        }
        tokio::select! {
            () = more_stdout => {}
            () = more_stderr => {}
            _ = exit.changed() => {}
        }
    }
}

/// The next bytes that this host has not got, with their offset; counted as sent.
pub(crate) fn unsent(spool: &Spool, sent: &mut u64) -> io::Result<Option<(u64, Bytes)>> {
    let offset = *sent;
    let waiting = spool.bounds().end.saturating_sub(offset);
    if waiting == 0 {
        return Ok(None);
    }
    let mut bytes = vec![0; waiting.min(MAX_OUTPUT as u64) as usize];
    if spool.read(offset, &mut bytes)?.is_none() {
        // It is the other host that counts.
        return Err(io::Error::other("somebody else acknowledged what this host has not got"));
    }
    *sent += bytes.len() as u64;
    Ok(Some((offset, Bytes::from(bytes))))
}

pub(crate) async fn write(
    writer: &mut WriteHalf<Stream>,
    frame: &mut BytesMut,
    output: &Output,
) -> io::Result<()> {
    frame.clear();
    output.encode(frame).map_err(io::Error::other)?;
    writer.write_all(frame).await
}

async fn receive(process: &Process, mut reader: ReadHalf<Stream>) -> io::Result<()> {
    loop {
        let mut bytes = [0; ACKNOWLEDGE_BYTES];
        reader.read_exact(&mut bytes).await?;
        let durable =
            Acknowledge::decode(&mut BytesMut::from(&bytes[..])).map(|Acknowledge(durable)| durable);
        let durable = durable.expect("there are as many bytes as one has");
        if !process.stdout.acknowledge(durable.stdout) || !process.stderr.acknowledge(durable.stderr) {
            return Err(io::Error::other("output was acknowledged that there never was"));
        }
    }
}
