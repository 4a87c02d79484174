//! The readers of one session who have all of it. One task tells them what comes, one after the other, and writes to each
//! connection itself: a thousand readers cost a thousand writes, and wake nobody but who cannot take it.

use super::batch::Batch;
use super::line::Line;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use lamplight_domain::Seq;
use lamplight_engine::CommandError;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::task::{JoinSet, coop, yield_now};
use tokio::time::{Instant, sleep};

/// Readers that are told before others get their turn.
const AT_ONCE: usize = 256;
/// After a log could not be read.
const AGAIN: Duration = Duration::from_secs(1);

/// Ends with its last reader.
pub(super) struct Audience {
    door: Arc<Mutex<Door>>,
    _teller: JoinSet<()>,
}

/// Where readers come in.
struct Door {
    /// Up to here all who are in have been told, or are being told.
    told: Seq,
    /// Nobody is told anything any more.
    is_over: bool,
    waiting: Vec<Weak<Line>>,
}

impl Audience {
    /// Of a log whose entries after `told` are these.
    pub(super) fn new(
        told: Seq,
        batches: impl Stream<Item = Result<Vec<(Seq, Bytes)>, CommandError>> + Send + 'static,
    ) -> Self {
        let door = Arc::new(Mutex::new(Door { told, is_over: false, waiting: Vec::new() }));
        let mut teller = JoinSet::new();
        // A task that writes to so many connections yields by itself.
        teller.spawn(coop::unconstrained(tell(batches, Arc::clone(&door))));
        Self { door, _teller: teller }
    }

    /// Whether this reader is in; otherwise there is more than it has.
    pub(super) fn admit(&self, line: &Arc<Line>) -> bool {
        let mut door = lock(&self.door);
        if door.is_over || line.sent() < door.told {
            return false;
        }
        line.seat();
        door.waiting.retain(|line| line.strong_count() > 0);
        door.waiting.push(Arc::downgrade(line));
        true
    }
}

fn lock(door: &Mutex<Door>) -> MutexGuard<'_, Door> {
    door.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn tell(batches: impl Stream<Item = Result<Vec<(Seq, Bytes)>, CommandError>>, door: Arc<Mutex<Door>>) {
    let mut batches = pin!(batches);
    let mut lines = Vec::new();
    while let Some(entries) = batches.next().await {
        let batch = entries.map(|entries| Batch::new(&entries));
        {
            let mut door = lock(&door);
            if let Ok(Some(batch)) = &batch {
                door.told = batch.last();
            }
            lines.append(&mut door.waiting);
        }
        match batch {
            Ok(Some(batch)) => lines = tell_all(lines, &batch).await,
            // They look for the session again.
            Err(CommandError::Moved) => {
                let mut door = lock(&door);
                door.is_over = true;
                lines.append(&mut door.waiting);
                lines.drain(..).filter_map(|line| line.upgrade()).for_each(|line| line.let_go());
                return;
            }
            // They read on by themselves, and are told there what is wrong.
            Ok(None) | Err(_) => {
                lines.drain(..).filter_map(|line| line.upgrade()).for_each(|line| line.let_go());
                sleep(AGAIN).await;
            }
        }
    }
}

/// Who is still there.
async fn tell_all(lines: Vec<Weak<Line>>, batch: &Batch) -> Vec<Weak<Line>> {
    let now = Instant::now();
    let mut there = Vec::with_capacity(lines.len());
    for (number, line) in lines.into_iter().enumerate() {
        if number % AT_ONCE == AT_ONCE - 1 {
            yield_now().await;
        }
        if line.upgrade().is_some_and(|line| line.tell(batch, now)) {
            there.push(line);
        }
    }
    there
}
