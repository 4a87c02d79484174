//! `--relay PATH`: another start of this program, which carries a host's byte stream between its own standard input and output and
//! the socket of the guest that runs already. For hosts that reach a sandbox by starting programs in it and by nothing else.
//!
//! ```text
//! host ──standard input──▶ relay ──▶ socket of the guest
//!      ◀──standard output──      ◀──
//! ```
//! It lives as long as the guest keeps this link: a newer link ends it, and so does the end of either side.

use anyhow::Context;
use lamplight_wire::RELAY_READY;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Bytes carried at a time.
const PIECE: usize = 32 * 1024;

/// Between the making of the guest's socket and its listening there is a moment.
const TRIES: u32 = 5;
const BETWEEN: Duration = Duration::from_millis(20);

/// Until the guest ends the link. Fails where no guest listens.
pub(crate) fn run(path: &Path) -> anyhow::Result<()> {
    let guest = connect(path).with_context(|| format!("no guest listens at {}", path.display()))?;
    // Not those of the standard library, which wait for ends of lines.
    let (mut from_host, mut to_host) = (descriptor(io::stdin())?, descriptor(io::stdout())?);
    to_host.write_all(&[RELAY_READY]).context("tell the host that there is a guest")?;
    let mut to_guest = guest.try_clone().context("share the socket")?;
    std::thread::Builder::new()
        .name("from the host".to_owned())
        .spawn(move || {
            // However it ends: the guest hears of it, and ends the link, and with it this program.
            let _ = carry(&mut from_host, &mut to_guest);
            let _ = to_guest.shutdown(Shutdown::Write);
        })
        .context("start a thread")?;
    carry(&mut &guest, &mut to_host).context("carry what the guest says")
}

fn connect(path: &Path) -> io::Result<UnixStream> {
    let mut tried = 1;
    loop {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && tried < TRIES => {
                tried += 1;
                std::thread::sleep(BETWEEN);
            }
            connected => return connected,
        }
    }
}

fn descriptor(stream: impl AsFd) -> io::Result<File> {
    Ok(File::from(stream.as_fd().try_clone_to_owned()?))
}

fn carry(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write_all(&buffer[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_carried_whole_and_to_their_end() {
        let sent: Vec<u8> = (0..3 * PIECE + 7).map(|at| (at % 251) as u8).collect();
        let mut taken = Vec::new();
        carry(&mut &sent[..], &mut taken).unwrap();
        assert_eq!(taken, sent);
    }

    #[test]
    fn where_no_guest_listens_there_is_no_link() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("link.sock");
        assert_eq!(connect(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        // One that has ended leaves its socket.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert_eq!(connect(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
