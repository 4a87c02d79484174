//! A collector of traces: takes what OTLP over HTTP has in JSON and nothing else, from whoever says the right word.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde::Deserialize;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Longer than anything takes that is not broken.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceSpans {
    resource: Resource,
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeSpans {
    scope: Scope,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope {
    name: String,
    version: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Span {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) parent_span_id: Option<String>,
    pub(crate) name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) status: Option<Status>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attribute {
    pub(crate) key: String,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) enum Value {
    #[serde(rename = "stringValue")]
    Text(String),
    #[serde(rename = "boolValue")]
    Flag(bool),
    /// 64 bits are a string.
    #[serde(rename = "intValue")]
    Whole(String),
    #[serde(rename = "doubleValue")]
    Number(f64),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Status {
    code: u8,
    pub(crate) message: String,
}

impl Span {
    pub(crate) fn times(&self) -> (u64, u64) {
        (self.start_time_unix_nano.parse().unwrap(), self.end_time_unix_nano.parse().unwrap())
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let attribute = self.attributes.iter().find(|attribute| attribute.key == name)?;
        match &attribute.value {
            Value::Text(text) | Value::Whole(text) => Some(text),
            Value::Flag(_) | Value::Number(_) => None,
        }
    }

    fn is_sound(&self) -> bool {
        let is_hex = |id: &str, digits: usize| {
            let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            id.len() == digits && id.bytes().all(is_digit) && id.bytes().any(|byte| byte != b'0')
        };
        let (start, end) = self.times();
        is_hex(&self.trace_id, 32)
            && is_hex(&self.span_id, 16)
            && self
                .parent_span_id
                .as_deref()
                .is_none_or(|parent| is_hex(parent, 16) && parent != self.span_id)
            && (1..=5).contains(&self.kind)
            && self.status.as_ref().is_none_or(|status| status.code <= 2)
            && !self.name.is_empty()
            && start <= end
    }
}

pub(crate) struct Collector {
    pub(crate) url: String,
    state: Arc<Inner>,
    _serving: JoinSet<()>,
}

struct Inner {
    word: &'static str,
    spans: watch::Sender<Vec<Span>>,
    wrong: Mutex<Vec<String>>,
    /// So many posts are answered that there is no room.
    busy: Mutex<u32>,
}

impl Collector {
    /// Whoever tells it something has to say `word` as its `authorization`.
    pub(crate) async fn start(word: &'static str, busy: u32) -> Self {
        let (spans, wrong) = (watch::Sender::new(Vec::new()), Mutex::default());
        let state = Arc::new(Inner { word, spans, wrong, busy: Mutex::new(busy) });
        let router = Router::new().route("/v1/traces", post(take)).with_state(state.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state, _serving: serving }
    }

    /// All that came until it is enough. Nothing came that it does not take.
    pub(crate) async fn until(&self, is_enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let mut spans = self.state.spans.subscribe();
        let waiting = spans.wait_for(|spans| is_enough(spans));
        let enough = tokio::time::timeout(PATIENCE, waiting).await.map(drop);
        assert_eq!(*self.state.wrong.lock().unwrap(), Vec::<String>::new());
        let spans = self.state.spans.borrow().clone();
        enough.unwrap_or_else(|_| panic!("it was told {spans:?}"));
        spans
    }
}

async fn take(State(state): State<Arc<Inner>>, headers: HeaderMap, body: String) -> StatusCode {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let spans = serde_json::from_str::<Request>(&body).ok().and_then(spans);
    let (true, true, Some(spans)) =
        (said("authorization") == state.word, said("content-type") == "application/json", spans)
    else {
        state.wrong.lock().unwrap().push(format!("{headers:?} {body}"));
        return StatusCode::BAD_REQUEST;
    };
    let mut busy = state.busy.lock().unwrap();
    if *busy > 0 {
        *busy -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    state.spans.send_modify(|all| all.extend(spans));
    StatusCode::OK
}

fn spans(request: Request) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    for of in request.resource_spans {
        of.resource.attributes.iter().find(|attribute| attribute.key == "service.name")?;
        for of in of.scope_spans {
            (!of.scope.name.is_empty() && !of.scope.version.is_empty()).then_some(())?;
            of.spans.iter().all(Span::is_sound).then_some(())?;
            spans.extend(of.spans);
        }
    }
    Some(spans)
}
