//! What is counted for a Prometheus server. Sessions are counted by what goes into their logs, in one place ([`Metrics::saw`]), so that
//! no code of theirs knows of it; how things stand is asked for when somebody looks.
//!
//! Whose fault a failure is, the machine's or the agent's, is the label `side`.

use crate::engine::Engine;
use crate::failures::{class_of, side_of};
use lamplight_domain::event::Outcome;
use lamplight_domain::transcript::Tokens;
use lamplight_domain::{Entry, Event, Failure};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// Upper bounds of the buckets, in seconds: appends from 0.1 ms to 1.6 s, sandboxes from 1 ms to 33 s.
const APPEND: (f64, u16) = (0.000_1, 15);
const SANDBOX: (f64, u16) = (0.001, 16);

/// Everything that is counted. Cheap to count on.
pub struct Metrics {
    registry: Mutex<Registry>,
    sessions: Counter,
    turns: Family<TurnLabels, Counter>,
    guards: Family<GuardLabel, Counter>,
    sandboxes: Counter,
    sandbox_failures: Family<FailureLabels, Counter>,
    sandboxes_lost: Counter,
    sandbox_seconds: Histogram,
    model_requests: Family<ModelLabel, Counter>,
    tokens: Family<TokenLabels, Counter>,
    cost: Family<ModelLabel, Counter<f64, std::sync::atomic::AtomicU64>>,
    entries: Counter,
    packed: Counter,
    append_seconds: Histogram,
    awake: Gauge,
    phases: Family<PhaseLabel, Gauge>,
    deliveries: Gauge,
    places: Gauge,
    places_memory: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnLabels {
    outcome: &'static str,
    /// Of a failed turn.
    side: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GuardLabel {
    guard: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    class: &'static str,
    side: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabel {
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    model: String,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabel {
    phase: String,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let histogram = |(first, count)| Histogram::new(exponential_buckets(first, 2.0, count));
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("lamplight")),
            sessions: Counter::default(),
            turns: Family::default(),
            guards: Family::default(),
            sandboxes: Counter::default(),
            sandbox_failures: Family::default(),
            sandboxes_lost: Counter::default(),
            sandbox_seconds: histogram(SANDBOX),
            model_requests: Family::default(),
            tokens: Family::default(),
            cost: Family::default(),
            entries: Counter::default(),
            packed: Counter::default(),
            append_seconds: histogram(APPEND),
            awake: Gauge::default(),
            phases: Family::default(),
            deliveries: Gauge::default(),
            places: Gauge::default(),
            places_memory: Gauge::default(),
        };
        metrics.register(|to| metrics.tell(to));
        metrics
    }

    /// For those who count something else.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn tell(&self, to: &mut Registry) {
        to.register("build", "This program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        to.register("sessions_created", "Sessions that were made", self.sessions.clone());
        to.register("turns_ended", "Turns that ended, by how and by whose fault", self.turns.clone());
        to.register("guards_tripped", "Turns that a guard ended", self.guards.clone());
        to.register("sandboxes_created", "Sandboxes that were made", self.sandboxes.clone());
        to.register(
            "sandbox_failures",
            "Sandboxes that could not be made, or the agent in them not started",
            self.sandbox_failures.clone(),
        );
        to.register("sandboxes_lost", "Sandboxes that went by themselves", self.sandboxes_lost.clone());
        to.register_with_unit(
            "sandbox_create",
            "Making a sandbox",
            Unit::Seconds,
            self.sandbox_seconds.clone(),
        );
        to.register("model_requests", "Answers of models that were counted", self.model_requests.clone());
        to.register(
            "model_tokens",
            "Tokens, by kind; what was cached is in input too, what was reasoned in output",
            self.tokens.clone(),
        );
        to.register("model_cost_dollars", "What models cost, where it is known", self.cost.clone());
        to.register("log_entries", "Entries of sessions' logs that are on disk", self.entries.clone());
        to.register(
            "log_entries_packed",
            "Entries of old logs that went from the database into blobs",
            self.packed.clone(),
        );
        to.register_with_unit(
            "log_append",
            "From handing over entries to their being on disk",
            Unit::Seconds,
            self.append_seconds.clone(),
        );
        to.register("sessions_awake", "Sessions that are in memory", self.awake.clone());
        to.register(
            "github_deliveries_waiting",
            "Deliveries of GitHub that are on disk and nothing has come of yet",
            self.deliveries.clone(),
        );
        to.register("places_taken", "Sandboxes that have a place in the queue's count", self.places.clone());
        to.register_with_unit(
            "places_memory",
            "What the memory limits of those come to together",
            Unit::Bytes,
            self.places_memory.clone(),
        );
        to.register("sessions", "Sessions that are not archived, by phase", self.phases.clone());
    }

    /// Entries are on disk, after `wait`.
    pub(crate) fn saw(&self, entries: &[Entry], wait: Duration) {
        self.append_seconds.observe(wait.as_secs_f64());
        self.entries.inc_by(entries.len() as u64);
        entries.iter().for_each(|entry| self.saw_event(&entry.event));
    }

    fn saw_event(&self, event: &Event) {
        match event {
            Event::SessionCreated { .. } => _ = self.sessions.inc(),
            Event::SandboxCreated { .. } => _ = self.sandboxes.inc(),
            Event::SandboxLost { .. } => _ = self.sandboxes_lost.inc(),
            Event::SandboxFailed { failure, .. } => {
                self.sandbox_failures.get_or_create(&labels(failure)).inc();
            }
            Event::TurnEnded { outcome, .. } => self.saw_outcome(outcome),
            Event::TokensUsed { model, tokens, cost_micros, .. } => {
                self.saw_use(model, tokens, *cost_micros);
            }
            _ => {}
        }
    }

    fn saw_outcome(&self, outcome: &Outcome) {
        let (outcome, side) = match outcome {
            Outcome::Completed { .. } => ("completed", "none"),
            Outcome::Stopped { .. } => ("stopped", "none"),
            Outcome::Tripped { guard, .. } => {
                self.guards.get_or_create(&GuardLabel { guard: guard.code() }).inc();
                ("tripped", "none")
            }
            Outcome::Failed { failure } => ("failed", side_of(failure.side)),
        };
        self.turns.get_or_create(&TurnLabels { outcome, side }).inc();
    }

    fn saw_use(&self, model: &str, tokens: &Tokens, cost_micros: Option<u64>) {
        let label = ModelLabel { model: model.to_owned() };
        self.model_requests.get_or_create(&label).inc();
        for (kind, count) in [
            ("input", tokens.input),
            ("cached", tokens.cached),
            ("cache_written", tokens.cache_written),
            ("output", tokens.output),
            ("reasoning", tokens.reasoning),
        ] {
            self.tokens.get_or_create(&TokenLabels { model: model.to_owned(), kind }).inc_by(count);
        }
        if let Some(micros) = cost_micros {
            self.cost.get_or_create(&label).inc_by(micros as f64 / 1e6);
        }
    }

    pub(crate) fn packed(&self, entries: u64) {
        self.packed.inc_by(entries);
    }

    pub(crate) fn made_sandbox(&self, wait: Duration) {
        self.sandbox_seconds.observe(wait.as_secs_f64());
    }
}

impl Engine {
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Whether the store takes and gives.
    pub async fn is_store_there(&self) -> Result<(), crate::CommandError> {
        Ok(self.shared.store.answers().await?)
    }

    /// Everything that is counted, in Prometheus' text format, version 0.0.4.
    pub async fn render_metrics(&self) -> Result<String, crate::CommandError> {
        let metrics = &self.shared.metrics;
        metrics.awake.set(self.status().sessions_awake as i64);
        let places = self.places();
        metrics.places.set(places.sandboxes.into());
        metrics.places_memory.set(i64::try_from(places.memory_bytes).unwrap_or(i64::MAX));
        let waiting = self.shared.store.deliveries_waiting().await?;
        metrics.deliveries.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        let phases = self.shared.store.phases().await?;
        metrics.phases.clear();
        for (phase, count) in phases {
            metrics.phases.get_or_create(&PhaseLabel { phase }).set(count);
        }
        let mut text = String::new();
        let registry = metrics.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry).expect("a string takes everything");
        Ok(text)
    }
}

fn labels(failure: &Failure) -> FailureLabels {
    FailureLabels { class: class_of(failure.class), side: side_of(failure.side) }
}
