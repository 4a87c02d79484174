//! The few requests that a measurement makes: HTTP/1.1, one connection each, JSON both ways.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any answer takes.
const ANSWER: Duration = Duration::from_secs(60);

/// The answer's body, if its status is one of success. `url` is such as `http://127.0.0.1:7410/healthz`.
pub(super) fn request(method: &str, url: &str, body: Option<&Value>) -> Result<Vec<u8>> {
    let (host, path) =
        url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).context("no address")?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("no answer")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let body = answer.split_off(end + 4);
    let status = head.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        bail!("{method} {url} was answered {status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(body)
}

pub(super) fn get(url: &str) -> Result<Value> {
    serde_json::from_slice(&request("GET", url, None)?).with_context(|| format!("read the answer of {url}"))
}

pub(super) fn post(url: &str, body: &Value) -> Result<Value> {
    let answer = request("POST", url, Some(body))?;
    serde_json::from_slice(&answer).with_context(|| format!("read the answer of {url}"))
}
