//! Finds what nobody claims. It takes no input: it looks at what is there, on a timer, and every look is complete.

use crate::engine::{ANSWER_WAIT, Shared, parse_view};
use crate::session::Message;
use lamplight_domain::{Generation, Seq, SessionId};
use lamplight_sandbox::provider::{Files, Listed};
use lamplight_store::SummaryRow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// From one look to the next; nothing that bears our label is unclaimed for longer.
const PERIOD: Duration = Duration::from_secs(30);

pub(crate) async fn run(shared: Arc<Shared>) {
    let mut closing = shared.closing();
    loop {
        // Before, too: one that has just come back is still waking what it has.
        let was_held = shared.servers.is_held();
        match shared.provider.list().await {
            // Whose they are is not known without a lease.
            _ if !was_held || !shared.servers.is_held() => {}
            Ok(listed) => {
                for sandbox in listed {
                    look_at(&shared, sandbox).await;
                }
                if shared.store.is_shared()
                    && let Err(error) = remove_left_files(&shared).await
                {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "files of sessions that have ended elsewhere could not be removed"
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "the sandboxes could not be listed"),
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = shared.servers.left_over.notified() => {}
            () = crate::engine::closed(&mut closing) => return,
        }
    }
}

async fn look_at(shared: &Arc<Shared>, sandbox: Listed) {
    let (id, generation) = (&sandbox.session, sandbox.generation);
    if shared.is_beside(id) || shared.claims(id, generation).await {
        return;
    }
    let Ok(last) = shared.store.last_seq(id).await else { return };
    let files = if last == Seq(0) { Files::Remove } else { Files::Keep };
    tracing::info!(session.id = %id, sandbox.generation = generation.0, "destroying a sandbox that no session claims");
    if let Err(error) = shared.provider.destroy(&sandbox.handle, files).await {
        tracing::warn!(session.id = %id, sandbox.generation = generation.0, %error, "it could not be destroyed; the next look tries again");
    }
}

/// A session that was here, went to another server and has ended there has left its files.
async fn remove_left_files(shared: &Arc<Shared>) -> anyhow::Result<()> {
    let mut kept = shared.provider.kept().await?;
    kept.retain(|id| !shared.is_beside(id) && shared.find(id).is_none());
    for row in shared.store.at_rest_elsewhere(&kept).await? {
        if let Err(error) = remove_files_left_by(shared, &row).await {
            tracing::warn!(
                session.id = %row.id,
                error = format!("{error:#}"),
                "files of a session that is elsewhere could not be removed; the next look tries again"
            );
        }
    }
    Ok(())
}

async fn remove_files_left_by(shared: &Shared, row: &SummaryRow) -> anyhow::Result<()> {
    if parse_view(&row.body)?.ended {
        tracing::info!(session.id = %row.id, "removing the files of a session that has ended at another server");
        shared.provider.forget(&row.id).await?;
    }
    Ok(())
}

impl Shared {
    /// Whether what has this id is no session's, and known to whoever made it.
    fn is_beside(&self, id: &SessionId) -> bool {
        self.prepared.holds(id) || self.checks.holds(id) || self.lending.holds(id)
    }

    /// Whether a session claims this sandbox. A session that sleeps claims none, one that had to stop what it has.
    async fn claims(&self, id: &SessionId, generation: Generation) -> bool {
        let Some(awake) = self.find(id) else { return self.stopped.claims(id) };
        let (reply, answer) = oneshot::channel();
        if awake.mailbox.send(Box::new(Message::Claims { generation, reply })).await.is_err() {
            return true;
        }
        // Without an answer nothing is destroyed: the reconciler comes again.
        tokio::time::timeout(ANSWER_WAIT, answer).await.ok().and_then(Result::ok).unwrap_or(true)
    }
}
