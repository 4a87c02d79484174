//! Numbered messages to a process's standard input: `[n u64][length u32][bytes]`, n from 1 without a gap. The guest writes
//! each n once, in order, whole or not at all, and answers with the `[n u64]` of the last message written. A message that it
//! has already taken is dropped, so sending again after a cut is always right. n = 0 asks to close the input.

use crate::WireError;
use bytes::{Buf, BufMut, BytesMut};

/// The longest message, in bytes.
pub const MAX_STDIN_MESSAGE: usize = 32 * 1024 * 1024;

/// Bytes in front of a message.
pub const STDIN_HEADER: usize = 12;

/// Bytes of an answer.
pub const ANSWER_BYTES: usize = 8;

/// The `n` that asks to close, once all messages before are written. It is answered with `ENDED`.
pub const CLOSE: u64 = 0;

/// The answer when the input takes nothing any more: closed as asked, closed by the process, or the process ended.
pub const ENDED: u64 = u64::MAX;

/// The bytes in front of message `n`. Fails on more than `MAX_STDIN_MESSAGE` bytes.
pub fn encode_header(n: u64, length: usize) -> Result<[u8; STDIN_HEADER], WireError> {
    let short = u32::try_from(length).unwrap_or(u32::MAX);
    check_length(short)?;
    let mut header = [0; STDIN_HEADER];
    let mut rest = &mut header[..];
    rest.put_u64(n);
    rest.put_u32(short);
    Ok(header)
}

/// The number and length that these bytes announce.
pub fn decode_header(header: [u8; STDIN_HEADER]) -> Result<(u64, usize), WireError> {
    let mut rest = &header[..];
    let (n, length) = (rest.get_u64(), rest.get_u32());
    Ok((n, check_length(length)?))
}

/// Takes one answer off the front; `None` until it is there whole.
pub fn decode_answer(from: &mut BytesMut) -> Option<u64> {
    (from.len() >= ANSWER_BYTES).then(|| from.get_u64())
}

fn check_length(length: u32) -> Result<usize, WireError> {
    match usize::try_from(length) {
        Ok(length) if length <= MAX_STDIN_MESSAGE => Ok(length),
        _ => Err(WireError::TooLong {
            what: "stdin message",
            length: length.into(),
            limit: MAX_STDIN_MESSAGE as u64,
        }),
    }
}
