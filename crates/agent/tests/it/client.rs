//! The scripted agent as a process, and this crate's way of talking to it.

use lamplight_agent::{Context, Line, LineTooLong, Lines, Listening, Reader, Said, render};
use lamplight_domain::agent::{AgentInput, AgentReport, Opened, StopReason};
use lamplight_domain::{Event, Failure, TurnNumber};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tempfile::TempDir;

/// So long may one process of a test take.
const DEADLINE: Duration = Duration::from_secs(120);

/// HOME and working copy, which outlive a process.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(place.workspace()).unwrap();
        place
    }

    pub(crate) fn workspace(&self) -> std::path::PathBuf {
        self.directory.path().join("workspace")
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Client {
        Client::start(self.directory.path(), &self.workspace(), arguments)
    }
}

pub(crate) struct Client {
    agent: Child,
    lines: Lines,
    reader: Reader,
    ready: VecDeque<Result<Line, LineTooLong>>,
    context: Context,
    pub(crate) listening: Listening,
    pub(crate) agent_session: String,
    /// Everything that was read so far.
    pub(crate) events: Vec<Event>,
    pub(crate) reports: Vec<AgentReport>,
    /// Dropped with the client, and until then waited for by a thread that kills the agent when that takes too long.
    _deadline: Sender<()>,
    /// Kept as long as the process, where no other process needs it.
    place: Option<Place>,
}

impl Client {
    /// A process with a place of its own.
    pub(crate) fn alone(arguments: &[&str]) -> Self {
        let place = Place::new();
        let mut client = place.start(arguments);
        client.place = Some(place);
        client
    }

    fn start(home: &Path, cwd: &Path, arguments: &[&str]) -> Self {
        let agent = Command::new(env!("CARGO_BIN_EXE_scripted-agent"))
            .args(arguments)
            .env("HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = kill_after_deadline(agent.id());
        Self {
            agent,
            lines: Lines::starting_at(0),
            reader: Reader::default(),
            ready: VecDeque::new(),
            context: Context { cwd: cwd.to_str().unwrap().to_owned(), ..Context::default() },
            listening: Listening::Turn(TurnNumber(0)),
            agent_session: String::new(),
            events: Vec::new(),
            reports: Vec::new(),
            _deadline: deadline,
            place: None,
        }
    }

    /// A person can be asked.
    pub(crate) fn with_a_person(mut self) -> Self {
        self.context.questions = true;
        self
    }

    pub(crate) fn tell(&mut self, input: &AgentInput) {
        let line = render(input, &self.context);
        self.write(&line);
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        // An agent that has left is noticed by its output and status.
        let _ = self.agent.stdin.as_mut().unwrap().write_all(bytes);
    }

    pub(crate) fn open(&mut self) -> Opened {
        self.tell(&AgentInput::Initialize);
        self.until(|report| matches!(report, AgentReport::Initialized { .. }));
        self.tell(&AgentInput::NewSession);
        self.opened()
    }

    pub(crate) fn opened(&mut self) -> Opened {
        let report = self.until(|report| matches!(report, AgentReport::SessionOpened(_)));
        let AgentReport::SessionOpened(opened) = report else { unreachable!() };
        self.agent_session.clone_from(&opened.agent_session);
        *opened
    }

    pub(crate) fn prompt(&mut self, turn: u32, text: &str) {
        let turn = TurnNumber(turn);
        self.listening = Listening::Turn(turn);
        let agent_session = self.agent_session.clone();
        let (text, attachments) = (text.to_owned(), Vec::new());
        self.tell(&AgentInput::Prompt { agent_session, turn, retry: 0, text, attachments, images: false });
    }

    pub(crate) fn cancel(&mut self) {
        let agent_session = self.agent_session.clone();
        self.tell(&AgentInput::Cancel { agent_session });
    }

    /// The end of the turn that is running.
    pub(crate) fn ended(&mut self) -> Result<StopReason, Failure> {
        let report = self.until(|report| matches!(report, AgentReport::PromptEnded { .. }));
        let AgentReport::PromptEnded { result, .. } = report else { unreachable!() };
        result
    }

    pub(crate) fn until(&mut self, wanted: impl Fn(&AgentReport) -> bool) -> AgentReport {
        loop {
            let line = self.next_line().expect("the agent's output ended");
            let report = self.take(line).into_iter().find(&wanted);
            if let Some(report) = report {
                return report;
            }
        }
    }

    /// Reads until the agent has said something.
    pub(crate) fn until_text(&mut self) -> String {
        while self.text().is_empty() {
            let line = self.next_line().expect("the agent's output ended");
            self.take(line);
        }
        self.text()
    }

    /// Reads until the agent has closed its output, and gives how it exited and what it complained about.
    pub(crate) fn until_exit(mut self) -> (ExitStatus, String, Vec<Event>, Vec<AgentReport>) {
        while let Some(line) = self.next_line() {
            self.take(line);
        }
        let mut complaint = String::new();
        self.agent.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        let status = self.agent.wait().unwrap();
        (status, complaint, std::mem::take(&mut self.events), std::mem::take(&mut self.reports))
    }

    pub(crate) fn close_input(&mut self) {
        self.agent.stdin.take();
    }

    pub(crate) fn id(&self) -> u32 {
        self.agent.id()
    }

    pub(crate) fn text(&self) -> String {
        let spoken = self.events.iter().filter_map(|event| match event {
            Event::AgentSpoke { text, .. } => Some(text.as_str()),
            _ => None,
        });
        spoken.collect()
    }

    fn take(&mut self, line: Result<Line, LineTooLong>) -> Vec<AgentReport> {
        let said = match line {
            Ok(line) => self.reader.read(&line.text, self.listening),
            Err(too_long) => Said {
                reports: vec![AgentReport::ProtocolBroken { failure: too_long.into() }],
                events: Vec::new(),
            },
        };
        self.events.extend(said.events);
        self.reports.extend(said.reports.clone());
        said.reports
    }

    fn next_line(&mut self) -> Option<Result<Line, LineTooLong>> {
        let mut buffer = vec![0; 64 * 1024];
        while self.ready.is_empty() {
            let read = self.agent.stdout.as_mut().unwrap().read(&mut buffer).unwrap();
            if read == 0 {
                return None;
            }
            self.ready.extend(self.lines.push(&buffer[..read]));
        }
        self.ready.pop_front()
    }
}

/// Ends a test that waits for words that never come: the agent's output ends, and the test says so.
fn kill_after_deadline(agent: u32) -> Sender<()> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        if receiver.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-9", &agent.to_string()]).status();
        }
    });
    sender
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}
