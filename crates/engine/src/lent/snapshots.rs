//! Keeping the files of a lent sandbox that runs, and giving them to others. What runs in it goes on, and is not in what is kept.

use super::facts::LentState;
use super::keeping::{Begun, failed};
use super::template::{Begins, DEFAULT_TAG, LentTemplate, TemplateName, TemplateState};
use super::{Entry, LentSandbox};
use crate::engine::{Engine, Shared};
use crate::error::CommandError;
use crate::{clock, ids};
use futures::future::join_all;
use lamplight_domain::SessionId;
use lamplight_sandbox::checkpoint::Checkpoint;
use lamplight_sandbox::handle::Handle;
use std::sync::Arc;

impl Engine {
    /// Keeps the files of one that runs as they are now, under a name where there is one.
    pub async fn snapshot_lent(
        &self,
        id: &SessionId,
        called: Option<TemplateName>,
    ) -> Result<LentTemplate, CommandError> {
        let entry = self.lent_entry(id)?;
        let shared = Arc::clone(&self.shared);
        // It is made also where nobody waits for it any more.
        let made = self.shared.tasks.spawn(async move { snapshot(&shared, &entry, called).await });
        made.await.unwrap_or_else(|panic| Err(CommandError::Failed(panic.into())))
    }

    /// Makes so many others with its files, each lent for so long. Each is there, or says why it is not.
    pub async fn fork_lent(
        &self,
        id: &SessionId,
        count: usize,
        time_ms: u64,
    ) -> Result<Vec<Result<LentSandbox, CommandError>>, CommandError> {
        let entry = self.lent_entry(id)?;
        let shared = Arc::clone(&self.shared);
        let made = self.shared.tasks.spawn(async move { fork(&shared, &entry, count, time_ms).await });
        made.await.unwrap_or_else(|panic| Err(CommandError::Failed(panic.into())))
    }
}

async fn snapshot(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    called: Option<TemplateName>,
) -> Result<LentTemplate, CommandError> {
    let _turn = entry.turn.lock().await;
    let facts = running(shared, entry)?;
    let (name, tag) = match called {
        Some(TemplateName { name, tag }) => (Some(name), tag),
        None => (None, None),
    };
    let id = ids::session_id();
    let new = LentTemplate {
        family: id.clone(),
        id,
        person: facts.person.clone(),
        name,
        tags: vec![tag.unwrap_or_else(|| DEFAULT_TAG.to_owned())],
        made_at: clock::now(),
        state: TemplateState::Building,
        of: Some(entry.id.clone()),
        begins: Begins { environment: facts.begins_with(), ..facts.begins.clone() },
        image: facts.image().cloned(),
        checkpoint: None,
        layers: Vec::new(),
        size: facts.size(),
    };
    let new = shared.new_template(new).await?;
    let kept = async {
        let own = checkpoint(shared, &facts).await?;
        let given = shared.provider.restore(&own, &new.id).await.map_err(failed);
        forget(shared, &own).await;
        given?;
        shared.provider.checkpoint(&new.handle(shared), 1).await.map_err(failed)
    };
    match kept.await {
        Ok(kept) => {
            let checkpoint = Some(kept.as_str().to_owned());
            let ready = LentTemplate { state: TemplateState::Ready, checkpoint, ..new };
            entry.journal.say(format!("snapshot {} made", ready.id));
            shared.keep_template(ready).await
        }
        Err(error) => {
            shared.remove_template(&new.id).await?;
            Err(error)
        }
    }
}

async fn fork(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    count: usize,
    time_ms: u64,
) -> Result<Vec<Result<LentSandbox, CommandError>>, CommandError> {
    let begun = {
        let _turn = entry.turn.lock().await;
        let facts = running(shared, entry)?;
        let own = checkpoint(shared, &facts).await?;
        let forks = (0..count).map(|_| {
            let fork = facts.forked(&ids::session_id(), time_ms, clock::now());
            Begun::of(shared, fork, Some(&own))
        });
        let begun = join_all(forks).await;
        forget(shared, &own).await;
        entry.journal.say(format!("forked into {count}"));
        begun
    };
    // From here on each has files of its own, and whatever starts in it may take its time.
    let made = begun.into_iter().map(async |begun| begun?.made(shared).await);
    Ok(join_all(made).await)
}

fn running(shared: &Shared, entry: &Entry) -> Result<LentSandbox, CommandError> {
    let facts = entry.facts();
    if facts.state != LentState::Running {
        return Err(super::not_running(&entry.id));
    }
    if !shared.provider.capabilities().checkpoints {
        return Err(CommandError::invalid(
            "no_snapshots",
            format!("sandboxes of {} have no snapshots and no forks", shared.provider.name()),
            "Use a provider that keeps files in layers; lamplight doctor says what this machine lacks.",
        ));
    }
    Ok(facts)
}

/// Of a number that no other has.
async fn checkpoint(shared: &Shared, facts: &LentSandbox) -> Result<Checkpoint, CommandError> {
    let handle = Handle::from_log(&facts.handle);
    let others = shared.provider.checkpoints(&facts.id).await.map_err(failed)?;
    let number = |one: &Checkpoint| one.open(shared.provider.name()).map_or(0, |content| content.number);
    let next = others.iter().map(number).max().unwrap_or(0) + 1;
    shared.provider.checkpoint(&handle, next).await.map_err(failed)
}

async fn forget(shared: &Shared, own: &Checkpoint) {
    if let Err(error) = shared.provider.remove_checkpoint(own).await {
        tracing::warn!(%error, "a checkpoint that others were made from could not be removed; it ends with its sandbox");
    }
}
