//! Files that a session offers to people as results: logs, screenshots, reports.

use crate::TurnNumber;
use crate::attachment::file_name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an agent puts them, below the repository; no commit takes them along.
pub const ARTIFACTS: &str = ".lamplight/artifacts";
/// Files of one session that are offered; of more, the newest.
pub const MAX_ARTIFACTS: usize = 200;
/// Folders in one another above a file.
const MAX_FOLDERS: usize = 4;

/// One file, kept under the name of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = log::Artifact)]
pub struct Artifact {
    /// See [`artifact_name`].
    pub name: String,
    /// SHA-256 of what is in it, in sixty-four hexadecimal digits.
    pub blob: String,
    /// As its content says, such as `image/png`; `application/octet-stream` where that says nothing.
    pub media_type: String,
    pub bytes: u64,
}

/// An artifact, and the turn whose end it was found at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptArtifact {
    pub turn: TurnNumber,
    pub artifact: Artifact,
}

/// What a file below the folder of artifacts is called for people: its path, each part of it a plain [`file_name`]. `None` where it lies
/// too deep.
pub fn artifact_name(path: &str) -> Option<String> {
    let parts: Vec<String> =
        path.split('/').filter(|part| !matches!(*part, "" | ".")).map(file_name).collect();
    (1..=MAX_FOLDERS + 1).contains(&parts.len()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        for (path, name) in [
            ("./shot.png", Some("shot.png")),
            ("pages/1440/light.png", Some("pages/1440/light.png")),
            ("../../etc/passwd", Some("file/file/etc/passwd")),
            ("/etc/passwd", Some("etc/passwd")),
            ("a/.ssh/-rf", Some("a/ssh/rf")),
            ("<img src=x onerror=alert(1)>", Some("_img src_x onerror_alert(1)_")),
            ("a/b/c/d/e.txt", Some("a/b/c/d/e.txt")),
            ("a/b/c/d/e/f.txt", None),
            ("", None),
        ] {
            assert_eq!(artifact_name(path).as_deref(), name, "{path}");
        }
    }
}
