//! Single files for the host, in pieces, so that neither end holds a file whole because of the other.

use crate::agent::Hand;
use crate::attributes;
use crate::guest::{failed, refusal};
use crate::stream::{Stream, send};
use lamplight_wire::chunk::{self, CHUNK_HEADER, Chunk, MAX_CHUNK};
use lamplight_wire::{Code, Refusal, Reply};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The permission bits of a file.
const MODE_BITS: u32 = 0o7777;

/// Sends a regular file of at most `limit` bytes.
pub(crate) async fn read(hand: Hand, path: &str, limit: u64, mut stream: Stream) -> io::Result<()> {
    let (mut file, mode) = match hand.touch(|| open(path, limit)) {
        Ok(opened) => opened,
        Err(refused) => return send(&mut stream, &Reply::Refused(refused)).await,
    };
    send(&mut stream, &Reply::File { mode }).await?;
    let mut left = limit;
    let mut piece = vec![0; MAX_CHUNK];
    let end = loop {
        match file.read(&mut piece) {
            Ok(0) => break chunk::END,
            Ok(length) if length as u64 <= left => {
                left -= length as u64;
                stream.write_all(&chunk::encode_header(length).map_err(io::Error::other)?).await?;
                stream.write_all(&piece[..length]).await?;
            }
            Ok(_) | Err(_) => break chunk::FAILED,
        }
    };
    stream.write_all(&end).await
}

fn open(path: &str, limit: u64) -> Result<(File, u32), Refusal> {
    // A pipe without a writer would hold up the whole guest.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let about = |error: &io::Error| failed(format!("read {path}"), error);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| about(&error))?;
    let metadata = file.metadata().map_err(|error| about(&error))?;
    if !metadata.is_file() {
        return Err(refusal(Code::Unreadable, format!("{path} is not a regular file")));
    }
    if metadata.len() > limit {
        let message = format!("{path} has {} bytes, which is over {limit}", metadata.len());
        return Err(refusal(Code::Unreadable, message));
    }
    Ok((file, metadata.permissions().mode() & MODE_BITS))
}

/// Makes or replaces a file with what the host sends, and the folders above it where they are missing.
pub(crate) async fn write(
    hand: Hand,
    path: &str,
    mode: u32,
    attributes: &BTreeMap<String, String>,
    mut stream: Stream,
) -> io::Result<()> {
    let target = Path::new(path);
    let about = |error: &io::Error| Reply::Refused(failed(format!("write {path}"), error));
    let (mut file, mut beside) = match hand.touch(|| make_beside(hand, target)) {
        Ok(made) => made,
        Err(error) => return send(&mut stream, &about(&error)).await,
    };
    let mut piece = vec![0; MAX_CHUNK];
    loop {
        let mut header = [0; CHUNK_HEADER];
        stream.read_exact(&mut header).await?;
        let length = match chunk::decode_header(header).map_err(io::Error::other)? {
            Chunk::Bytes(length) => length,
            Chunk::End => break,
            Chunk::Failed => return Ok(()),
        };
        stream.read_exact(&mut piece[..length]).await?;
        if let Err(error) = file.write_all(&piece[..length]) {
            return send(&mut stream, &about(&error)).await;
        }
    }
    let permissions = Permissions::from_mode(mode & MODE_BITS);
    let finished = hand.touch(|| {
        // Whoever may not write to the file any more may not do this either.
        attributes::keep(&file, attributes)?;
        file.set_permissions(permissions)?;
        beside.become_(target)
    });
    let reply = match finished {
        Ok(()) => Reply::Done,
        Err(error) => about(&error),
    };
    send(&mut stream, &reply).await
}

/// A file under a name that nobody looks for, removed unless it becomes the one that was meant.
struct Beside {
    hand: Hand,
    path: Option<PathBuf>,
}

impl Beside {
    fn become_(&mut self, target: &Path) -> io::Result<()> {
        if let Some(path) = &self.path {
            std::fs::rename(path, target)?;
            self.path = None;
        }
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = self.hand.touch(|| std::fs::remove_file(path));
        }
    }
}

fn make_beside(hand: Hand, target: &Path) -> io::Result<(File, Beside)> {
    thread_local!(static MADE: Cell<u64> = const { Cell::new(0) });
    let (Some(folder), Some(_)) = (target.parent(), target.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not the path of a file"));
    };
    std::fs::create_dir_all(folder)?;
    let number = MADE.replace(MADE.get() + 1);
    let path = folder.join(format!(".lamplight-{}-{number}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    Ok((file, Beside { hand, path: Some(path) }))
}
