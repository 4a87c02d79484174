//! The files in a session's sandbox, for people. Everything goes through the guest, with the agent's rights and no more: the host
//! opens nothing that was made inside, and follows no path of it.

use crate::Engine;
use crate::error::CommandError;
use crate::session::Message;
use bytes::Bytes;
use futures::Stream;
use lamplight_domain::session::SandboxState;
use lamplight_domain::{Event, SessionId};
use lamplight_sandbox::link::{Code, FileReader, Folder, Link, LinkError};
use lamplight_sandbox::provider::inside;

/// The largest file that is read out of a sandbox; bytes.
pub const DOWNLOAD_BYTES: u64 = 1 << 30;
/// The largest that is written into one; bytes.
pub const UPLOAD_BYTES: u64 = 256 << 20;
/// Things in a folder that are told; of more, that there are more.
const FOLDER_ENTRIES: u32 = 2_000;
/// Bytes of a path: the kernel's own bound.
const PATH_BYTES: usize = 4_096;
/// Permission bits of what is uploaded.
const UPLOADED_MODE: u32 = 0o644;

impl Engine {
    /// What is in a folder; `path` is as for [`Engine::file`].
    pub async fn folder(&self, id: &SessionId, path: &str) -> Result<(String, Folder), CommandError> {
        let path = absolute(path)?;
        let folder = self.link_inside(id).await?.list_folder(&path, FOLDER_ENTRIES).await.map_err(explain)?;
        Ok((path, folder))
    }

    /// Opens a file. A path that does not begin with `/` is below the repository.
    pub async fn file(&self, id: &SessionId, path: &str) -> Result<FileReader, CommandError> {
        let path = absolute(path)?;
        self.link_inside(id).await?.open_file(&path, DOWNLOAD_BYTES).await.map_err(explain)
    }

    /// Makes or replaces a file, and tells so in the log. When `content` ends with an error, that is given back and nothing has changed.
    pub async fn upload_file<E>(
        &self,
        id: &SessionId,
        path: &str,
        content: impl Stream<Item = Result<Bytes, E>> + Unpin,
        by: &str,
    ) -> Result<Result<(), E>, CommandError> {
        let path = absolute(path)?;
        let link = self.link_inside(id).await?;
        let written = link.write_file_from(&path, UPLOADED_MODE, content).await.map_err(explain)?;
        if written.is_ok() {
            let text = format!("{by} uploaded {path}");
            self.shared.send(id, Message::Facts(vec![Event::Noted { text }])).await?;
        }
        Ok(written)
    }

    /// The way into a sandbox that runs.
    async fn link_inside(&self, id: &SessionId) -> Result<Link, CommandError> {
        let state = self.view(id).await?.sandbox_state;
        self.running_link(id).await?.ok_or_else(|| none_runs(state))
    }
}

fn none_runs(state: SandboxState) -> CommandError {
    let (code, message, what_to_do) = match state {
        SandboxState::Paused => {
            ("sandbox_paused", "the sandbox is paused", "resume the session; everything in it goes on")
        }
        SandboxState::Starting | SandboxState::Running => {
            ("sandbox_starting", "the sandbox is being made ready", "wait a moment")
        }
        SandboxState::Stopped => (
            "no_sandbox",
            "the sandbox was given back, and its files are kept",
            "send a prompt; a sandbox is started with them",
        ),
        SandboxState::None => {
            ("no_sandbox", "the session has no sandbox", "look at the branch, or start another session")
        }
    };
    CommandError::invalid(code, message, what_to_do)
}

fn absolute(path: &str) -> Result<String, CommandError> {
    if path.contains('\0') || path.len() > PATH_BYTES {
        return Err(CommandError::invalid(
            "file_path",
            format!("a path has no NUL in it and at most {PATH_BYTES} bytes"),
            "take a path from a folder's listing",
        ));
    }
    Ok(match path.strip_prefix('/') {
        Some(_) => path.to_owned(),
        None if path.is_empty() => inside::WORKSPACE.to_owned(),
        None => format!("{}/{path}", inside::WORKSPACE),
    })
}

fn explain(error: LinkError) -> CommandError {
    let (code, message) = match error {
        LinkError::Refused { code, message } => (code, message),
        other => return CommandError::Failed(anyhow::Error::new(other).context("reach a file in a sandbox")),
    };
    let (code, what_to_do) = match code {
        Code::NotFound => ("file_not_found", "look at the folder above it"),
        Code::Denied => ("file_denied", "nothing: not even the agent may"),
        Code::Unreadable => ("file_unreadable", "choose a file that is one, or a smaller one"),
        Code::Unsupported => {
            ("sandbox_too_old", "send a prompt after the sandbox was stopped; a new one is started")
        }
        Code::UnknownProcess
        | Code::NotRunning
        | Code::StillRunning
        | Code::NoStdin
        | Code::OutOfBounds
        | Code::Exists
        | Code::TooMany
        | Code::Failed
        | Code::Unknown => ("file_failed", "see what the message says"),
    };
    CommandError::invalid(code, message, what_to_do)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_below_the_repository_unless_it_says_otherwise() {
        for (told, path) in [
            ("", "/workspace"),
            ("src/a.rs", "/workspace/src/a.rs"),
            ("../home/agent", "/workspace/../home/agent"),
            ("/etc/hostname", "/etc/hostname"),
        ] {
            assert_eq!(absolute(told).unwrap(), path);
        }
        assert!(absolute("a\0b").is_err() && absolute(&"a/".repeat(3_000)).is_err());
    }
}
