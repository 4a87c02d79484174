//! One guest-opened stream, served as HTTP/1.1.

use crate::{Grant, Ledger, Upstreams};
use anyhow::{Context, Result};
use axum::Router;
use axum::http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// How long a connection may take to send the head of a request, or stay idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// The most that one connection buffers in each direction; also the longest head of a request.
const MAX_BUFFER_BYTES: usize = 64 * 1024;

/// The one door: made once, serving the streams of every sandbox.
pub struct Gateway {
    upstreams: Upstreams,
}

/// What a request is answered with: the door, and what the link that it came over may do.
#[derive(Clone)]
struct Link {
    grant: Arc<Grant>,
    ledger: Arc<dyn Ledger>,
}

impl Gateway {
    /// Fails when an upstream's address or key cannot be used.
    pub fn new(upstreams: Upstreams) -> Result<Self> {
        Ok(Self { upstreams })
    }

    /// Serves the requests that come over `stream` until it ends. An error means that the connection broke.
    pub async fn serve(
        &self,
        grant: Arc<Grant>,
        ledger: Arc<dyn Ledger>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<()> {
        let session = grant.session.clone();
        let router = Router::new().fallback(nothing_here).with_state(Link { grant, ledger });
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
            .await
            .with_context(|| format!("serving a gateway stream of session {session}"))
    }
}

async fn nothing_here() -> (StatusCode, &'static str) {
    (
        StatusCode::NOT_FOUND,
        "Nothing is served here. The gateway has /git/repository.git, /openai/v1 and /anthropic/v1.\n",
    )
}
