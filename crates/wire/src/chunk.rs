//! File content in pieces, `[length u32][bytes]`, so that an end is told from a cut: a length of 0 is the end, `FAILED` is
//! an end before the file's own.

use crate::WireError;

/// The most bytes in one piece.
pub const MAX_CHUNK: usize = 64 * 1024;

/// Bytes in front of a piece.
pub const CHUNK_HEADER: usize = 4;

/// The length that ends a file.
pub const END: [u8; CHUNK_HEADER] = [0; CHUNK_HEADER];

/// The length that says the rest cannot be had: the file grew over the limit, or could not be read further.
pub const FAILED: [u8; CHUNK_HEADER] = [0xff; CHUNK_HEADER];

/// What the bytes in front of a piece announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk {
    /// So many bytes follow; at least 1.
    Bytes(usize),
    End,
    Failed,
}

/// The bytes in front of a piece. Fails on more than `MAX_CHUNK` bytes.
pub fn encode_header(length: usize) -> Result<[u8; CHUNK_HEADER], WireError> {
    match u32::try_from(length) {
        Ok(short) if length <= MAX_CHUNK => Ok(short.to_be_bytes()),
        _ => Err(too_long(length as u64)),
    }
}

/// What these bytes announce.
pub fn decode_header(header: [u8; CHUNK_HEADER]) -> Result<Chunk, WireError> {
    let length = u32::from_be_bytes(header);
    match header {
        END => Ok(Chunk::End),
        FAILED => Ok(Chunk::Failed),
        _ if length as usize <= MAX_CHUNK => Ok(Chunk::Bytes(length as usize)),
        _ => Err(too_long(length.into())),
    }
}

fn too_long(length: u64) -> WireError {
    WireError::TooLong { what: "file chunk", length, limit: MAX_CHUNK as u64 }
}
