//! Somebody who follows a session, leaves, and comes back at the entry where they left; over all lives of the server.

use crate::universe::{Universe, lock};
use crate::weather::Flaw;
use bytes::Bytes;
use lamplight_domain::event::{Entry, Event, GuardTripped, Outcome};
use lamplight_domain::{Seq, SessionId};
use lamplight_engine::Engine;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was seen of one session, in the order in which it came.
#[derive(Clone, Default)]
pub(crate) struct Seen(pub(crate) Arc<Mutex<Vec<(Seq, Bytes)>>>);

impl Seen {
    fn last(&self) -> Seq {
        lock(&self.0).last().map_or(Seq(0), |(seq, _)| *seq)
    }
}

/// For as long as the life lasts.
pub(crate) async fn follow(universe: Arc<Universe>, engine: Engine, session: SessionId, seen: Seen) {
    loop {
        visit(&universe, &engine, &session, &seen).await;
        let ms = universe.number(1..15_000);
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// Comes, follows for a while, and leaves.
pub(crate) async fn visit(universe: &Arc<Universe>, engine: &Engine, session: &SessionId, seen: &Seen) {
    let mut after = seen.last();
    if universe.flaw == Some(Flaw::SkipsAnEntry) && after > Seq(5) {
        after = after.next();
    }
    let Ok(mut follower) = engine.follow(session, after).await else { return };
    for _ in 0..universe.number(1..12) {
        let Ok(Ok(entries)) = tokio::time::timeout(Duration::from_secs(20), follower.next()).await else {
            return;
        };
        for (seq, frame) in entries {
            look(universe, session, &frame);
            lock(&seen.0).push((seq, frame));
        }
    }
}

/// A turn that is stopped has to be over soon, and is only when nothing of it runs.
fn look(universe: &Arc<Universe>, session: &SessionId, frame: &Bytes) {
    let Ok(Entry { event, seq, .. }) = serde_json::from_slice(frame) else {
        return universe.wrong(format!("an entry of {session} cannot be read: {frame:?}"));
    };
    universe.tell(|| format!("{session} {seq} {}", String::from_utf8_lossy(frame)));
    match event {
        Event::StopRequested { turn, .. } | Event::GuardTripped(GuardTripped { turn, .. }) => {
            universe.has_to_end(session, turn.0);
        }
        Event::TurnEnded { turn, outcome: Outcome::Stopped { .. } | Outcome::Tripped { .. } } => {
            universe.has_ended(session, turn.0);
        }
        _ => {}
    }
}
