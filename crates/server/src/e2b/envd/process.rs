//! `process.Process`: starting, following and ending processes.

use super::rpc::{self, Answer, Call, of_process};
use super::{Inside, path};
use crate::http::App;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use lamplight_domain::agent::ExitStatus;
use lamplight_e2b::connect::{self, Code, Error};
use lamplight_e2b::process::{
    Base64, Config, Data, End, Event, EventResponse, ListResponse, MAX_OUTPUT, MAX_TERMINAL, Nothing,
    ProcessInfo, ProcessRequest, Pty, Selector, Signal, Size, StartRequest, StreamInputRequest,
};
use lamplight_engine::{LentFollower, LentInput, LentUser, NewProcess, Piece, TerminalSize, WhichProcess};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::time::Instant;

const TERM: i32 = 15;
const KILL: i32 = 9;

/// Of a terminal whose client does not say.
const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

pub(super) async fn handle(
    State(app): State<App>,
    Path(method): Path<String>,
    inside: Inside,
    request: Request,
) -> Response {
    let call = Call { app, inside, headers: request.headers().clone() };
    match method.as_str() {
        "Start" | "Connect" => {
            let followed = match method.as_str() {
                "Start" => call.start(request).await,
                _ => call.connect(request).await,
            };
            match followed {
                Ok(follower) => rpc::stream(call.events(follower)),
                Err(error) => rpc::ended(Some(&error)),
            }
        }
        "StreamInput" => match call.stream_input(request).await {
            Ok(()) => rpc::stream(futures::stream::iter(
                [connect::encode(&Nothing {}), connect::encode_end(None)].map(Ok),
            )),
            Err(error) => rpc::ended(Some(&error)),
        },
        "List" => whole(call.list().await),
        "Update" => whole(call.update(request).await),
        "SendInput" => whole(call.send_input(request).await),
        "SendSignal" => whole(call.send_signal(request).await),
        "CloseStdin" => whole(call.close_stdin(request).await),
        other => rpc::refused(&rpc::no_method(other)),
    }
}

fn whole(answer: Answer) -> Response {
    answer.unwrap_or_else(|error| rpc::refused(&error))
}

impl Call {
    async fn start(&self, request: Request) -> Result<LentFollower, Error> {
        let asked: StartRequest = rpc::first(request).await?;
        let user = self.inside.user().map_err(|name| rpc::no_user(&name))?;
        let (id, engine) = (&self.inside.sandbox.id, &self.app.engine);
        let said = asked.process.cwd.clone().filter(|cwd| !cwd.is_empty());
        let said = said.or_else(|| self.inside.sandbox.begins.folder.clone()).unwrap_or_default();
        let no_directory = || Error::new(Code::InvalidArgument, format!("cwd '{said}' does not exist"));
        let cwd = path::absolute(&said, user.home).ok_or_else(no_directory)?;
        if user.is_root {
            // The one who starts it may not look into it.
            let files = engine.lent_files(id, true).await.map_err(rpc::of_sandbox)?;
            files.stat(&cwd).await.map_err(|_| no_directory())?;
        }
        let new = self.new_process(asked, user, cwd);
        engine.lent_start(id, new).await.map_err(|error| of_process(error, &said))
    }

    fn new_process(&self, asked: StartRequest, user: LentUser, cwd: String) -> NewProcess {
        let mut environment = self.inside.environment();
        environment.extend(user.environment());
        environment.extend(asked.process.envs);
        let mut argv = vec![asked.process.cmd];
        argv.extend(asked.process.args);
        let (argv, cwd) = user.runs(argv, cwd, &environment);
        NewProcess {
            argv,
            environment,
            cwd,
            has_input: asked.stdin.unwrap_or(true),
            terminal: asked.pty.map(size),
            tag: asked.tag,
        }
    }

    async fn connect(&self, request: Request) -> Result<LentFollower, Error> {
        let asked: ProcessRequest = rpc::first(request).await?;
        let (which, what) = which(&asked.process)?;
        let followed = self.app.engine.lent_follow(&self.inside.sandbox.id, &which).await;
        followed.map_err(|error| of_process(error, &what))
    }

