//! The beginning of a push: which refs it wants to move. Read before git sees a byte of it.
//!
//! ```text
//! push  = *shallow command *command flush [options] [pack]
//! first = old SP new SP name NUL capabilities
//! ```
//! Source: gitprotocol-pack(5), "Reference Update Request and Packfile Transfer". Stricter than git: whatever git itself
//! might read in two ways is not let through.

use gix_packetline::PacketLineRef;
use gix_packetline::decode::{PacketLineOrWantedSize, hex_prefix};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Everything before the pack.
const MAX_BYTES: usize = 64 * 1024;
/// The four digits at the head of a packet.
const LENGTH_DIGITS: usize = 4;

/// A push up to its pack.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) commands: Vec<Command>,
    pub(super) capabilities: Capabilities,
    /// The bytes that were read, to be sent on as they came.
    pub(super) bytes: Vec<u8>,
}

/// One ref to move. All zeros stand for "does not exist".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) old: String,
    pub(super) new: String,
    /// Full name; any bytes but NUL.
    pub(super) name: Vec<u8>,
}

impl Command {
    pub(super) fn deletes(&self) -> bool {
        self.new.bytes().all(|digit| digit == b'0')
    }
}

/// How the other side wants to be answered, and what it means to send.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Capabilities {
    pub(super) report_status: bool,
    pub(super) side_band_64k: bool,
    pub(super) push_options: bool,
    pub(super) push_certificate: bool,
}

/// Why a push cannot be judged.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    TooLong,
    Malformed(&'static str),
}

/// Reads up to the flush packet and not a byte further.
pub(super) async fn read(input: &mut (impl AsyncRead + Unpin)) -> Result<Push, Unreadable> {
    let mut push = Push { commands: Vec::new(), capabilities: Capabilities::default(), bytes: Vec::new() };
    loop {
        let start = push.bytes.len();
        read_more(input, &mut push.bytes, LENGTH_DIGITS).await?;
        let payload = match hex_prefix(&push.bytes[start..]) {
            Ok(PacketLineOrWantedSize::Wanted(payload)) => payload,
            Ok(PacketLineOrWantedSize::Line(PacketLineRef::Flush)) => return Ok(push),
            Ok(PacketLineOrWantedSize::Line(_)) => {
                return Err(Unreadable::Malformed("A push has no such packet."));
            }
            Err(_) => return Err(Unreadable::Malformed("A packet does not begin with its length.")),
        };
        read_more(input, &mut push.bytes, usize::from(payload)).await?;
        let line = push.bytes[start + LENGTH_DIGITS..].to_vec();
        push.take(line.strip_suffix(b"\n").unwrap_or(&line))?;
    }
}

impl Push {
    fn take(&mut self, line: &[u8]) -> Result<(), Unreadable> {
        let (line, capabilities) = match line.iter().position(|byte| *byte == 0) {
            Some(nul) => (&line[..nul], Some(&line[nul + 1..])),
            None => (line, None),
        };
        // A signed push holds its commands inside the certificate. Nothing of it is read: it is refused as a whole.
        if line == b"push-cert" || self.capabilities.push_certificate {
            self.capabilities.read(capabilities.unwrap_or_default());
            self.capabilities.push_certificate = true;
            return Ok(());
        }
        // Where a shallow clone ends. Git refuses it if the repository would have to become shallow as well.
        if self.commands.is_empty()
            && line.strip_prefix(b"shallow ").is_some_and(is_object_id)
            && capabilities.is_none()
        {
            return Ok(());
        }
        match (self.commands.is_empty(), capabilities) {
            (true, Some(list)) => self.capabilities.read(list),
            (true, None) | (false, None) => {}
            (false, Some(_)) => {
                return Err(Unreadable::Malformed("Capabilities belong to the first command."));
            }
        }
        self.commands
            .push(command(line).ok_or(Unreadable::Malformed("This is not a list of refs to push."))?);
        Ok(())
    }
}

impl Capabilities {
    fn read(&mut self, list: &[u8]) {
        for capability in list.split(|byte| *byte == b' ') {
            match capability {
                b"report-status" | b"report-status-v2" => self.report_status = true,
                b"side-band-64k" => self.side_band_64k = true,
                b"push-options" => self.push_options = true,
                _ => {}
            }
        }
    }
}

fn command(line: &[u8]) -> Option<Command> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (old, new, name) = (words.next()?, words.next()?, words.next()?);
    let object_id = |text: &[u8]| is_object_id(text).then(|| String::from_utf8_lossy(text).into_owned());
    let (old, new) = (object_id(old)?, object_id(new)?);
    (old.len() == new.len() && !name.is_empty()).then(|| Command { old, new, name: name.to_owned() })
}

/// SHA-1 or SHA-256, in the lower-case digits that git writes.
fn is_object_id(text: &[u8]) -> bool {
    matches!(text.len(), 40 | 64) && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

async fn read_more(
    input: &mut (impl AsyncRead + Unpin),
    bytes: &mut Vec<u8>,
    count: usize,
) -> Result<(), Unreadable> {
    let start = bytes.len();
    if start + count > MAX_BYTES {
        return Err(Unreadable::TooLong);
    }
    bytes.resize(start + count, 0);
    match input.read_exact(&mut bytes[start..]).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(Unreadable::Malformed("The push ends before its list of refs does."))
        }
        Err(_) => Err(Unreadable::Malformed("The push broke off.")),
    }
}
