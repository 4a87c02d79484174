//! One command from start to end: what we ourselves do inside a sandbox, such as git.

use super::{Acks, Link, LinkError, Offsets, Output, ProcessSpec, Reader, Stdin, unexpected, within};
use bytes::{Bytes, BytesMut};
use lamplight_domain::agent::ExitStatus;
use lamplight_wire::{Code, Open, Reply};
use std::time::Duration;

/// Bounds of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLimits {
    /// From start to end; a command that is not done by then is ended, and the run fails.
    pub timeout_ms: u64,
    /// Bytes kept of each output; the rest is read and dropped.
    pub output_bytes: usize,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutput {
    pub status: ExitStatus,
    pub stdout: Bytes,
    pub stderr: Bytes,
    /// Whether either output is only the start of what there was.
    pub truncated: bool,
}

/// Bytes of input in one message.
const INPUT_PIECE: usize = 1024 * 1024;

/// Bytes of output taken before they are acknowledged.
const ACK_EVERY: u64 = 1024 * 1024;

impl Link {
    /// Runs a command to its end. It does not outlive the call: when the time is over, this future is dropped or the link is cut, the
    /// guest ends the command's process group (SIGTERM, then SIGKILL) before it greets a new link. Where the call ends while the command
    /// is begun, the link ends with it: nobody is attached by then whose leaving the guest could see, and it may be paused and begin later.
    pub async fn run(
        &self,
        spec: &ProcessSpec,
        input: Option<Bytes>,
        limits: RunLimits,
    ) -> Result<RunOutput, LinkError> {
        let process = self.run_name();
        let spec = ProcessSpec { stdin: input.is_some(), ..spec.clone() };
        let deadline = Duration::from_millis(limits.timeout_ms);
        within("a command", deadline, async {
            let open = Open::Spawn { process: process.clone(), spec, transient: true };
            let alone = self.inner.stop.clone().drop_guard();
            let state = match self.process_call("spawn", open).await {
                Err(refused @ LinkError::Refused { .. }) => {
                    alone.disarm();
                    return Err(refused);
                }
                begun => begun?,
            };
            // Before anybody is attached: as soon as the attached stream ends, so does the process.
            let stdin = match &input {
                Some(_) => Some(self.stdin(&process).await?),
                None => None,
            };
            let (reader, acks) = self.attach(&state.process, Offsets::default()).await?.split();
            alone.disarm();
            let input = async {
                match stdin.zip(input) {
                    Some((stdin, input)) => feed(stdin, input, deadline).await,
                    None => Ok(()),
                }
            };
            let (output, ()) = tokio::try_join!(collect(reader, acks, limits.output_bytes), input)?;
            Ok(output)
        })
        .await
    }
}

/// A command may end without having read all of its input.
async fn feed(mut stdin: Stdin, input: Bytes, deadline: Duration) -> Result<(), LinkError> {
    let mut rest = input;
    let mut n = stdin.written();
    while !rest.is_empty() {
        n += 1;
        let piece = rest.split_to(rest.len().min(INPUT_PIECE));
        match stdin.write_within(n, piece, deadline).await {
            Err(LinkError::Refused { code: Code::NoStdin, .. }) => return Ok(()),
            other => other?,
        }
    }
    stdin.close().await
}

async fn collect(mut reader: Reader, mut acks: Acks, limit: usize) -> Result<RunOutput, LinkError> {
    let (mut stdout, mut stderr) = (BytesMut::new(), BytesMut::new());
    let mut truncated = false;
    let (mut read, mut acknowledged) = (Offsets::default(), 0);
    let mut keep = |kept: &mut BytesMut, bytes: &Bytes| {
        let room = limit.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(&bytes[..room]);
        truncated |= room < bytes.len();
    };
    loop {
        match reader.next().await? {
            Some(Output::Stdout { offset, bytes }) => {
                keep(&mut stdout, &bytes);
                read.stdout = offset + bytes.len() as u64;
            }
            Some(Output::Stderr { offset, bytes }) => {
                keep(&mut stderr, &bytes);
                read.stderr = offset + bytes.len() as u64;
            }
            Some(Output::Exited { status }) => {
                return Ok(RunOutput { status, stdout: stdout.freeze(), stderr: stderr.freeze(), truncated });
            }
            None => return Err(unexpected("attach", Reply::Done)),
        }
        if read.stdout + read.stderr - acknowledged >= ACK_EVERY {
            acks.ack(read).await?;
            acknowledged = read.stdout + read.stderr;
        }
    }
}
