//! Templates: what is asked for when they are built, and what is told of them.

use crate::control::{LogEntry, LogLevel};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Log entries in one answer.
pub const MAX_LOGS: usize = 100;

/// A build that is asked for; the name may have a tag behind `:`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewTemplate {
    pub name: Option<String>,
    /// What the name was called before.
    pub alias: Option<String>,
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    pub cpu_count: Option<u32>,
    #[serde(rename = "memoryMB")]
    pub memory_mb: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Requested {
    #[serde(rename = "templateID")]
    pub template_id: String,
    #[serde(rename = "buildID")]
    pub build_id: String,
    pub public: bool,
    pub aliases: Vec<String>,
    pub names: Vec<String>,
    pub tags: Vec<String>,
}

/// Where an archive is uploaded to, unless it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UploadPlace {
    pub present: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildStart {
    pub from_image: Option<String>,
    pub from_template: Option<String>,
    pub from_image_registry: Option<ImageRegistry>,
    pub force: Option<bool>,
    pub steps: Option<Vec<Step>>,
    pub start_cmd: Option<String>,
    pub ready_cmd: Option<String>,
}

/// Who asks the registry of the image.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ImageRegistry {
    Registry {
        username: String,
        password: String,
    },
    /// With keys that a password is first asked for with.
    Aws,
    Gcp {
        #[serde(rename = "serviceAccountJson")]
        service_account_json: String,
    },
}

impl fmt::Debug for ImageRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImageRegistry(not shown)")
    }
}

/// `RUN` has a command and a user; `COPY` a source, a target, an owner and a mode; `ENV` names and values; `WORKDIR` and `USER` one
/// argument.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Step {
    #[serde(rename = "type")]
    pub kind: String,
    pub args: Option<Vec<String>>,
    pub files_hash: Option<String>,
    pub force: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildInfo {
    #[serde(rename = "templateID")]
    pub template_id: String,
    #[serde(rename = "buildID")]
    pub build_id: String,
    pub status: BuildStatus,
    pub logs: Vec<String>,
    #[serde(rename = "logEntries")]
    pub log_entries: Vec<BuildLog>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildStatus {
    Waiting,
    Building,
    Ready,
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildLog {
    pub timestamp: String,
    pub message: String,
    pub level: LogLevel,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

impl From<BuildLog> for LogEntry {
    fn from(log: BuildLog) -> Self {
        Self { timestamp: log.timestamp, message: log.message, level: log.level, fields: BTreeMap::new() }
    }
}

/// Why a build failed: at `base`, at a step by its number from 1, or at `finalize`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    pub message: String,
    pub step: String,
}

/// Tags for what has the name and tag of `target`, or to be taken from `name`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TagsRequest {
    pub target: String,
    pub name: String,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tagged {
    pub tags: Vec<String>,
    #[serde(rename = "buildID")]
    pub build_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tag {
    pub tag: String,
    #[serde(rename = "buildID")]
    pub build_id: String,
    #[serde(rename = "createdAt")]
    pub created_at: String,
}

/// Whose a name is, if it is anybody's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alias {
    #[serde(rename = "templateID")]
    pub template_id: String,
    pub public: bool,
}

/// One of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    #[serde(rename = "templateID")]
    pub template_id: String,
    #[serde(rename = "buildID")]
    pub build_id: String,
    pub build_status: BuildStatus,
    pub build_count: usize,
    pub public: bool,
    pub aliases: Vec<String>,
    pub names: Vec<String>,
    pub created_at: String,
    pub updated_at: String,
    pub cpu_count: u64,
    #[serde(rename = "memoryMB")]
    pub memory_mb: u64,
    #[serde(rename = "diskSizeMB")]
    pub disk_size_mb: u64,
    pub envd_version: String,
    pub spawn_count: u64,
    pub last_spawned_at: Option<String>,
    pub created_by: Option<String>,
}
