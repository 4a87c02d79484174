//! Bodies of the REST API. Moments are RFC 3339 texts, times are seconds.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is asked for of a new sandbox, in the first and the second version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewSandbox {
    #[serde(rename = "templateID")]
    pub template_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_pause: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_pause_memory: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_resume: Option<AutoResume>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure: Option<bool>,
    /// In snake case, unlike all others.
    #[serde(rename = "allow_internet_access", skip_serializing_if = "Option::is_none")]
    pub allow_internet_access: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_vars: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_mounts: Option<Vec<serde_json::Value>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoResume {
    #[serde(default)]
    pub enabled: bool,
}

/// What programs inside may reach, and who may reach them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    pub allow_public_traffic: Option<bool>,
    pub allow_out: Option<Vec<String>>,
    pub deny_out: Option<Vec<String>>,
    #[serde(rename = "allow_internet_access")]
    pub allow_internet_access: Option<bool>,
    pub rules: Option<serde_json::Value>,
    pub egress_proxy: Option<serde_json::Value>,
    pub mask_request_host: Option<String>,
    pub https_ports: Option<Vec<serde_json::Value>>,
    pub dns_servers: Option<Vec<serde_json::Value>>,
}

/// Every address there is, as rules name them.
pub const ALL_TRAFFIC: &str = "0.0.0.0/0";

/// The answer to making a sandbox, or to connecting to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sandbox {
    #[serde(rename = "templateID")]
    pub template_id: String,
    #[serde(rename = "sandboxID")]
    pub sandbox_id: String,
    #[serde(rename = "clientID")]
    pub client_id: String,
    pub envd_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envd_access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_access_token: Option<String>,
    pub domain: Option<String>,
}

/// What clients of long ago were to put behind an id.
pub const CLIENT_ID: &str = "6532622b";

/// All that there is to say of a sandbox; without `detail`, as a list says it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxInfo {
    #[serde(rename = "templateID")]
    pub template_id: String,
    #[serde(rename = "sandboxID")]
    pub sandbox_id: String,
    #[serde(rename = "clientID")]
    pub client_id: String,
    pub started_at: String,
    pub end_at: String,
    pub cpu_count: u64,
    #[serde(rename = "memoryMB")]
    pub memory_mb: u64,
    #[serde(rename = "diskSizeMB")]
    pub disk_size_mb: u64,
    pub metadata: BTreeMap<String, String>,
    pub state: SandboxState,
    pub envd_version: String,
    #[serde(flatten)]
    pub detail: Option<Detail>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envd_access_token: Option<String>,
    pub allow_internet_access: bool,
    pub domain: Option<String>,
    pub lifecycle: Lifecycle,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_mode: Option<PauseMode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lifecycle {
    pub auto_resume: bool,
    pub on_timeout: OnTimeout,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnTimeout {
    Kill,
    Pause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxState {
    Running,
    Paused,
}

/// What a client needs of what is told of a sandbox, one or of a list: the rest may grow and change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    #[serde(rename = "sandboxID")]
    pub sandbox_id: String,
    pub state: SandboxState,
    pub metadata: Option<BTreeMap<String, String>>,
    /// Of one, not in a list.
    pub envd_access_token: Option<String>,
    /// Of one, not in a list.
    pub domain: Option<String>,
    pub end_at: Option<String>,
}

/// What a pause has kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PauseMode {
    /// Memory and files.
    Full,
    /// Files; resuming starts anew.
    Filesystem,
}

/// `connect`, `resume`, `timeout`, `refreshes` and `pause`: each takes some of these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    /// Of `refreshes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    /// Of `pause` and `connect`: without it, the memory is given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_pause: Option<bool>,
}

/// A snapshot that is asked for; without memory, its files alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSnapshot {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<bool>,
}

/// A snapshot that there is: `snapshotID` is a template for new sandboxes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    #[serde(rename = "snapshotID")]
    pub snapshot_id: String,
    pub names: Vec<String>,
}

/// Seconds, and how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct NewForks {
    pub timeout: Option<i64>,
    pub count: Option<i64>,
}

/// One of the forks: there, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fork {
    Sandbox(Sandbox),
    Error(Error),
}

/// What has happened in a sandbox, in both versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    pub timestamp: String,
    pub line: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    pub timestamp: String,
    pub message: String,
    pub level: LogLevel,
    pub fields: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// What a sandbox used at a moment. Bytes, and percent of one processor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    pub timestamp: String,
    pub timestamp_unix: i64,
    pub cpu_count: u64,
    pub cpu_used_pct: f64,
    pub mem_used: u64,
    pub mem_total: u64,
    pub mem_cache: u64,
    pub disk_used: u64,
    pub disk_total: u64,
}

/// Every error of the REST API, and of a sandbox's own. Clients branch on `code`, which is the HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    pub code: u16,
    pub message: String,
}

/// What whoever stands before a sandbox says when it cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreachable {
    pub sandbox_id: String,
    pub message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    pub code: u16,
}

/// A file that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uploaded {
    pub path: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_asked_for_says_nothing_that_is_not_wanted() {
        let new = NewSandbox {
            template_id: "base".into(),
            timeout: Some(300),
            auto_pause: Some(true),
            allow_internet_access: Some(false),
            metadata: Some([("a".to_owned(), "b".to_owned())].into()),
            ..NewSandbox::default()
        };
        let said = json!({
            "templateID": "base", "timeout": 300, "autoPause": true, "allow_internet_access": false,
            "metadata": {"a": "b"}
        });
        assert_eq!(serde_json::to_value(&new).unwrap(), said);
        assert_eq!(serde_json::from_value::<NewSandbox>(said).unwrap(), new);
        let terms = Terms { timeout: Some(60), ..Terms::default() };
        assert_eq!(serde_json::to_value(terms).unwrap(), json!({"timeout": 60}));
    }

    #[test]
    fn what_is_told_of_a_sandbox_may_grow() {
        let told = json!({
            "templateID": "base", "sandboxID": "iabc", "clientID": "6532622b", "startedAt": "x", "endAt": "y",
            "state": "running", "envdAccessToken": "t", "domain": null, "network": {"new": 1}, "pauseMode": "other"
        });
        let seen: Seen = serde_json::from_value(told).unwrap();
        let token = Some("t".to_owned());
        let wanted = Seen {
            sandbox_id: "iabc".into(),
            state: SandboxState::Running,
            metadata: None,
            envd_access_token: token,
            domain: None,
            end_at: Some("y".into()),
        };
        assert_eq!(seen, wanted);
    }
}
