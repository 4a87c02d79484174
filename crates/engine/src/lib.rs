//! One actor per awake session: decide, append to the log, apply, publish, start what is owed.
//!
//! [`Engine`] is the whole public face: commands in, views and readers out.

mod agents;
mod archive;
mod attachments;
mod attempts;
mod audit;
pub mod automations;
mod blobs;
mod budgets;
mod by_hand;
mod checks;
mod children;
mod clock;
mod code;
mod commands;
mod config;
mod create;
mod disk;
mod effects;
mod elsewhere;
mod engine;
mod error;
mod evidence;
mod failures;
mod files;
mod forge;
mod git;
mod guards;
mod hooks;
mod hub;
mod ids;
mod images;
mod keys;
mod large_files;
mod lent;
mod metrics;
mod on_behalf;
mod passes;
mod patch;
pub mod people;
mod prepared;
mod prompts;
mod provider;
mod pull_request;
mod pull_request_now;
mod queue;
mod reconcile;
mod register;
mod repositories;
pub mod review;
mod rights;
mod sandboxes;
mod servers;
mod session;
mod spent;
mod status;
mod stopped;
mod terminals;
mod tidying;
mod tokens;
mod traces;
mod update_branch;
mod usage;
mod world;

pub use agents::{AgentInfo, InstallAgentError, install as install_agent, list as list_agents};
pub use archive::ArchiveConfig;
pub use attachments::{ATTACHMENT_BYTES, Attach, media_type};
pub use attempts::{AttemptNow, Changed, NewAttempt};
pub use audit::{AskedBy, Auditing};
pub use blobs::examine_bucket;
pub use budgets::{BudgetStanding, BudgetsConfig};
pub use children::{ChildNow, ChildrenConfig, Parent};
pub use clock::now;
pub use code::{CODE_PORT, CodeInfo, install_code, installed_code};
pub use config::{
    CloudConfig, Config, DatabaseConfig, EndpointConfig, ModelsConfig, RepositoryConfig, SandboxConfig,
};
pub use engine::Engine;
pub use error::{CommandError, StartError};
pub use files::{DOWNLOAD_BYTES, UPLOAD_BYTES};
pub use forge::{
    Delivered, ForgeConfig, GitHubConnection, GitHubDelivery, GitHubFinding, GitHubStanding, NotDelivered,
    examine_github,
};
pub use hooks::{HookTest, HooksConfig, NewHook, NoSuchNotice, NoticeKind};
pub use hub::Follower;
pub use keys::{
    GitHubSecret, GitHubSecretInfo, GitHubStored, KeyInfo, KeyName, KeySource, LONGEST_KEY_BYTES,
    NoSuchSecret, SealingSource, UpstreamModels,
};
pub use lamplight_agent::catalogue::{Configured, DEFAULT_AGENT};
pub use lamplight_agent::install::Progress;
pub use lamplight_gateway::{
    CompatibleName, Model, ModelPrice, Outside, Price, Resolver, Secret, SystemResolver, Tariff, Unlisted,
    Unresolved, UpstreamName, install_tls_provider,
};
pub use lamplight_integrations::github::{
    Access, GitHubConfig, Limits as GitHubLimits, NewApp, Right, Words, manifest, take_app,
};
pub use lamplight_integrations::sign_in;
pub use lamplight_sandbox::link::{
    Change, FileKind, FileReader, Folder, FolderEntry, Keyboard, Named, Output, Screen, Stream, Terminal,
    TerminalSize, WatchEvent, Watched, Watcher,
};
pub use lamplight_sandbox::provider::{Searched, Used};
pub use lamplight_sandbox::providers::e2b::{Examined as ExaminedCloud, FoundCloud, Key as CloudKey};
pub use lamplight_sandbox::providers::local::{
    DiskLimit, Finding, Image, ImageProgress, ImageReference, Images, Probe, RegistryLogin, Repositories,
};
pub use lamplight_store::{
    AuditEntry, AuditPage, AuditQuery, AuditRow, Backup, BadAddress, BadBucket, BucketAddress,
    BucketSettings, DeliveryQuery, DeliveryState, Examined, HookDelivery, HookListed, HookRow, Migrated,
    PAGE_AUDIT, PAGE_HOOK_DELIVERIES, PostgresAddress, Usage, UsageBy, UsageQuery, UsageSum,
};
pub use lent::{
    Away, Base, BaseImage, Begins, DEFAULT_TAG, FailedStep, Follower as LentFollower, Input as LentInput,
    JournalLevel, JournalLine, LONGEST_LOAN_MS, LONGEST_UPLOAD, LentFiles, LentProcess, LentSandbox,
    LentState, LentTemplate, LentUploads, LentUser, MAX_STEPS, NewLent, NewProcess, NotUploaded, Piece,
    ProcessError, Recipe, Step, StepKind, TemplateName, TemplateState, Unfiled, WhichProcess, is_upload_hash,
};
pub use metrics::Metrics;
pub use passes::{Pass, PassKind, Passes};
pub use prepared::Ahead;
pub use provider::{LAUNCH, examine_cloud, launcher_main, make_cloud_template, probe_sandbox};
pub use pull_request_now::{Checks, PullRequestChange, PullRequestNow, PullRequestState};
pub use queue::{PlacesTaken, QueueConfig, QueueEntry};
pub use rights::RightsConfig;
pub use sandboxes::SandboxInfo;
pub use servers::{FILES, Neighbour, ServerInfo, Whereabouts};
pub use spent::Spent;

