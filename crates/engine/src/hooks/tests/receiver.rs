//! A program that is told by webhooks. It takes only what is signed with its secret, in this moment, as the Standard Webhooks specification
//! has it (1.0.0, "Verifying signatures"), and does with it what a test wants.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// Longer than anything takes that is not broken.
const PATIENCE: Duration = Duration::from_secs(120);
/// What was signed longer ago, or is to be, is an old message sent again.
const TOLERANCE_S: i64 = 300;

/// What it does with what is signed as it should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    Takes,
    Answers(StatusCode),
    /// For ever.
    Waits,
    /// To another address, where it would be taken.
    LeadsOn,
}

/// Something that was signed as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) id: String,
    /// Of the try, in seconds.
    pub(crate) at: i64,
    pub(crate) body: String,
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    state: Arc<Inner>,
    _serving: JoinSet<()>,
}

struct Inner {
    secret: Mutex<String>,
    manner: Mutex<Manner>,
    /// Seconds since 1970.
    now_s: Box<dyn Fn() -> i64 + Send + Sync>,
    heard: watch::Sender<Vec<Heard>>,
    refused: Mutex<Vec<String>>,
    never: Notify,
}

impl Receiver {
    pub(crate) async fn start(now_s: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        let state = Arc::new(Inner {
            secret: Mutex::default(),
            manner: Mutex::new(Manner::Takes),
            now_s: Box::new(now_s),
            heard: watch::Sender::new(Vec::new()),
            refused: Mutex::default(),
            never: Notify::new(),
        });
        let router = Router::new()
            .route("/told", post(hear))
            .route("/elsewhere", post(|| async { StatusCode::NO_CONTENT }))
            .with_state(state.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/told", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state, _serving: serving }
    }

    pub(crate) fn knows(&self, secret: &str) {
        *self.state.secret.lock().unwrap() = secret.to_owned();
    }

    pub(crate) fn becomes(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    /// All of it, in the order in which it came. Nothing else came.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        assert_eq!(self.refused(), Vec::<String>::new());
        self.state.heard.borrow().clone()
    }

    /// What was not signed as it should be.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.state.refused.lock().unwrap().clone()
    }

    /// Waits until what it has heard is enough.
    pub(crate) async fn until(&self, is_enough: impl Fn(&[Heard]) -> bool) {
        let mut heard = self.state.heard.subscribe();
        let waiting = heard.wait_for(|heard| is_enough(heard));
        let heard = tokio::time::timeout(PATIENCE, waiting).await;
        heard.unwrap_or_else(|_| panic!("it heard {:?}", self.state.heard.borrow())).unwrap();
    }
}

async fn hear(State(state): State<Arc<Inner>>, headers: HeaderMap, body: String) -> Response {
    let Some(heard) = verified(&state, &headers, &body) else {
        state.refused.lock().unwrap().push(format!("{headers:?} {body}"));
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let manner = *state.manner.lock().unwrap();
    state.heard.send_modify(|all| all.push(heard));
    match manner {
        Manner::Takes => StatusCode::NO_CONTENT.into_response(),
        Manner::Answers(status) => status.into_response(),
        Manner::LeadsOn => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere")]).into_response()
        }
        Manner::Waits => {
            state.never.notified().await;
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

fn verified(state: &Inner, headers: &HeaderMap, body: &str) -> Option<Heard> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let (id, moment) = (header("webhook-id")?, header("webhook-timestamp")?);
    let key = STANDARD.decode(state.secret.lock().unwrap().strip_prefix("whsec_")?).ok()?;
    let mut code = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    code.update(format!("{id}.{moment}.{body}").as_bytes());
    let code = code.finalize().into_bytes();
    let is_it = |signature: &str| {
        let given = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
        given.is_some_and(|given| given == code.as_slice())
    };
    let is_signed = header("webhook-signature")?.split(' ').any(is_it);
    let at: i64 = moment.parse().ok()?;
    let is_now = ((state.now_s)() - at).abs() <= TOLERANCE_S;
    let is_whole = header("content-type")? == "application/json" && !id.is_empty() && !id.contains('.');
    (is_signed && is_now && is_whole).then(|| Heard { id: id.to_owned(), at, body: body.to_owned() })
}
