//! Lending one, pausing it, and taking it back. Who does something to one has its turn; what is done is in the store first, or is found
//! again from what is there.

use super::facts::{Away, LentSandbox, LentState, NewLent};
use super::{Entry, lock, starting, tending, write};
use crate::engine::{Engine, Shared};
use crate::error::CommandError;
use crate::{clock, ids, images};
use anyhow::Context as _;
use lamplight_domain::{Generation, ImageChoice, SandboxLimits, SessionId, Timestamp};
use lamplight_sandbox::checkpoint::Checkpoint;
use lamplight_sandbox::error::{ErrorKind, SandboxError};
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::link::{ProcessSpec, RunLimits};
use lamplight_sandbox::provider::{Files, SandboxSpec, Used};
use lamplight_store::LentChange;
use std::sync::Arc;
use tokio::time::Instant;

/// What makes the user that programs expect of such a sandbox, with the agent's number.
const MAKE_USER: &str = r#"
set -e
mkdir -p /home/user
chown 1000:1000 /home/user
chmod 700 /root
for f in passwd group; do
  case "$(cat /etc/$f)" in *"
user:"*) continue;; esac
  { while IFS= read -r line; do
      case "$f:$line" in
        passwd:agent:*) echo "user:x:1000:1000:user:/home/user:/bin/bash";;
        group:agent:*) echo "user:x:1000:";;
      esac
      printf '%s\n' "$line"
    done < /etc/$f; } > /etc/$f.new
  cat /etc/$f.new > /etc/$f
  rm /etc/$f.new
done
"#;
/// For that.
const MAKE_USER_LIMITS: RunLimits = RunLimits { timeout_ms: 20_000, output_bytes: 4096 };

impl Engine {
    /// Lends a sandbox. It is made also where nobody waits for it any more; then it ends with its time.
    pub async fn lend(&self, new: NewLent) -> Result<LentSandbox, CommandError> {
        let shared = Arc::clone(&self.shared);
        let made = self.shared.tasks.spawn(async move { lend(&shared, new).await });
        made.await.unwrap_or_else(|panic| Err(CommandError::Failed(panic.into())))
    }

    /// Lets it run so much longer from now on, or where `extends` not shorter than it would.
    pub async fn lend_for(
        &self,
        id: &SessionId,
        time_ms: u64,
        extends: bool,
    ) -> Result<LentSandbox, CommandError> {
        let entry = self.lent_entry(id)?;
        let _turn = entry.turn.lock().await;
        let mut facts = entry.facts();
        if facts.state != LentState::Running {
            return Err(super::not_running(id));
        }
        (facts.ends_at, facts.time_ms) = (until(&facts, time_ms, extends), time_ms);
        self.shared.keep(&entry, facts).await
    }

    /// Goes on with one that is paused, for so long; of one that runs, lets it run as long at least. Says whether it did not run. It is
    /// done also where nobody waits for it any more.
    pub async fn resume_lent(
        &self,
        id: &SessionId,
        time_ms: u64,
    ) -> Result<(LentSandbox, bool), CommandError> {
        let (shared, entry) = (Arc::clone(&self.shared), self.lent_entry(id)?);
        let resumed = self.shared.tasks.spawn(async move { resume(&shared, &entry, time_ms).await });
        resumed.await.unwrap_or_else(|panic| Err(CommandError::Failed(panic.into())))
    }

    /// Pauses one that runs. What is under way in it is cut.
    pub async fn pause_lent(&self, id: &SessionId, away: Away) -> Result<(), CommandError> {
        let entry = self.lent_entry(id)?;
        let _turn = entry.turn.lock().await;
        if entry.facts().state != LentState::Running {
            return Err(super::not_running(id));
        }
        self.shared.put(&entry, away).await
    }

    /// Gives up the memory of one that is paused; of one that is put away already is fine.
    pub async fn put_away_lent(&self, id: &SessionId) -> Result<(), CommandError> {
        let entry = self.lent_entry(id)?;
        let _turn = entry.turn.lock().await;
        match entry.facts().state {
            LentState::Paused => self.shared.put(&entry, Away::FilesOnly).await,
            LentState::Running | LentState::PutAway => Ok(()),
        }
    }

