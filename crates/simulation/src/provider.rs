//! The provider: it makes sandboxes in memory, fails now and then before or after it has done what it was asked, and finds them again
//! after a restart of the server, as every provider has to.

use crate::fault::Fault;
use crate::guest::Guest;
use crate::outage::Beginning;
use crate::universe::{Sandboxes, TRIED_AGAIN, Universe, lock};
use crate::weather::Flaw;
use async_trait::async_trait;
use lamplight_domain::{Enforced, Generation, ImageDigest, SessionId};
use lamplight_sandbox::capability::Capabilities;
use lamplight_sandbox::checkpoint::Checkpoint;
use lamplight_sandbox::egress::Egress;
use lamplight_sandbox::error::{ErrorKind, SandboxError};
use lamplight_sandbox::handle::{Handle, HandleContent};
use lamplight_sandbox::provider::{
    ByteStream, Files, Inspection, Listed, ListedState, Provider, SandboxSpec,
};
use std::collections::BTreeMap;
use std::sync::Arc;

const NAME: &str = "simulated";

pub(crate) struct SimulatedProvider(pub(crate) Arc<Universe>);

impl SimulatedProvider {
    /// What is asked takes a while, and may come to nothing.
    async fn reach(&self) -> Result<(), SandboxError> {
        self.0.step().await;
        let weather = self.0.weather();
        let (fault, odds) = (Fault::ProviderAway, weather.provider_away / 2);
        if self.0.provider.lasts(&self.0, &Beginning { fault, odds, most_ms: 90_000 }) {
            self.0.hinder_until(self.0.clock.elapsed() + TRIED_AGAIN);
            return Err(SandboxError::new(ErrorKind::Unavailable, "nobody reaches the provider"));
        }
        match self.0.happens(weather.provider) {
            false => Ok(()),
            true => {
                self.0.hinder();
                let kind = match self.0.number(0..3) {
                    0 => ErrorKind::Unavailable,
                    1 => ErrorKind::Exhausted,
                    _ => ErrorKind::Failed,
                };
                Err(SandboxError::new(kind, "the provider does not do it now"))
            }
        }
    }

    fn running(&self, handle: &Handle) -> Result<Arc<Guest>, SandboxError> {
        let HandleContent { session, generation, .. } = handle.open(NAME)?;
        let guest = self.0.guest(&session).filter(|guest| guest.generation == generation);
        guest.ok_or_else(|| SandboxError::new(ErrorKind::Gone, format!("sandbox {generation} does not run")))
    }

    fn make(&self, spec: &SandboxSpec) -> Result<(), SandboxError> {
        let mut all = lock(&self.0.sandboxes);
        let Sandboxes { newest, had, files, running, left_over } =
            all.entry(spec.session.clone()).or_default();
        if *newest > spec.generation {
            return Err(SandboxError::new(ErrorKind::Gone, format!("there was generation {newest} already")));
        }
        if running.as_ref().is_some_and(|guest| guest.generation == spec.generation) {
            return Ok(());
        }
        if let Some(before) = running.take() {
            self.0.wrong(format!(
                "{} asks for sandbox {} while its sandbox {} runs",
                spec.session, spec.generation, before.generation
            ));
            before.die();
        }
        left_over.retain(|generation| *generation != spec.generation);
        *newest = spec.generation;
        *had = Some(spec.generation);
        let guest = Guest::new(spec.session.clone(), spec.generation, Arc::clone(&self.0), Arc::clone(files));
        *running = Some(guest);
        self.0.tell(|| format!("{} has sandbox {}", spec.session, spec.generation));
        Ok(())
    }

    fn end(&self, session: &SessionId, which: Option<Generation>, files: Files) {
        let is_hidden = self.0.flaw == Some(Flaw::LeavesSandboxes);
        let mut all = lock(&self.0.sandboxes);
        let Some(sandboxes) = all.get_mut(session) else { return };
        let is_it = |generation: Generation| which.is_none_or(|which| which == generation);
        sandboxes.left_over.retain(|generation| !is_it(*generation));
        if is_hidden {
            return;
        }
        if let Some(guest) = sandboxes.running.take_if(|guest| is_it(guest.generation)) {
            self.0.tell(|| format!("{session} has sandbox {} no more", guest.generation));
            guest.die();
        }
        if files == Files::Remove {
            if let Some(guest) = sandboxes.running.take() {
                guest.die();
            }
            sandboxes.left_over.clear();
            *lock(&sandboxes.files) = Default::default();
            sandboxes.had = None;
        }
    }

