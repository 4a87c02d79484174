//! What the upstreams say of themselves: which models there are.

use super::{KeySource, Keys};
use crate::clock;
use lamplight_domain::Timestamp;
use lamplight_gateway::{Gateway, Model, UpstreamName};
use std::collections::BTreeMap;
use tokio::sync::Mutex;

/// For so long a list is good; one that did not come is asked for again sooner.
const GOOD_MS: u64 = 10 * 60 * 1000;
const BAD_MS: u64 = 30 * 1000;

/// The models of one upstream, or why they are not known.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamModels {
    pub name: UpstreamName,
    pub models: Result<Vec<Model>, String>,
}

/// What was said last, by whom; at most one list for each upstream.
#[derive(Default)]
pub(super) struct Lists {
    /// One at a time asks; the others then have the answer.
    kept: Mutex<BTreeMap<UpstreamName, Kept>>,
    /// Counts what was forgotten, so that an answer to an earlier key is not kept.
    forgotten: std::sync::atomic::AtomicU64,
}

struct Kept {
    at: Timestamp,
    forgotten: u64,
    models: Result<Vec<Model>, String>,
}

impl Lists {
    pub(super) fn forget(&self) {
        self.forgotten.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    fn forgotten(&self) -> u64 {
        self.forgotten.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Kept {
    fn is_good(&self, now: Timestamp, forgotten: u64) -> bool {
        let good_ms = if self.models.is_ok() { GOOD_MS } else { BAD_MS };
        self.forgotten == forgotten && now.since_ms(self.at) < good_ms
    }
}

impl Keys {
    /// Of every upstream that has a key or an address, one whose stored key cannot be used included.
    pub(crate) async fn models(&self, gateway: &Gateway) -> Vec<UpstreamModels> {
        let mut kept = self.lists.kept.lock().await;
        let (now, forgotten) = (clock::now(), self.lists.forgotten());
        let there = self.list().into_iter().filter(|info| info.source != KeySource::Missing);
        let of_models = there.filter_map(|info| Some((info.name.models()?.clone(), info.problem)));
        let (names, problems): (Vec<_>, Vec<_>) = of_models.unzip();
        let is_stale = |name: &UpstreamName| !kept.get(name).is_some_and(|kept| kept.is_good(now, forgotten));
        let stale = names.iter().zip(problems).filter(|(name, _)| is_stale(name));
        let asked = stale.map(|(name, problem)| async move {
            let models = match problem {
                Some(problem) => Err(problem),
                None => gateway.models(name).await.map_err(|unlisted| unlisted.to_string()),
            };
            (name.clone(), models)
        });
        for (name, models) in futures::future::join_all(asked).await {
            kept.insert(name, Kept { at: now, forgotten, models });
        }
        let said = |name: UpstreamName| {
            let models = kept.get(&name)?.models.clone();
            Some(UpstreamModels { name, models })
        };
        names.into_iter().filter_map(said).collect()
    }
}
