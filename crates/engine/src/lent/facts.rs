//! What is known of a lent sandbox.

use super::LONGEST_LOAN_MS;
use super::template::{Begins, LentTemplate};
use crate::config::Config;
use lamplight_domain::{
    Enforced, Generation, Network, Person, SandboxLimits, SessionId, SessionImage, SessionSpec, Timestamp,
    sandbox::Wall,
};
use lamplight_sandbox::providers::local::most_of_this_machine;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The sandbox is in no repository; git asked for one hears that it is not there.
const NO_REPOSITORY: &str = "/nonexistent/lent";

/// One that is asked for.
#[derive(Debug, Clone)]
pub struct NewLent {
    pub person: Person,
    /// What it begins with, as whoever asks calls it.
    pub template: String,
    pub image: Option<lamplight_domain::ImageChoice>,
    /// Whose files it begins with, instead of an image's.
    pub from: Option<SessionId>,
    /// How it begins where it is from no template.
    pub begins: Begins,
    pub time_ms: u64,
    /// At its end it is paused, not taken back.
    pub pauses_at_end: bool,
    /// Whether that keeps the memory.
    pub keeps_memory: bool,
    /// Whoever asks it anything wakes it.
    pub resumes: bool,
    pub metadata: BTreeMap<String, String>,
    /// Of every process in it.
    pub environment: BTreeMap<String, String>,
    /// `None` is what the configuration says.
    pub network: Option<Network>,
    /// Whether its token is asked for.
    pub is_secure: bool,
}

/// One that there is. As JSON, sealed, it is what the store keeps; fields that come later have defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LentSandbox {
    #[serde(skip, default = "nobody")]
    pub id: SessionId,
    /// The name of whom it is for.
    pub person: String,
    email: String,
    pub template: String,
    pub(super) generation: Generation,
    pub(super) handle: String,
    pub state: LentState,
    pub started_at: Timestamp,
    /// Of one that does not run: when it stopped.
    pub ends_at: Timestamp,
    /// For how long it was lent the last time.
    pub time_ms: u64,
    pub pauses_at_end: bool,
    pub keeps_memory: bool,
    pub resumes: bool,
    pub metadata: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
    pub network: Network,
    pub is_secure: bool,
    /// How it begins, as its template says.
    #[serde(default)]
    pub begins: Begins,
    image: Option<SessionImage>,
    limits: SandboxLimits,
    /// What was enforced of it when it was made.
    enforced: Option<Enforced>,
}

/// What is configured, or less where a template says so.
pub(super) fn sized(size: &SandboxLimits, config: &Config) -> SandboxLimits {
    let configured = &config.sandbox.limits;
    if size.is_default() {
        return configured.clone();
    }
    size.clone().within(&most_of_this_machine(configured)).over(configured)
}

pub(super) fn nobody() -> SessionId {
    "00000000000000000000000000".parse().expect("26 digits are an id")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LentState {
    Running,
    /// Everything stands still, in memory.
    Paused,
    /// Its files alone are kept.
    PutAway,
}

impl LentState {
    /// Whether it is counted among the sandboxes that there may be.
    pub(super) fn has_place(self) -> bool {
        self != Self::PutAway
    }
}

/// How one is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    InMemory,
    FilesOnly,
}

impl LentSandbox {
    pub(super) fn new(
        id: &SessionId,
        new: NewLent,
        image: Option<SessionImage>,
        (begins, size): (Begins, &SandboxLimits),
        config: &Config,
        now: Timestamp,
    ) -> Self {
        let network = new.network.unwrap_or_else(|| config.network.clone());
        Self {
            template: new.template,
            ends_at: now.plus_ms(new.time_ms.min(LONGEST_LOAN_MS)),
            time_ms: new.time_ms,
            pauses_at_end: new.pauses_at_end,
            keeps_memory: new.keeps_memory,
            resumes: new.resumes,
            metadata: new.metadata,
            environment: new.environment,
            network,
            is_secure: new.is_secure,
            begins,
            image,
            limits: sized(size, config),
            ..Self::plain(id, new.person, config, now)
        }
    }

    /// One of this machine's files, which is nobody's to ask for.
    fn plain(id: &SessionId, person: Person, config: &Config, now: Timestamp) -> Self {
        Self {
            id: id.clone(),
            person: person.name,
            email: person.email,
            template: String::new(),
            generation: Generation(1),
            handle: String::new(),
            state: LentState::Running,
            started_at: now,
            ends_at: now,
            time_ms: 0,
            pauses_at_end: false,
            keeps_memory: false,
            resumes: false,
            metadata: BTreeMap::new(),
            environment: BTreeMap::new(),
            network: config.network.clone(),
            is_secure: true,
            begins: Begins::default(),
            image: None,
            limits: config.sandbox.limits.clone(),
            enforced: None,
        }
    }

    /// Another one with the same files: whose everything else is the same too, but its time.
    pub(super) fn forked(&self, id: &SessionId, time_ms: u64, now: Timestamp) -> Self {
        let mut fork = self.clone();
        (fork.id, fork.generation, fork.handle, fork.enforced) =
            (id.clone(), Generation(1), String::new(), None);
        (fork.started_at, fork.ends_at, fork.time_ms) =
            (now, now.plus_ms(time_ms.min(LONGEST_LOAN_MS)), time_ms);
        fork
    }

    /// One in which something of a template is done.
    pub(super) fn of_template(
        template: &LentTemplate,
        person: &Person,
        begins: Begins,
        config: &Config,
        generation: Generation,
    ) -> Self {
        let plain = Self::plain(&template.id, person.clone(), config, template.made_at);
        let limits = sized(&template.size, config);
        Self { generation, begins, limits, image: template.image.clone(), ..plain }
    }

    pub(super) fn made(&mut self, handle: String, enforced: Option<Enforced>) {
        (self.handle, self.enforced) = (handle, enforced);
    }

    /// How much of something it may use at the most; `None` is no limit.
    pub fn limit(&self, wall: Wall) -> Option<u64> {
        let rows = self.enforced.iter().flat_map(|enforced| &enforced.0);
        rows.into_iter().find(|row| row.wall == wall).and_then(|row| row.limit)
    }

    /// Of every process in it, beside what the sandbox itself gives it.
    pub fn begins_with(&self) -> BTreeMap<String, String> {
        let mut all = self.begins.environment.clone();
        all.extend(self.environment.clone());
        all
    }

    pub(super) fn image(&self) -> Option<&SessionImage> {
        self.image.as_ref()
    }

    /// Its processors and its memory.
    pub(super) fn size(&self) -> SandboxLimits {
        let SandboxLimits { cpu_thousandths, memory_bytes, .. } = self.limits;
        SandboxLimits { cpu_thousandths, memory_bytes, ..SandboxLimits::default() }
    }

    pub(super) fn limits(&self) -> &SandboxLimits {
        &self.limits
    }

    /// As a session would be, for all that serves sandboxes: one without a repository, an agent and models.
    pub(super) fn spec(&self, id: &SessionId, config: &Config) -> SessionSpec {
        SessionSpec {
            title: format!("lent sandbox {id}"),
            repository: NO_REPOSITORY.to_owned(),
            base: "none".to_owned(),
            branch: "lamplight/none".to_owned(),
            agent: String::new(),
            model: None,
            mode: None,
            person: Person { name: self.person.clone(), email: self.email.clone() },
            limits: config.limits.clone(),
            sandbox: self.limits.clone(),
            permissions: config.permissions,
            network: self.network.clone(),
            image: self.image.clone(),
            origin: None,
            attempts: None,
            parents: Vec::new(),
            checks: Default::default(),
        }
    }
}
