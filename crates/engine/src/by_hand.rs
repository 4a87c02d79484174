//! The way of people into a sandbox: to its shells and to what listens in it.

use crate::CommandError;
use crate::code::CODE_PORT;
use crate::effects::Trouble;
use crate::engine::{ANSWER_WAIT, Engine};
use crate::session::Message;
use lamplight_domain::SessionId;
use lamplight_domain::session::{Command, Refusal, SandboxState};
use lamplight_sandbox::link::{Code, Link, LinkError, Stream};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a sandbox that was paused may take to go on.
const GOING_ON: Duration = Duration::from_secs(20);
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(50);

impl Engine {
    /// The ports at which programs of the session listen, VS Code's aside, in order; none while no sandbox runs.
    pub async fn ports(&self, id: &SessionId) -> Result<Vec<u16>, CommandError> {
        self.view(id).await?;
        let Some(link) = self.running_link(id).await? else { return Ok(Vec::new()) };
        let mut ports = link.ports().await.map_err(explain)?;
        ports.retain(|port| *port != CODE_PORT);
        Ok(ports)
    }

    /// A connection to a port of loopback inside. With a name, a person is there: the sandbox is not idle, and goes on where it was
    /// paused.
    pub async fn dial(&self, id: &SessionId, port: u16, by: Option<String>) -> Result<Stream, CommandError> {
        let link = match by {
            Some(by) => self.link_for(id, by).await?,
            None => match self.running_link(id).await? {
                Some(link) => link,
                None => return Err(self.why_none_runs(id).await?),
            },
        };
        link.dial(port).await.map_err(explain)
    }

    /// A person does something in the sandbox by hand: it is not idle, and goes on where it was paused.
    pub async fn use_sandbox(&self, id: &SessionId, by: String) -> Result<(), CommandError> {
        self.command(id, Command::UseSandbox { by }).await.map(drop)
    }

    /// The way into a sandbox that runs, or goes on for this.
    pub(crate) async fn link_for(&self, id: &SessionId, by: String) -> Result<Link, CommandError> {
        self.use_sandbox(id, by).await?;
        let going_on = async {
            loop {
                if let Some(link) = self.running_link(id).await? {
                    return Ok(link);
                }
                match self.view(id).await?.sandbox_state {
                    SandboxState::Running | SandboxState::Paused => tokio::time::sleep(LOOK).await,
                    _ => return Err(CommandError::Busy),
                }
            }
        };
        tokio::time::timeout(GOING_ON, going_on).await.unwrap_or(Err(CommandError::Busy))
    }

    /// For who may not wake the sandbox.
    pub(crate) async fn why_none_runs(&self, id: &SessionId) -> Result<CommandError, CommandError> {
        let view = self.view(id).await?;
        Ok(match view.sandbox_state {
            _ if view.ended => Refusal::Ended.into(),
            SandboxState::Running | SandboxState::Paused => CommandError::invalid(
                "sandbox_paused",
                "the sandbox is paused, and everything in it stands still",
                "Resume the session.",
            ),
            SandboxState::Starting => Refusal::SandboxStarting.into(),
            SandboxState::None | SandboxState::Stopped => Refusal::NoSandbox.into(),
        })
    }

    /// `None` while no sandbox runs.
    pub(crate) async fn running_link(&self, id: &SessionId) -> Result<Option<Link>, CommandError> {
        let (reply, answer) = oneshot::channel();
        self.shared.send(id, Message::Link { reply }).await?;
        match tokio::time::timeout(ANSWER_WAIT, answer).await {
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some(Ok(link)))) => Ok(Some(link)),
            Ok(Ok(Some(Err(Trouble::Lost(detail))))) => Err(CommandError::invalid(
                "sandbox_lost",
                format!("the sandbox is gone: {detail}"),
                "Send a prompt; another one is started for it.",
            )),
            Ok(Ok(Some(Err(Trouble::Again(error))))) => Err(CommandError::Failed(error)),
            Ok(Err(_)) | Err(_) => Err(CommandError::Busy),
        }
    }
}

pub(crate) fn explain(error: LinkError) -> CommandError {
    match error {
        LinkError::Refused { code: Code::Unsupported, .. } => CommandError::invalid(
            "sandbox_too_old",
            "the sandbox was started by an earlier version of Lamplight, which does not list ports",
            "End the session, or wait until its sandbox is given back and prompt again.",
        ),
        LinkError::Refused { code: Code::NotFound, message } => CommandError::invalid(
            "nothing_listens",
            message,
            "Start the program in the sandbox, then try again.",
        ),
        LinkError::Refused { message, .. } => {
            CommandError::invalid("port_refused", message, "Try again; if it stays, look into a terminal.")
        }
        LinkError::Deadline { .. } | LinkError::Closed => CommandError::Busy,
        other => CommandError::Failed(anyhow::Error::new(other).context("reach a port")),
    }
}
