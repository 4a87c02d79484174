//! What one answer costs, from the moment in which the vendor is asked. Somebody pays for what was seen, whoever leaves first.
//!
//! ```text
//! opened ─► answered ─► read, piece by piece ─► settled: what the answer says that it used
//!    │          └─ the client or the vendor leaves ─► settled: what it said until then, the rest by what was seen
//!    ├─ the client leaves ─► settled: what was asked
//!    └─ the vendor is not reached, or refuses ─► nothing
//! ```

use super::admission::Admission;
use super::unasked::Unasked;
use super::usage::Meter;
use crate::serve::Link;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use std::io;
use tokio::task::JoinHandle;

pub(super) struct Account {
    link: Link,
    admission: Admission,
    meter: Option<Meter>,
    is_open: bool,
}

impl Account {
    pub(super) fn open(link: Link, admission: Admission) -> Self {
        Self { link, admission, meter: None, is_open: true }
    }

    pub(super) fn answered(mut self, meter: Meter) -> Self {
        self.meter = Some(meter);
        self
    }

    pub(super) fn nothing_was_used(mut self) {
        self.is_open = false;
    }

    fn read(&mut self, piece: &[u8]) {
        if let Some(meter) = &mut self.meter {
            meter.read(piece);
        }
    }

    /// Settled by a task of the door's: it happens whether or not anyone still waits for it. What was set aside is given back after
    /// that.
    fn start_settling(&mut self) -> Option<JoinHandle<()>> {
        if !std::mem::take(&mut self.is_open) {
            return None;
        }
        let used = self.admission.used(self.meter.take().map(Meter::finish).unwrap_or_default());
        let (ledger, held) = (self.link.ledger.clone(), self.admission.reservation.take());
        Some(self.link.door.tasks.spawn(async move {
            ledger.used(used).await;
            drop(held);
        }))
    }

    async fn settle(mut self) {
        if let Some(settling) = self.start_settling() {
            let _settled_or_shut_down = settling.await;
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.start_settling();
    }
}

/// An answer on its way.
struct Passing {
    answer: reqwest::Response,
    account: Account,
    unasked: Option<Unasked>,
}

/// How far an answer has come.
enum Flow {
    Passing(Box<Passing>),
    /// The client has all that was said, and is to be told that this was not all.
    Broken,
    Ended,
}

/// The answer's body, piece by piece as it comes. It ends when the ledger knows what it cost.
pub(super) fn metered(
    answer: reqwest::Response,
    account: Account,
    unasked: Option<Unasked>,
) -> impl Stream<Item = io::Result<Bytes>> {
    let passing = Flow::Passing(Box::new(Passing { answer, account, unasked }));
    let pieces = futures::stream::unfold(passing, |flow| async {
        match flow {
            Flow::Passing(mut passing) => match passing.answer.chunk().await {
                Ok(Some(piece)) => {
                    passing.account.read(&piece);
                    let piece = match &mut passing.unasked {
                        Some(unasked) => unasked.take_out(piece),
                        None => piece,
                    };
                    Some((Ok(piece), Flow::Passing(passing)))
                }
                Ok(None) => Some((Ok(passing.end().await), Flow::Ended)),
                Err(error) => {
                    let error = error.without_url();
                    tracing::debug!(error = %error, "a model's answer broke off");
                    Some((Ok(passing.end().await), Flow::Broken))
                }
            },
            Flow::Broken => {
                // What was given before is sent meanwhile; with the error it would be dropped.
                tokio::task::yield_now().await;
                Some((Err(io::Error::other("the model provider's answer broke off")), Flow::Ended))
            }
            Flow::Ended => None,
        }
    });
    pieces.filter(|piece| {
        let is_nothing = piece.as_ref().is_ok_and(Bytes::is_empty);
        std::future::ready(!is_nothing)
    })
}

impl Passing {
    /// Settles, and gives what was held back.
    async fn end(self) -> Bytes {
        self.account.settle().await;
        self.unasked.map(|mut unasked| unasked.rest()).unwrap_or_default()
    }
}
