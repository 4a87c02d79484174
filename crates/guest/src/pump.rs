//! From a process's pipe into its spool, as long as there is room. Not reading is how a process is made to wait.

use crate::spool::Spool;
use lamplight_wire::ExitStatus;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::sync::watch;

/// The most bytes taken from a pipe at a time; a pipe's own size.
const PIECE: usize = 64 * 1024;

/// Between two attempts to store output on a disk that takes nothing, such as a full one.
const DISK_RETRY: Duration = Duration::from_millis(500);

/// Runs until the last writer has closed the pipe. Something that the process left running may go on writing after the process
/// has ended; that is read, so that it need not wait for ever, and dropped.
pub(crate) async fn pump(
    pipe: pipe::Receiver,
    spool: Rc<Spool>,
    mut exit: watch::Receiver<Option<ExitStatus>>,
) {
    let mut running = true;
    loop {
        let step = async {
            let room = spool.room().await;
            pipe.readable().await.map(|()| room)
        };
        let room = tokio::select! {
            biased;
            _ = exit.wait_for(Option::is_some), if running => {
                running = false;
                spool.process_ended(rustix::io::ioctl_fionread(&pipe).unwrap_or(0));
                continue;
            }
            room = step => room,
        };
        match room.and_then(|room| take(&pipe, &spool, room)) {
            Ok(Taken::End) | Err(_) => return spool.process_ended(0),
            Ok(Taken::Nothing | Taken::Stored) => {}
            Ok(Taken::Unstored(bytes)) => store(&spool, &bytes).await,
        }
    }
}

enum Taken {
    Nothing,
    Stored,
    /// The disk would not have them.
    Unstored(Vec<u8>),
    End,
}

fn take(pipe: &pipe::Receiver, spool: &Spool, room: u64) -> io::Result<Taken> {
    let mut piece = [0; PIECE];
    let wanted = room.min(PIECE as u64) as usize;
    match pipe.try_read(&mut piece[..wanted]) {
        Ok(0) => Ok(Taken::End),
        Ok(length) => match spool.append(&piece[..length]) {
            Ok(()) => Ok(Taken::Stored),
            Err(_) => Ok(Taken::Unstored(piece[..length].to_vec())),
        },
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Taken::Nothing),
        Err(error) => Err(error),
    }
}

/// Waits for space on the disk, for as long as it takes: the process waits with it, and nothing is lost.
async fn store(spool: &Spool, bytes: &[u8]) {
    while spool.append(bytes).is_err() {
        tokio::time::sleep(DISK_RETRY).await;
    }
}
