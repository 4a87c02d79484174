//! VS Code in a sandbox: a program of the guest's that is started when somebody asks for it, at a port that is reached as every other
//! is. The guest has it: nothing of it is kept here, so that a restart finds it where it was.

use crate::agents::TOOLS;
use crate::by_hand::explain;
use crate::config::Config;
use crate::engine::Engine;
use crate::session::Message;
use crate::{CommandError, Progress};
use bytes::Bytes;
use lamplight_agent::code_server;
use lamplight_agent::install::InstallError;
use lamplight_domain::{Event, SessionId};
use lamplight_sandbox::link::{Code, Link, LinkError, ProcessSpec};
use lamplight_sandbox::provider::inside;
use std::time::Duration;

/// Where it listens inside; the port is for this alone, and is not told among those of programs.
pub const CODE_PORT: u16 = inside::CODE.1;

/// What the guest calls it.
const PROCESS: &str = "code";
/// From its start to its listening, on a machine that has other things to do.
const STARTING: Duration = Duration::from_secs(25);
/// Between two looks whether it listens.
const LOOK: Duration = Duration::from_millis(50);
/// Settings that a person has are never larger; bytes.
const SETTINGS_BYTES: u64 = 1 << 20;
const SETTINGS_MODE: u32 = 0o644;

/// How VS Code stands in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeInfo {
    /// The version that sandboxes have; `None` when it has to be installed first.
    pub installed: Option<String>,
    pub running: bool,
}

/// Installs it into the tools directory.
pub async fn install_code(
    config: &Config,
    progress: impl FnMut(Progress) + Send,
) -> Result<(), InstallError> {
    code_server::install(&config.tools_dir, progress).await
}

/// The version that is installed.
pub fn installed_code(config: &Config) -> Option<String> {
    code_server::installed(&config.tools_dir)
}

impl Engine {
    /// Whether VS Code can be had, and runs. Wakes nothing.
    pub async fn code(&self, id: &SessionId) -> Result<CodeInfo, CommandError> {
        self.view(id).await?;
        let running = match self.running_link(id).await? {
            Some(link) => state(&link).await? == State::Listening,
            None => false,
        };
        Ok(CodeInfo { installed: installed_code(&self.shared.config), running })
    }

    /// Starts VS Code where it does not run, and waits until it listens. A paused sandbox goes on for it.
    pub async fn open_code(&self, id: &SessionId, by: String) -> Result<(), CommandError> {
        if installed_code(&self.shared.config).is_none() {
            return Err(CommandError::invalid(
                "code_not_installed",
                "VS Code is not installed on this machine",
                "lamplight tools install code-server",
            ));
        }
        let link = self.link_for(id, by.clone()).await?;
        if matches!(state(&link).await?, State::None | State::Ended) {
            if link.ports().await.map_err(explain)?.contains(&CODE_PORT) {
                return Err(CommandError::invalid(
                    "code_port_taken",
                    format!("another program in the sandbox listens at VS Code's port, {CODE_PORT}"),
                    "End it, in a terminal for instance.",
                ));
            }
            start(&link).await.map_err(explain)?;
            let text = format!("{by} opened VS Code");
            self.shared.send(id, Message::Facts(vec![Event::Noted { text }])).await?;
        }
        let listening = async {
            loop {
                match state(&link).await? {
                    State::Listening => return Ok(()),
                    State::Starting => tokio::time::sleep(LOOK).await,
                    State::None | State::Ended => return Err(ended()),
                }
            }
        };
        tokio::time::timeout(STARTING, listening).await.unwrap_or(Err(CommandError::Busy))
    }
}

#[derive(PartialEq, Eq)]
enum State {
    None,
    Starting,
    Listening,
    Ended,
}

async fn state(link: &Link) -> Result<State, CommandError> {
    let processes = link.processes().await.map_err(explain)?;
    match processes.into_iter().find(|state| state.process == PROCESS) {
        None => Ok(State::None),
        Some(process) if process.status.is_some() => Ok(State::Ended),
        Some(_) if link.ports().await.map_err(explain)?.contains(&CODE_PORT) => Ok(State::Listening),
        Some(_) => Ok(State::Starting),
    }
}

async fn start(link: &Link) -> Result<(), LinkError> {
    let launch = code_server::launch(TOOLS, inside::HOME, inside::WORKSPACE, CODE_PORT);
    for (path, text) in launch.home_files {
        let path = format!("{}/{path}", inside::HOME);
        // What a person has set stays.
        match link.read_file(&path, SETTINGS_BYTES).await {
            Err(LinkError::Refused { code: Code::NotFound, .. }) => {
                link.write_file(&path, SETTINGS_MODE, Bytes::from(text)).await?;
            }
            Ok(_) | Err(LinkError::Refused { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    let spec = ProcessSpec {
        argv: launch.argv,
        env: launch.env.into_iter().collect(),
        cwd: Some(inside::WORKSPACE.to_owned()),
        stdin: false,
    };
    // One that has ended would be found again by its name.
    link.forget(PROCESS).await?;
    link.spawn(PROCESS, &spec).await.map(drop)
}

fn ended() -> CommandError {
    CommandError::invalid(
        "code_ended",
        "VS Code ended before it could be shown",
        "Look into ~/.local/share/code-server/log in a terminal; the sandbox may lack memory.",
    )
}