    fn leave_files_behind(&self, session: &SessionId, generation: Generation) {
        let mut all = lock(&self.0.sandboxes);
        let Some(sandboxes) = all.get_mut(session) else { return };
        let is_older = sandboxes.had.is_some_and(|had| had < generation);
        if is_older && sandboxes.running.is_none() && sandboxes.left_over.is_empty() {
            self.0.tell(|| format!("{session} leaves behind what it had before it was elsewhere"));
            *lock(&sandboxes.files) = Default::default();
            sandboxes.had = None;
        }
    }

    /// Every sandbox, running or left over.
    pub(crate) fn all(&self) -> Vec<Listed> {
        let all = lock(&self.0.sandboxes);
        let listed = |session: &SessionId, generation: Generation, state| Listed {
            handle: handle(session, generation),
            session: session.clone(),
            generation,
            state,
        };
        all.iter()
            .flat_map(move |(session, sandboxes)| {
                let running = sandboxes.running.iter().map(|guest| guest.generation);
                let running =
                    running.map(move |generation| listed(session, generation, ListedState::Running));
                let left = sandboxes.left_over.iter().copied();
                running.chain(left.map(move |generation| listed(session, generation, ListedState::LeftOver)))
            })
            .collect()
    }
}

fn handle(session: &SessionId, generation: Generation) -> Handle {
    Handle::new(HandleContent { provider: NAME.to_owned(), session: session.clone(), generation })
}

fn unsupported(what: &str) -> SandboxError {
    SandboxError::new(ErrorKind::Unsupported, format!("{what} is not simulated"))
}

#[async_trait]
impl Provider for SimulatedProvider {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            keeps_files: true,
            checkpoints: false,
            shares_files: false,
            host_mounts: true,
            pauses: true,
            egress: false,
            root_inside: false,
            shapes: true,
        }
    }

    fn environment(&self, _image: Option<&ImageDigest>) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Handle, SandboxError> {
        self.reach().await?;
        self.make(spec)?;
        // What was made may not be told.
        self.reach().await?;
        Ok(handle(&spec.session, spec.generation))
    }

    async fn inspect(&self, handle: &Handle) -> Result<Inspection, SandboxError> {
        self.reach().await?;
        self.running(handle)?;
        Ok(Inspection { enforced: Some(Enforced::default()), ..Inspection::default() })
    }

    async fn dial(&self, handle: &Handle) -> Result<Box<dyn ByteStream>, SandboxError> {
        self.reach().await?;
        Ok(self.running(handle)?.dial())
    }

    async fn egress(&self, _handle: &Handle) -> Result<Option<Egress>, SandboxError> {
        Ok(None)
    }

    async fn pause(&self, handle: &Handle) -> Result<(), SandboxError> {
        self.reach().await?;
        self.running(handle)?.pause(true);
        self.reach().await
    }

    async fn resume(&self, handle: &Handle) -> Result<(), SandboxError> {
        self.reach().await?;
        self.running(handle)?.pause(false);
        self.reach().await
    }

    async fn destroy(&self, handle: &Handle, files: Files) -> Result<(), SandboxError> {
        self.reach().await?;
        let HandleContent { session, generation, .. } = handle.open(NAME)?;
        self.end(&session, Some(generation), files);
        self.reach().await
    }

    async fn forget(&self, session: &SessionId) -> Result<(), SandboxError> {
        self.reach().await?;
        self.end(session, None, Files::Remove);
        self.reach().await
    }

    async fn leave_behind(&self, session: &SessionId, generation: Generation) -> Result<(), SandboxError> {
        self.reach().await?;
        self.leave_files_behind(session, generation);
        self.reach().await
    }

    async fn kept(&self) -> Result<Vec<SessionId>, SandboxError> {
        self.reach().await?;
        let all = lock(&self.0.sandboxes);
        let is_kept = |sandboxes: &Sandboxes| {
            sandboxes.had.is_some() && sandboxes.running.is_none() && sandboxes.left_over.is_empty()
        };
        Ok(all
            .iter()
            .filter(|(_, sandboxes)| is_kept(sandboxes))
            .map(|(session, _)| session.clone())
            .collect())
    }

    async fn list(&self) -> Result<Vec<Listed>, SandboxError> {
        self.reach().await?;
        Ok(self.all())
    }

    async fn checkpoint(&self, _handle: &Handle, _number: u32) -> Result<Checkpoint, SandboxError> {
        Err(unsupported("keeping files"))
    }

    async fn restore(&self, _checkpoint: &Checkpoint, _session: &SessionId) -> Result<(), SandboxError> {
        Err(unsupported("going back"))
    }

    async fn checkpoints(&self, _session: &SessionId) -> Result<Vec<Checkpoint>, SandboxError> {
        Ok(Vec::new())
    }

    async fn remove_checkpoint(&self, _checkpoint: &Checkpoint) -> Result<(), SandboxError> {
        Ok(())
    }
}
