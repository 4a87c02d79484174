//! `--attach FILE`: files given along with a prompt.

use super::client::Client;
use crate::http::attachments::{AttachRequest, Attachment};
use anyhow::{Context, bail};
use clap::Args;
use lamplight_engine::ATTACHMENT_BYTES;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct AttachArguments {
    /// A picture or another file of at most 10 MiB to give along; can be repeated
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
}

impl AttachArguments {
    /// Uploads them, in order, for a prompt to name.
    pub(super) async fn upload(&self, client: &Client) -> anyhow::Result<Vec<AttachRequest>> {
        let mut uploaded = Vec::new();
        for path in &self.attach {
            let told = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let attachment: Attachment =
                client.upload("/attachments", &[("name", told)], read(path)?).await?;
            uploaded.push(AttachRequest { id: attachment.id, name: attachment.name });
        }
        Ok(uploaded)
    }
}

/// No more of it than can be attached, whatever it is.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut content = Vec::new();
    let most = ATTACHMENT_BYTES as u64 + 1;
    file.take(most).read_to_end(&mut content).with_context(|| format!("read {}", path.display()))?;
    if content.len() > ATTACHMENT_BYTES {
        bail!("{} is larger than {} MiB; attach a part of it", path.display(), ATTACHMENT_BYTES >> 20);
    }
    Ok(content)
}
