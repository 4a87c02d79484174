//! Files that people give along with a prompt.
//!
//! ```text
//! uploaded ─► named by a prompt ─► kept as long as the log ─► put into the sandbox, and shown to the agent with the prompt
//!     └─ in no prompt after a day: gone
//! ```

use crate::engine::Shared;
use crate::error::CommandError;
use crate::{Engine, clock};
use bytes::Bytes;
use lamplight_domain::artifact::KeptArtifact;
use lamplight_domain::attachment::{MAX_ATTACHMENTS, file_name};
use lamplight_domain::{Attachment, SessionId, Timestamp};
use lamplight_store::{BlobError, BlobId, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

const NOT_FOUND: &str = "attachment_not_found";
/// The largest file that can be attached; bytes.
pub const ATTACHMENT_BYTES: usize = 10 << 20;
/// Files that no prompt has named yet, all together; bytes.
const UPLOADS_BYTES: u64 = 512 << 20;
/// How long a file waits for a prompt.
const UPLOAD_WAITS_MS: i64 = 24 * 60 * 60 * 1000;
/// The largest image that is shown to an agent and not only told of; bytes. In base64 it is 5 MB, the bound of most vendors.
const SHOWN_BYTES: u64 = 3_750_000;
/// Images that are shown with one prompt, all together; bytes. In base64 they stay below the link's longest message.
const SHOWN_TOTAL_BYTES: u64 = 5 * SHOWN_BYTES;

/// A file that was uploaded, as a prompt names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attach {
    /// SHA-256 of its content, in sixty-four hexadecimal digits.
    pub blob: String,
    pub name: String,
}

impl Engine {
    /// Keeps a file for a prompt that names it within a day.
    pub async fn upload(&self, name: &str, content: Bytes) -> Result<Attachment, CommandError> {
        if content.len() > ATTACHMENT_BYTES {
            return Err(too_large(content.len() as u64));
        }
        let (uploads, now) = (self.shared.store.uploads(), clock::now());
        let before = Timestamp(now.0 - UPLOAD_WAITS_MS);
        let waiting = uploads.sweep(before).await.map_err(failed)?;
        if waiting + content.len() as u64 > UPLOADS_BYTES {
            return Err(CommandError::invalid(
                "uploads_full",
                format!("{} MiB of files wait for a prompt already", waiting >> 20),
                "send the prompts that they are for, or wait: what no prompt names is removed after a day",
            ));
        }
        let blob = uploads.put(content.clone(), now).await.map_err(failed)?;
        Ok(described(&blob, name, &content))
    }

    /// What is in a file that a prompt has named, or that waits for one; with its media type.
    pub async fn attachment(&self, blob: &str) -> Result<(Bytes, &'static str), CommandError> {
        let content = find(&self.shared, blob).await?;
        let media_type = media_type(&content);
        Ok((content, media_type))
    }
}

/// Keeps the files that a prompt names for as long as its log.
pub(crate) async fn claim(shared: &Shared, asked: Vec<Attach>) -> Result<Vec<Attachment>, CommandError> {
    if asked.len() > MAX_ATTACHMENTS {
        return Err(CommandError::invalid(
            "too_many_attachments",
            format!("{} files are attached, and a prompt takes at most {MAX_ATTACHMENTS}", asked.len()),
            "attach fewer, or put them into one archive",
        ));
    }
    let mut claimed: Vec<Attachment> = Vec::new();
    for file in asked {
        let content = find(shared, &file.blob).await?;
        let blob = shared.store.attachments().put(content.clone()).await.map_err(failed)?;
        let mut attachment = described(&blob, &file.name, &content);
        if claimed.iter().any(|other| other.blob == attachment.blob && other.name == attachment.name) {
            attachment.name = format!("{}-{}", claimed.len() + 1, attachment.name);
        }
        claimed.push(attachment);
    }
    Ok(claimed)
}

/// What a session offers as results.
impl Engine {
    /// Each name once, the newest last. They outlive the sandbox; what is in one is read as what is in an attachment.
    pub async fn artifacts(&self, id: &SessionId) -> Result<Vec<KeptArtifact>, CommandError> {
        Ok(Arc::unwrap_or_clone(self.view(id).await?.artifacts))
    }
}

