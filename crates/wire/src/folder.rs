//! What is in a folder, as the guest tells it: [`Listed`] messages after the reply, the last one `End`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Entries in one message; with names and targets as long as they can be, it still fits.
pub const MAX_ENTRIES: usize = 16;

/// The longest target of a link that is told; characters.
pub const MAX_TARGET: usize = 256;

/// What is kept with a file is in its extended attributes, whose names begin with this: so E2B's own sandboxes have it, and programs
/// inside know it. On the link the names are without it.
pub const ATTRIBUTE_PREFIX: &str = "user.e2b.";

/// Attributes of one file that are told, and bytes of all their names and values. One entry that has them, and as many others that
/// have none as a message may hold, still fit into one.
pub const MAX_ATTRIBUTES: usize = 64;
pub const MAX_ATTRIBUTE_BYTES: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "listed", rename_all = "snake_case")]
pub enum Listed {
    /// At most [`MAX_ENTRIES`], and none but the first has attributes.
    Entries { entries: Vec<FolderEntry> },
    /// `more`: there is more than was asked for.
    End { more: bool },
}

/// One thing in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderEntry {
    /// What is no UTF-8 in it is U+FFFD, and such a thing cannot be asked for.
    pub name: String,
    pub kind: FileKind,
    pub bytes: u64,
    /// Since 1970-01-01T00:00:00Z.
    pub modified_ms: i64,
    /// The permission bits.
    pub mode: u32,
    /// Of a link: where it says that it leads, and what is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads_to: Option<FileKind>,
    /// The numbers of whom it belongs to, 0 of root.
    #[serde(default, skip_serializing_if = "is_root")]
    pub user: u32,
    #[serde(default, skip_serializing_if = "is_root")]
    pub group: u32,
    /// Those that are printable ASCII, of a link those of what it leads to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

impl FolderEntry {
    /// Of all names and values.
    pub fn attribute_bytes(&self) -> usize {
        self.attributes.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

fn is_root(number: &u32) -> bool {
    *number == 0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    File,
    Folder,
    Link,
    /// A device, a pipe, a socket.
    Other,
}
