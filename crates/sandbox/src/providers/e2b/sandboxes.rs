//! Sandboxes of sessions in the cloud: found, made, dialled and ended. Whoever changes something of a session holds its record.

use super::begin;
use super::error::too_late;
use super::record::{Held, Record};
use super::stream::{Terms, carry};
use super::{DEPLOYMENT, GENERATION, Inner, NAME, SESSION, gone, handle, listed};
use crate::error::{ErrorKind, SandboxError};
use crate::handle::{Handle, HandleContent};
use crate::link::Link;
use crate::provider::{ByteStream, Listed, ListedState, SandboxSpec};
use lamplight_domain::{Generation, SessionId};
use lamplight_e2b::control::{NewSandbox, Sandbox, SandboxState, Seen};
use std::sync::Arc;
use std::time::Duration;

/// From dialling a guest to its first word.
const ANSWER: Duration = Duration::from_secs(30);

impl Inner {
    /// The cloud's name of the sandbox that a handle means.
    pub(super) async fn sandbox(&self, handle: &Handle) -> Result<String, SandboxError> {
        let HandleContent { session, generation, .. } = handle.open(NAME)?;
        match self.sessions.record(&session).await? {
            Some(Record { newest, sandbox: Some(id), .. }) if newest == generation.0 => Ok(id),
            Some(_) => Err(gone(handle)),
            // What was written down is lost.
            None => {
                let mut there = self.known(&session, Some(generation)).await?;
                there.pop().map(|seen| seen.sandbox_id).ok_or_else(|| gone(handle))
            }
        }
    }

    /// The same, while nobody else does anything with it.
    pub(super) async fn held(&self, handle: &Handle) -> Result<(Held, String), SandboxError> {
        let HandleContent { session, generation, .. } = handle.open(NAME)?;
        let held = self.sessions.lock(&session).await?.filter(|held| held.record.newest == generation.0);
        let held = held.ok_or_else(|| gone(handle))?;
        let id = held.record.sandbox.clone().ok_or_else(|| gone(handle))?;
        Ok((held, id))
    }

    async fn known(
        &self,
        session: &SessionId,
        generation: Option<Generation>,
    ) -> Result<Vec<Seen>, SandboxError> {
        let mut metadata = vec![(DEPLOYMENT, self.config.deployment.as_str()), (SESSION, session.as_str())];
        let number = generation.map(|generation| generation.0.to_string());
        metadata.extend(number.as_deref().map(|number| (GENERATION, number)));
        self.cloud.list(&metadata).await
    }

    pub(super) async fn create(&self, spec: &SandboxSpec) -> Result<Handle, SandboxError> {
        let handle = handle(&spec.session, spec.generation);
        let mut held = self.sessions.make_and_lock(&spec.session).await?;
        let newest = held.record.newest;
        if newest > spec.generation.0 {
            let message = format!("create sandbox {handle}: generation {newest} has been made already");
            return Err(SandboxError::new(ErrorKind::Gone, message));
        }
        if newest == spec.generation.0 && self.runs(&held.record).await? {
            return Ok(handle);
        }
        self.end(&mut held).await?;
        self.kill_all(&spec.session, None).await?;
        (held.record.newest, held.record.limits) = (spec.generation.0, spec.limits.clone());
        held.record.had = Some(spec.generation.0);
        held.save().await?;
        let made = self.cloud.create(&self.new_sandbox(spec, held.record.files.clone())).await?;
        let id = made.sandbox_id.clone();
        held.record.sandbox = Some(id.clone());
        held.save().await?;
        if let Err(error) = self.begin(made, spec).await {
            // Best effort: what stays is listed, and destroyed by whoever asked for the sandbox.
            if self.cloud.kill(&id).await.is_ok() {
                held.record.has_no_sandbox();
                held.save().await?;
            }
            return Err(error);
        }
        Ok(handle)
    }

    /// Puts the guest into a new one, where nobody gets at it but by the cloud.
    async fn begin(&self, made: Sandbox, spec: &SandboxSpec) -> Result<(), SandboxError> {
        let Sandbox { sandbox_id: id, envd_access_token, domain, .. } = made;
        let Some(token) = envd_access_token.filter(|token| !token.is_empty()) else {
            let why = "the cloud has no token for it, so whoever is inside could start programs as root by the cloud's own daemon";
            return Err(SandboxError::new(ErrorKind::Unsupported, format!("use sandbox {id}: {why}")));
        };
        let door = self.cloud.door(&id, Some(token), domain.as_deref())?;
        begin::begin(&door, &self.config, &spec.environment).await?;
        self.answers(&id).await
    }

