//! A sandbox itself, by the daemon that the cloud has in it: programs started and followed, files put in.

use super::cloud::at;
use super::error::{of_call, of_status, of_transport, strange, too_late};
use crate::error::{ErrorKind, SandboxError};
use bytes::BytesMut;
use lamplight_e2b::ENVD_PORT;
use lamplight_e2b::connect::{self, END, Message};
use lamplight_e2b::process::{Config, Data, End, Event, EventResponse, StartRequest};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Client, RequestBuilder, Response, Url};
use std::collections::BTreeMap;
use std::time::Duration;

/// Until a program is started.
const START: Duration = Duration::from_secs(60);
/// For a file; the largest are agents of hundreds of megabytes.
const UPLOAD: Duration = Duration::from_secs(1800);

/// How often a stream is to say something, in seconds, and how long one may say nothing.
const PING_SECONDS: &str = "50";
const SILENCE: Duration = Duration::from_secs(150);

/// Of what a command says, so much is kept; bytes.
const KEPT: usize = 4096;

/// Of an answer that is not a stream, so much is read; bytes. It may come from inside, and from whoever has become root there.
const ANSWER: usize = 64 * 1024;

/// Who a program runs as, where it is not who works in the sandbox.
pub(super) const ROOT: &str = "root";

/// One sandbox, and what lets one in.
#[derive(Clone)]
pub(super) struct Door {
    http: Client,
    base: Url,
    id: String,
    token: Option<String>,
}

/// A program to start.
pub(super) struct Program {
    pub(super) user: String,
    pub(super) argv: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) folder: String,
    pub(super) has_input: bool,
}

/// One that was started: its number, and what it says from its beginning on.
pub(super) struct Started {
    pub(super) pid: u32,
    pub(super) events: Events,
}

/// What a program says. Dropping it leaves the program running.
pub(super) struct Events {
    what: String,
    answer: Response,
    buffer: BytesMut,
}

impl Door {
    pub(super) fn new(http: Client, base: Url, id: String, token: Option<String>) -> Self {
        Self { http, base, id, token }
    }

    /// Writes a file as root.
    pub(super) async fn upload(&self, path: &str, content: impl Into<Body>) -> Result<(), SandboxError> {
        let what = format!("put {path} into sandbox {}", self.id);
        let mut url = at(&self.base, &["files"]);
        url.query_pairs_mut().append_pair("path", path).append_pair("username", ROOT);
        let request = self.known(self.http.post(url)).header(CONTENT_TYPE, "application/octet-stream");
        let asked = async {
            let answer = request.body(content).send().await?;
            Ok::<_, reqwest::Error>((answer.status(), beginning(answer).await?))
        };
        let asked = tokio::time::timeout(UPLOAD, asked).await.map_err(|_| too_late(&what))?;
        let (status, body) = asked.map_err(|error| of_transport(&what, error))?;
        if status.is_success() { Ok(()) } else { Err(of_status(&what, status, &body)) }
    }

    /// Starts a program, which goes on whoever listens.
    pub(super) async fn start(&self, program: Program) -> Result<Started, SandboxError> {
        let name = program.argv.first().cloned().unwrap_or_default();
        let what = format!("start {name} in sandbox {}", self.id);
        let mut argv = program.argv.into_iter();
        let process = Config {
            cmd: argv.next().unwrap_or_default(),
            args: argv.collect(),
            envs: program.environment,
            cwd: Some(program.folder),
        };
        let asked = StartRequest { process, stdin: Some(program.has_input), ..StartRequest::default() };
        let request = self
            .stream("Start", &program.user)
            .header("Keepalive-Ping-Interval", PING_SECONDS)
            .body(connect::encode(&asked));
        let begun = async {
            let answer = request.send().await.map_err(|error| of_transport(&what, error))?;
            let status = answer.status();
            if !status.is_success() {
                let body = beginning(answer).await.unwrap_or_default();
                return Err(of_status(&what, status, &body));
            }
            let mut events = Events { what: what.clone(), answer, buffer: BytesMut::new() };
            match events.next().await? {
                Some(Event::Start { pid }) => Ok(Started { pid, events }),
                Some(_) | None => Err(strange(&what, "it does not begin with the start")),
            }
        };
        tokio::time::timeout(START, begun).await.unwrap_or_else(|_| Err(too_late(&what)))
    }

