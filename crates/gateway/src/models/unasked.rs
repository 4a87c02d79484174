//! The event that a client did not ask for: the usage of a streamed chat. It is taken out again, and every other byte passes.
//!
//! What is held back is the event that has not ended yet, of which no client can make anything.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

/// No usage is longer. What is, passes from its beginning.
const MAX_HELD_BYTES: usize = 64 * 1024;
/// What the event has to contain to be worth parsing.
const MARK: &[u8] = b"\"usage\"";

/// What became of an event stream so far.
#[derive(Default)]
pub(super) struct Unasked {
    /// The event that has not ended.
    held: BytesMut,
    /// How much of it was looked through for its end.
    looked_at: usize,
    /// Its beginning has passed already.
    too_long: bool,
}

impl Unasked {
    /// Of the stream up to `piece`, what may pass now; often all of it, sometimes nothing.
    pub(super) fn take_out(&mut self, piece: Bytes) -> Bytes {
        if self.held.is_empty() && !self.too_long && is_whole_and_plain(&piece) {
            return piece;
        }
        self.held.extend_from_slice(&piece);
        let mut passing = BytesMut::new();
        while let Some(end) = end_of_event(&self.held, self.looked_at) {
            let event = self.held.split_to(end);
            self.looked_at = 0;
            if std::mem::take(&mut self.too_long) || !is_usage(&event) {
                passing.unsplit(event);
            }
        }
        if self.too_long || self.held.len() > MAX_HELD_BYTES {
            self.too_long = true;
            // The line's end is kept: with the next byte it may be the event's.
            let kept = self.held.len().saturating_sub(LONGEST_END - 1);
            passing.unsplit(self.held.split_to(kept));
        }
        self.looked_at = self.held.len().saturating_sub(LONGEST_END - 1);
        passing.freeze()
    }

    /// What is left when the stream ends, in the middle of an event perhaps.
    pub(super) fn rest(&mut self) -> Bytes {
        let rest = std::mem::take(&mut self.held).freeze();
        if !self.too_long && is_usage(&rest) { Bytes::new() } else { rest }
    }
}

/// Source: the HTML standard, "Parsing an event stream": lines end with LF, CR LF or CR, events with an empty line.
const ENDS: [&[u8]; 3] = [b"\n\n", b"\r\n\r\n", b"\r\r"];
const LONGEST_END: usize = 4;

/// Where the first event ends, behind its empty line; nothing before `from` is looked at.
fn end_of_event(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len()).find_map(|at| {
        let end = ENDS.iter().find(|end| bytes[at..].starts_with(end))?;
        Some(at + end.len())
    })
}

/// Whether nothing has to be held back or taken out of this.
fn is_whole_and_plain(piece: &[u8]) -> bool {
    ENDS.iter().any(|end| piece.ends_with(end)) && !contains(piece, MARK)
}

/// A chunk without choices but with usage. Source: OpenAI's API reference, `stream_options.include_usage`.
fn is_usage(event: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Chunk<'a> {
        #[serde(borrow)]
        choices: Vec<&'a RawValue>,
        #[serde(borrow)]
        usage: Option<&'a RawValue>,
    }
    if !contains(event, MARK) {
        return false;
    }
    let lines = event.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    let mut data = lines.filter_map(|line| line.strip_prefix(b"data:"));
    let (Some(json), None) = (data.next(), data.next()) else { return false };
    serde_json::from_slice::<Chunk>(json)
        .is_ok_and(|chunk| chunk.choices.is_empty() && chunk.usage.is_some_and(|usage| usage.get() != "null"))
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}";

    /// What passes of a stream, in whatever pieces it comes.
    fn check(before: &str, passes: &str) {
        for length in [before.len().max(1), 7, 3, 2, 1] {
            let mut unasked = Unasked::default();
            let mut passed = Vec::new();
            for piece in before.as_bytes().chunks(length) {
                passed.extend(unasked.take_out(Bytes::copy_from_slice(piece)));
            }
            passed.extend(unasked.rest());
            assert_eq!(String::from_utf8(passed).unwrap(), passes, "in pieces of {length}");
        }
    }

    #[test]
    fn the_event_without_choices_but_with_usage_goes_and_nothing_else() {
        let delta = "data: {\"choices\":[{\"delta\":{\"content\":\"the \\\"usage\\\"\"}}],\"usage\":null}";
        for end in ["\n\n", "\r\n\r\n", "\r\r"] {
            let with =
                [": hello", delta, USAGE, "data: [DONE]"].map(|event| format!("{event}{end}")).concat();
            let without = [": hello", delta, "data: [DONE]"].map(|event| format!("{event}{end}")).concat();
            check(&with, &without);
        }
        // Without an end of its own.
        check(USAGE, "");
        check(&format!("{delta}\n\n{USAGE}\n"), &format!("{delta}\n\n"));
        for whole in [
            "",
            "\n",
            "\n\n\n",
            "data: [DONE]\n\n",
            "data: {\"choices\":[],\"usage\":null}\n\n",
            "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n",
            "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1}}\n\n",
            "data: {\"error\":{\"message\":\"\\\"usage\\\"\"}}\n\n",
            "data: {\"usage\":{}}\n\ndata: {\"choices\":[]",
            "data: {\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":1}}\n\n",
        ] {
            check(whole, whole);
        }
    }

    #[test]
    fn what_is_long_is_not_held() {
        let long = format!("data: \"usage\" {}", "x".repeat(3 * MAX_HELD_BYTES));
        let mut unasked = Unasked::default();
        let mut passed = unasked.take_out(Bytes::from(long.clone())).to_vec();
        assert!(long.len() - passed.len() < LONGEST_END);
        passed.extend(unasked.take_out(Bytes::from(format!("\n\n{USAGE}\n\ndata: [DONE]\n\n"))));
        passed.extend(unasked.rest());
        assert_eq!(String::from_utf8(passed).unwrap(), format!("{long}\n\ndata: [DONE]\n\n"));
    }

    #[test]
    fn whole_events_pass_without_being_copied() {
        let piece = Bytes::from_static(b"data: {}\n\n");
        let passed = Unasked::default().take_out(piece.clone());
        assert_eq!(passed.as_ptr(), piece.as_ptr());
    }
}
