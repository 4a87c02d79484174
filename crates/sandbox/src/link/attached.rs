//! The output of one process, byte for byte.

use super::stream::next_frame;
use super::{LinkError, Offsets, ProcessState, Stream, exit_status};
use bytes::{Bytes, BytesMut};
use lamplight_domain::agent::ExitStatus;
use lamplight_wire as wire;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};

/// What an attached process does.
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
    /// It ended, and everything it wrote before has been returned.
    Exited {
        status: ExitStatus,
    },
}

/// Follows one process. Not reading it fills the guest's spool and then blocks the process; nothing else.
pub struct Attached {
    reader: Reader,
    acks: Acks,
}

/// The half that reads.
pub struct Reader {
    stream: ReadHalf<Stream>,
    buffer: BytesMut,
    /// The offsets that the next frames must have.
    next: Offsets,
    state: ProcessState,
    exited: bool,
}

/// The half that acknowledges.
pub struct Acks {
    stream: WriteHalf<Stream>,
}

impl Attached {
    pub(super) fn new(stream: Stream, from: Offsets, state: ProcessState) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let reader = Reader { stream: reader, buffer: BytesMut::new(), next: from, state, exited: false };
        Self { reader, acks: Acks { stream: writer } }
    }

    /// The process as it was when it was attached.
    pub fn state(&self) -> &ProcessState {
        &self.reader.state
    }

    /// See [`Reader::next`].
    pub async fn next(&mut self) -> Result<Option<Output>, LinkError> {
        self.reader.next().await
    }

    /// See [`Acks::ack`].
    pub async fn ack(&mut self, durable: Offsets) -> Result<(), LinkError> {
        self.acks.ack(durable).await
    }

    /// For one task that reads and another that acknowledges.
    pub fn split(self) -> (Reader, Acks) {
        (self.reader, self.acks)
    }
}

impl Reader {
    /// The next piece of output, at most 64 KiB. `None` only after `Exited`; a cut is an error. Nothing is lost when this is
    /// dropped half-way.
    pub async fn next(&mut self) -> Result<Option<Output>, LinkError> {
        if self.exited {
            return Ok(None);
        }
        let decode = |buffer: &mut BytesMut| wire::Output::decode(buffer).map_err(LinkError::received);
        let output = match next_frame(&mut self.stream, &mut self.buffer, decode).await? {
            wire::Output::Stdout { offset, bytes } => {
                advance(&mut self.next.stdout, offset, &bytes)?;
                Output::Stdout { offset, bytes }
            }
            wire::Output::Stderr { offset, bytes } => {
                advance(&mut self.next.stderr, offset, &bytes)?;
                Output::Stderr { offset, bytes }
            }
            wire::Output::Exited(status) => {
                self.exited = true;
                Output::Exited { status: exit_status(status) }
            }
        };
        Ok(Some(output))
    }
}

impl Acks {
    /// Everything before these offsets is durable here, and the guest may reuse its space.
    pub async fn ack(&mut self, durable: Offsets) -> Result<(), LinkError> {
        Ok(self.stream.write_all(&wire::Acknowledge(durable).encode()).await?)
    }
}

/// A frame has to go on where the one before ended.
fn advance(next: &mut u64, offset: u64, bytes: &Bytes) -> Result<(), LinkError> {
    if *next != offset {
        return Err(LinkError::Protocol { detail: format!("output goes on at {offset}, not at {next}") });
    }
    *next += bytes.len() as u64;
    Ok(())
}