    /// Runs a program to its end; how it ended, and the first that it said.
    pub(super) async fn run(
        &self,
        program: Program,
        within: Duration,
    ) -> Result<(End, String), SandboxError> {
        let ran = async {
            let mut events = self.start(program).await?.events;
            let mut said = Vec::new();
            loop {
                match events.next().await? {
                    Some(Event::Data(Data::Stdout(bytes) | Data::Stderr(bytes) | Data::Pty(bytes))) => {
                        let room = KEPT.saturating_sub(said.len()).min(bytes.0.len());
                        said.extend_from_slice(&bytes.0[..room]);
                    }
                    Some(Event::End(end)) => {
                        return Ok((end, String::from_utf8_lossy(&said).trim().to_owned()));
                    }
                    Some(Event::Start { .. } | Event::Keepalive {}) => {}
                    None => return Err(strange(&events.what, "it ends before the program does")),
                }
            }
        };
        let late = || Err(too_late(&format!("run a program in sandbox {}", self.id)));
        tokio::time::timeout(within, ran).await.unwrap_or_else(|_| late())
    }

    /// Gives a program its standard input, for as long as there is some. Returns when the sandbox takes no more.
    pub(super) async fn feed(&self, user: &str, input: Body) -> Result<(), SandboxError> {
        let what = format!("speak with the guest in sandbox {}", self.id);
        let answer = self.stream("StreamInput", user).body(input).send().await;
        let answer = answer.map_err(|error| of_transport(&what, error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let body = beginning(answer).await.unwrap_or_default();
        Err(of_status(&what, status, &body))
    }

    /// A call whose request, or answer, is a stream.
    fn stream(&self, method: &str, user: &str) -> RequestBuilder {
        let url = at(&self.base, &["process.Process", method]);
        // No password belongs to it: who has the token may be anybody in there.
        let request = self.known(self.http.post(url)).basic_auth(user, Some(""));
        request.header(CONTENT_TYPE, connect::STREAM).header("Connect-Protocol-Version", "1")
    }

    /// With all that says which sandbox, and lets one in.
    fn known(&self, request: RequestBuilder) -> RequestBuilder {
        let request =
            request.header("E2b-Sandbox-Id", &self.id).header("E2b-Sandbox-Port", ENVD_PORT.to_string());
        match &self.token {
            Some(token) => request.header("X-Access-Token", token),
            None => request,
        }
    }
}

/// No more of it than is looked at.
async fn beginning(mut answer: Response) -> Result<BytesMut, reqwest::Error> {
    let mut all = BytesMut::new();
    while all.len() < ANSWER
        && let Some(piece) = answer.chunk().await?
    {
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

impl Events {
    /// `None` when the stream has come to its end.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, SandboxError> {
        let what = self.what.clone();
        loop {
            if let Some(message) =
                Message::decode(&mut self.buffer).map_err(|error| of_call(&what, &error))?
            {
                if message.flags & END != 0 {
                    let ended =
                        connect::parse_end(&message.text).map_err(|error| strange(&what, error.message))?;
                    return ended.map_or(Ok(None), |error| Err(of_call(&what, &error)));
                }
                let EventResponse { event } =
                    connect::parse(&message.text).map_err(|error| strange(&what, error.message))?;
                match event {
                    Event::Keepalive {} => continue,
                    event @ (Event::Start { .. } | Event::Data(_) | Event::End(_)) => return Ok(Some(event)),
                }
            }
            let piece =
                tokio::time::timeout(SILENCE, self.answer.chunk()).await.map_err(|_| too_late(&what))?;
            match piece.map_err(|error| of_transport(&what, error))? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None => {
                    let message = format!("{what}: the sandbox was cut off");
                    return Err(SandboxError::new(ErrorKind::Unavailable, message));
                }
            }
        }
    }
}
