//! What somebody at a terminal does, in frames `[kind u8][length u16][bytes]`, most significant byte first.

use crate::{TerminalSize, WireError};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The most typed bytes in one frame.
pub const MAX_TYPED: usize = 16 * 1024;

/// Bytes before the payload of a frame.
pub const TYPED_HEADER: usize = 3;

const KEYS: u8 = 1;
const SIZE: u8 = 2;

/// Length of the payload of a size: rows and columns, a u16 each.
const SIZE_BYTES: usize = 4;

/// One frame to a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// As the terminal would send them: keys, pasted text, answers to its questions.
    Keys(Bytes),
    /// It is so large from now on.
    Size(TerminalSize),
}

impl Typed {
    /// Appends the frame to `into`. Fails on more than `MAX_TYPED` bytes.
    pub fn encode(&self, into: &mut BytesMut) -> Result<(), WireError> {
        let size;
        let (kind, payload) = match self {
            Self::Keys(bytes) => (KEYS, &bytes[..]),
            Self::Size(TerminalSize { rows, columns }) => {
                size = [rows.to_be_bytes(), columns.to_be_bytes()].concat();
                (SIZE, &size[..])
            }
        };
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        check_length(kind, length)?;
        into.reserve(TYPED_HEADER + payload.len());
        into.put_u8(kind);
        into.put_u16(length);
        into.put_slice(payload);
        Ok(())
    }

    /// Takes one frame off the front; `None` until it is there whole.
    pub fn decode(from: &mut BytesMut) -> Result<Option<Self>, WireError> {
        if from.len() < TYPED_HEADER {
            return Ok(None);
        }
        let mut header = &from[..TYPED_HEADER];
        let (kind, length) = (header.get_u8(), header.get_u16());
        let length = check_length(kind, length)?;
        if from.len() < TYPED_HEADER + length {
            from.reserve(TYPED_HEADER + length - from.len());
            return Ok(None);
        }
        from.advance(TYPED_HEADER);
        let mut bytes = from.split_to(length).freeze();
        Ok(Some(match kind {
            KEYS => Self::Keys(bytes),
            _ => Self::Size(TerminalSize { rows: bytes.get_u16(), columns: bytes.get_u16() }),
        }))
    }
}

fn check_length(kind: u8, length: u16) -> Result<usize, WireError> {
    let length = usize::from(length);
    let too_long =
        |what, limit: usize| WireError::TooLong { what, length: length as u64, limit: limit as u64 };
    match kind {
        KEYS if length <= MAX_TYPED => Ok(length),
        KEYS => Err(too_long("frame of keys", MAX_TYPED)),
        SIZE if length == SIZE_BYTES => Ok(length),
        SIZE => Err(too_long("size", SIZE_BYTES)),
        kind => Err(WireError::UnknownKind { what: "terminal frame", kind }),
    }
}
