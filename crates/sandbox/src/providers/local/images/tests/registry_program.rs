//! A registry as far as it is asked for images: the distribution protocol on loopback, with tokens and with blobs that are kept
//! elsewhere. It refuses misuse: whoever comes without the right token, asks for manifests without saying which kinds it
//! understands, or shows the token to the place of the blobs. A private one gives tokens to one person alone, or takes who they
//! are instead.

use super::layouts::Built;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

const REPOSITORY: &str = "team/tool";
const TOKEN: &str = "a-token-for-team-tool";

/// `ada` and `secret`, as HTTP has them.
const ADA: &str = "Basic YWRhOnNlY3JldA==";

/// To whom images are given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Anybody,
    /// Who gets a token.
    Ada,
    /// Who says who they are with every question.
    AdaWithoutToken,
}

pub(super) struct Registry {
    /// Host and port.
    pub(super) address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

struct Request {
    path: String,
    headers: BTreeMap<String, String>,
}

impl Registry {
    pub(super) fn start(built: Built) -> Self {
        Self::start_for(To::Anybody, built)
    }

    pub(super) fn start_for(to: To, built: Built) -> Self {
        let blobs = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let blobs_address = blobs.local_addr().unwrap().to_string();
        let kept = built.blobs.clone();
        serve(blobs, move |request| {
            if request.headers.contains_key("authorization") {
                return Answer::new("400 Bad Request", "the token was shown to others");
            }
            match kept.get(request.path.trim_start_matches("/kept/")) {
                Some(blob) => Answer::new("200 OK", blob.clone()),
                None => Answer::new("404 Not Found", ""),
            }
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (own, seen) = (address.clone(), Arc::clone(&asked));
        serve(listener, move |request| {
            seen.lock().unwrap().push(request.path.clone());
            answer(to, &built, &own, &blobs_address, &request)
        });
        Self { address, asked }
    }

    pub(super) fn reference(&self, version: &str) -> String {
        let sign = if version.contains(':') { '@' } else { ':' };
        format!("{}/{REPOSITORY}{sign}{version}", self.address)
    }

    /// The paths that were asked for, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(to: To, built: &Built, own: &str, blobs: &str, request: &Request) -> Answer {
    let shown = request.headers.get("authorization").map(String::as_str);
    if let Some(query) = request.path.strip_prefix("/token?") {
        match (to, shown) {
            (To::Anybody, None) | (To::Ada, Some(ADA)) => {}
            (To::Ada, None | Some(_)) => return Answer::new("401 Unauthorized", "who are you?"),
            (To::Anybody | To::AdaWithoutToken, None | Some(_)) => {
                return Answer::new("400 Bad Request", "nobody asked who you are");
            }
        }
        let wanted = format!("scope=repository%3A{}%3Apull", REPOSITORY.replace('/', "%2F"));
        let fields: Vec<&str> = query.split('&').collect();
        return if fields.contains(&"service=tests") && fields.contains(&wanted.as_str()) {
            Answer::new("200 OK", format!(r#"{{"token":"{TOKEN}","expires_in":60}}"#))
        } else {
            Answer::new("400 Bad Request", format!("not what was asked to ask for: {query}"))
        };
    }
    let wanted = match to {
        To::Anybody | To::Ada => format!("Bearer {TOKEN}"),
        To::AdaWithoutToken => ADA.to_owned(),
    };
    if shown != Some(wanted.as_str()) {
        let challenge = match to {
            To::Anybody | To::Ada => format!(
                r#"Bearer realm="http://{own}/token",service="tests",scope="repository:{REPOSITORY}:pull""#
            ),
            To::AdaWithoutToken => r#"Basic realm="tests""#.to_owned(),
        };
        return Answer::new("401 Unauthorized", r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#)
            .with("WWW-Authenticate", challenge);
    }
    let Some(rest) = request.path.strip_prefix(&format!("/v2/{REPOSITORY}/")) else {
        return Answer::new("404 Not Found", r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#);
    };
    match rest.split_once('/') {
        Some(("manifests", version)) => {
            let kinds = request.headers.get("accept").map(String::as_str).unwrap_or_default();
            if !kinds.contains("oci.image.index.v1") || !kinds.contains("docker.distribution.manifest.v2") {
                return Answer::new("400 Bad Request", "which kinds are understood was not said");
            }
            let digest = if version == "1" { &built.top } else { version };
            match built.blobs.get(digest) {
                Some(manifest) => {
                    Answer::new("200 OK", manifest.clone()).with("Docker-Content-Digest", digest)
                }
                None => Answer::new("404 Not Found", r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
            }
        }
        Some(("blobs", digest)) => Answer::new("307 Temporary Redirect", "")
            .with("Location", format!("http://{blobs}/kept/{digest}")),
        _ => Answer::new("404 Not Found", ""),
    }
}

/// One connection after the other, each for one request, until the test ends.
fn serve(listener: TcpListener, answer: impl Fn(Request) -> Answer + Send + 'static) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            // A client that goes away is its own affair.
            let _ = converse(stream, &answer);
        }
    });
}

fn converse(mut stream: TcpStream, answer: &impl Fn(Request) -> Answer) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?.take(64 * 1024)).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let answer = match first.split(' ').collect::<Vec<_>>()[..] {
        ["GET", path, "HTTP/1.1"] => answer(Request { path: path.to_owned(), headers }),
        _ => Answer::new("405 Method Not Allowed", ""),
    };
    let mut head = format!(
        "HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(&answer.body)
}
