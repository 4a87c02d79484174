//! Where an answer of HTTP/1.1 ends.

use crate::readers::position;
use anyhow::{Context, Result, ensure};

/// Of the head.
const END: &[u8] = b"\r\n\r\n";
/// Of a body in chunks.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How long the first answer in these bytes is, once all of it is there. Fails where the request was refused.
pub(crate) fn length(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(head) = position(bytes, END) else { return Ok(None) };
    let (head, body) = (&bytes[..head], head + END.len());
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 2"), "refused: {}", String::from_utf8_lossy(bytes));
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let whole = match (field("content-length"), field("transfer-encoding")) {
        (Some(length), _) => body + length.trim().parse::<usize>().context("a length is a number")?,
        (None, None) => body,
        (None, Some(_)) => match position(&bytes[body..], LAST_CHUNK) {
            Some(last) => body + last + LAST_CHUNK.len(),
            None => return Ok(None),
        },
    };
    Ok((whole <= bytes.len()).then_some(whole))
}
