//! Runs one installed agent of the catalogue without a sandbox, for one prompt or more, and prints what is read from it.
//! This is how the recorded conversations of the tests were made.
//!
//! `converse AGENT TOOLS HOME CWD RECORD PROMPT…`: the gateway is expected on 127.0.0.1:7411, with the scripted model
//! behind it. `RECORD` gets what the agent wrote. A prompt `load:ID` as the first loads that conversation instead; with
//! `ASK` in the environment the agent stays in the mode in which it asks for permission, `MODEL` names its model, and
//! with `KEYS=openai` or `KEYS=anthropic` it is started as if that vendor's models were there.

use lamplight_agent::{
    Agent, Catalogue, Context, Line, Lines, Listening, Models, Reader, Said, Setup, render,
};
use lamplight_domain::TurnNumber;
use lamplight_domain::agent::{AgentInput, AgentReport, Opened};
use lamplight_domain::permission::{self, Policy};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

struct Conversation {
    agent: Child,
    lines: Lines,
    reader: Reader,
    ready: VecDeque<Line>,
    record: File,
    context: Context,
    listening: Listening,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [agent, tools, home, cwd, record, prompts @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: converse AGENT TOOLS HOME CWD RECORD PROMPT…");
    };
    let catalogue = Catalogue::built_in();
    let agent = catalogue.get(agent).ok_or_else(|| anyhow::anyhow!("no agent is named {agent}"))?;
    let mut conversation = Conversation::start(agent, tools, home, cwd, record)?;

    conversation.tell(&AgentInput::Initialize)?;
    conversation.until(|report| matches!(report, AgentReport::Initialized { .. }))?;
    let mut prompts = prompts.iter().peekable();
    let open = match prompts.peek().and_then(|first| first.strip_prefix("load:")) {
        Some(agent_session) => {
            prompts.next();
            conversation.listening = Listening::Loading;
            AgentInput::LoadSession { agent_session: agent_session.to_owned() }
        }
        None => AgentInput::NewSession,
    };
    conversation.tell(&open)?;
    let opened = conversation.until(|report| matches!(report, AgentReport::SessionOpened(_)))?;
    let AgentReport::SessionOpened(opened) = opened else { unreachable!("until() gives what was asked for") };
    let Opened { agent_session, modes, .. } = *opened;
    if let Some(mode) = agent.mode.filter(|_| std::env::var_os("ASK").is_none()) {
        anyhow::ensure!(modes.iter().any(|known| known == mode), "{mode} is not among {modes:?}");
        conversation
            .tell(&AgentInput::ChooseMode { agent_session: agent_session.clone(), mode: mode.to_owned() })?;
        conversation.until(|report| matches!(report, AgentReport::Configured))?;
    }
    for (turn, text) in (1..).zip(prompts) {
        let turn = TurnNumber(turn);
        conversation.listening = Listening::Turn(turn);
        conversation.tell(&AgentInput::Prompt {
            agent_session: agent_session.clone(),
            turn,
            retry: 0,
            text: text.clone(),
            attachments: Vec::new(),
            images: false,
        })?;
        conversation.until(|report| matches!(report, AgentReport::PromptEnded { .. }))?;
    }
    conversation.agent.kill()?;
    Ok(())
}

impl Conversation {
    fn start(agent: &Agent, tools: &str, home: &str, cwd: &str, record: &str) -> anyhow::Result<Self> {
        let launch = agent.launch(&Setup {
            tools_dir: tools.to_owned(),
            home: home.to_owned(),
            gateway: "http://127.0.0.1:7411".to_owned(),
            model: std::env::var("MODEL").ok(),
            compatible: None,
            models: match std::env::var("KEYS").as_deref() {
                Ok("openai") => Models::Keys { openai: true, anthropic: false, gemini: false },
                Ok("anthropic") => Models::Keys { openai: false, anthropic: true, gemini: false },
                _ => Models::Scripted,
            },
        });
        for (path, contents) in &launch.home_files {
            let path = std::path::Path::new(home).join(path);
            std::fs::create_dir_all(path.parent().expect("it is below HOME"))?;
            std::fs::write(path, contents)?;
        }
        let agent = Command::new(&launch.argv[0])
            .args(&launch.argv[1..])
            .env_clear()
            .envs(launch.env)
            .current_dir(cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self {
            agent,
            lines: Lines::starting_at(0),
            reader: Reader::default(),
            ready: VecDeque::new(),
            record: File::create(record)?,
            context: Context { cwd: cwd.to_owned(), ..Context::default() },
            listening: Listening::Turn(TurnNumber(0)),
        })
    }

    fn tell(&mut self, input: &AgentInput) -> anyhow::Result<()> {
        let line = render(input, &self.context);
        eprint!("> {}", String::from_utf8_lossy(&line));
        Ok(self.agent.stdin.as_mut().expect("piped").write_all(&line)?)
    }

    fn until(&mut self, wanted: impl Fn(&AgentReport) -> bool) -> anyhow::Result<AgentReport> {
        loop {
            let line = self.next_line()?;
            self.record.write_all(&line.text)?;
            self.record.write_all(b"\n")?;
            let Said { reports, events } = self.reader.read(&line.text, self.listening);
            for event in events {
                println!("{}", serde_json::to_string(&event)?);
            }
            for report in reports {
                println!("{report:?}");
                match &report {
                    AgentReport::PermissionAsked { request, options, .. } => {
                        let answer =
                            permission::at_once(Policy::Allow, options).expect("this policy answers");
                        self.tell(&AgentInput::AnswerPermission { request: request.clone(), answer })?;
                    }
                    AgentReport::UnknownRequest { request, method } => {
                        self.tell(&AgentInput::Unsupported {
                            request: request.clone(),
                            method: method.clone(),
                        })?;
                    }
                    AgentReport::RequestFailed { .. } | AgentReport::ProtocolBroken { .. } => {
                        anyhow::bail!("{report:?}")
                    }
                    _ => {}
                }
                if wanted(&report) {
                    return Ok(report);
                }
            }
        }
    }

    fn next_line(&mut self) -> anyhow::Result<Line> {
        let mut buffer = [0; 64 * 1024];
        while self.ready.is_empty() {
            let read = self.agent.stdout.as_mut().expect("piped").read(&mut buffer)?;
            anyhow::ensure!(read > 0, "the agent closed its output");
            self.ready.extend(self.lines.push(&buffer[..read]).into_iter().collect::<Result<Vec<_>, _>>()?);
        }
        Ok(self.ready.pop_front().expect("it was waited for"))
    }
}
