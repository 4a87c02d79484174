//! Whether somebody is at work in VS Code, or has only left it open. It says nothing of that itself, and its page talks to its server
//! without end; but who types, opens and saves says more than a page that is left alone does.

use crate::http::App;
use lamplight_domain::SessionId;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Between two looks at what was heard.
const LOOK: Duration = Duration::from_secs(5);
/// Heard between two looks of somebody who is at work; bytes. A page that is left alone was seen to say 140 at most, a key that is
/// pressed in a file 1,100, one in a terminal 150.
const AT_WORK_BYTES: usize = 300;

/// A person with VS Code open, and the sandbox that is kept for them.
pub(crate) struct Worker {
    app: App,
    session: SessionId,
    name: String,
}

impl Worker {
    pub(super) fn new(app: &App, session: &SessionId, name: String) -> Self {
        Self { app: app.clone(), session: session.clone(), name }
    }

    /// Keeps the sandbox for as long as enough is heard; `heard` is what came of the browser since the last look, in bytes.
    pub(super) async fn keep(&self, heard: &AtomicUsize) {
        loop {
            tokio::time::sleep(LOOK).await;
            if heard.swap(0, Ordering::Relaxed) >= AT_WORK_BYTES {
                // What is refused, such as of a sandbox that is gone, is seen where it is opened again.
                let _ = self.app.engine.use_sandbox(&self.session, self.name.clone()).await;
            }
        }
    }
}
