//! The provider `e2b` before clouds that do what none should.

use lamplight_domain::{Generation, SessionId};
use lamplight_sandbox::error::ErrorKind;
use lamplight_sandbox::provider::{Provider, SandboxSpec};
use lamplight_sandbox::providers::e2b::{E2b, E2bConfig, Key};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

const KEY: &str = "e2b_canary-4f2a91b7";

/// The address of a cloud that answers each request by its first line, with a status and what comes behind it.
fn cloud(answer: impl Fn(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let request = read(&connection);
            let answer = format!("HTTP/1.1 {}", answer(&request));
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    base
}

/// All of it; its first line.
fn read(connection: &TcpStream) -> String {
    let mut from = BufReader::new(connection);
    let (mut first, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        first.get_or_insert_with(|| line.to_owned());
    }
    from.read_exact(&mut vec![0; length]).unwrap();
    first.unwrap_or_default()
}

fn told(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn e2b(data: &Path, api_url: String) -> E2b {
    lamplight_engine::install_tls_provider();
    let config = E2bConfig::new(data.to_owned(), Key::new(KEY), "here".to_owned());
    E2b::open(E2bConfig { api_url: Some(api_url), ..config }).unwrap()
}

/// The key is for the cloud that is configured, wherever that would rather have it sent.
#[tokio::test]
async fn nobody_is_asked_with_the_key_but_the_cloud() {
    let data = tempfile::tempdir().unwrap();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("http://{}/v2/sandboxes", elsewhere.local_addr().unwrap());
    let base = cloud(move |_| told(&format!("307 Temporary Redirect\r\nlocation: {location}"), ""));
    let error = e2b(data.path(), base).list().await.unwrap_err();
    assert!(error.to_string().contains("307"), "{error}");
    assert_eq!(elsewhere.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

/// Without a token its daemon starts programs as root for whoever is inside: it is ended, and nobody works in it.
#[tokio::test]
async fn a_sandbox_that_is_open_to_those_inside_is_not_used() {
    let data = tempfile::tempdir().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let base = cloud(move |request| {
        let request = request.split(['?', ' ']).take(2).collect::<Vec<_>>().join(" ");
        heard.lock().unwrap().push(request.clone());
        match request.as_str() {
            "GET /v2/sandboxes" => told("200 OK", "[]"),
            "POST /v2/sandboxes" => {
                let made = r#"{"templateID":"base","sandboxID":"iabc","clientID":"x","envdVersion":"0.1.0","domain":null}"#;
                told("201 Created", made)
            }
            "DELETE /sandboxes/iabc" => told("204 No Content", ""),
            _ => told("500 Internal Server Error", ""),
        }
    });
    let session: SessionId = "01JAZZZZZZZZZZZZZZZZZZZZZZ".parse().unwrap();
    let spec = SandboxSpec {
        session,
        generation: Generation(1),
        environment: [].into(),
        mounts: Vec::new(),
        image: None,
        limits: Default::default(),
        egress: false,
        gateway: true,
    };
    let error = e2b(data.path(), base).create(&spec).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("token") && !error.to_string().contains(KEY), "{error}");
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked, ["GET /v2/sandboxes", "POST /v2/sandboxes", "DELETE /sandboxes/iabc"]);
}
