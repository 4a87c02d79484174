//! The one layer that keeps secrets out of what is written: log lines, events, errors, and what models answer.
//!
//! It knows every value and every form of it, and looks for all of them at once. What it does not know it cannot find: a
//! secret that is cut in two, or written in a way of somebody's own.

mod forms;

use crate::Event;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

/// A shorter one would be found in texts that have nothing to do with it.
pub const SHORTEST_SECRET_BYTES: usize = 8;
/// Values that are known at a time, those that were replaced or removed included. Of what there is most of, such as tokens of an hour, the
/// oldest is forgotten first.
const KNOWN_SECRETS: usize = 256;

/// A value that must not be seen, and what it is called where it would have been.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownSecret {
    pub name: String,
    pub value: String,
}

impl fmt::Debug for KnownSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownSecret({})", self.name)
    }
}

/// What all know at the moment; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    now: Arc<RwLock<Arc<Redactor>>>,
}

impl Redaction {
    pub fn now(&self) -> Arc<Redactor> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on these are found too. Those that were known stay known: what they open may live on elsewhere.
    pub fn learn(&self, secrets: impl IntoIterator<Item = KnownSecret>) {
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        let mut known = now.secrets.clone();
        for secret in secrets {
            if !known.contains(&secret) {
                known.push(secret);
            }
        }
        while known.len() > KNOWN_SECRETS {
            known.remove(oldest_of_most(&known));
        }
        *now = Arc::new(Redactor::new(known));
    }
}

/// Which one is the oldest of those whose name is the most frequent.
fn oldest_of_most(known: &[KnownSecret]) -> usize {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (at, secret) in known.iter().enumerate() {
        counts.entry(&secret.name).or_insert((0, at)).0 += 1;
    }
    counts.into_values().max_by_key(|(count, _)| *count).map_or(0, |(_, oldest)| oldest)
}

/// A set of secrets that is looked for.
#[derive(Default)]
pub struct Redactor {
    secrets: Vec<KnownSecret>,
    /// The longest first.
    forms: Vec<Form>,
    /// One bit for each pair of bytes that a form begins with.
    beginnings: Vec<u64>,
}

struct Form {
    bytes: Vec<u8>,
    /// Which of the secrets.
    of: usize,
}

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    pub name: &'a str,
    pub place: Range<usize>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.secrets).finish()
    }
}

impl Redactor {
    /// Values of fewer than [`SHORTEST_SECRET_BYTES`] are left out.
    pub fn new(secrets: Vec<KnownSecret>) -> Self {
        let mut forms: Vec<Form> = Vec::new();
        for (of, secret) in secrets.iter().enumerate() {
            if secret.value.len() >= SHORTEST_SECRET_BYTES {
                forms.extend(forms::of(&secret.value).into_iter().map(|bytes| Form { bytes, of }));
            }
        }
        forms.sort_by_key(|form| std::cmp::Reverse(form.bytes.len()));
        let mut beginnings = vec![0; if forms.is_empty() { 0 } else { PAIRS / 64 }];
        for form in &forms {
            let pair = pair(form.bytes[0], form.bytes[1]);
            beginnings[pair / 64] |= 1 << (pair % 64);
        }
        Self { secrets, forms, beginnings }
    }

    /// How many secrets are looked for.
    pub fn len(&self) -> usize {
        self.secrets.iter().filter(|secret| secret.value.len() >= SHORTEST_SECRET_BYTES).count()
    }

    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// Bytes of the longest form; whoever reads in pieces has to let them overlap by so much, less one.
    pub fn longest(&self) -> usize {
        self.forms.first().map_or(0, |form| form.bytes.len())
    }

