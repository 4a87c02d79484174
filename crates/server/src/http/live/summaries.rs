//! The summary of every session that changes, to one reader. Only the latest of a session counts, so a reader that
//! falls behind is caught up from the list rather than sent away.

use super::Over;
use super::frames::{Control, Reason};
use super::socket::Socket;
use crate::clock;
use crate::http::App;
use crate::http::resources::SessionSummary;
use crate::http::sessions::list::MAX_LIMIT;
use lamplight_domain::{Seq, SessionId, session};
use lamplight_engine::SessionQuery;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use tokio_tungstenite::tungstenite::Message;

/// The latest summary of each session that changed since the last sending. It holds no more sessions than the channel
/// of changes and one page of the list do.
type Pending = BTreeMap<SessionId, Arc<session::SessionSummary>>;

/// Serves one reader until it leaves.
pub(in crate::http) async fn run(app: &App, mut socket: Socket) {
    let timings = &app.timings;
    let mut changes = app.engine.changes();
    let mut pending = Pending::new();
    let mut send_at = Instant::now();
    let mut heartbeat = interval_at(Instant::now() + timings.heartbeat, timings.heartbeat);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let outcome = tokio::select! {
            change = changes.recv() => match change {
                Ok(summary) => {
                    pending.insert(summary.id.clone(), summary);
                    Ok(())
                }
                Err(RecvError::Lagged(_)) => list_again(app, &mut pending).await,
                Err(RecvError::Closed) => return away(&mut socket).await,
            },
            () = sleep_until(send_at), if !pending.is_empty() => {
                send_at = Instant::now() + timings.coalesce;
                send(app, &mut socket, std::mem::take(&mut pending)).await
            }
            message = socket.hear() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Over::Gone),
                Some(Ok(_)) => Ok(()),
            },
            _ = heartbeat.tick() => {
                let frame = Control::Heartbeat { at: clock::now(), last_seq: None }.message();
                socket.send(frame, timings.drain).await
            }
            () = app.going_away.cancelled() => return away(&mut socket).await,
        };
        match outcome {
            Ok(()) => {}
            Err(Over::Gone | Over::Slow) => return,
        }
    }
}

async fn send(app: &App, socket: &mut Socket, pending: Pending) -> Result<(), Over> {
    for summary in pending.into_values() {
        let resource = SessionSummary::from(Arc::unwrap_or_clone(summary));
        let text = serde_json::to_string(&resource).expect("a summary is texts and numbers");
        socket.feed(Message::text(text), app.timings.drain).await?;
    }
    socket.flush(app.timings.drain).await
}

/// What was missed is in the list; the newest sessions are those that change.
async fn list_again(app: &App, pending: &mut Pending) -> Result<(), Over> {
    let query = SessionQuery { limit: MAX_LIMIT, ..SessionQuery::default() };
    match app.engine.sessions(query).await {
        Ok(page) => {
            pending.extend(page.items.into_iter().map(|summary| (summary.id.clone(), Arc::new(summary))));
            Ok(())
        }
        Err(error) => {
            tracing::error!(error = %error.code(), "the sessions cannot be listed for a reader that fell behind");
            Err(Over::Gone)
        }
    }
}

async fn away(socket: &mut Socket) {
    socket.farewell(Control::Resume { seq: Seq(0), reason: Reason::GoingAway }.message()).await;
}
