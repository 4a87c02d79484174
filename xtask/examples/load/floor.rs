//! The least that a durable event costs on this machine: a request is read, its body is appended to a file and synced, and every reader is
//! written to, by the one thread that the request came to. It knows no session, keeps no index and checks nobody.

use crate::readers::position;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// Of a request's head.
const END: &[u8] = b"\r\n\r\n";
const READ_BYTES: usize = 8 * 1024;
/// A text that is whole, in a frame whose length takes one byte. Source: RFC 6455, section 5.2.
const TEXT: u8 = 0x81;
const LONGEST: usize = 125;

struct Log {
    file: File,
    readers: Vec<TcpStream>,
}

/// `POST /append` appends, a `GET` that wants a WebSocket follows, and what else is asked for is answered.
pub(crate) fn run(port: u16, file: &str) -> Result<()> {
    let file = File::options().create(true).append(true).open(file)?;
    let log = Arc::new(Mutex::new(Log { file, readers: Vec::new() }));
    for stream in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        let (stream, log) = (stream?, Arc::clone(&log));
        std::thread::spawn(move || {
            // Whoever leaves is answered no more.
            let _ = answer(stream, &log);
        });
    }
    Ok(())
}

fn answer(mut stream: TcpStream, log: &Mutex<Log>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut read = Vec::with_capacity(READ_BYTES);
    loop {
        let end = until(&mut stream, &mut read, |read| position(read, END).map(|end| end + END.len()))?;
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        if head.contains("upgrade: websocket") {
            stream.write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            )?;
            log.lock().unwrap_or_else(PoisonError::into_inner).readers.push(stream);
            return Ok(());
        }
        let length =
            head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
        let whole = end + length.unwrap_or(0);
        until(&mut stream, &mut read, |read| (read.len() >= whole).then_some(whole))?;
        if head.starts_with("post") {
            append(log, &read[end..whole])?;
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
        read.drain(..whole);
    }
}

fn append(log: &Mutex<Log>, event: &[u8]) -> Result<()> {
    ensure!(event.len() <= LONGEST, "the event is too long for its frame");
    let frame = [&[TEXT, event.len() as u8], event].concat();
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.file.write_all(event)?;
    log.file.sync_data()?;
    log.readers.retain_mut(|reader| reader.write_all(&frame).is_ok());
    Ok(())
}

/// Reads on until that is there.
fn until(stream: &mut TcpStream, read: &mut Vec<u8>, is: impl Fn(&[u8]) -> Option<usize>) -> Result<usize> {
    loop {
        if let Some(end) = is(read) {
            return Ok(end);
        }
        let mut more = [0; READ_BYTES];
        let count = stream.read(&mut more).context("read a request")?;
        ensure!(count > 0, "the connection ended");
        read.extend_from_slice(&more[..count]);
    }
}
