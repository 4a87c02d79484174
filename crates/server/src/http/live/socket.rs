//! The handshake. Ours and not the framework's, because the connection under a WebSocket is [shared](super::line).

use super::line::{Line, OwnEnd};
use super::{CLIENT_MESSAGE, FAREWELL, Over, READ_BUFFER, WRITE_BUFFER};
use crate::http::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// A request to become a WebSocket.
pub(in crate::http) struct Upgrade {
    connection: OnUpgrade,
    answer: Response,
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut request = Request::new(());
        *request.method_mut() = parts.method.clone();
        *request.version_mut() = parts.version;
        request.headers_mut().clone_from(&parts.headers);
        let answer = create_response(&request).map_err(|error| not_a_websocket(&error.to_string()))?;
        let connection = parts.extensions.remove::<OnUpgrade>();
        let connection = connection.ok_or_else(|| not_a_websocket("this connection cannot be upgraded"))?;
        Ok(Self { connection, answer: answer.map(|()| ().into_response().into_body()) })
    }
}

impl Upgrade {
    /// The answer, and what comes once it has been sent.
    pub(super) fn split(self) -> (Response, impl Future<Output = Result<Socket, hyper::Error>>) {
        let socket = async move {
            let line = Line::new(TokioIo::new(self.connection.await?));
            let config = WebSocketConfig::default()
                .read_buffer_size(READ_BUFFER)
                .write_buffer_size(WRITE_BUFFER)
                .max_message_size(Some(CLIENT_MESSAGE))
                .max_frame_size(Some(CLIENT_MESSAGE));
            let end = OwnEnd(Arc::clone(&line));
            let frames = WebSocketStream::from_raw_socket(end, Role::Server, Some(config)).await;
            Ok(Socket { frames, line })
        };
        (self.answer, socket)
    }
}

pub(in crate::http) fn not_a_websocket(detail: &str) -> Problem {
    Problem::new(
        StatusCode::UPGRADE_REQUIRED,
        "websocket_required",
        detail,
        "Connect with a WebSocket client.",
    )
}

/// A WebSocket, as its reader's task has it.
pub(in crate::http) struct Socket {
    frames: WebSocketStream<OwnEnd>,
    pub(super) line: Arc<Line>,
}

impl Socket {
    /// What the client says next; `None` when it is gone.
    pub(super) async fn hear(&mut self) -> Option<Result<Message, Error>> {
        self.frames.next().await
    }

    /// Puts a message into the socket's buffer, waiting while that is full.
    pub(super) async fn feed(&mut self, message: Message, drain: Duration) -> Result<(), Over> {
        within(drain, self.frames.feed(message)).await
    }

    /// Writes what is in the buffer.
    pub(super) async fn flush(&mut self, drain: Duration) -> Result<(), Over> {
        within(drain, self.frames.flush()).await
    }

    pub(super) async fn send(&mut self, message: Message, drain: Duration) -> Result<(), Over> {
        self.feed(message, drain).await?;
        self.flush(drain).await
    }

    /// Says where to come back and closes, if the client still listens.
    pub(super) async fn farewell(&mut self, message: Message) {
        let say = async {
            self.frames.send(message).await?;
            self.frames.send(Message::Close(None)).await
        };
        if within(FAREWELL, say).await.is_err() {
            tracing::debug!("a reader left without a farewell; it knows the last entry that it has");
        }
    }
}

async fn within(time: Duration, done: impl Future<Output = Result<(), Error>>) -> Result<(), Over> {
    match tokio::time::timeout(time, done).await {
        Ok(done) => done.map_err(|_| Over::Gone),
        Err(_) => Err(Over::Slow),
    }
}
