//! The forms in which a secret may be written down.

use std::collections::BTreeSet;

/// A base64 text shorter than this is no longer the secret's own: others would be taken for it.
const SHORTEST_FORM_BYTES: usize = 8;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// JSON within JSON within JSON: a tool's output that quotes an answer that quotes an error.
const JSON_LEVELS: usize = 3;

/// Each form once: as it is, percent-encoded (RFC 3986) and as a form field, in JSON, hexadecimal, and base64 (RFC 4648) wherever in a
/// longer text the secret begins.
pub(super) fn of(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([
        secret.to_owned(),
        percent(secret, false),
        percent(secret, true),
        percent(secret, false).replace("%20", "+"),
        secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
        secret.bytes().map(|byte| format!("{byte:02X}")).collect(),
    ]);
    // Some escape a slash, others do not.
    let mut texts = vec![json(secret), json(secret).replace('/', "\\/")];
    for _ in 0..JSON_LEVELS {
        let next = texts.iter().map(|text| json(text)).collect();
        forms.extend(std::mem::replace(&mut texts, next));
    }
    for alphabet in [BASE64, BASE64_URL] {
        forms.extend((0..3).map(|before| base64(secret.as_bytes(), before, alphabet)));
    }
    forms.retain(|form| form.len() >= SHORTEST_FORM_BYTES);
    forms.into_iter().map(String::into_bytes).collect()
}

/// As it stands between the quotes.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent(text: &str, lower: bool) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if lower => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// The letters that are the secret's alone when so many bytes (modulo 3) are before it.
fn base64(secret: &[u8], before: usize, alphabet: &[u8; 64]) -> String {
    let bits: Vec<bool> = std::iter::repeat_n(0, before)
        .chain(secret.iter().copied())
        .flat_map(|byte: u8| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
        .collect();
    let shared_letters = (before * 8).div_ceil(6);
    let (letters, _) = bits.as_chunks::<6>();
    let value = |bits: &[bool; 6]| bits.iter().fold(0, |value, bit| value << 1 | usize::from(*bit));
    letters.iter().skip(shared_letters).map(|bits| char::from(alphabet[value(bits)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(secret: &str, form: &str) -> bool {
        of(secret).contains(form.as_bytes())
    }

    /// The long texts are of `base64` (coreutils): of `the-secret+/~?`, of `u:` and `ab:` before it.
    #[test]
    fn a_secret_is_known_in_every_form() {
        let secret = "the-secret+/~?";
        for form in [
            "the-secret+/~?",
            "the-secret%2B%2F~%3F",
            "the-secret%2b%2f~%3f",
            "the-secret+\\/~?",
            "the-secret+\\\\/~?",
            "the-secret+\\\\\\\\/~?",
            "7468652d7365637265742b2f7e3f",
            "7468652D7365637265742B2F7E3F",
            "dGhlLXNlY3JldCsvfj",
        ] {
            assert!(has(secret, form), "{form}");
        }
        assert!(has("a\"b\\c d é f", "a\\\"b\\\\c d é f"));
        assert!(has("a\"b\\c d é f", "a\\\\\\\"b\\\\\\\\c d é f"));
        assert!(has("a\"b\\c d é f", "a%22b%5Cc+d+%C3%A9+f"));
    }

    /// In `dTp0aGUt…` (`u:` before) and `YWI6dGhlLXNl…` (`ab:` before), found by coreutils' `base64`.
    #[test]
    fn base64_is_known_wherever_the_secret_begins() {
        let secret = "the-secret+/~?";
        for text in [
            "dGhlLXNlY3JldCsvfj8=",
            "dTp0aGUtc2VjcmV0Ky9+Pw==",
            "YWI6dGhlLXNlY3JldCsvfj8=",
            "eHRoZS1zZWNyZXQrL34/",
            "dTp0aGUtc2VjcmV0Ky9-Pw",
            "eHRoZS1zZWNyZXQrL34_",
        ] {
            let found = of(secret).into_iter().any(|form| text.contains(&String::from_utf8(form).unwrap()));
            assert!(found, "{text}");
        }
    }
}
