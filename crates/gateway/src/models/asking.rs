//! A streamed chat says what it cost only if it is asked to. Where the client does not ask, this does: by
//! `stream_options.include_usage`, and by no other byte. Source: OpenAI's API reference, "Create chat completion".

use crate::serve::Link;
use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::ops::Range;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// The longest chat that is taken, which is more than any vendor takes; and what all chats of one session hold of memory at a
/// time, from their first byte here until the vendor has them.
const MAX_CHAT_BYTES: usize = 64 << 20;
/// What memory is given out in.
const UNIT_BYTES: usize = 1024;
/// How many of them there are for one session.
pub(crate) const UNITS: u32 = (MAX_CHAT_BYTES / UNIT_BYTES) as u32;
/// How long a chat may take to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// A chat that has arrived whole.
pub(super) struct Chat {
    pub(super) body: Bytes,
    /// Whether it asks for its usage because of us.
    pub(super) asked: bool,
    /// Kept until the vendor has it.
    pub(super) memory: OwnedSemaphorePermit,
}

/// Why a chat is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    TooLong,
    /// Other chats of the session hold all the memory that there is for them.
    Busy,
    BrokeOff,
    /// What it asks cannot be read.
    Compressed,
}

/// Reads a request, and has it ask for its usage where that is `wanted`.
pub(super) async fn read(link: &Link, body: Body, wanted: bool) -> Result<Chat, Refused> {
    let most = body.size_hint().upper().and_then(|most| usize::try_from(most).ok()).unwrap_or(MAX_CHAT_BYTES);
    if most > MAX_CHAT_BYTES {
        return Err(Refused::TooLong);
    }
    let units = u32::try_from(most.div_ceil(UNIT_BYTES)).unwrap_or(UNITS);
    let memory = link.door.chat_slots.take(&link.grant.session, units).await.ok_or(Refused::Busy)?;
    let arrived = tokio::time::timeout(READ_TIMEOUT, collect(body)).await;
    let body = arrived.unwrap_or(Err(Refused::BrokeOff))?;
    Ok(match with_usage(&body).filter(|_| wanted) {
        Some(changed) => Chat { body: changed.into(), asked: true, memory },
        None => Chat { body, asked: false, memory },
    })
}

async fn collect(body: Body) -> Result<Bytes, Refused> {
    let mut pieces = body.into_data_stream();
    let mut all = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Refused::BrokeOff)?;
        if all.len() + piece.len() > MAX_CHAT_BYTES {
            return Err(Refused::TooLong);
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.freeze())
}

/// The same request, asking for its usage; `None` where it does so already, does not stream, or is not a request.
fn with_usage(body: &[u8]) -> Option<Vec<u8>> {
    let chat: Members = serde_json::from_slice(body).ok()?;
    // Some servers take `1` for true.
    if matches!(chat.get("stream")?.get(), "false" | "null") {
        return None;
    }
    let (place, text) = match chat.get("stream_options") {
        None => {
            let end = body.iter().rposition(|byte| *byte == b'}')?;
            (end..end, r#","stream_options":{"include_usage":true}"#)
        }
        Some(options) if options.get() == "null" => (place(body, options)?, r#"{"include_usage":true}"#),
        Some(options) => {
            let inner: Members = serde_json::from_str(options.get()).ok()?;
            match inner.get("include_usage") {
                Some(asked) if asked.get() == "true" => return None,
                Some(asked) => (place(body, asked)?, "true"),
                None => {
                    let start = place(body, options)?.start + 1;
                    let alone = inner.0.is_empty();
                    (start..start, if alone { r#""include_usage":true"# } else { r#""include_usage":true,"# })
                }
            }
        }
    };
    Some([&body[..place.start], text.as_bytes(), &body[place.end..]].concat())
}

/// Where a value that was read from `body` is in it.
fn place(body: &[u8], value: &RawValue) -> Option<Range<usize>> {
    let start = (value.get().as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    Some(start..start + value.get().len())
}

/// An object's names and values, the values unread.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Of several with this name the last counts, as it does to most who read JSON.
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find_map(|(known, value)| (known == name).then_some(*value))
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::with_usage;

    #[test]
    fn only_a_stream_that_does_not_ask_is_changed_and_only_by_that() {
        let check = |asked: &str, sent: Option<&str>| {
            let changed = with_usage(asked.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(changed.as_deref(), sent, "{asked}");
        };
        check(
            "{ \"n\" : 1.0,\t\"stream\":true }\n",
            Some("{ \"n\" : 1.0,\t\"stream\":true ,\"stream_options\":{\"include_usage\":true}}\n"),
        );
        check(
            r#"{"stream":true,"messages":[{"content":"é } \"stream_options\""}]}"#,
            Some(
                r#"{"stream":true,"messages":[{"content":"é } \"stream_options\""}],"stream_options":{"include_usage":true}}"#,
            ),
        );
        check(
            r#"{"stream_options":null,"\u0073tream":true}"#,
            Some(r#"{"stream_options":{"include_usage":true},"\u0073tream":true}"#),
        );
        check(
            r#"{"stream_options":{},"stream":1}"#,
            Some(r#"{"stream_options":{"include_usage":true},"stream":1}"#),
        );
        check(
            r#"{"stream_options":{ "include_obfuscation": false },"stream":true}"#,
            Some(r#"{"stream_options":{"include_usage":true, "include_obfuscation": false },"stream":true}"#),
        );
        check(
            r#"{"stream_options":{"include_usage": false},"stream":true}"#,
            Some(r#"{"stream_options":{"include_usage": true},"stream":true}"#),
        );
        check(
            r#"{"stream":false,"stream":true}"#,
            Some(r#"{"stream":false,"stream":true,"stream_options":{"include_usage":true}}"#),
        );
        for unchanged in [
            "",
            "{}",
            "[]",
            "not json",
            r#"{"stream":false}"#,
            r#"{"stream":null}"#,
            r#"{"messages":[{"stream":true}]}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"stream":true,"stream_options":{"include_usage" : true}}"#,
            r#"{"stream":true,"stream_options":"no object"}"#,
            r#"{"stream":true"#,
            r#"{"stream":true} {"stream":true}"#,
        ] {
            check(unchanged, None);
        }
    }
}
