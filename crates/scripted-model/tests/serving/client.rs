//! A server in this process and a plain HTTP client for it.

use std::time::Duration;

use lamplight_scripted_model::{Script, serve};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The longest any answer may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Served until dropped.
pub(crate) struct Server {
    port: u16,
    _task: JoinSet<std::io::Result<()>>,
}

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// Whether the body came to its end.
    pub(crate) whole: bool,
}

impl Server {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut task = JoinSet::new();
        task.spawn(serve(listener, script));
        Self { port, _task: task }
    }

    pub(crate) async fn built_in() -> Self {
        Self::start(Script::built_in()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        exchange(self.port, "GET", path, &[], "").await.json()
    }

    pub(crate) async fn post(&self, path: &str, headers: &[&str], body: &Value) -> Response {
        exchange(self.port, "POST", path, headers, &body.to_string()).await
    }
}

pub(crate) async fn exchange(port: u16, method: &str, path: &str, headers: &[&str], body: &str) -> Response {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    let exchanged = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![];
        // A broken connection ends the answer; `whole` tells.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    };
    Response::parse(&tokio::time::timeout(DEADLINE, exchanged).await.expect("no answer in time"))
}

impl Response {
    fn parse(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let head = head.to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.split_once("content-length: ").map(|(_, rest)| rest.lines().next().unwrap());
        let (body, whole) = match length {
            Some(length) => (body.to_owned(), body.len() == length.parse::<usize>().unwrap()),
            None => unchunked(body),
        };
        Self { status, head, body, whole }
    }

    pub(crate) fn json(&self) -> Value {
        assert!(self.whole, "{}", self.body);
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The data of each server-sent event.
    pub(crate) fn events(&self) -> Vec<&str> {
        let blocks = self.body.split_terminator("\n\n");
        blocks.map(|block| block.lines().find_map(|line| line.strip_prefix("data: ")).unwrap()).collect()
    }
}

fn unchunked(mut chunked: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((length, rest)) = chunked.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return (body, true);
        }
        let Some(chunk) = rest.get(..length) else { break };
        body.push_str(chunk);
        chunked = &rest[length + 2..];
    }
    (body, false)
}