    /// What one uses now; `None` of one that does not run.
    pub async fn lent_used(&self, id: &SessionId) -> Result<Option<Used>, CommandError> {
        let facts = self.lent_entry(id)?.facts();
        if facts.state != LentState::Running {
            return Ok(None);
        }
        self.shared.provider.used(&Handle::from_log(&facts.handle)).await.map(Some).map_err(failed)
    }

    /// Takes one back: nothing of it is left. False where there was none.
    pub async fn take_back(&self, id: &SessionId) -> Result<bool, CommandError> {
        let Some(entry) = self.shared.lending.find(id) else { return Ok(false) };
        let _turn = entry.turn.lock().await;
        self.shared.take_back(&entry).await
    }
}

fn until(facts: &LentSandbox, time_ms: u64, extends: bool) -> Timestamp {
    let until = clock::now().plus_ms(time_ms.min(super::LONGEST_LOAN_MS));
    if extends { until.max(facts.ends_at) } else { until }
}

async fn resume(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    time_ms: u64,
) -> Result<(LentSandbox, bool), CommandError> {
    let _turn = entry.turn.lock().await;
    // Whoever had the turn before may have taken it back.
    if shared.lending.find(&entry.id).is_none() {
        return Err(CommandError::NotFound);
    }
    let before = entry.facts();
    let mut facts = before.clone();
    (facts.ends_at, facts.time_ms) = (until(&facts, time_ms, facts.state == LentState::Running), time_ms);
    match before.state {
        LentState::Running => return Ok((shared.keep(entry, facts).await?, false)),
        LentState::Paused => {
            let resumed = shared.provider.resume(&Handle::from_log(&facts.handle)).await;
            shared.unless_lost(entry, resumed).await?;
        }
        LentState::PutAway => {
            if !shared.queue.lend(&entry.id, &facts.person, facts.limits()) {
                return Err(full());
            }
            facts.generation = Generation(facts.generation.0 + 1);
            if let Err(error) = start(shared, entry, &mut facts).await {
                shared.stays_away(entry, &facts).await;
                return Err(error);
            }
        }
    }
    facts.state = LentState::Running;
    entry.running.begin();
    entry.journal.say("resumed");
    let facts = shared.keep(entry, facts).await?;
    tending::tend(shared, Arc::clone(entry));
    Ok((facts, true))
}

async fn lend(shared: &Arc<Shared>, new: NewLent) -> Result<LentSandbox, CommandError> {
    let id = ids::session_id();
    let template = match &new.from {
        Some(from) => Some(shared.lending.template(from).ok_or(CommandError::NotFound)?),
        None => None,
    };
    let image = match (&template, new.image.clone().unwrap_or_else(|| shared.config.image.clone())) {
        (Some(template), _) => template.image.clone(),
        (None, ImageChoice::Host) => None,
        (None, named @ ImageChoice::Named(_)) => images::chosen(&shared.config, Some(&named)).await?,
    };
    let (begins, size) = template.as_ref().map_or_else(
        || (new.begins.clone(), SandboxLimits::default()),
        |template| (template.begins.clone(), template.size.clone()),
    );
    let from = template.and_then(|template| template.checkpoint).map(Checkpoint::from_log);
    let facts = LentSandbox::new(&id, new, image, (begins, &size), &shared.config, clock::now());
    Begun::of(shared, facts, from.as_ref()).await?.made(shared).await
}

/// One that is being made: it has its place, and the files that it begins with.
pub(super) struct Begun {
    entry: Arc<Entry>,
    facts: LentSandbox,
}

