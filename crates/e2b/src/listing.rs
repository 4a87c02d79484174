//! What a list of sandboxes is narrowed to, and where its next page begins.

use crate::control::SandboxState;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::BTreeMap;

/// Sandboxes on a page, where nobody says.
pub const PAGE: usize = 100;

/// The query of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// All of these.
    pub metadata: BTreeMap<String, String>,
    /// `None` is both.
    pub states: Option<Vec<SandboxState>>,
    pub ascending: bool,
    pub template: Option<String>,
    pub limit: Option<usize>,
    /// Behind this one.
    pub after: Option<Cursor>,
}

/// The last of a page: milliseconds since 1970, and an id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub started_at_ms: i64,
    pub id: String,
}

impl Cursor {
    /// Opaque to clients.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}__{}", self.started_at_ms, self.id))
    }

    pub fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (at, id) = text.split_once("__")?;
        Some(Self { started_at_ms: at.parse().ok()?, id: id.to_owned() })
    }
}

impl Query {
    /// Of the query of an address as it came. Fails with what is wrong, in E2B's words.
    pub fn parse(query: &str) -> Result<Self, String> {
        let mut all = Self::default();
        for (name, value) in pairs(query) {
            match name.as_str() {
                // Its names and values are encoded once more than the pairs that they are in.
                "metadata" => {
                    let decoded =
                        pairs(&value).into_iter().map(|(name, value)| (percent(&name), percent(&value)));
                    all.metadata.extend(decoded);
                }
                "state" => {
                    let states =
                        value.split(',').filter(|state| !state.is_empty()).map(|state| match state {
                            "running" => Ok(SandboxState::Running),
                            "paused" => Ok(SandboxState::Paused),
                            other => Err(format!("Invalid state: {other}")),
                        });
                    all.states = Some(states.collect::<Result<_, _>>()?);
                }
                "order" => all.ascending = value == "asc",
                "template" => all.template = Some(value),
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=PAGE).contains(limit));
                    all.limit = Some(limit.ok_or("Invalid limit: it has to be from 1 to 100")?);
                }
                "nextToken" if !value.is_empty() => {
                    all.after = Some(Cursor::decode(&value).ok_or("Invalid next token")?);
                }
                _ => {}
            }
        }
        Ok(all)
    }
}

/// The pairs of a form, decoded.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (form(name), form(value))
    };
    text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

fn form(text: &str) -> String {
    percent(&text.replace('+', " "))
}

/// What is percent-encoded, decoded; what is not is left.
fn percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.filter(|_| byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or(byte));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_decoded_as_often_as_it_is_encoded() {
        let query = Query::parse("metadata=a%3Db%252520c%26d%3D%2525&state=running,paused&limit=5").unwrap();
        let metadata = [("a", "b c"), ("d", "%")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(query.metadata, metadata.into());
        assert_eq!(query.states, Some(vec![SandboxState::Running, SandboxState::Paused]));
        assert_eq!((query.limit, query.ascending), (Some(5), false));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (query, wrong) in [
            ("nextToken=%21", "Invalid next token"),
            ("nextToken=YWJj", "Invalid next token"),
            ("limit=0", "Invalid limit"),
            ("limit=101", "Invalid limit"),
            ("state=dead", "Invalid state: dead"),
        ] {
            assert!(Query::parse(query).unwrap_err().starts_with(wrong), "{query}");
        }
        let cursor = Cursor { started_at_ms: 12, id: "i1".into() };
        let query = Query::parse(&format!("nextToken={}&limit=&unknown=1", cursor.encode()));
        assert!(query.is_err(), "an empty limit is none");
        assert_eq!(Query::parse(&format!("nextToken={}", cursor.encode())).unwrap().after, Some(cursor));
        assert_eq!(percent("%zz%4"), "%zz%4");
    }
}
