//! A template of the cloud with a folder of this machine in it, made once: sandboxes there have none of this machine's folders.

use super::cloud::Cloud;
use super::config::{self, E2bConfig, environment};
use super::envd::{Door, Program, ROOT};
use crate::error::{ErrorKind, SandboxError};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt;
use lamplight_e2b::control::NewSandbox;
use reqwest::Body;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio_util::io::ReaderStream;

/// For all of it; the cloud ends what was left behind by then.
const MAKING: Duration = Duration::from_secs(3600);

/// Until the archive is unpacked.
const UNPACK: Duration = Duration::from_secs(600);

/// Where the archive is put first.
const ARCHIVE: &str = "/tmp/lamplight-template.tar.gz";

/// As root: `$1` is the archive, `$2` where its files go, in the place of what is there.
const UNPACKING: &str = r#"set -e
umask 022
rm -rf "$2"
mkdir -p "$2"
tar --no-same-owner -xzf "$1" -C "$2"
chmod -R a+rX "$2"
rm -f "$1"
"#;

/// Puts what is in `folder` at `inside` into a sandbox of the configured template, keeps its files under this name and ends it. Returns
/// what [`E2bConfig::template`] has to be, for sandboxes to begin with them.
pub async fn make_template(
    config: &E2bConfig,
    name: &str,
    folder: PathBuf,
    inside: &str,
) -> Result<String, SandboxError> {
    config::check(config)?;
    let cloud = Cloud::new(config)?;
    let new = NewSandbox {
        template_id: config.template.clone(),
        timeout: Some(i64::try_from(MAKING.as_secs()).unwrap_or(i64::MAX)),
        ..NewSandbox::default()
    };
    let made = cloud.create(&new).await?;
    let door = cloud.door(&made.sandbox_id, made.envd_access_token, made.domain.as_deref())?;
    let kept = match fill(&door, folder, inside).await {
        Ok(()) => cloud.snapshot(&made.sandbox_id, Some(name)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = cloud.kill(&made.sandbox_id).await {
        tracing::warn!(sandbox = %made.sandbox_id, %error, "the sandbox that a template was made in could not be ended; the cloud does it in an hour");
    }
    kept
}

async fn fill(door: &Door, folder: PathBuf, inside: &str) -> Result<(), SandboxError> {
    let archive = archive_of(folder).map_err(|error| SandboxError::from_io("begin an archive", error))?;
    door.upload(ARCHIVE, archive).await?;
    let argv = ["/bin/sh", "-c", UNPACKING, "sh", ARCHIVE, inside];
    let program = Program {
        user: ROOT.to_owned(),
        argv: argv.map(str::to_owned).to_vec(),
        environment: environment(ROOT),
        folder: "/".to_owned(),
        has_input: false,
    };
    let (end, said) = door.run(program, UNPACK).await?;
    if end.exited && end.exit_code == 0 {
        return Ok(());
    }
    let message = format!("unpack {inside} in a sandbox of the cloud ({}): {said}", end.status);
    Err(SandboxError::new(ErrorKind::Failed, message))
}

/// A tar of what is in a folder, compressed, as it is read. What cannot be read breaks the upload off.
fn archive_of(folder: PathBuf) -> io::Result<Body> {
    let (near, far) = io::pipe()?;
    let packing = tokio::task::spawn_blocking(move || pack(&folder, far));
    let bytes = ReaderStream::new(pipe::Receiver::from_owned_fd(near.into())?);
    let end = async move { packing.await.unwrap_or_else(|panic| Err(io::Error::other(panic))) };
    // The end of the bytes is the end of the archive only where it was packed whole.
    let end = futures::stream::once(end).filter_map(|packed| async move { packed.err().map(Err) });
    Ok(Body::wrap_stream(bytes.chain(end)))
}

fn pack(folder: &Path, to: impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(to, Compression::fast()));
    archive.follow_symlinks(false);
    archive.append_dir_all(".", folder)?;
    archive.into_inner()?.finish()?.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;

    #[test]
    fn a_folder_is_packed_with_what_may_be_run_and_with_links() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("agent")).unwrap();
        std::fs::write(folder.path().join("agent/run"), "#!/bin/sh").unwrap();
        std::os::unix::fs::symlink("run", folder.path().join("agent/link")).unwrap();
        let mut packed = Vec::new();
        pack(folder.path(), &mut packed).unwrap();
        let mut archive = tar::Archive::new(GzDecoder::new(&packed[..]));
        let mut names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.path().unwrap().display().to_string();
                (name.trim_start_matches("./").to_owned(), entry.header().entry_type().is_symlink())
            })
            .filter(|(name, _)| name.starts_with("agent/") && !name.ends_with('/'))
            .collect();
        names.sort();
        assert_eq!(names, [("agent/link".to_owned(), true), ("agent/run".to_owned(), false)]);
        assert!(pack(&folder.path().join("nowhere"), Vec::new()).is_err());
    }
}
