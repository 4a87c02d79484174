//! `filesystem.Filesystem`. Sizes are texts in JSON, as every number of 64 bits.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All requests but of `Move`: each takes some of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PathRequest {
    pub path: String,
    /// Of `ListDir`; 0 is 1.
    pub depth: u32,
    /// Of `WatchDir` and `CreateWatcher`.
    pub recursive: bool,
    pub include_entry: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MoveRequest {
    pub source: String,
    pub destination: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Watcher {
    pub watcher_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryResponse {
    pub entry: Entry,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListResponse {
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsResponse {
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub name: String,
    /// Of a link, what is at its end.
    #[serde(rename = "type")]
    pub kind: FileType,
    pub path: String,
    pub size: String,
    /// The permission bits.
    pub mode: u32,
    /// As Go says them, such as `drwxr-xr-x`.
    pub permissions: String,
    pub owner: String,
    pub group: String,
    /// RFC 3339.
    pub modified_time: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symlink_target: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileType {
    #[serde(rename = "FILE_TYPE_UNSPECIFIED")]
    Unspecified,
    #[serde(rename = "FILE_TYPE_FILE")]
    File,
    #[serde(rename = "FILE_TYPE_DIRECTORY")]
    Directory,
    #[serde(rename = "FILE_TYPE_SYMLINK")]
    Symlink,
}

/// What `WatchDir` streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchResponse {
    Start {},
    Filesystem(Event),
    Keepalive {},
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Below the folder that is watched.
    pub name: String,
    #[serde(rename = "type")]
    pub kind: EventType,
    /// Where it is asked for, and as far as there is one: never of what was removed or has another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Box<Entry>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    #[serde(rename = "EVENT_TYPE_CREATE")]
    Create,
    #[serde(rename = "EVENT_TYPE_WRITE")]
    Write,
    #[serde(rename = "EVENT_TYPE_REMOVE")]
    Remove,
    #[serde(rename = "EVENT_TYPE_RENAME")]
    Rename,
    #[serde(rename = "EVENT_TYPE_CHMOD")]
    Chmod,
}

/// Permissions as Go's `FileMode` says them; `kind` is its letter.
pub fn permissions(kind: char, mode: u32) -> String {
    let mut text = String::from(kind);
    for (letter, bit) in "rwxrwxrwx".chars().zip((0..9).rev()) {
        text.push(if mode & (1 << bit) == 0 { '-' } else { letter });
    }
    text
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn permissions_are_told_as_go_tells_them() {
        for (kind, mode, said) in
            [('-', 0o644, "-rw-r--r--"), ('d', 0o755, "drwxr-xr-x"), ('L', 0o777, "Lrwxrwxrwx")]
        {
            assert_eq!(permissions(kind, mode), said);
        }
    }

    #[test]
    fn what_happens_is_said_as_sdks_read_it() {
        let event = Event { name: "a".into(), kind: EventType::Create, entry: None };
        let said = serde_json::to_value(WatchResponse::Filesystem(event)).unwrap();
        assert_eq!(said, json!({"filesystem": {"name": "a", "type": "EVENT_TYPE_CREATE"}}));
        assert_eq!(serde_json::to_value(WatchResponse::Start {}).unwrap(), json!({"start": {}}));
        let read: PathRequest = serde_json::from_value(json!({"path": "/a", "includeEntry": true})).unwrap();
        assert_eq!(read, PathRequest { path: "/a".into(), include_entry: true, ..PathRequest::default() });
    }
}