impl Begun {
    /// With the files of a checkpoint, where there is one; or nothing of it is left.
    pub(super) async fn of(
        shared: &Arc<Shared>,
        facts: LentSandbox,
        from: Option<&Checkpoint>,
    ) -> Result<Self, CommandError> {
        let id = facts.id.clone();
        if !shared.queue.lend(&id, &facts.person, facts.limits()) {
            return Err(full());
        }
        lock(&shared.lending.making).insert(id.clone());
        let begun = Self { entry: Entry::new(id.clone(), facts.clone(), shared), facts };
        if let Some(from) = from
            && let Err(error) = shared.provider.restore(from, &id).await
        {
            begun.forget(shared).await;
            return Err(failed(error));
        }
        Ok(begun)
    }

    /// Starts it; or nothing of it is left.
    pub(super) async fn made(mut self, shared: &Arc<Shared>) -> Result<LentSandbox, CommandError> {
        let made = async {
            start(shared, &self.entry, &mut self.facts).await?;
            shared.keep(&self.entry, self.facts.clone()).await
        };
        match made.await {
            Ok(facts) => {
                let entry = self.entry;
                entry.journal.say(format!("sandbox made from {}", facts.template));
                lock(&shared.lending.all).insert(entry.id.clone(), Arc::clone(&entry));
                lock(&shared.lending.making).remove(&entry.id);
                tending::tend(shared, entry);
                shared.lending.changed.notify_one();
                Ok(facts)
            }
            Err(error) => {
                self.forget(shared).await;
                Err(error)
            }
        }
    }

    async fn forget(self, shared: &Shared) {
        let id = &self.entry.id;
        self.entry.context.close();
        shared.queue.give_back(id);
        if let Err(error) = shared.provider.forget(id).await {
            tracing::warn!(sandbox = %id, %error, "what was made of a sandbox could not be removed; the next look does it");
        }
        lock(&shared.lending.making).remove(id);
        shared.lending.changed.notify_one();
    }
}

/// Makes the sandbox of a generation, and in it what programs expect.
pub(super) async fn start(
    shared: &Shared,
    entry: &Entry,
    facts: &mut LentSandbox,
) -> Result<(), CommandError> {
    let spec = SandboxSpec {
        session: entry.id.clone(),
        generation: facts.generation,
        environment: Default::default(),
        mounts: Vec::new(),
        // What may be reached by it is another question, and its answer may change.
        egress: true,
        // There is nothing to ask a gateway for; and where sessions of another Lamplight run in it, the address is theirs.
        gateway: false,
        limits: facts.limits().clone(),
        image: facts.image().cloned(),
    };
    let begun = Instant::now();
    let handle = shared.provider.create(&spec).await.map_err(failed)?;
    shared.metrics.made_sandbox(begun.elapsed());
    let enforced = shared.provider.inspect(&handle).await.map_err(failed)?.enforced;
    facts.made(handle.as_str().to_owned(), enforced);
    if shared.provider.capabilities().root_inside {
        let link = entry.context.link(facts.generation, &facts.handle).await;
        let link =
            link.map_err(|trouble| CommandError::Failed(anyhow::anyhow!("reach the sandbox: {trouble:?}")))?;
        let argv = ["sudo", "/bin/sh", "-c", MAKE_USER].map(str::to_owned).to_vec();
        let spec = ProcessSpec { argv, ..ProcessSpec::default() };
        let made = link.run(&spec, None, MAKE_USER_LIMITS).await;
        let made = made.context("make the user of a lent sandbox")?;
        if made.status != (lamplight_domain::agent::ExitStatus::Code { code: 0 }) {
            let said = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(CommandError::Failed(anyhow::anyhow!("make the user of a lent sandbox: {said}")));
        }
    }
    starting::begin(shared, entry, facts).await
}

impl Shared {
    /// Writes down what is known of one from now on; then it is so. Not of one that was taken back meanwhile, which would be there again.
    pub(super) async fn keep(&self, entry: &Entry, facts: LentSandbox) -> Result<LentSandbox, CommandError> {
        if !self.lending.holds(&entry.id) {
            return Err(CommandError::NotFound);
        }
        let seals =
            self.lending.seals(self).await.map_err(|why| CommandError::Failed(anyhow::Error::msg(why)))?;
        write(&self.store, LentChange::Keep(seals.seal(&facts)?)).await?;
        *lock(&entry.facts) = facts.clone();
        self.lending.changed.notify_one();
        Ok(facts)
    }

