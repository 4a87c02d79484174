//! Single files in and out of a sandbox, in pieces, and what is in a folder. What begins with `as_` says as whom; the others are the
//! agent's.

use super::stream::{receive, send};
use super::{CALL_DEADLINE, Link, LinkError, Stream, receive_reply, unexpected, within};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream;
use lamplight_wire::chunk::{self, Chunk};
use lamplight_wire::folder::{FolderEntry, Listed};
use lamplight_wire::{Code, Open, Reply, Who};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A file that is being read.
pub struct FileReader {
    stream: Stream,
    path: String,
    /// Bytes that may still come.
    left: u64,
    limit: u64,
}

/// What is in a folder, in the order of the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub entries: Vec<FolderEntry>,
    /// There is more than was asked for.
    pub more: bool,
}

impl FileReader {
    /// The next piece, of at most 64 KiB; `None` at the end. Refused with `Unreadable` where the file has grown over its limit.
    pub async fn next(&mut self) -> Result<Option<Bytes>, LinkError> {
        within("reading a file", CALL_DEADLINE, self.piece()).await
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, LinkError> {
        let mut header = [0; chunk::CHUNK_HEADER];
        self.stream.read_exact(&mut header).await?;
        match chunk::decode_header(header).map_err(LinkError::received)? {
            Chunk::Bytes(length) if length as u64 <= self.left => {
                self.left -= length as u64;
                let mut piece = BytesMut::zeroed(length);
                self.stream.read_exact(&mut piece).await?;
                Ok(Some(piece.freeze()))
            }
            Chunk::Bytes(_) => {
                Err(LinkError::Protocol { detail: format!("a file of over {} bytes was sent", self.limit) })
            }
            Chunk::End => Ok(None),
            Chunk::Failed => {
                let Self { path, limit, .. } = self;
                let message = format!("{path} grew over {limit} bytes or could not be read to its end");
                Err(LinkError::Refused { code: Code::Unreadable, message })
            }
        }
    }
}

impl Link {
    /// Opens a regular file of at most `limit` bytes. Refused with `NotFound`, `Denied` or `Unreadable`.
    pub async fn open_file(&self, path: &str, limit: u64) -> Result<FileReader, LinkError> {
        self.as_open_file(Who::Agent, path, limit).await
    }

    /// Like [`Link::open_file`].
    pub async fn as_open_file(&self, who: Who, path: &str, limit: u64) -> Result<FileReader, LinkError> {
        let open = Open::ReadFile { path: path.to_owned(), limit, who };
        let (stream, reply) = self.call("read_file", &open).await?;
        match reply {
            Reply::File { .. } => Ok(FileReader { stream, path: path.to_owned(), left: limit, limit }),
            other => Err(unexpected("read_file", other)),
        }
    }

    /// The content of a regular file of at most `limit` bytes, as [`Link::open_file`].
    pub async fn read_file(&self, path: &str, limit: u64) -> Result<Bytes, LinkError> {
        let mut reader = self.open_file(path, limit).await?;
        let mut content = BytesMut::new();
        while let Some(piece) = reader.next().await? {
            content.extend_from_slice(&piece);
        }
        Ok(content.freeze())
    }

    /// Makes or replaces a file in one step: at no moment does anybody inside see a part of it. `mode` holds permission bits.
    pub async fn write_file(&self, path: &str, mode: u32, content: Bytes) -> Result<(), LinkError> {
        let pieces = stream::once(async { Ok::<_, std::convert::Infallible>(content) });
        match self.write_file_from(path, mode, std::pin::pin!(pieces)).await? {
            Ok(()) => Ok(()),
            Err(never) => match never {},
        }
    }

    /// Like [`Link::write_file`], of content that comes in pieces. When it ends with an error, that is given back, and inside nothing
    /// has changed.
    pub async fn write_file_from<E>(
        &self,
        path: &str,
        mode: u32,
        content: impl stream::Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Result<(), E>, LinkError> {
        self.as_write_file_from(Who::Agent, path, mode, BTreeMap::new(), content).await
    }

    /// Like [`Link::write_file_from`]; `attributes` are kept with the file, and those of one that was there are gone. Guests of before
    /// keep none, and do not say so.
    pub async fn as_write_file_from<E>(
        &self,
        who: Who,
        path: &str,
        mode: u32,
        attributes: BTreeMap<String, String>,
        mut content: impl stream::Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Result<(), E>, LinkError> {
        let open = Open::WriteFile { path: path.to_owned(), mode, attributes, who };
        let mut stream = within("write_file", CALL_DEADLINE, self.inner.opener.open()).await?;
        let sending = async {
            within("write_file", CALL_DEADLINE, send(&mut stream, &open)).await?;
            while let Some(piece) = content.next().await {
                let piece = match piece {
                    Ok(piece) => piece,
                    Err(error) => {
                        stream.write_all(&chunk::FAILED).await?;
                        return Ok(Err(error));
                    }
                };
                for part in piece.chunks(chunk::MAX_CHUNK) {
                    within("writing a file", CALL_DEADLINE, write_part(&mut stream, part)).await?;
                }
            }
            Ok(Ok(stream.write_all(&chunk::END).await?))
        };
        match sending.await {
            Ok(Err(error)) => return Ok(Err(error)),
            // A guest that refuses stops reading; its reply says why.
            Ok(Ok(())) | Err(LinkError::Closed) => {}
            Err(error) => return Err(error),
        }
        match within("write_file", CALL_DEADLINE, receive_reply(&mut stream)).await? {
            Reply::Done => Ok(Ok(())),
            other => Err(unexpected("write_file", other)),
        }
    }

    /// The first `limit` things in a folder. Refused with `NotFound` or `Denied`, and with `Unsupported` by guests of before.
    pub async fn list_folder(&self, path: &str, limit: u32) -> Result<Folder, LinkError> {
        self.as_list_folder(Who::Agent, path, limit).await
    }

    /// Like [`Link::list_folder`].
    pub async fn as_list_folder(&self, who: Who, path: &str, limit: u32) -> Result<Folder, LinkError> {
        let open = Open::ListFolder { path: path.to_owned(), limit, who };
        let (mut stream, reply) = self.call("list_folder", &open).await?;
        if reply != Reply::Folder {
            return Err(unexpected("list_folder", reply));
        }
        let mut entries = Vec::new();
        loop {
            match within("listing a folder", CALL_DEADLINE, receive(&mut stream)).await? {
                Listed::Entries { entries: more } if entries.len() + more.len() <= limit as usize => {
                    entries.extend(more);
                }
                Listed::Entries { .. } => {
                    return Err(LinkError::Protocol { detail: format!("over {limit} entries were sent") });
                }
                Listed::End { more } => return Ok(Folder { entries, more }),
            }
        }
    }
}

async fn write_part(stream: &mut Stream, part: &[u8]) -> Result<(), LinkError> {
    stream.write_all(&chunk::encode_header(part.len()).map_err(LinkError::sending)?).await?;
    Ok(stream.write_all(part).await?)
}
