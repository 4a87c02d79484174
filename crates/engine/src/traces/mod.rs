//! Traces for an OpenTelemetry collector: one of each prompt, from the webhook that brought it to the pull request that shows its work.
//!
//! ```text
//! entries are appended ─▶ an end is among them ─▶ (bounded queue) ─▶ the log is read ─▶ fold ─▶ OTLP over HTTP
//! ```
//! A session knows nothing of it, and waits for nobody: what the collector does not take is tried again for a while, then dropped and
//! said so. What a server did not tell before it ended is not told by the next one.

mod book;
mod exporting;
mod fold;
mod otlp;
mod span;
#[cfg(test)]
mod tests;

pub(crate) use exporting::run;

use lamplight_domain::{Entry, HostPattern, PromptId, Seq, SessionId, Timestamp};
use lamplight_gateway::Secret;
use serde_json::json;
use span::{Kind, Span, SpanId, TraceId};
use std::sync::Mutex;
use std::sync::PoisonError;
use tokio::sync::mpsc;

/// Ends that may wait to be looked at.
const WAITING: usize = 1024;

/// Where traces are sent.
#[derive(Debug, Clone)]
pub struct TracesConfig {
    /// Of the collector, without the `/v1/traces` that is asked for there.
    pub url: String,
    /// Of the address: whoever configures the server says where it is, also on this machine and without TLS.
    pub host: HostPattern,
    /// What it wants to be told beside, such as who is asking.
    pub headers: Vec<(String, Secret)>,
    /// What this deployment is called there.
    pub service: String,
}

/// What there is to tell.
enum News {
    /// The session's log has an end at this entry.
    End {
        session: SessionId,
        seq: Seq,
    },
    Span(Box<Span>),
}

/// Nothing is told where no collector is configured.
pub(crate) struct Traces {
    told: Option<mpsc::Sender<News>>,
    /// Taken by who tells.
    telling: Mutex<Option<mpsc::Receiver<News>>>,
}

impl Traces {
    pub(crate) fn new(config: Option<&TracesConfig>) -> Self {
        let (told, telling) = config.map(|_| mpsc::channel(WAITING)).unzip();
        Self { told, telling: Mutex::new(telling) }
    }

    /// These are in the session's log now.
    pub(crate) fn saw(&self, session: &SessionId, entries: &[Entry]) {
        if self.told.is_some() {
            for entry in entries.iter().filter(|entry| fold::is_end(&entry.event)) {
                self.tell(News::End { session: session.clone(), seq: entry.seq });
            }
        }
    }

    /// The prompt is what became of something that a forge told at `from`.
    pub(crate) fn brought(&self, prompt: &PromptId, repository: &str, (from, until): (Timestamp, Timestamp)) {
        self.tell(News::Span(Box::new(Span {
            trace: TraceId::of(prompt),
            id: SpanId::webhook(prompt),
            parent: Some(SpanId::root(prompt)),
            name: "webhook".to_owned(),
            kind: Kind::Server,
            start: from,
            end: until,
            attributes: vec![("lamplight.repository", json!(repository))],
            failure: None,
        })));
    }

    fn tell(&self, news: News) {
        if let Some(told) = &self.told
            && told.try_send(news).is_err()
        {
            tracing::warn!("the collector of traces is slow; some are not told");
        }
    }

    fn telling(&self) -> Option<mpsc::Receiver<News>> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