/// What is said where files say it all.
pub(crate) fn text(said: String, attachments: &[Attachment]) -> String {
    if attachments.is_empty() || !said.trim().is_empty() {
        return said;
    }
    let names: Vec<&str> = attachments.iter().map(|attachment| attachment.name.as_str()).collect();
    format!("See the attached {}.", names.join(", "))
}

/// The images among them that an agent is shown, by their blobs; an error only where trying again may help.
pub(crate) async fn shown(
    shared: &Shared,
    attachments: &[Attachment],
) -> Result<BTreeMap<String, Bytes>, CommandError> {
    let mut left = SHOWN_TOTAL_BYTES;
    let mut shown = BTreeMap::new();
    for image in attachments.iter().filter(|attachment| attachment.is_image()) {
        if image.bytes > SHOWN_BYTES.min(left) {
            continue;
        }
        match find(shared, &image.blob).await {
            Ok(content) => {
                left -= image.bytes;
                shown.insert(image.blob.clone(), content);
            }
            Err(away @ CommandError::StorageUnavailable(_)) => return Err(away),
            // It is told of, as what cannot be shown is.
            Err(_) => {}
        }
    }
    Ok(shown)
}

/// What is in a file, wherever it is kept. Where there is no bucket, or not everything is in it yet, that may be at another server.
pub(crate) async fn find(shared: &Shared, blob: &str) -> Result<Bytes, CommandError> {
    let id: BlobId = blob.parse().map_err(|_| missing())?;
    match find_here(&shared.store, blob).await {
        Err(error) if shared.store.is_shared() && error.code() == NOT_FOUND => {
            shared.file_elsewhere(&id).await.ok_or(error)
        }
        found => found,
    }
}

/// The same in the bucket that all servers share, or on this server's own disk.
pub(crate) async fn find_here(store: &Store, blob: &str) -> Result<Bytes, CommandError> {
    let id: BlobId = blob.parse().map_err(|_| missing())?;
    let found = match store.attachments().get(&id).await {
        Err(BlobError::Missing(_)) => store.uploads().get(&id).await,
        found => found,
    };
    match found {
        Err(BlobError::Missing(_)) => Err(missing()),
        found => found.map_err(failed),
    }
}

fn missing() -> CommandError {
    let message = "there is no such file; what no prompt names is removed after a day, and what came in at a server that is gone is there";
    CommandError::invalid(NOT_FOUND, message, "attach it again")
}

fn described(blob: &BlobId, name: &str, content: &[u8]) -> Attachment {
    Attachment {
        blob: blob.to_string(),
        name: file_name(name),
        media_type: media_type(content).to_owned(),
        bytes: content.len() as u64,
    }
}

/// What a file is, by its content or the beginning of it, never by what it is called. Images are those that browsers and models alike can read; SVG is a document.
pub fn media_type(content: &[u8]) -> &'static str {
    match content {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
        _ if is_text(content) => "text/plain",
        _ => "application/octet-stream",
    }
}

/// It may be only the beginning, cut in the middle of a character.
fn is_text(content: &[u8]) -> bool {
    let utf8 = std::str::from_utf8(content);
    !content.contains(&0) && utf8.map_or_else(|error| error.error_len().is_none(), |_| true)
}

fn too_large(bytes: u64) -> CommandError {
    CommandError::invalid(
        "attachment_too_large",
        format!("the file has {bytes} bytes, and at most {} MiB can be attached", ATTACHMENT_BYTES >> 20),
        "attach a part of it, or upload it into the sandbox once that runs",
    )
}

fn failed(error: BlobError) -> CommandError {
    match error {
        BlobError::StorageFull => CommandError::StorageFull,
        BlobError::Unavailable(why) => CommandError::StorageUnavailable(why),
        other @ (BlobError::Missing(_) | BlobError::Damaged(_) | BlobError::Failed(_)) => {
            CommandError::Failed(anyhow::Error::new(other).context("keep an attached file"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_it_holds_and_not_what_it_is_called() {
        for (content, expected) in [
            (&b"\x89PNG\r\n\x1a\nrest"[..], "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"GIF89a", "image/gif"),
            (b"RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"),
            (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "text/plain"),
            (b"<!doctype html><script>alert(1)</script>", "text/plain"),
            (b"a\0b", "application/octet-stream"),
            (b"\xfe\xff", "application/octet-stream"),
            (b"gr\xc3", "text/plain"),
            (b"", "text/plain"),
        ] {
            assert_eq!(media_type(content), expected, "{content:?}");
        }
    }
}
