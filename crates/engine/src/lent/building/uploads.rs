//! Files that clients have uploaded for templates, each person's by the hash that the client has made of them: it is of what is in the
//! archive and not of the archive, so that nobody's is taken for somebody else's.

use crate::engine::Engine;
use crate::error::CommandError;
use anyhow::Context;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
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

/// All that somebody has uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LentUploads {
    /// Made of their name.
    pub id: String,
    /// `None` where nobody is known who would have this id.
    pub person: Option<String>,
    pub files: u64,
    pub bytes: u64,
}

/// Where those of all people are, each in a folder.
fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("lent")
}

/// What the folder of a person is called.
fn whose(person: &str) -> String {
    Sha256::digest(person).iter().fold(String::new(), |mut text, byte| {
        let _always = write!(text, "{byte:02x}");
        text
    })
}

/// Whether it may be the name of an archive, or of the folder of a person.
pub(super) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Where an archive is, or would be. `None` of what is no hash.
pub(super) fn place(data_dir: &Path, person: &str, hash: &str) -> Option<PathBuf> {
    is_hash(hash).then(|| folder(data_dir).join(whose(person)).join(hash))
}

impl Engine {
    /// Whether a person has uploaded this.
    pub fn has_lent_upload(&self, person: &str, hash: &str) -> bool {
        place(&self.shared.config.data_dir, person, hash).is_some_and(|place| place.exists())
    }

    /// What everybody has uploaded, also who was removed.
    pub async fn lent_uploads(&self) -> Result<Vec<LentUploads>, CommandError> {
        let mut names: Vec<String> = self.all_lent_templates().into_iter().map(|one| one.person).collect();
        names.extend(self.people().await?.into_iter().map(|person| person.name));
        let names: HashMap<String, String> = names.into_iter().map(|name| (whose(&name), name)).collect();
        let mut all = Vec::new();
        for folder in folders(&self.shared.config.data_dir).await {
            let Some(id) = folder.file_name().and_then(|name| name.to_str()) else { continue };
            let kept = files(&folder).await;
            if !kept.is_empty() {
                let (id, person) = (id.to_owned(), names.get(id).cloned());
                let (files, bytes) = (kept.len() as u64, kept.iter().map(|one| one.length).sum());
                all.push(LentUploads { id, person, files, bytes });
            }
        }
        all.sort_by(|a, b| (&a.person, &a.id).cmp(&(&b.person, &b.id)));
        Ok(all)
    }

    /// Removes all that somebody has uploaded, by its id. False where there is nothing.
    pub async fn remove_lent_uploads(&self, id: &str) -> Result<bool, CommandError> {
        if !is_hash(id) {
            return Ok(false);
        }
        match fs::remove_dir_all(folder(&self.shared.config.data_dir).join(id)).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(CommandError::Failed(anyhow::Error::new(error).context("remove uploads"))),
        }
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

/// What is in a folder of uploads.
struct Kept {
    age: Duration,
    length: u64,
    path: PathBuf,
}

/// The folders of all people.
async fn folders(data_dir: &Path) -> Vec<PathBuf> {
    let Ok(mut entries) = fs::read_dir(folder(data_dir)).await else { return Vec::new() };
    let mut all = Vec::new();
    while let Ok(Some(entry)) = entries.next_entry().await {
        if entry.file_name().to_str().is_some_and(is_hash) {
            all.push(entry.path());
        }
    }
    all
}

async fn files(folder: &Path) -> Vec<Kept> {
    let Ok(mut entries) = fs::read_dir(folder).await else { return Vec::new() };
    let mut all = Vec::new();
    while let Ok(Some(entry)) = entries.next_entry().await {
        let Ok(about) = entry.metadata().await else { continue };
        let age = about.modified().ok().and_then(|modified| modified.elapsed().ok()).unwrap_or_default();
        all.push(Kept { age, length: about.len(), path: entry.path() });
    }
    all
}

/// Old ones go, also those that never came whole; and the oldest, until there is room for one more.
async fn tidy(folder: &Path) {
    let mut all = files(folder).await;
    all.sort_by_key(|one| one.age);
    let mut bytes = LONGEST_UPLOAD;
    for Kept { age, length, path } in all {
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
