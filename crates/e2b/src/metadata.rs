//! What is kept with a file: headers of its upload, each named `X-Metadata-` and its key. Inside it is an extended attribute of the
//! file, `user.e2b.` and the key in lower case; an upload replaces all of them.

use std::collections::BTreeMap;
use std::fmt;

/// The names of such headers begin with this, in lower case.
const PREFIX: &str = "x-metadata-";

/// Bytes of all keys and values.
pub const MAX_BYTES: usize = 4096;

/// Keys of one file.
pub const MAX_KEYS: usize = 64;

/// What the kernel lets the name of an attribute have (255 bytes), without `user.e2b.`.
const MAX_KEY: usize = 246;

/// Why what the headers say cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unkept {
    /// It is not printable ASCII.
    NotPrintable {
        key: String,
    },
    KeyTooLong {
        key: String,
    },
    TooMuch,
    TooMany,
}

impl fmt::Display for Unkept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPrintable { key } => {
                write!(f, "metadata '{key}' has a value that is not printable ASCII")
            }
            Self::KeyTooLong { key } => write!(f, "the metadata key '{key}' is over {MAX_KEY} bytes"),
            Self::TooMuch => write!(f, "the metadata of a file is over {MAX_BYTES} bytes"),
            Self::TooMany => write!(f, "the metadata of a file has over {MAX_KEYS} keys"),
        }
    }
}

/// What the headers say, whose names are in lower case. Of one that comes twice, the first counts.
pub fn of<'a>(
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<BTreeMap<String, String>, Unkept> {
    let mut all = BTreeMap::new();
    for (name, value) in headers {
        let Some(key) = name.strip_prefix(PREFIX).filter(|key| !key.is_empty()) else { continue };
        if key.len() > MAX_KEY {
            return Err(Unkept::KeyTooLong { key: key.to_owned() });
        }
        let value = std::str::from_utf8(value).ok().filter(|value| is_printable(value));
        let value = value.ok_or_else(|| Unkept::NotPrintable { key: key.to_owned() })?;
        all.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    }
    if all.len() > MAX_KEYS {
        return Err(Unkept::TooMany);
    }
    let bytes: usize = all.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > MAX_BYTES { Err(Unkept::TooMuch) } else { Ok(all) }
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)]) -> Result<BTreeMap<String, String>, Unkept> {
        of(headers.iter().map(|(name, value)| (*name, value.as_bytes())))
    }

    #[test]
    fn headers_of_metadata_are_kept_and_no_others() {
        let headers = [
            ("x-metadata-made-by", "a ~ program"),
            ("content-type", "text/plain"),
            ("x-metadata-", "without a key"),
            ("x-metadata-empty", ""),
            ("x-metadata-made-by", "somebody else"),
        ];
        let kept = [("empty", ""), ("made-by", "a ~ program")];
        assert_eq!(read(&headers), Ok(kept.map(|(key, value)| (key.into(), value.into())).into()));
        assert_eq!(read(&[]), Ok(BTreeMap::new()));
    }

    #[test]
    fn what_cannot_be_kept_is_said_by_name() {
        for value in ["a\tb", "\u{e4}", "\u{7f}"] {
            assert_eq!(
                read(&[("x-metadata-k", value)]),
                Err(Unkept::NotPrintable { key: "k".into() }),
                "{value}"
            );
        }
        let longest = "x".repeat(MAX_BYTES - 1);
        assert!(read(&[("x-metadata-k", &longest)]).is_ok());
        assert_eq!(read(&[("x-metadata-k", &longest), ("x-metadata-l", "")]), Err(Unkept::TooMuch));
        let key = "k".repeat(MAX_KEY);
        assert!(read(&[(&format!("x-metadata-{key}"), "")]).is_ok());
        let error = read(&[(&format!("x-metadata-{key}k"), "")]);
        assert_eq!(error, Err(Unkept::KeyTooLong { key: format!("{key}k") }));
        let names: Vec<String> = (0..=MAX_KEYS).map(|n| format!("x-metadata-{n}")).collect();
        let headers: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        assert!(read(&headers[1..]).is_ok());
        assert_eq!(read(&headers), Err(Unkept::TooMany));
    }
}