pub use terminals::TerminalInfo;
pub use traces::TracesConfig;
pub use world::{World, live_in};

use bytes::Bytes;
use lamplight_domain::permission::Policy;
use lamplight_domain::session::SessionSummary;
use lamplight_domain::{
    ImageChoice, Network, Person, PromptId, Role, SandboxLimits, Seq, SessionId, SomeLimits,
};

/// A new session, as asked for; what is `None` comes from the configuration or the repository.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Absolute path of a git repository; of a fork it is its origin's.
    pub repository: String,
    /// May be empty where a file says it all.
    pub prompt: String,
    pub attachments: Vec<Attach>,
    pub title: Option<String>,
    pub base: Option<String>,
    /// One that is in the repository, which becomes the session's; `None` is a new one, named after the title.
    pub branch: Option<String>,
    pub agent: Option<String>,
    pub model: Option<String>,
    pub permissions: Option<Policy>,
    pub limits: SomeLimits,
    pub network: Option<Network>,
    pub image: Option<ImageChoice>,
    /// What its sandboxes may use.
    pub sandbox: SandboxLimits,
    /// `None`: the repository's own git configuration, then the machine's.
    pub person: Option<Person>,
    /// Of whoever asks for it: what the policy of guards says depends on it.
    pub role: Role,
    /// What it goes on from; then everything else that is `None` is as it is there.
    pub fork: Option<Fork>,
    /// Whose child it is; then everything else that is `None` is as it is there.
    pub parent: Option<Parent>,
}

/// The session that a fork goes on from.
#[derive(Debug, Clone)]
pub struct Fork {
    pub session: SessionId,
    /// `None` is the newest.
    pub checkpoint: Option<u32>,
}

/// Where a prompt landed.
#[derive(Debug, Clone)]
pub struct PromptPlaced {
    pub prompt: PromptId,
    /// 0 when it is the next to be sent.
    pub position: usize,
}

/// Which part of a log.
#[derive(Debug, Clone, Copy)]
pub enum LogRange {
    After { seq: Seq, limit: usize },
    Before { seq: Seq, limit: usize },
}

/// Entries as JSON texts, exactly as readers get them.
#[derive(Debug, Clone)]
pub struct LogPage {
    pub entries: Vec<(Seq, Bytes)>,
    pub last_seq: Seq,
}

/// Sessions, newest first.
#[derive(Debug, Clone, Default)]
pub struct SessionQuery {
    pub text: Option<String>,
    pub phase: Option<String>,
    pub repository: Option<String>,
    /// The name of whom they are for.
    pub person: Option<String>,
    /// Those that are archived, instead of those that are not.
    pub archived: bool,
    /// Only those whose last turn is a dead letter.
    pub dead: bool,
    pub cursor: Option<String>,
    pub limit: usize,
}

#[derive(Debug, Clone)]
pub struct SessionPage {
    pub items: Vec<SessionSummary>,
    pub next_cursor: Option<String>,
}

/// What the engine is doing, in short.
#[derive(Debug, Clone)]
pub struct Status {
    pub sessions_awake: usize,
    pub provider: String,
    pub default_agent: String,
    /// `openai`, `anthropic`, `gemini`.
    pub models_configured: Vec<String>,
    pub scripted_model: bool,
}

impl From<SessionQuery> for lamplight_store::SessionQuery {
    fn from(query: SessionQuery) -> Self {
        Self {
            phase: query.phase,
            repository: query.repository,
            person: query.person,
            archived: query.archived,
            dead: query.dead,
            text: query.text,
            cursor: query.cursor,
            limit: query.limit,
        }
    }
}
