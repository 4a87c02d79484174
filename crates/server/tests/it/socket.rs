//! A client's end of an event stream.

use crate::support::PATIENCE;
use futures::StreamExt;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// A client's end of an event stream.
pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// The next text frame; `None` when the server has closed.
    pub(crate) async fn frame(&mut self) -> Option<Value> {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a frame in time") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next entry of the log, whatever is said in between.
    pub(crate) async fn entry(&mut self) -> Value {
        loop {
            let frame = self.frame().await.expect("the stream goes on");
            if frame["seq"].is_u64() && frame["control"].is_null() {
                return frame;
            }
        }
    }

    /// The next control frame of this kind, whatever is said in between.
    pub(crate) async fn control(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await.expect("the stream goes on");
            if frame["control"] == kind {
                return frame;
            }
        }
    }
}