    /// Only what runs is told; how it was started, the sandbox itself knows.
    async fn list(&self) -> Answer {
        let (id, engine) = (&self.inside.sandbox.id, &self.app.engine);
        let running = engine.lent_processes(id).await.map_err(|error| of_process(error, ""))?;
        let files = engine.lent_files(id, false).await.map_err(rpc::of_sandbox)?;
        let mut processes = Vec::new();
        for process in running {
            let config = config(&files, process.pid).await;
            processes.push(ProcessInfo { config, pid: process.pid, tag: process.tag });
        }
        rpc::answer(&ListResponse { processes })
    }

    async fn update(&self, request: Request) -> Answer {
        let asked: ProcessRequest = rpc::unary(request).await?;
        if let Some(pty) = asked.pty {
            self.input(&asked.process, LentInput::Size(size(pty))).await?;
        }
        rpc::answer(&Nothing {})
    }

    async fn send_input(&self, request: Request) -> Answer {
        let asked: ProcessRequest = rpc::unary(request).await?;
        self.take(&asked.process, asked.input).await?;
        rpc::answer(&Nothing {})
    }

    async fn take(
        &self,
        process: &Selector,
        input: Option<lamplight_e2b::process::Input>,
    ) -> Result<(), Error> {
        let input = input.unwrap_or_default();
        match (input.stdin, input.pty) {
            (Some(Base64(bytes)), _) => self.input(process, LentInput::Pipe(bytes)).await,
            (None, Some(Base64(bytes))) => self.input(process, LentInput::Terminal(bytes)).await,
            (None, None) => Err(Error::new(Code::InvalidArgument, "there is no input in the request")),
        }
    }

    async fn input(&self, process: &Selector, input: LentInput) -> Result<(), Error> {
        let (which, what) = which(process)?;
        let taken = self.app.engine.lent_input(&self.inside.sandbox.id, &which, input).await;
        taken.map_err(|error| of_process(error, &what))
    }

    async fn stream_input(&self, request: Request) -> Result<(), Error> {
        let mut messages = rpc::messages::<StreamInputRequest>(request);
        let mut process = None;
        while let Some(message) = messages.next().await {
            let StreamInputRequest { start, data, keepalive: _ } = message?;
            if let Some(start) = start {
                process = Some(start.process);
            }
            let Some(data) = data else { continue };
            let Some(process) = &process else {
                return Err(Error::new(Code::InvalidArgument, "the first message has to name the process"));
            };
            self.take(process, data.input).await?;
        }
        Ok(())
    }

    async fn send_signal(&self, request: Request) -> Answer {
        let asked: ProcessRequest = rpc::unary(request).await?;
        let signal = match asked.signal {
            Some(Signal::Term) => TERM,
            Some(Signal::Kill) => KILL,
            Some(Signal::Unspecified) | None => {
                return Err(Error::new(Code::Unimplemented, "this signal cannot be sent"));
            }
        };
        let (which, what) = which(&asked.process)?;
        let sent = self.app.engine.lent_signal(&self.inside.sandbox.id, &which, signal).await;
        sent.map_err(|error| of_process(error, &what))?;
        rpc::answer(&Nothing {})
    }

    async fn close_stdin(&self, request: Request) -> Answer {
        let asked: ProcessRequest = rpc::unary(request).await?;
        self.input(&asked.process, LentInput::Close).await?;
        rpc::answer(&Nothing {})
    }

