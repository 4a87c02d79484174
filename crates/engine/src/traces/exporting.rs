//! Reads what has ended, and posts it.

use super::fold::{Fold, is_end};
use super::span::Span;
use super::{News, TracesConfig, otlp};
use crate::engine::{Shared, closed};
use anyhow::Context as _;
use lamplight_domain::{Entry, Seq, SessionId};
use lamplight_gateway::{Courier, Outside};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Sessions whose log need not be read again from its beginning.
const FOLDS_KEPT: usize = 64;
/// Entries, and bytes of them, that are read at a time.
const PAGE_ENTRIES: usize = 2_000;
const PAGE_BYTES: usize = 8 << 20;
/// Spans of one post.
const AT_ONCE: usize = 512;
/// How long what ended is gathered, before it is posted.
const GATHERED: Duration = Duration::from_millis(500);
/// After a post that came to nothing; doubled each time.
const AGAIN: Duration = Duration::from_secs(1);
const TRIES: u32 = 5;

pub(crate) async fn run(shared: Arc<Shared>) {
    let (Some(config), Some(mut telling)) = (shared.config.traces.clone(), shared.traces.telling()) else {
        return;
    };
    let mut closing = shared.closing();
    let mut exporter = Exporter::new(&shared, config);
    tokio::select! {
        () = exporter.export(&mut telling) => {}
        () = closed(&mut closing) => {}
    }
    // What is there already is told, once: nobody waits for a collector to end.
    while let Ok(news) = telling.try_recv() {
        exporter.take(news).await;
    }
    exporter.post(1).await;
}

struct Exporter<'a> {
    shared: &'a Shared,
    config: TracesConfig,
    courier: Courier,
    folds: HashMap<SessionId, Fold>,
    spans: Vec<Span>,
}

impl<'a> Exporter<'a> {
    fn new(shared: &'a Shared, config: TracesConfig) -> Self {
        let outside = Outside {
            allow_private: vec![config.host.clone()],
            bytes_per_minute: None,
            ..shared.config.outside.clone()
        };
        let (courier, folds, spans) = (Courier::new(outside), HashMap::new(), Vec::new());
        Self { shared, config, courier, folds, spans }
    }

    /// For ever.
    async fn export(&mut self, telling: &mut mpsc::Receiver<News>) {
        while let Some(news) = telling.recv().await {
            self.take(news).await;
            let until = tokio::time::Instant::now() + GATHERED;
            while self.spans.len() < AT_ONCE
                && let Ok(Some(news)) = tokio::time::timeout_at(until, telling.recv()).await
            {
                self.take(news).await;
            }
            self.post(TRIES).await;
        }
    }

    async fn take(&mut self, news: News) {
        match news {
            News::Span(span) => self.spans.push(*span),
            News::End { session, seq } => {
                if let Err(error) = self.read(&session, seq).await {
                    tracing::warn!(session.id = %session, "what took its time is not told: {error:#}");
                }
            }
        }
    }

    /// Up to this entry, which is an end. What ended before the end before it has been told.
    async fn read(&mut self, session: &SessionId, until: Seq) -> anyhow::Result<()> {
        let mut fold = self.folds.remove(session).unwrap_or_else(|| Fold::new(session.clone()));
        while fold.last < until {
            let left = usize::try_from(until.0 - fold.last.0).unwrap_or(usize::MAX);
            let page = self.shared.store.read(session, fold.last, left.min(PAGE_ENTRIES), PAGE_BYTES).await?;
            anyhow::ensure!(!page.is_empty(), "its log ends before entry {}", until.0);
            for (seq, bytes) in page {
                let entry: Entry =
                    serde_json::from_slice(&bytes).with_context(|| format!("entry {}", seq.0))?;
                let is_told = seq < until && is_end(&entry.event);
                fold.take(entry);
                if is_told {
                    fold.closed();
                }
            }
        }
        self.spans.append(&mut fold.closed());
        if self.folds.len() >= FOLDS_KEPT {
            self.folds.clear();
        }
        self.folds.insert(session.clone(), fold);
        Ok(())
    }

    /// All that is there, at most so often.
    async fn post(&mut self, tries: u32) {
        let spans = std::mem::take(&mut self.spans);
        let url = format!("{}/v1/traces", self.config.url.trim_end_matches('/'));
        let headers: Vec<_> = self
            .config
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose().to_owned()))
            .collect();
        for spans in spans.chunks(AT_ONCE) {
            let body = otlp::body(&self.config.service, self.shared.store.server(), spans);
            let mut again = AGAIN;
            for is_last in (1..=tries).map(|tried| tried == tries) {
                let why = match self.courier.post(&url, &headers, body.clone()).await {
                    Ok(posted) if (200..300).contains(&posted.status) => break,
                    Ok(posted) => format!("it answered {}", posted.status),
                    Err(error) => error.to_string(),
                };
                if is_last {
                    tracing::warn!(spans = spans.len(), "the collector of traces was not told: {why}");
                } else {
                    tokio::time::sleep(again).await;
                    again *= 2;
                }
            }
        }
    }
}
