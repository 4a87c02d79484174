//! Files that clients have uploaded for templates, each person's by the hash that the client has made of them: it is of what is in the
//! archive and not of the archive, so that nobody's is taken for somebody else's.

use crate::engine::Engine;
use anyhow::Context;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// The longest archive, in bytes.
pub const LONGEST_UPLOAD: u64 = 4 << 30;

/// All of one person, in bytes.
const OF_ONE: u64 = 5 * LONGEST_UPLOAD;

/// Between two pieces of one.
const PIECE: Duration = Duration::from_secs(60);

/// One that was uploaded so long ago is removed.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[derive(Debug, thiserror::Error)]
pub enum NotUploaded {
    #[error("it is longer than {LONGEST_UPLOAD} bytes")]
    TooLong,
    #[error("it did not come whole")]
    Broken,
    #[error("it could not be kept")]
    Failed(#[from] anyhow::Error),
}

/// Where an archive is, or would be. `None` of what is no hash.
pub(super) fn place(data_dir: &Path, person: &str, hash: &str) -> Option<PathBuf> {
    let is_hash =
        hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let whose = Sha256::digest(person).iter().fold(String::new(), |mut text, byte| {
        let _always = write!(text, "{byte:02x}");
        text
    });
    is_hash.then(|| data_dir.join("lent").join(whose).join(hash))
}

impl Engine {
    /// Whether a person has uploaded this.
    pub fn has_lent_upload(&self, person: &str, hash: &str) -> bool {
        place(&self.shared.config.data_dir, person, hash).is_some_and(|place| place.exists())
    }

    /// Keeps an archive; one that does not come whole leaves nothing.
    pub async fn keep_lent_upload<E>(
        &self,
        person: &str,
        hash: &str,
        mut content: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), NotUploaded> {
        let place = place(&self.shared.config.data_dir, person, hash).context("it has no hash")?;
        let folder = place.parent().context("it has no folder")?;
        fs::create_dir_all(folder).await.context("make the folder of uploads")?;
        tidy(folder).await;
        let new = folder.join(format!("{}.new", crate::ids::terminal_id()));
        let kept = async {
            let mut file = fs::File::create(&new).await.context("begin a file")?;
            let mut length = 0;
            while let Some(piece) = timeout(PIECE, content.next()).await.map_err(|_| NotUploaded::Broken)? {
                let piece = piece.map_err(|_| NotUploaded::Broken)?;
                length += piece.len() as u64;
                if length > LONGEST_UPLOAD {
                    return Err(NotUploaded::TooLong);
                }
                file.write_all(&piece).await.context("write what comes")?;
            }
            file.sync_all().await.context("write it to the disk")?;
            fs::rename(&new, &place).await.context("put it in place")?;
            Ok(())
        };
        let kept = kept.await;
        if kept.is_err() {
            // What is left of it is removed with the old ones, at the latest.
            let _ = fs::remove_file(&new).await;
        }
        kept
    }
}

/// Old ones go, also those that never came whole; and the oldest, until there is room for one more.
async fn tidy(folder: &Path) {
    let Ok(mut entries) = fs::read_dir(folder).await else { return };
    let mut all = Vec::new();
    while let Ok(Some(entry)) = entries.next_entry().await {
        let Ok(about) = entry.metadata().await else { continue };
        let age = about.modified().ok().and_then(|modified| modified.elapsed().ok()).unwrap_or_default();
        all.push((age, about.len(), entry.path()));
    }
    all.sort();
    let mut bytes = LONGEST_UPLOAD;
    for (age, length, path) in all {
        bytes += length;
        if age > KEPT || bytes > OF_ONE {
            // Whoever reads it has it open; who comes later uploads it again.
            let _ = fs::remove_file(path).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_by_person_and_hash() {
        let at = |person: &str, hash: &str| place(Path::new("/d"), person, hash);
        let hash = "a".repeat(64);
        assert_ne!(at("Ada", &hash), at("Bob", &hash));
        assert!(at("../x", &hash).unwrap().starts_with("/d/lent"));
        for wrong in ["", "..", "../../../etc/passwd", &"A".repeat(64), &"a".repeat(63)] {
            assert_eq!(at("Ada", wrong), None, "{wrong}");
        }
    }
}