    fn new_sandbox(&self, spec: &SandboxSpec, files: Option<String>) -> NewSandbox {
        let metadata = [
            (DEPLOYMENT, self.config.deployment.clone()),
            (SESSION, spec.session.to_string()),
            (GENERATION, spec.generation.0.to_string()),
        ];
        NewSandbox {
            template_id: files.unwrap_or_else(|| self.config.template.clone()),
            timeout: Some(i64::try_from(self.config.timeout.as_secs()).unwrap_or(i64::MAX)),
            auto_pause: Some(true),
            // A session that may reach nothing has no way out, whatever the configuration allows others.
            allow_internet_access: Some(self.config.internet && spec.egress),
            metadata: Some(metadata.map(|(name, value)| (name.to_owned(), value)).into()),
            ..NewSandbox::default()
        }
    }

    /// Whether there is what was asked for already.
    async fn runs(&self, record: &Record) -> Result<bool, SandboxError> {
        let Some(id) = &record.sandbox else { return Ok(false) };
        if record.is_paused {
            return Ok(true);
        }
        match self.answers(id).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == ErrorKind::Gone => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn answers(&self, id: &str) -> Result<(), SandboxError> {
        let said = tokio::time::timeout(ANSWER, Link::open(self.dial(id).await?)).await;
        match said {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                let message = format!("speak with the guest in sandbox {id}");
                Err(SandboxError::new(ErrorKind::Unavailable, message).with_source(error))
            }
            Err(_) => Err(too_late(&format!("speak with the guest in sandbox {id}"))),
        }
    }

    /// What the cloud itself has paused goes on.
    pub(super) async fn dial(&self, id: &str) -> Result<Box<dyn ByteStream>, SandboxError> {
        let seen = self.cloud.see(id).await?;
        let (token, domain) = match seen.state {
            SandboxState::Running => (seen.envd_access_token, seen.domain),
            SandboxState::Paused => {
                let resumed = self.cloud.resume(id, self.config.timeout).await?;
                (resumed.envd_access_token, resumed.domain)
            }
        };
        let door = self.cloud.door(id, token, domain.as_deref())?;
        let terms = Terms {
            cloud: Arc::clone(&self.cloud),
            id: id.to_owned(),
            time: self.config.timeout,
            ending: self.ending.clone(),
        };
        Ok(Box::new(carry(door, begin::relay(), terms).await?))
    }

    /// The sessions of which something is written down, and no sandbox.
    pub(super) async fn kept(&self) -> Result<Vec<SessionId>, SandboxError> {
        let records = self.sessions.all().await?.into_iter();
        Ok(records.filter(|(_, record)| record.sandbox.is_none()).map(|(session, _)| session).collect())
    }

    pub(super) async fn list(&self) -> Result<Vec<Listed>, SandboxError> {
        // First: what is recorded was there before it is looked for, so what is not found has ended.
        let records = self.sessions.all().await?;
        let there = self.cloud.list(&[(DEPLOYMENT, self.config.deployment.as_str())]).await?;
        let left = records.into_iter().filter_map(|(session, record)| {
            let id = record.sandbox?;
            let is_there = there.iter().any(|seen| seen.sandbox_id == id);
            (!is_there).then(|| listed(session, Generation(record.newest), ListedState::LeftOver))
        });
        let running = there.iter().filter_map(|seen| {
            let metadata = seen.metadata.as_ref()?;
            let session = metadata.get(SESSION)?.parse().ok()?;
            let generation = Generation(metadata.get(GENERATION)?.parse().ok()?);
            Some(listed(session, generation, ListedState::Running))
        });
        Ok(running.chain(left).collect())
    }

    /// Ends what bears these marks in the cloud, with its files.
    pub(super) async fn kill_all(
        &self,
        session: &SessionId,
        generation: Option<Generation>,
    ) -> Result<(), SandboxError> {
        for seen in self.known(session, generation).await? {
            self.cloud.kill(&seen.sandbox_id).await?;
            self.ending.forget(&seen.sandbox_id);
        }
        Ok(())
    }
}
