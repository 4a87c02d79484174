//! Stands before Prism, which knows GitHub's own description of its interface and passes requests on to whoever answers them; keeps what it says
//! is wrong with each.
//!
//! Source: github.com/stoplightio/prism, "Validation proxy": `sl-violations`.

use serde_json::Value;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// One that listens, until it is dropped.
#[derive(Debug)]
pub struct Judge {
    address: String,
    judged: Arc<Mutex<Vec<Judged>>>,
    _serving: JoinSet<()>,
}

/// A request, as its first line, with what is wrong with it.
#[derive(Debug, Clone)]
pub struct Judged {
    pub request: String,
    pub violations: Vec<Value>,
}

impl Judge {
    /// Before the Prism at this authority.
    pub async fn start(prism: String) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let judged: Arc<Mutex<Vec<Judged>>> = Arc::default();
        let (kept, mut serving) = (judged.clone(), JoinSet::new());
        serving.spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (prism, kept) = (prism.clone(), kept.clone());
                passing.spawn(async move {
                    if let Some(one) = pass(stream, &prism).await {
                        kept.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                    }
                });
            }
        });
        Ok(Self { address, judged, _serving: serving })
    }

    /// Of what stands behind it, without a slash at its end.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All so far.
    pub fn judged(&self) -> Vec<Judged> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One request, its connection closed behind it.
async fn pass(mut client: TcpStream, prism: &str) -> Option<Judged> {
    let mut asked = Vec::new();
    let (end, length) = loop {
        if client.read_buf(&mut asked).await.ok()? == 0 {
            return None;
        }
        let Some(end) = asked.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&asked[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        break (end, length.unwrap_or(0));
    };
    while asked.len() < end + 4 + length {
        client.read_buf(&mut asked).await.ok()?;
    }
    let request = String::from_utf8_lossy(&asked).lines().next()?.to_owned();
    let mut closing = asked[..end].to_vec();
    closing.extend(b"\r\nConnection: close");
    closing.extend(&asked[end..]);
    let mut server = TcpStream::connect(prism).await.ok()?;
    server.write_all(&closing).await.ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.ok()?;
    client.write_all(&answer).await.ok()?;
    let head = String::from_utf8_lossy(&answer);
    let violations = head.lines().find_map(|line| line.strip_prefix("sl-violations: "));
    let all: Vec<Value> = violations.and_then(|all| serde_json::from_str(all).ok()).unwrap_or_default();
    let violations = all.into_iter().filter(|one| one["location"][0] == "request").collect();
    Some(Judged { request, violations })
}
