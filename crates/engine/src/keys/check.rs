//! What can be a key.

use crate::error::CommandError;
use lamplight_domain::redaction::{SHORTEST_SECRET_BYTES, is_word};

/// No vendor's key is longer.
pub const LONGEST_KEY_BYTES: usize = 4096;

/// What a header can carry and the redaction can find.
pub(super) fn check(key: &str) -> Result<&str, CommandError> {
    let wrong =
        |why: String| CommandError::invalid("key_unusable", why, "Copy the key again, whole and by itself.");
    let key = key.trim();
    if key.len() < SHORTEST_SECRET_BYTES {
        let why =
            format!("a key of fewer than {SHORTEST_SECRET_BYTES} characters could not be kept out of logs");
        return Err(wrong(why));
    }
    if key.len() > LONGEST_KEY_BYTES {
        return Err(wrong(format!("no key is longer than {LONGEST_KEY_BYTES} characters")));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong(
            "the key has a space, a line break or another character that no key has".to_owned(),
        ));
    }
    if is_word(key) {
        return Err(wrong(
            "a key of lower-case letters only could not be told from other words in logs".to_owned(),
        ));
    }
    Ok(key)
}
