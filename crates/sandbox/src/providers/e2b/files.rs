//! Files of sessions in snapshots of the cloud. One snapshot may be what several sessions begin with: it is removed by the last that does
//! not need it any more.

use super::record::Held;
use super::{Inner, gone};
use crate::checkpoint::{Checkpoint, CheckpointContent};
use crate::error::{ErrorKind, SandboxError};
use crate::handle::Handle;
use lamplight_domain::{Generation, SessionId};
use lamplight_e2b::control::SandboxState;

impl Inner {
    /// Ends the sandbox of this generation. Where it is the newest, the next one finds its files.
    pub(super) async fn destroy(
        &self,
        session: &SessionId,
        generation: Generation,
    ) -> Result<(), SandboxError> {
        let mut held = self.sessions.lock(session).await?;
        if let Some(held) = held.as_mut().filter(|held| held.record.newest == generation.0) {
            self.end(held).await?;
        }
        // What nobody has written down, too.
        self.kill_all(session, Some(generation)).await
    }

    /// Ends what runs of a session, and removes all that there is of it.
    pub(super) async fn forget(&self, session: &SessionId) -> Result<(), SandboxError> {
        let held = self.sessions.lock(session).await?;
        self.kill_all(session, None).await?;
        let Some(mut held) = held else { return Ok(()) };
        held.record.has_no_sandbox();
        held.record.leave_all();
        held.save().await?;
        self.tidy(&mut held).await?;
        held.remove().await
    }

    /// Ends the sandbox that a session has, with its files kept as they are; of one that is gone, as they were when they were kept last.
    pub(super) async fn end(&self, held: &mut Held) -> Result<(), SandboxError> {
        let Some(id) = held.record.sandbox.clone() else { return Ok(()) };
        if self.config.snapshots {
            match self.keep(&id, Afterwards::Ends).await {
                Ok(snapshot) => {
                    held.record.take_files(snapshot);
                    held.save().await?;
                }
                Err(error) if error.kind == ErrorKind::Gone => {
                    tracing::warn!(sandbox = %id, %error, "a sandbox has ended by itself; its session goes on from the files that were kept last");
                }
                Err(error) => return Err(error),
            }
        }
        self.cloud.kill(&id).await?;
        self.ending.forget(&id);
        held.record.has_no_sandbox();
        held.save().await?;
        self.tidy(held).await
    }

    /// The caller has seen that the handle is of the newest generation.
    pub(super) async fn checkpoint(
        &self,
        mut held: Held,
        number: u32,
        handle: &Handle,
    ) -> Result<(), SandboxError> {
        if held.record.checkpoints.contains_key(&number) {
            return Ok(());
        }
        let kept = match &held.record.sandbox {
            Some(id) => match self.keep(id, Afterwards::IsAsBefore).await {
                // It is not there: its files are those that were kept last.
                Err(error) if error.kind == ErrorKind::Gone => held.record.files.clone(),
                kept => Some(kept?),
            },
            None => held.record.files.clone(),
        };
        let kept = kept.ok_or_else(|| gone(handle))?;
        held.record.checkpoints.insert(number, kept);
        held.save().await
    }

    pub(super) async fn restore(
        &self,
        from: &CheckpointContent,
        to: &SessionId,
        name: &Checkpoint,
    ) -> Result<(), SandboxError> {
        // Before anything is ended, and once more when nobody can remove it.
        self.snapshot_of(from, name).await?;
        let mut held = self.sessions.make_and_lock(to).await?;
        self.kill_all(to, None).await?;
        held.record.has_no_sandbox();
        held.save().await?;
        {
            let _alone = self.sessions.snapshots().await?;
            let snapshot = self.snapshot_of(from, name).await?;
            held.record.take_files(snapshot);
            held.record.had = None;
            held.save().await?;
        }
        self.tidy(&mut held).await
    }

    /// See [`Provider::leave_behind`](crate::provider::Provider::leave_behind).
    pub(super) async fn leave_behind(
        &self,
        session: &SessionId,
        generation: Generation,
    ) -> Result<(), SandboxError> {
        let Some(mut held) = self.sessions.lock(session).await? else { return Ok(()) };
        if held.record.sandbox.is_some() || held.record.had.is_none_or(|had| had >= generation.0) {
            return Ok(());
        }
        held.record.had = None;
        held.record.left.extend(held.record.files.take());
        held.save().await?;
        self.tidy(&mut held).await
    }

    async fn snapshot_of(&self, from: &CheckpointContent, name: &Checkpoint) -> Result<String, SandboxError> {
        let record = self.sessions.record(&from.session).await?.unwrap_or_default();
        record
            .checkpoints
            .get(&from.number)
            .cloned()
            .ok_or_else(|| SandboxError::new(ErrorKind::Gone, format!("there is no checkpoint {name}")))
    }

    /// A snapshot of one that runs or is paused. The cloud keeps files of what runs only.
    async fn keep(&self, id: &str, afterwards: Afterwards) -> Result<String, SandboxError> {
        let was_paused = self.cloud.see(id).await?.state == SandboxState::Paused;
        if was_paused {
            self.cloud.resume(id, self.config.timeout).await?;
        }
        let kept = self.cloud.snapshot(id, None).await;
        if was_paused && afterwards == Afterwards::IsAsBefore {
            self.cloud.pause(id).await?;
        }
        kept
    }

    /// Removes what this session does not need any more and no other does. The caller has written down that it does not.
    pub(super) async fn tidy(&self, held: &mut Held) -> Result<(), SandboxError> {
        if held.record.left.is_empty() {
            return Ok(());
        }
        let _alone = self.sessions.snapshots().await?;
        let all = self.sessions.all().await?;
        while let Some(snapshot) = held.record.left.last() {
            if !all.iter().any(|(_, record)| record.needs(snapshot)) {
                self.cloud.remove_snapshot(snapshot).await?;
            }
            held.record.left.pop();
        }
        held.save().await
    }
}

/// What becomes of a sandbox whose files are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Afterwards {
    IsAsBefore,
    Ends,
}