    /// What a process says, until it ends, its time is over, or the sandbox stops: that breaks the connection.
    fn events(&self, follower: LentFollower) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let ping = rpc::ping(&self.headers);
        let until = rpc::timeout(&self.headers).map(|time| Instant::now() + time);
        if let Some(until) = until {
            self.end_at(until, follower.name.clone());
        }
        let start = Event::Start { pid: follower.pid };
        let frames = VecDeque::from([frame(start)]);
        let state = Following { follower, frames, ping, until, is_over: false };
        futures::stream::unfold(state, async |mut state| state.next().await.map(|frame| (frame, state)))
    }

    /// Kills a process when its time is over, whether or not its client is still there.
    fn end_at(&self, until: Instant, process: String) {
        let (app, id) = (self.app.clone(), self.inside.sandbox.id.clone());
        self.app.streams.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep_until(until) => {
                    // One that has ended meanwhile is fine.
                    let _ = app.engine.lent_signal(&id, &WhichProcess::Name(process), KILL).await;
                }
                () = app.engine.lent_stops(&id) => {}
                () = app.going_away.cancelled() => {}
            }
        });
    }
}

/// Somebody who is told what a process says.
struct Following {
    follower: LentFollower,
    frames: VecDeque<Bytes>,
    ping: Duration,
    until: Option<Instant>,
    is_over: bool,
}

impl Following {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Some(Ok(frame));
            }
            if self.is_over {
                return None;
            }
            let until = self.until;
            let over = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                piece = self.follower.next() => match piece {
                    Some(piece) => self.take(piece),
                    None => return Some(Err(io::ErrorKind::ConnectionReset.into())),
                },
                () = over => self.end_in_time(),
                () = tokio::time::sleep(self.ping) => self.frames.push_back(frame(Event::Keepalive {})),
            }
        }
    }

    fn take(&mut self, piece: Piece) {
        let (bytes, most, data): (_, _, fn(Base64) -> Data) = match piece {
            Piece::Stdout(bytes) => (bytes, MAX_OUTPUT, Data::Stdout),
            Piece::Stderr(bytes) => (bytes, MAX_OUTPUT, Data::Stderr),
            Piece::Terminal(bytes) => (bytes, MAX_TERMINAL, Data::Pty),
            Piece::Ended(status) => {
                let end = match status {
                    ExitStatus::Code { code } => End::with_code(code),
                    ExitStatus::Signal { signal } => End::by_signal(signal),
                };
                self.frames.extend([frame(Event::End(end)), connect::encode_end(None)]);
                self.is_over = true;
                return;
            }
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            let part = rest.split_to(rest.len().min(most));
            self.frames.push_back(frame(Event::Data(data(Base64(part)))));
        }
    }

    fn end_in_time(&mut self) {
        let error = Error::new(Code::DeadlineExceeded, "the process took longer than its timeout");
        self.frames.push_back(connect::encode_end(Some(&error)));
        self.is_over = true;
    }
}

fn frame(event: Event) -> Bytes {
    connect::encode(&EventResponse { event })
}

fn size(pty: Pty) -> TerminalSize {
    let Size { cols, rows } = pty.size.unwrap_or_default();
    let of =
        |count: u32, otherwise| u16::try_from(count).ok().filter(|count| *count > 0).unwrap_or(otherwise);
    TerminalSize { rows: of(rows, ROWS), columns: of(cols, COLUMNS) }
}

/// Which process is meant, and how it is called in errors.
fn which(selector: &Selector) -> Result<(WhichProcess, String), Error> {
    match selector {
        Selector { pid: Some(pid), .. } => Ok((WhichProcess::Pid(*pid), format!("pid {pid}"))),
        Selector { tag: Some(tag), .. } => Ok((WhichProcess::Tag(tag.clone()), format!("tag {tag}"))),
        Selector { pid: None, tag: None } => {
            Err(Error::new(Code::InvalidArgument, "the request names no process"))
        }
    }
}

/// As the kernel knows it.
async fn config(files: &lamplight_engine::LentFiles, pid: u32) -> Config {
    let mut said = Vec::new();
    if let Ok(mut reader) = files.read(&format!("/proc/{pid}/cmdline")).await {
        while let Ok(Some(piece)) = reader.next().await {
            said.extend_from_slice(&piece);
        }
    }
    let words = said.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let mut words: VecDeque<String> = words.collect();
    // Behind the last one there is a zero too.
    words.pop_back();
    let cmd = words.pop_front().unwrap_or_default();
    Config { cmd, args: words.into(), ..Config::default() }
}
