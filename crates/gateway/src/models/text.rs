//! How much text there is in a part of an answer. It is not kept.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// What leads to text, or holds it, in the answers of any vendor. What is behind other names is about the text.
const NAMES: [&str; 16] = [
    "arguments",
    "content",
    "delta",
    "function",
    "function_call",
    "message",
    "parts",
    "partial_json",
    "reasoning",
    "reasoning_content",
    "refusal",
    "summary",
    "text",
    "thinking",
    "tool_calls",
    "output",
];

/// Bytes of text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) u64);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.len() as u64))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Text, A::Error> {
        let mut bytes = 0;
        while let Some(Text(more)) = parts.next_element()? {
            bytes += more;
        }
        Ok(Text(bytes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Text, A::Error> {
        let mut bytes = 0;
        while let Some(Name(leads_to_text)) = fields.next_key()? {
            if leads_to_text {
                bytes += fields.next_value::<Text>()?.0;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Text(bytes))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
        Ok(Text(0))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Text, E> {
        Ok(Text(0))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Text, E> {
        Ok(Text(0))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Text, E> {
        Ok(Text(0))
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text(0))
    }
}

/// Whether a field's name is one of [`NAMES`].
struct Name(bool);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(NAMES.contains(&name)))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn only_what_the_model_says_is_counted() {
        let check = |json: &str, bytes: u64| {
            assert_eq!(serde_json::from_str::<Text>(json).unwrap(), Text(bytes), "{json}");
        };
        check("null", 0);
        check("1.5", 0);
        check("true", 0);
        check(r#""h\u00e9 llo""#, 7);
        check(r#"{"type":"text_delta","text":"four"}"#, 4);
        check(r#"{"type":"input_json_delta","partial_json":"{\"a\":"}"#, 5);
        check(r#"[{"index":0,"delta":{"role":"assistant","content":"four"},"finish_reason":null}]"#, 4);
        check(
            r#"[{"delta":{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":"12345"}}]}}]"#,
            5,
        );
        check(r#"[{"content":{"parts":[{"text":"four"},{"text":"five"}],"role":"model"}}]"#, 8);
        check(r#"[{"type":"message","content":[{"type":"output_text","text":"four","annotations":[]}]}]"#, 4);
    }
}