    /// The first secret at or behind `from`.
    pub fn find(&self, bytes: &[u8], from: usize) -> Option<Found<'_>> {
        if self.is_empty() {
            return None;
        }
        for (start, window) in bytes.get(from..)?.windows(2).enumerate() {
            if self.may_begin(window[0], window[1]) {
                let start = from + start;
                let rest = &bytes[start..];
                if let Some(form) = self.forms.iter().find(|form| rest.starts_with(&form.bytes)) {
                    let place = start..start + form.bytes.len();
                    return Some(Found { name: &self.secrets[form.of].name, place });
                }
            }
        }
        None
    }

    /// The text with the name of each secret in its place.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let (mut clean, mut rest) = (String::new(), 0);
        while let Some(Found { name, place }) = self.find(text.as_bytes(), rest) {
            clean.push_str(&text[rest..place.start]);
            clean.push_str("[secret ");
            clean.push_str(name);
            clean.push(']');
            rest = place.end;
        }
        if rest == 0 {
            return Cow::Borrowed(text);
        }
        clean.push_str(&text[rest..]);
        Cow::Owned(clean)
    }

    /// Puts asterisks over each secret, so that everything stays as long as it was.
    pub fn mask(&self, bytes: &mut [u8]) {
        let mut from = 0;
        while let Some(Found { place, .. }) = self.find(bytes, from) {
            from = place.end;
            bytes[place].fill(b'*');
        }
    }

    /// How many bytes at the end may be the beginning of a secret that goes on.
    pub fn unfinished(&self, bytes: &[u8]) -> usize {
        let most = self.longest().saturating_sub(1).min(bytes.len());
        let begins = |length: &usize| {
            let end = &bytes[bytes.len() - length..];
            let is_possible = end.len() < 2 || self.may_begin(end[0], end[1]);
            is_possible
                && self.forms.iter().any(|form| form.bytes.len() > *length && form.bytes.starts_with(end))
        };
        (1..=most).rev().find(begins).unwrap_or(0)
    }

    /// The event without secrets in any of its texts. Where the text has to have a certain form, such as an id or the name of
    /// a host that a person has given, it stays: agents say nothing there.
    pub fn event(&self, event: Event) -> Event {
        if self.is_empty() {
            return event;
        }
        let Ok(json) = serde_json::to_vec(&event) else { return event };
        if self.find(&json, 0).is_none() {
            return event;
        }
        let clean = serde_json::to_value(&event).and_then(|mut value| {
            self.value(&mut value);
            serde_json::from_value(value)
        });
        clean.unwrap_or(event)
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.replace(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => {
                let taken = std::mem::take(fields);
                fields.extend(taken.into_iter().map(|(mut key, mut value)| {
                    self.replace(&mut key);
                    self.value(&mut value);
                    (key, value)
                }));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Words of our own, such as the type of an event, are no secrets even where somebody has taken one for a key.
    fn replace(&self, text: &mut String) {
        if !is_word(text)
            && let Cow::Owned(clean) = self.text(text)
        {
            *text = clean;
        }
    }

    fn may_begin(&self, first: u8, second: u8) -> bool {
        let pair = pair(first, second);
        self.beginnings.get(pair / 64).is_some_and(|bits| bits >> (pair % 64) & 1 == 1)
    }
}

const PAIRS: usize = 1 << 16;

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// Whether a text is only lower-case letters and underscores. No vendor's key is, so such a one is refused.
pub fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TurnNumber;
    use crate::transcript::ToolCall;
    use serde_json::json;

    const CANARY: &str = "sk-canary-4f2a/91+b";

    fn redactor() -> Redactor {
        let secret = |name: &str, value: &str| KnownSecret { name: name.to_owned(), value: value.to_owned() };
        Redactor::new(vec![
            secret("openai", CANARY),
            secret("other", "sk-canary-4f2a"),
            secret("short", "sk-4f2a"),
        ])
    }

    #[test]
    fn a_text_has_names_where_secrets_were() {
        let redactor = redactor();
        assert_eq!(
            redactor.text("nothing of sk-canary- here, not even sk-4f2a"),
            "nothing of sk-canary- here, not even sk-4f2a"
        );
        assert_eq!(redactor.text(&format!("é{CANARY}é{CANARY}")), "é[secret openai]é[secret openai]");
        assert_eq!(redactor.text("key=sk-canary-4f2a%2F91%2Bb&x"), "key=[secret openai]&x");
        assert_eq!(redactor.text("sk-canary-4f2a "), "[secret other] ");
        assert_eq!(redactor.len(), 2);
    }

    #[test]
    fn masks_keep_the_length() {
        let mut bytes = format!("<{CANARY}>").into_bytes();
        redactor().mask(&mut bytes);
        assert_eq!(String::from_utf8(bytes).unwrap(), format!("<{}>", "*".repeat(CANARY.len())));
    }

    /// A text that is cut anywhere and joined again where the redactor asks for it never shows the secret.
    #[test]
    fn a_secret_that_is_cut_is_waited_for() {
        let redactor = redactor();
        let text = format!("data: {{\"error\": \"{CANARY}\"}}\n\n");
        for cut in 0..=text.len() {
            let (mut held, mut said) = (Vec::new(), Vec::new());
            for piece in [&text.as_bytes()[..cut], &text.as_bytes()[cut..]] {
                held.extend_from_slice(piece);
                redactor.mask(&mut held);
                let ready = held.len() - redactor.unfinished(&held);
                said.extend(held.drain(..ready));
            }
            said.extend(held);
            assert_eq!(said.len(), text.len());
            assert!(redactor.find(&said, 0).is_none(), "{}", String::from_utf8_lossy(&said));
        }
        assert_eq!(redactor.unfinished(b"data: {}\n\n"), 0);
    }

    #[test]
    fn an_event_is_the_same_without_secrets() {
        let input = json!({"url": format!("https://example.org/?key={CANARY}"), CANARY: [1, CANARY, null]});
        let call = ToolCall { id: CANARY.to_owned(), input: Some(input), ..ToolCall::default() };
        let event = Event::ToolCalled { turn: TurnNumber(1), call: Box::new(call) };
        let Event::ToolCalled { call, .. } = redactor().event(event) else { panic!("another event") };
        assert_eq!(call.id, "[secret openai]");
        let expected = json!({"url": "https://example.org/?key=[secret openai]", "[secret openai]": [1, "[secret openai]", null]});
        assert_eq!(call.input, Some(expected));
        let plain = Event::Noted { text: "nothing".to_owned() };
        assert_eq!(redactor().event(plain.clone()), plain);
    }

    #[test]
    fn a_question_and_its_answer_keep_their_form_and_lose_the_secret() {
        let asked = json!({"type": "question_asked", "turn": 1, "request": 1, "deadline": 9, "question": {
            "message": format!("Is it {CANARY}?"),
            "fields": [{"name": CANARY, "takes": {"kind": "choice", "choices": [{"value": CANARY, "title": CANARY}]}}],
        }});
        let reply = json!({"reply": "accepted", "content": {"it": CANARY, "some": [CANARY], "keep": 3}});
        let answered =
            json!({"type": "question_answered", "request": 1, "reply": reply, "by": {"by": "deadline"}});
        for event in [asked, answered] {
            let event: Event = serde_json::from_value(event).unwrap();
            let clean = serde_json::to_string(&redactor().event(event.clone())).unwrap();
            let expected = serde_json::to_string(&event).unwrap().replace(CANARY, "[secret openai]");
            assert_eq!(clean, expected);
        }
    }

    #[test]
    fn a_word_of_ours_stays_what_it_is() {
        let secrets = vec![KnownSecret { name: "openai".to_owned(), value: "agent_spoke".to_owned() }];
        let event =
            Event::AgentSpoke { turn: TurnNumber(1), text: "it is agent_spoke".to_owned(), message: None };
        let Event::AgentSpoke { text, .. } = Redactor::new(secrets).event(event) else {
            panic!("another event")
        };
        assert_eq!(text, "it is [secret openai]");
    }

    #[test]
    fn what_comes_every_hour_does_not_displace_what_came_once() {
        let redaction = Redaction::default();
        let learn =
            |name: &str, value: String| redaction.learn([KnownSecret { name: name.to_owned(), value }]);
        learn("openai", CANARY.to_owned());
        (0..2 * KNOWN_SECRETS).for_each(|n| learn("GitHub token", format!("ghs_canary{n:04}")));
        let said = redaction.now().text(&format!("{CANARY} ghs_canary0000 ghs_canary0511")).into_owned();
        assert_eq!(said, "[secret openai] ghs_canary0000 [secret GitHub token]");
        assert_eq!(redaction.now().len(), KNOWN_SECRETS);
    }

    #[test]
    fn what_is_learned_is_not_forgotten_when_it_is_replaced() {
        let redaction = Redaction::default();
        let learn = |value: &str| {
            redaction.learn([KnownSecret { name: "openai".to_owned(), value: value.to_owned() }])
        };
        learn("first-secret-1");
        learn("second-secret-2");
        learn("second-secret-2");
        assert_eq!(redaction.now().len(), 2);
        assert_eq!(redaction.now().text("first-secret-1"), "[secret openai]");
    }
}
