//! The JSON messages at the start of a stream: four bytes of length, most significant first, then the text.

use crate::WireError;
use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest message, in bytes without its length.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Bytes of the length in front of a message.
pub const LENGTH_BYTES: usize = 4;

/// A message with its length in front.
pub fn encode<T: Serialize>(message: &T) -> Result<Bytes, WireError> {
    let text = serde_json::to_vec(message).map_err(|error| WireError::Json { detail: error.to_string() })?;
    let length = checked(text.len())?;
    let mut bytes = BytesMut::with_capacity(LENGTH_BYTES + text.len());
    bytes.put_u32(length);
    bytes.put_slice(&text);
    Ok(bytes.freeze())
}

/// The length that these four bytes announce.
pub fn decode_length(bytes: [u8; LENGTH_BYTES]) -> Result<usize, WireError> {
    let length = u32::from_be_bytes(bytes) as usize;
    checked(length).map(|_| length)
}

/// The message in exactly these bytes.
pub fn decode<T: DeserializeOwned>(text: &[u8]) -> Result<T, WireError> {
    serde_json::from_slice(text).map_err(|error| WireError::Json { detail: error.to_string() })
}

fn checked(length: usize) -> Result<u32, WireError> {
    match u32::try_from(length) {
        Ok(short) if length <= MAX_MESSAGE => Ok(short),
        _ => Err(WireError::TooLong { what: "message", length: length as u64, limit: MAX_MESSAGE as u64 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_up_to_the_limit_passes_and_one_byte_more_does_not() {
        let longest = "x".repeat(MAX_MESSAGE - 2);
        let encoded = encode(&longest).unwrap();
        let (length, text) = encoded.split_at(LENGTH_BYTES);
        assert_eq!(decode_length(length.try_into().unwrap()), Ok(MAX_MESSAGE));
        assert_eq!(decode::<String>(text), Ok(longest.clone()));

        let limit = MAX_MESSAGE as u64;
        let refused = WireError::TooLong { what: "message", length: limit + 1, limit };
        assert_eq!(encode(&format!("{longest}x")), Err(refused.clone()));
        assert_eq!(decode_length((MAX_MESSAGE as u32 + 1).to_be_bytes()), Err(refused));
    }
}
