//! Bytes of two connections, each to the other, until both have ended or nothing passes any more.

use super::pace::Pace;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection over which nothing passes, in either direction, for this long is ended.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// What one direction holds at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// Carries both ways. An end on one side is passed on as an end, and the other way goes on; what breaks is reset outside, and an
/// error for whoever has the inside.
pub(super) async fn relay(
    pace: &Pace,
    inside: impl AsyncRead + AsyncWrite,
    mut outside: TcpStream,
) -> io::Result<()> {
    let (inside_reader, inside_writer) = tokio::io::split(inside);
    let (outside_reader, outside_writer) = outside.split();
    let passed = AtomicU64::new(0);
    let carried = tokio::try_join!(
        carry(pace, inside_reader, outside_writer, &passed),
        carry(pace, outside_reader, inside_writer, &passed)
    );
    if carried.is_err() {
        outside.set_zero_linger()?;
    }
    carried.map(|_| ())
}

async fn carry(
    pace: &Pace,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    passed: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let before = passed.load(Ordering::Relaxed);
        let length = match timeout(IDLE_TIMEOUT, from.read(&mut buffer)).await {
            Ok(length) => length?,
            // The other way may have been busy.
            Err(_) if passed.load(Ordering::Relaxed) != before => continue,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        };
        if length == 0 {
            return to.shutdown().await;
        }
        pace.pass(length).await;
        match timeout(IDLE_TIMEOUT, to.write_all(&buffer[..length])).await {
            Ok(written) => written?,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
        passed.fetch_add(1, Ordering::Relaxed);
    }
}
