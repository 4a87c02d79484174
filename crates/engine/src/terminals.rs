//! Shells of people, in the sandbox beside the agent. The guest has them: nothing of them is kept here, so that a restart loses none.

use crate::engine::{Engine, Shared};
use crate::session::Message;
use crate::{CommandError, ids};
use lamplight_domain::agent::ExitStatus;
use lamplight_domain::{Event, SessionId};
use lamplight_sandbox::link::{
    Code, Link, LinkError, ProcessSpec, ProcessState, Terminal, TerminalSize, exit_status,
};
use lamplight_sandbox::provider::inside;

/// Terminals of one session, those that ended and were not closed included.
const MAX_TERMINALS: usize = 8;

/// What the guest calls a terminal's process begins with this.
const PREFIX: &str = "terminal-";

/// A terminal of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalInfo {
    pub id: String,
    /// How its shell ended; `None` while it runs.
    pub status: Option<ExitStatus>,
    /// Bytes of output: the first that is kept, and how many there ever were.
    pub kept_from: u64,
    pub end: u64,
}

impl Engine {
    /// The session's terminals, oldest first. None where no sandbox runs; of one that is paused they cannot be asked for.
    pub async fn terminals(&self, id: &SessionId) -> Result<Vec<TerminalInfo>, CommandError> {
        self.view(id).await?;
        let Some(link) = self.running_link(id).await? else { return Ok(Vec::new()) };
        Ok(terminals_of(&link).await?.into_iter().filter_map(info).collect())
    }

    /// Starts a shell, as the agent's user and in the repository's folder. A paused sandbox goes on for it.
    pub async fn open_terminal(
        &self,
        id: &SessionId,
        size: TerminalSize,
        by: String,
    ) -> Result<TerminalInfo, CommandError> {
        let link = self.link_for(id, by.clone()).await?;
        let known = terminals_of(&link).await?;
        if known.len() >= MAX_TERMINALS {
            // Those that have ended make room.
            let ended: Vec<_> = known.iter().filter(|state| state.status.is_some()).collect();
            if ended.is_empty() {
                return Err(too_many());
            }
            for state in ended {
                link.forget(&state.process).await.map_err(explain)?;
            }
        }
        let spec = shell(&self.shared, self.view(id).await?.image.map(|image| image.digest));
        let name = format!("{PREFIX}{}", ids::terminal_id());
        let state = link.spawn_terminal(&name, &spec, size).await.map_err(explain)?;
        self.shared.send(id, Message::Facts(vec![Event::TerminalOpened { by }])).await?;
        info(state).ok_or(CommandError::Busy)
    }

    /// Sits down at a terminal, beside all who have: its output from this byte on, or from the oldest that is kept. Who only looks wakes
    /// nothing: of a paused sandbox it is refused.
    pub async fn terminal(
        &self,
        id: &SessionId,
        terminal: &str,
        from: u64,
    ) -> Result<Terminal, CommandError> {
        let Some(link) = self.running_link(id).await? else { return Err(self.why_none_runs(id).await?) };
        link.terminal(&format!("{PREFIX}{terminal}"), from).await.map_err(explain)
    }

    /// Ends a terminal's shell as closing its window does. Of one that is gone is fine.
    pub async fn close_terminal(
        &self,
        id: &SessionId,
        terminal: &str,
        by: String,
    ) -> Result<(), CommandError> {
        let link = self.link_for(id, by).await?;
        link.close_terminal(&format!("{PREFIX}{terminal}")).await.map_err(explain)
    }
}

async fn terminals_of(link: &Link) -> Result<Vec<ProcessState>, CommandError> {
    let all = link.processes().await.map_err(explain)?;
    Ok(all.into_iter().filter(|state| state.process.starts_with(PREFIX)).collect())
}

fn info(state: ProcessState) -> Option<TerminalInfo> {
    Some(TerminalInfo {
        id: state.process.strip_prefix(PREFIX)?.to_owned(),
        status: state.status.map(exit_status),
        kept_from: state.stdout.start,
        end: state.stdout.end,
    })
}

/// What a person expects of a shell: everything else it has from the sandbox, as all that runs there.
fn shell(shared: &Shared, image: Option<lamplight_domain::ImageDigest>) -> ProcessSpec {
    let environment = shared.provider.environment(image.as_ref());
    let shell = environment.get("SHELL").cloned().unwrap_or_else(|| "/bin/sh".to_owned());
    let env = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("SHELL", shell.as_str())];
    ProcessSpec {
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        argv: vec![shell],
        cwd: Some(inside::WORKSPACE.to_owned()),
        stdin: false,
    }
}

fn too_many() -> CommandError {
    CommandError::invalid(
        "too_many_terminals",
        format!("the session has {MAX_TERMINALS} terminals already"),
        "Close one of them.",
    )
}

/// What the guest says no to, in the words of whoever asked.
fn explain(error: LinkError) -> CommandError {
    match error {
        LinkError::Refused { code: Code::UnknownProcess, .. } => CommandError::invalid(
            "terminal_not_found",
            "there is no such terminal; it was closed, or ended with the turn that was stopped, or with its sandbox",
            "Open another one.",
        ),
        LinkError::Refused { code: Code::Unsupported, .. } => CommandError::invalid(
            "sandbox_too_old",
            "the sandbox was started by an earlier version of Lamplight, which has no terminals",
            "End the session, or wait until its sandbox is given back and prompt again.",
        ),
        LinkError::Refused { message, .. } => CommandError::invalid(
            "terminal_refused",
            message,
            "Look whether the sandbox has memory and processes left, then try again.",
        ),
        LinkError::Deadline { .. } | LinkError::Closed => CommandError::Busy,
        other => CommandError::Failed(anyhow::Error::new(other).context("reach a terminal")),
    }
}
