//! Connect, as E2B's clients speak it: JSON, uncompressed. A call without a stream is a plain POST. In a stream each message is
//! `[flags u8][length u32][JSON]`, most significant byte first, and the last one, marked by [`END`], says how it went; HTTP says 200
//! whatever happens. Source: connectrpc.com/docs/protocol.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The flag of the last message.
pub const END: u8 = 0x02;

/// Bytes in front of a message.
pub const HEADER: usize = 5;

/// The longest message that is read, in bytes.
pub const MAX_MESSAGE: usize = 8 * 1024 * 1024;

/// The media type of a call without a stream, and of one with.
pub const UNARY: &str = "application/json";
pub const STREAM: &str = "application/connect+json";

/// A message of a stream.
pub fn encode(message: &impl Serialize) -> Bytes {
    frame(0, &serde_json::to_vec(message).unwrap_or_default())
}

/// The last message of a stream.
pub fn encode_end(error: Option<&Error>) -> Bytes {
    #[derive(Serialize)]
    struct Ended<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a Error>,
    }
    frame(END, &serde_json::to_vec(&Ended { error }).unwrap_or_default())
}

/// What the last message of a stream says: how the call has failed, if it has.
pub fn parse_end(text: &[u8]) -> Result<Option<Error>, Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Ended {
        error: Option<Error>,
    }
    parse::<Ended>(text).map(|ended| ended.error)
}

fn frame(flags: u8, text: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEADER + text.len());
    bytes.put_u8(flags);
    bytes.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    bytes.put_slice(text);
    bytes.freeze()
}

/// One message as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub flags: u8,
    pub text: Bytes,
}

impl Message {
    /// Takes one off the front; `None` until it is there whole.
    pub fn decode(from: &mut BytesMut) -> Result<Option<Self>, Error> {
        if from.len() < HEADER {
            return Ok(None);
        }
        let mut header = &from[..HEADER];
        let (flags, length) = (header.get_u8(), header.get_u32() as usize);
        if length > MAX_MESSAGE {
            let text = format!("a message of {length} bytes is over the limit of {MAX_MESSAGE}");
            return Err(Error::new(Code::ResourceExhausted, text));
        }
        if flags & 0x01 != 0 {
            return Err(Error::new(Code::Unimplemented, "messages are not to be compressed"));
        }
        if from.len() < HEADER + length {
            return Ok(None);
        }
        from.advance(HEADER);
        Ok(Some(Self { flags, text: from.split_to(length).freeze() }))
    }
}

/// What these bytes say, of a call with or without a stream.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    let text = if text.is_empty() { b"{}" } else { text };
    serde_json::from_slice(text).map_err(|error| Error::new(Code::InvalidArgument, error.to_string()))
}

/// How a call failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    pub code: Code,
    pub message: String,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    Canceled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    Unauthenticated,
}

impl Code {
    /// The HTTP status of a call without a stream.
    pub fn status(self) -> u16 {
        match self {
            Self::Canceled => 499,
            Self::InvalidArgument | Self::FailedPrecondition | Self::OutOfRange => 400,
            Self::DeadlineExceeded => 504,
            Self::NotFound => 404,
            Self::AlreadyExists | Self::Aborted => 409,
            Self::PermissionDenied => 403,
            Self::ResourceExhausted => 429,
            Self::Unimplemented => 501,
            Self::Unknown | Self::Internal => 500,
            Self::Unavailable => 503,
            Self::Unauthenticated => 401,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_survive_any_split() {
        let error = Error::new(Code::NotFound, "gone");
        let sent = [encode(&json!({"a": 1})), encode(&json!("é")), encode_end(Some(&error))].concat();
        for cut in 0..sent.len() {
            let mut buffer = BytesMut::new();
            let mut seen = Vec::new();
            for piece in [&sent[..cut], &sent[cut..]] {
                buffer.extend_from_slice(piece);
                while let Some(message) = Message::decode(&mut buffer).unwrap() {
                    seen.push((message.flags, String::from_utf8(message.text.to_vec()).unwrap()));
                }
            }
            let end = r#"{"error":{"code":"not_found","message":"gone"}}"#;
            assert_eq!(seen, [(0, r#"{"a":1}"#.into()), (0, "\"é\"".into()), (END, end.into())], "{cut}");
            assert!(buffer.is_empty());
        }
        assert_eq!(encode_end(None), Bytes::from_static(b"\x02\0\0\0\x02{}"));
        for ended in [None, Some(&error)] {
            assert_eq!(parse_end(&encode_end(ended)[HEADER..]).unwrap().as_ref(), ended);
        }
    }

    #[test]
    fn what_is_too_long_or_compressed_is_refused_before_it_is_buffered() {
        let code =
            |header: [u8; HEADER]| Message::decode(&mut BytesMut::from(&header[..])).map_err(|e| e.code);
        assert_eq!(code([0, 0xff, 0, 0, 0]), Err(Code::ResourceExhausted));
        assert_eq!(code([1, 0, 0, 0, 0]), Err(Code::Unimplemented));
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..10_000 {
            let bytes: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(message)) = Message::decode(&mut buffer) {
                let _ = parse::<crate::process::StartRequest>(&message.text);
            }
        }
    }
}
