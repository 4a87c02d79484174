//! Numbered messages to the standard input of one process, each written once whatever is cut.

use super::stream::next_frame;
use super::{CALL_DEADLINE, LinkError, Stream, within};
use bytes::{Buf, Bytes, BytesMut};
use lamplight_wire::{Code, stdin as wire};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};

/// From sending a message to the process having taken all of it: a process that reads nothing for this long is stuck.
const WRITE_DEADLINE: Duration = Duration::from_secs(60);

/// The standard input of one process.
pub struct Stdin {
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    answers: BytesMut,
    written: u64,
    /// The last message handed to the stream, wholly or, as long as `unsent` holds something, in part.
    sent: u64,
    unsent: bytes::buf::Chain<Bytes, Bytes>,
}

impl Stdin {
    pub(super) fn new(stream: Stream, written: u64) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let unsent = Bytes::new().chain(Bytes::new());
        Self { reader, writer, answers: BytesMut::new(), written, sent: written, unsent }
    }

    /// The number of the last message that the process's input took; 0 before the first.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes message `n`; returns when the guest has written it, at once if it had before. Numbers go up by one from
    /// `written() + 1`. After a deadline, and when this is dropped half-way, the same call again goes on waiting.
    pub async fn write(&mut self, n: u64, message: Bytes) -> Result<(), LinkError> {
        self.write_within(n, message, WRITE_DEADLINE).await
    }

    /// Like `write`, for a caller that has a deadline of its own.
    pub(super) async fn write_within(
        &mut self,
        n: u64,
        message: Bytes,
        deadline: Duration,
    ) -> Result<(), LinkError> {
        within("writing to a process", deadline, async {
            self.send(n, message).await?;
            self.wait_until(n).await
        })
        .await
    }

    /// Closes the input, so that the process reads an end.
    pub async fn close(&mut self) -> Result<(), LinkError> {
        let closing = async {
            self.finish_sending().await?;
            self.unsent = frame(wire::CLOSE, Bytes::new())?;
            self.finish_sending().await?;
            self.wait_until(u64::MAX).await
        };
        match within("closing the input of a process", CALL_DEADLINE, closing).await {
            Err(LinkError::Refused { code: Code::NoStdin, .. }) => Ok(()),
            other => other,
        }
    }

    async fn send(&mut self, n: u64, message: Bytes) -> Result<(), LinkError> {
        if n > self.sent {
            let next = frame(n, message)?;
            self.finish_sending().await?;
            if n != self.sent + 1 {
                let detail = format!("message {n} cannot follow message {}", self.sent);
                return Err(LinkError::Protocol { detail });
            }
            self.unsent = next;
            self.sent = n;
        }
        self.finish_sending().await
    }

    /// Answers are read meanwhile, so that neither end waits for the other to read first.
    async fn finish_sending(&mut self) -> Result<(), LinkError> {
        while self.unsent.has_remaining() {
            tokio::select! {
                sent = self.writer.write_buf(&mut self.unsent) => if sent.is_err() {
                    // Before it stops reading, the guest says that the input has ended.
                    self.written = next_answer(&mut self.reader, &mut self.answers).await?;
                },
                answer = next_answer(&mut self.reader, &mut self.answers) => self.written = answer?,
            }
        }
        Ok(())
    }

    async fn wait_until(&mut self, n: u64) -> Result<(), LinkError> {
        while self.written < n {
            self.written = next_answer(&mut self.reader, &mut self.answers).await?;
        }
        Ok(())
    }
}

async fn next_answer(reader: &mut ReadHalf<Stream>, buffer: &mut BytesMut) -> Result<u64, LinkError> {
    match next_frame(reader, buffer, |buffer| Ok(wire::decode_answer(buffer))).await? {
        wire::ENDED => Err(LinkError::Refused {
            code: Code::NoStdin,
            message: "the input of the process is closed".to_owned(),
        }),
        written => Ok(written),
    }
}

fn frame(n: u64, message: Bytes) -> Result<bytes::buf::Chain<Bytes, Bytes>, LinkError> {
    let header = wire::encode_header(n, message.len()).map_err(LinkError::sending)?;
    Ok(Bytes::copy_from_slice(&header).chain(message))
}
