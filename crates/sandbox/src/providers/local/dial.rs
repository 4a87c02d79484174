//! From the host to a guest.

use super::disk::GenerationDir;
use crate::error::{ErrorKind, SandboxError};
use crate::handle::Handle;
use crate::provider::ByteStream;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::net::UnixStream;

/// Longest wait for the kernel to take a connection to a guest.
const DIAL: Duration = Duration::from_secs(5);

pub(super) async fn dial(here: &GenerationDir, handle: &Handle) -> Result<Box<dyn ByteStream>, SandboxError> {
    let what = || format!("dial sandbox {handle}");
    let gone = |why: &str| SandboxError::new(ErrorKind::Gone, format!("sandbox {handle}: {why}"));
    // By way of the folder's descriptor: a socket's address is at most 107 bytes long.
    let folder = File::open(&here.0).map_err(|_| gone("was destroyed"))?;
    let path = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), GenerationDir::SOCKET);
    match tokio::time::timeout(DIAL, UnixStream::connect(path)).await {
        Ok(Ok(stream)) => match is_left_over(here) {
            Ok(false) => Ok(Box::new(stream)),
            Ok(true) => Err(gone("does not run any more")),
            Err(error) => Err(SandboxError::from_io(what(), error)),
        },
        Ok(Err(error)) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Err(gone("does not run any more")),
            _ => Err(SandboxError::from_io(what(), error)),
        },
        Err(_) => Err(SandboxError::new(ErrorKind::Unavailable, format!("{}: no answer", what()))),
    }
}

/// Of a kernel of its own that was killed, other processes keep the socket for a moment.
fn is_left_over(here: &GenerationDir) -> io::Result<bool> {
    match here.record()?.filter(|record| record.own_kernel.is_some()) {
        Some(record) => Ok(!record.runs()?),
        None => Ok(false),
    }
}
