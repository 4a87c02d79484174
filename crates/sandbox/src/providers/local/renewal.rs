//! What every sandbox begins with, made away from whoever waits for the server to start, and after that: copying takes longer than all else
//! that a start does, and the file system is one for both. Who needs it sooner makes it, and is told what is wrong, if something is.

use super::base::{self, Mark};
use super::disk::Sandboxes;
use super::ending::list;
use super::guest_file::GuestFile;
use crate::provider::{Listed, ListedState};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// A server answers by then.
const STARTED: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Renewal {
    making: Option<JoinHandle<()>>,
    /// Nothing is ever sent: it is over when this is dropped.
    wanted: Option<Sender<Infallible>>,
}

impl Renewal {
    /// Removes all others before, unless a sandbox runs that may use them.
    pub(super) fn begin(sandboxes: &Sandboxes, users: bool, guest: Arc<GuestFile>) -> std::io::Result<Self> {
        let bases = sandboxes.bases();
        let is_over = |one: &Listed| one.state == ListedState::LeftOver;
        if bases.exists()
            && list(sandboxes).is_ok_and(|all| all.iter().all(is_over))
            && let Ok(mark) = Mark::look()
        {
            base::remove_old(&bases, &base::place(&bases, mark, users))?;
        }
        let (wanted, over) = mpsc::channel();
        let make = move || {
            if over.recv_timeout(STARTED) == Err(RecvTimeoutError::Timeout) {
                let _ = guest.path();
                let _ = Mark::look().and_then(|mark| base::current(&bases, mark, users));
            }
        };
        let making = std::thread::Builder::new().name("base".to_owned()).spawn(make)?;
        Ok(Self { making: Some(making), wanted: Some(wanted) })
    }
}

impl Drop for Renewal {
    /// Whoever opened the data directory may remove it afterwards.
    fn drop(&mut self) {
        self.wanted = None;
        if let Some(making) = self.making.take() {
            // A panic of it has been told, and is nobody else's.
            let _ = making.join();
        }
    }
}
