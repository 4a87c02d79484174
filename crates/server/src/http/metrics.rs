//! `GET /metrics`: everything that is counted, for a Prometheus server. Requests are counted here, the rest in the engine.

use super::App;
use super::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use lamplight_engine::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Unit;
use tokio::time::Instant;

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Upper bounds of the buckets, from 0.1 ms to 3 s.
const FIRST_SECONDS: f64 = 0.000_1;
const BUCKETS: u16 = 16;

/// What is counted of requests.
#[derive(Debug)]
pub(super) struct Requests {
    answered: Family<Answered, Counter>,
    seconds: Histogram,
    streams: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    status: u16,
}

impl Requests {
    pub(super) fn of(metrics: &Metrics) -> Self {
        let requests = Self {
            answered: Family::default(),
            seconds: Histogram::new(exponential_buckets(FIRST_SECONDS, 2.0, BUCKETS)),
            streams: Gauge::default(),
        };
        metrics.register(|to| {
            to.register("http_requests", "Requests that were answered", requests.answered.clone());
            let help = "From a request to the head of its answer";
            to.register_with_unit("http_request", help, Unit::Seconds, requests.seconds.clone());
            to.register(
                "event_streams",
                "Event streams and terminals that are open",
                requests.streams.clone(),
            );
        });
        requests
    }
}

/// A request that is not answered yet.
pub(super) struct Counting {
    begun: Instant,
    method: &'static str,
}

impl Counting {
    pub(super) fn begin(request: &Request) -> Self {
        Self { begun: Instant::now(), method: known(request.method()) }
    }

    pub(super) fn end(self, app: &App, response: &Response) {
        let answered = Answered { method: self.method, status: response.status().as_u16() };
        app.requests.answered.get_or_create(&answered).inc();
        app.requests.seconds.observe(self.begun.elapsed().as_secs_f64());
    }
}

/// Whatever else a client may call its method is one of many.
fn known(method: &Method) -> &'static str {
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
        .iter()
        .zip(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
        .find_map(|(one, name)| (one == method).then_some(name))
        .unwrap_or("other")
}

pub(super) async fn handle(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    app.requests.streams.set(i64::try_from(app.streams.len()).unwrap_or(i64::MAX));
    Ok(([(header::CONTENT_TYPE, TEXT)], app.engine.render_metrics().await?))
}
