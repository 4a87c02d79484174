//! What a process says, in frames `[kind u8][offset u64][length u32][bytes]`, and how the host acknowledges it:
//! `[stdout u64][stderr u64]`. All numbers most significant byte first.

use crate::{ExitStatus, Offsets, WireError};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The most bytes of output in one frame.
pub const MAX_OUTPUT: usize = 64 * 1024;

/// Bytes before the payload of an output frame.
pub const OUTPUT_HEADER: usize = 13;

/// Bytes of an acknowledgement.
pub const ACKNOWLEDGE_BYTES: usize = 16;

const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const EXITED_WITH_CODE: u8 = 3;
const EXITED_BY_SIGNAL: u8 = 4;

/// Length of the payload of both exit frames: one i32.
const STATUS_BYTES: usize = 4;

/// One frame from an attached process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// `offset` is the place of the first of these bytes in all that the process ever wrote there.
    Stdout {
        offset: u64,
        bytes: Bytes,
    },
    Stderr {
        offset: u64,
        bytes: Bytes,
    },
    /// The last frame: everything the process wrote before it ended has been sent.
    Exited(ExitStatus),
}

impl Output {
    /// Appends the frame to `into`. Fails on more than `MAX_OUTPUT` bytes.
    pub fn encode(&self, into: &mut BytesMut) -> Result<(), WireError> {
        let status;
        let (kind, offset, payload) = match self {
            Self::Stdout { offset, bytes } => (STDOUT, *offset, &bytes[..]),
            Self::Stderr { offset, bytes } => (STDERR, *offset, &bytes[..]),
            Self::Exited(ExitStatus::Code { code }) => {
                status = code.to_be_bytes();
                (EXITED_WITH_CODE, 0, &status[..])
            }
            Self::Exited(ExitStatus::Signal { signal }) => {
                status = signal.to_be_bytes();
                (EXITED_BY_SIGNAL, 0, &status[..])
            }
        };
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        check_length(length)?;
        into.reserve(OUTPUT_HEADER + payload.len());
        into.put_u8(kind);
        into.put_u64(offset);
        into.put_u32(length);
        into.put_slice(payload);
        Ok(())
    }

    /// Takes one frame off the front; `None` until it is there whole.
    pub fn decode(from: &mut BytesMut) -> Result<Option<Self>, WireError> {
        if from.len() < OUTPUT_HEADER {
            return Ok(None);
        }
        let mut header = &from[..OUTPUT_HEADER];
        let (kind, offset, length) = (header.get_u8(), header.get_u64(), header.get_u32());
        let length = check_length(length)?;
        if !matches!(kind, STDOUT..=EXITED_BY_SIGNAL) {
            return Err(WireError::UnknownKind { what: "output frame", kind });
        }
        if kind >= EXITED_WITH_CODE && length != STATUS_BYTES {
            let (length, limit) = (length as u64, STATUS_BYTES as u64);
            return Err(WireError::TooLong { what: "exit status", length, limit });
        }
        if from.len() < OUTPUT_HEADER + length {
            from.reserve(OUTPUT_HEADER + length - from.len());
            return Ok(None);
        }
        from.advance(OUTPUT_HEADER);
        let mut bytes = from.split_to(length).freeze();
        Ok(Some(match kind {
            STDOUT => Self::Stdout { offset, bytes },
            STDERR => Self::Stderr { offset, bytes },
            EXITED_WITH_CODE => Self::Exited(ExitStatus::Code { code: bytes.get_i32() }),
            _ => Self::Exited(ExitStatus::Signal { signal: bytes.get_i32() }),
        }))
    }
}

/// The host has made everything before these offsets durable; the guest may reuse the space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledge(pub Offsets);

impl Acknowledge {
    pub fn encode(self) -> [u8; ACKNOWLEDGE_BYTES] {
        let mut bytes = [0; ACKNOWLEDGE_BYTES];
        let mut rest = &mut bytes[..];
        rest.put_u64(self.0.stdout);
        rest.put_u64(self.0.stderr);
        bytes
    }

    /// Takes one acknowledgement off the front; `None` until it is there whole.
    pub fn decode(from: &mut BytesMut) -> Option<Self> {
        (from.len() >= ACKNOWLEDGE_BYTES)
            .then(|| Self(Offsets { stdout: from.get_u64(), stderr: from.get_u64() }))
    }
}

fn check_length(length: u32) -> Result<usize, WireError> {
    match usize::try_from(length) {
        Ok(length) if length <= MAX_OUTPUT => Ok(length),
        _ => {
            Err(WireError::TooLong { what: "output frame", length: length.into(), limit: MAX_OUTPUT as u64 })
        }
    }
}
