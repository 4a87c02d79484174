//! `/attachments`: files that people give along with a prompt.

pub mod show;
pub mod upload;

use axum::http::HeaderName;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use lamplight_domain::attachment;
use lamplight_engine::Attach;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A file that came with a prompt, or is to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attachment {
    /// SHA-256 of its content: 64 hexadecimal digits.
    pub id: String,
    /// What it is called in the sandbox.
    pub name: String,
    /// By its content: `image/png`, `image/jpeg`, `image/gif`, `image/webp`, `application/pdf`, `text/plain` or
    /// `application/octet-stream`.
    pub media_type: String,
    pub bytes: u64,
}

impl From<attachment::Attachment> for Attachment {
    fn from(of: attachment::Attachment) -> Self {
        Self { id: of.blob, name: of.name, media_type: of.media_type, bytes: of.bytes }
    }
}

/// An uploaded file, for a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachRequest {
    /// As the upload was answered.
    pub id: String,
    pub name: String,
}

impl From<AttachRequest> for Attach {
    fn from(asked: AttachRequest) -> Self {
        Self { blob: asked.id, name: asked.name }
    }
}

/// Whatever it is, nothing in it runs or loads anything, also when it is opened by itself.
const NOTHING: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// The headers of what somebody else made. Images and plain text are shown by a browser; all else, documents that could run something
/// among them, it can only save.
pub(super) fn harmless(media_type: &'static str) -> [(HeaderName, &'static str); 3] {
    let (shown, disposition) = match media_type {
        "text/plain" => ("text/plain; charset=utf-8", "inline"),
        image if image.starts_with("image/") => (image, "inline"),
        _ => ("application/octet-stream", "attachment"),
    };
    [(CONTENT_TYPE, shown), (CONTENT_DISPOSITION, disposition), (CONTENT_SECURITY_POLICY, NOTHING)]
}
