//! Single files in and out of a sandbox, in pieces.

use super::stream::send;
use super::{CALL_DEADLINE, Link, LinkError, Stream, receive_reply, unexpected, within};
use bytes::{Bytes, BytesMut};
use lamplight_wire::chunk::{self, Chunk};
use lamplight_wire::{Code, Open, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

impl Link {
    /// The content of a regular file of at most `limit` bytes. Refused with `NotFound`, `Denied` or `Unreadable`.
    pub async fn read_file(&self, path: &str, limit: u64) -> Result<Bytes, LinkError> {
        let (mut stream, reply) =
            self.call("read_file", &Open::ReadFile { path: path.to_owned(), limit }).await?;
        if !matches!(reply, Reply::File { .. }) {
            return Err(unexpected("read_file", reply));
        }
        let mut content = BytesMut::new();
        loop {
            match within("reading a file", CALL_DEADLINE, read_piece(&mut stream, &mut content, limit))
                .await?
            {
                Chunk::Bytes(_) => {}
                Chunk::End => return Ok(content.freeze()),
                Chunk::Failed => {
                    let message = format!("{path} grew over {limit} bytes or could not be read to its end");
                    return Err(LinkError::Refused { code: Code::Unreadable, message });
                }
            }
        }
    }

    /// Makes or replaces a file in one step: at no moment does anybody inside see a part of it. `mode` holds permission bits.
    pub async fn write_file(&self, path: &str, mode: u32, content: Bytes) -> Result<(), LinkError> {
        let open = Open::WriteFile { path: path.to_owned(), mode };
        let mut stream = within("write_file", CALL_DEADLINE, self.inner.opener.open()).await?;
        let sent = async {
            within("write_file", CALL_DEADLINE, send(&mut stream, &open)).await?;
            for piece in content.chunks(chunk::MAX_CHUNK) {
                let header = chunk::encode_header(piece.len()).map_err(LinkError::sending)?;
                within("writing a file", CALL_DEADLINE, async {
                    stream.write_all(&header).await?;
                    Ok(stream.write_all(piece).await?)
                })
                .await?;
            }
            Ok(stream.write_all(&chunk::END).await?)
        };
        match sent.await {
            // A guest that refuses stops reading; its reply says why.
            Ok(()) | Err(LinkError::Closed) => {}
            Err(error) => return Err(error),
        }
        match within("write_file", CALL_DEADLINE, receive_reply(&mut stream)).await? {
            Reply::Done => Ok(()),
            other => Err(unexpected("write_file", other)),
        }
    }
}

/// Appends the next piece to `content`, which is never let over `limit`.
async fn read_piece(stream: &mut Stream, content: &mut BytesMut, limit: u64) -> Result<Chunk, LinkError> {
    let mut header = [0; chunk::CHUNK_HEADER];
    stream.read_exact(&mut header).await?;
    let announced = chunk::decode_header(header).map_err(LinkError::received)?;
    if let Chunk::Bytes(more) = announced {
        let start = content.len();
        let length = (start + more) as u64;
        if length > limit {
            return Err(LinkError::Protocol { detail: format!("a file of over {limit} bytes was sent") });
        }
        content.resize(start + more, 0);
        stream.read_exact(&mut content[start..]).await?;
    }
    Ok(announced)
}