    /// The caller has the turn, and it runs.
    pub(super) async fn put(self: &Arc<Self>, entry: &Arc<Entry>, away: Away) -> Result<(), CommandError> {
        let facts = entry.facts();
        let in_memory = away == Away::InMemory && self.provider.capabilities().pauses;
        entry.running.stop();
        entry.processes.clear();
        // No link is left that would wait for an answer of what stands still.
        entry.context.unlink(facts.generation).await;
        let state = if in_memory { LentState::Paused } else { LentState::PutAway };
        if let Err(error) = self.stand_still(entry, facts.clone(), state).await {
            if facts.state == LentState::Running && self.lending.find(&entry.id).is_some() {
                entry.running.begin();
                tending::tend(self, Arc::clone(entry));
            }
            return Err(error);
        }
        if !state.has_place() {
            self.queue.give_back(&entry.id);
        }
        Ok(())
    }

    async fn stand_still(
        &self,
        entry: &Entry,
        mut facts: LentSandbox,
        state: LentState,
    ) -> Result<(), CommandError> {
        let handle = Handle::from_log(&facts.handle);
        if state == LentState::Paused {
            let paused = self.provider.pause(&handle).await;
            self.unless_lost(entry, paused).await?;
        } else {
            self.provider.destroy(&handle, Files::Keep).await.map_err(failed)?;
        }
        (facts.state, facts.ends_at) = (state, clock::now());
        entry.journal.say(match state {
            LentState::Paused => "paused",
            LentState::Running | LentState::PutAway => "paused without its memory",
        });
        self.keep(entry, facts).await.map(drop)
    }

    /// It could not be started from its files: what was made for that is ended, and they are as they were.
    async fn stays_away(&self, entry: &Entry, started: &LentSandbox) {
        entry.processes.clear();
        entry.context.unlink(started.generation).await;
        let ended = self.provider.destroy(&Handle::from_log(&started.handle), Files::Keep).await;
        if let Err(error) = ended {
            tracing::warn!(sandbox = %entry.id, %error, "a sandbox that could not be started could not be ended either; the next start takes it");
        }
        self.queue.give_back(&entry.id);
    }

    /// The caller has the turn. False where somebody was faster.
    pub(super) async fn take_back(&self, entry: &Entry) -> Result<bool, CommandError> {
        if self.lending.find(&entry.id).is_none() {
            return Ok(false);
        }
        write(&self.store, LentChange::Remove(entry.id.clone())).await?;
        // From here on it is not there for anybody, and the reconciler's if it cannot be ended now.
        lock(&self.lending.all).remove(&entry.id);
        entry.running.stop();
        entry.processes.clear();
        entry.context.unlink(entry.facts().generation).await;
        entry.context.close();
        let forgotten = self.provider.forget(&entry.id).await;
        self.queue.give_back(&entry.id);
        forgotten.map(|()| true).map_err(failed)
    }

    /// A sandbox that is gone is nobody's any more.
    async fn unless_lost(&self, entry: &Entry, done: Result<(), SandboxError>) -> Result<(), CommandError> {
        match done {
            Err(error) if error.kind == ErrorKind::Gone => {
                tracing::warn!(sandbox = %entry.id, %error, "a lent sandbox is gone");
                self.take_back(entry).await?;
                Err(CommandError::NotFound)
            }
            done => done.map_err(failed),
        }
    }
}

pub(super) fn failed(error: SandboxError) -> CommandError {
    match error.kind {
        ErrorKind::Exhausted => CommandError::invalid(
            "sandboxes_exhausted",
            error.to_string(),
            "End what is not needed, or give the machine more.",
        ),
        _ => CommandError::Failed(error.into()),
    }
}

fn full() -> CommandError {
    CommandError::invalid(
        "no_place",
        "there are as many sandboxes as there may be",
        "End one of them, or set queue.sandboxes, queue.sandboxes_per_person and queue.memory_mb higher.",
    )
}
