//! Transcript that is not appended yet. Many small pieces become one append; and what ends with the possible beginning of a secret waits
//! for the next piece, because a secret that is cut by two appends would be found in neither.
//!
//! Only the message that is being said waits, and only while its end may be such a beginning: most ends are none. What waits is not
//! in the log, nor is how far the agent was read, so that whoever starts after a crash hears it again.

use super::writing::Fact;
use lamplight_domain::redaction::SHORTEST_SECRET_BYTES;
use lamplight_domain::session::Report;
use lamplight_domain::transcript::ToolCall;
use lamplight_domain::{Event, Redactor};
use std::time::Duration;
use tokio::time::Instant;

/// Transcript that follows other transcript is held back this long, so that many small pieces become one append.
const GATHER: Duration = Duration::from_millis(20);
/// Unless this much of it has gathered; bytes of text, roughly.
const GATHER_BYTES: usize = 4096;
/// Or this much, of an agent that says more than can be appended one piece after the other: then each append takes what has come meanwhile.
const GATHER_BYTES_BEHIND: usize = 64 * 1024;
/// How long the beginning of a secret waits for the rest: a few letters may be anybody's, and ordinary text is not to be late for them.
const FEW_LETTERS_WAIT: Duration = Duration::from_secs(2);
const MANY_LETTERS_WAIT: Duration = Duration::from_secs(60);
/// A message that has become so long waits for nothing; bytes.
const MAX_HELD_BYTES: usize = 256 * 1024;

#[derive(Default)]
pub(super) struct Gathering {
    facts: Vec<Fact>,
    bytes: usize,
    /// Something has come since it was taken from.
    is_news: bool,
    /// More had come already when the last of it was heard.
    is_behind: bool,
    /// That is not appended before this, unless much has gathered.
    quiet_until: Option<Instant>,
    /// Since when the last fact waits for more of it, and until when.
    held: Option<(Instant, Instant)>,
}

impl Gathering {
    pub(super) fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// The agent's next words or deeds.
    pub(super) fn hear(&mut self, fact: Fact) {
        self.bytes += weight(&fact.event);
        self.is_news = true;
        if !self.facts.last_mut().is_some_and(|last| join(last, &fact)) {
            self.facts.push(fact);
            self.held = None;
        }
    }

    /// What others tell. It comes before a message of the agent's that may go on.
    pub(super) fn add(&mut self, fact: Fact) {
        self.bytes += weight(&fact.event);
        self.is_news = true;
        let may_go_on = self.facts.last().is_some_and(|last| said(&last.event).is_some());
        let place = self.facts.len() - usize::from(may_go_on);
        let before = place.checked_sub(1).and_then(|before| self.facts.get_mut(before));
        if !before.is_some_and(|before| join(before, &fact)) {
            self.facts.insert(place, fact);
        }
    }

    /// Whether more has come than what is heard next.
    pub(super) fn more_has_come(&mut self, more: bool) {
        self.is_behind = more;
    }

    /// Whether some of it is to be appended now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let is_over = |until: Instant| now >= until;
        let much = if self.is_behind { GATHER_BYTES_BEHIND } else { GATHER_BYTES };
        let has_gathered = self.quiet_until.is_none_or(is_over) || self.bytes >= much;
        !self.is_empty()
            && (self.is_news && has_gathered || self.held.is_some_and(|(_, until)| is_over(until)))
    }

    /// When some of it is to be appended, if nothing more comes.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let news = self.quiet_until.filter(|_| self.is_news);
        let held = self.held.map(|(_, until)| until);
        [news, held].into_iter().flatten().min().filter(|_| !self.is_empty())
    }

    /// What comes now follows other transcript.
    pub(super) fn follow(&mut self, now: Instant) {
        self.quiet_until = Some(now + GATHER);
    }

    /// What comes next follows nothing.
    pub(super) fn rest(&mut self) {
        self.quiet_until = None;
    }

    /// Everything, but for a message that has to wait for more of it.
    pub(super) fn take(&mut self, now: Instant, redactor: &Redactor) -> Vec<Fact> {
        let held = self.held;
        let mut facts = self.take_all();
        let text = facts.last().and_then(|last| said(&last.event)).unwrap_or_default();
        let letters = if text.len() > MAX_HELD_BYTES { 0 } else { redactor.unfinished(text.as_bytes()) };
        let wait = if letters < SHORTEST_SECRET_BYTES { FEW_LETTERS_WAIT } else { MANY_LETTERS_WAIT };
        let since = held.map_or(now, |(since, _)| since);
        if letters > 0
            && now < since + wait
            && let Some(last) = facts.pop()
        {
            self.bytes = weight(&last.event);
            self.facts.push(last);
            self.held = Some((since, since + wait));
        }
        facts
    }

    /// Everything: the message is at its end.
    pub(super) fn take_all(&mut self) -> Vec<Fact> {
        self.bytes = 0;
        self.is_news = false;
        self.held = None;
        std::mem::take(&mut self.facts)
    }
}

/// Whether the agent says nothing more of the message that it was in the middle of.
pub(super) fn ends_message(report: &Report) -> bool {
    matches!(report, Report::Agent { .. } | Report::AgentExited { .. } | Report::SandboxLost { .. })
}

/// The text of what may come in several pieces.
fn said(event: &Event) -> Option<&str> {
    match event {
        Event::AgentSpoke { text, .. } | Event::AgentThought { text, .. } => Some(text),
        Event::ToolCalled { call, .. } => call.printed.as_deref(),
        _ => None,
    }
}

/// Roughly what a fact weighs in the log; bytes.
fn weight(event: &Event) -> usize {
    match event {
        Event::AgentSpoke { text, .. } | Event::AgentThought { text, .. } | Event::AgentLogged { text } => {
            text.len() + 64
        }
        _ => GATHER_BYTES / 4,
    }
}

/// Puts a piece of the same message behind the one before it.
fn join(last: &mut Fact, next: &Fact) -> bool {
    let joined = match (&mut last.event, &next.event) {
        (
            Event::AgentSpoke { turn, text, message },
            Event::AgentSpoke { turn: same, text: more, message: too },
        ) => turn == same && message == too && push(text, more),
        (Event::AgentThought { turn, text }, Event::AgentThought { turn: same, text: more }) => {
            turn == same && push(text, more)
        }
        (Event::ToolCalled { turn, call }, Event::ToolCalled { turn: same, call: next }) => {
            match (&mut call.printed, only_printed(next)) {
                (Some(printed), Some(more)) => turn == same && call.id == next.id && push(printed, more),
                _ => false,
            }
        }
        (Event::AgentLogged { text }, Event::AgentLogged { text: more }) => push(text, &format!("\n{more}")),
        _ => false,
    };
    if joined {
        last.read = next.read.or(last.read);
    }
    joined
}

/// What a tool prints, where that is all that its item tells.
fn only_printed(call: &ToolCall) -> Option<&str> {
    let printed = call.printed.as_deref()?;
    let only = ToolCall { id: call.id.clone(), printed: call.printed.clone(), ..ToolCall::default() };
    (*call == only).then_some(printed)
}

fn push(text: &mut String, more: &str) -> bool {
    text.push_str(more);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use lamplight_domain::{KnownSecret, TurnNumber};

    const SECRET: &str = "sk-canary-4f2a/91+b";
    const TURN: TurnNumber = TurnNumber(1);

    fn redactor() -> Redactor {
        Redactor::new(vec![KnownSecret { name: "openai key".into(), value: SECRET.into() }])
    }

    fn spoke(text: &str, read: u64) -> Fact {
        Fact { event: Event::AgentSpoke { turn: TURN, text: text.into(), message: None }, read: Some(read) }
    }

    fn thought(text: &str, read: u64) -> Fact {
        Fact { event: Event::AgentThought { turn: TURN, text: text.into() }, read: Some(read) }
    }

    fn printed(text: &str, read: u64) -> Fact {
        let call = ToolCall { id: "1".into(), printed: Some(text.into()), ..ToolCall::default() };
        Fact { event: Event::ToolCalled { turn: TURN, call: Box::new(call) }, read: Some(read) }
    }

    fn noted(text: &str) -> Fact {
        Fact::from(Event::Noted { text: text.into() })
    }

    /// Texts and how far the agent was read with each.
    fn texts(facts: &[Fact]) -> Vec<(String, Option<u64>)> {
        let text = |event: &Event| match event {
            Event::Noted { text } => text.clone(),
            event => said(event).unwrap().to_owned(),
        };
        facts.iter().map(|fact| (text(&fact.event), fact.read)).collect()
    }

    fn pair(text: &str, read: u64) -> (String, Option<u64>) {
        (text.to_owned(), Some(read))
    }

    /// However a secret is cut, and whenever what there is gets appended: no append has a part of it that is worth something.
    #[test]
    fn a_secret_is_never_cut() {
        let redactor = redactor();
        let text = format!("the key is {SECRET}, and so on");
        for piece in [spoke as fn(&str, u64) -> Fact, thought, printed] {
            for length in 1..=text.len() {
                let mut gathering = Gathering::default();
                let mut appended = Vec::new();
                for (n, part) in text.as_bytes().chunks(length).enumerate() {
                    gathering.hear(piece(std::str::from_utf8(part).unwrap(), n as u64));
                    appended.extend(texts(&gathering.take(Instant::now(), &redactor)));
                }
                appended.extend(texts(&gathering.take_all()));
                let whole: String = appended.iter().map(|(text, _)| text.as_str()).collect();
                assert_eq!(whole, text);
                let clean: String = appended.iter().map(|(text, _)| redactor.text(text)).collect();
                assert_eq!(clean, "the key is [secret openai key], and so on", "in pieces of {length}");
            }
        }
    }

    #[test]
    fn what_can_be_no_beginning_waits_for_nothing() {
        let (redactor, now) = (redactor(), Instant::now());
        let mut gathering = Gathering::default();
        gathering.hear(spoke("ordinary text. ", 10));
        assert!(gathering.is_due(now), "the first piece at once");
        gathering.follow(now);
        assert_eq!(texts(&gathering.take(now, &redactor)), [pair("ordinary text. ", 10)]);
        gathering.hear(spoke("more. ", 20));
        assert!(!gathering.is_due(now) && gathering.is_due(now + GATHER));
        assert_eq!(gathering.next_look(), Some(now + GATHER));
        gathering.hear(spoke("and more.", 30));
        assert_eq!(texts(&gathering.take(now, &redactor)), [pair("more. and more.", 30)]);
        assert_eq!((gathering.is_empty(), gathering.next_look()), (true, None));
        gathering.hear(spoke(&"x".repeat(GATHER_BYTES), 40));
        assert!(gathering.is_due(now), "much is appended at once");
        gathering.more_has_come(true);
        assert!(!gathering.is_due(now) && gathering.is_due(now + GATHER), "more has come already");
        gathering.hear(spoke(&"x".repeat(GATHER_BYTES_BEHIND), 4));
        assert!(gathering.is_due(now), "so much is enough");
    }

    #[test]
    fn a_beginning_waits_for_more_or_for_the_end_of_its_message() {
        let (redactor, now) = (redactor(), Instant::now());
        let held = |text: &str| {
            let mut gathering = Gathering::default();
            gathering.hear(thought("before", 5));
            gathering.hear(spoke(text, 10));
            assert_eq!(texts(&gathering.take(now, &redactor)), [pair("before", 5)], "{text}");
            assert!(!gathering.is_empty() && !gathering.is_due(now));
            gathering
        };
        // Another message, the end of it, and time.
        let mut gathering = held("it is sk-canary-");
        gathering.hear(thought("next", 20));
        let both = [pair("it is sk-canary-", 10), pair("next", 20)];
        assert_eq!(texts(&gathering.take(now, &redactor)), both);
        assert_eq!(texts(&held("it is s").take_all()), [pair("it is s", 10)]);
        for (text, wait) in [("it is s", FEW_LETTERS_WAIT), ("it is sk-canary-", MANY_LETTERS_WAIT)] {
            let mut gathering = held(text);
            assert_eq!(gathering.next_look(), Some(now + wait));
            gathering.add(noted("refused"));
            let all = gathering.take(now + wait / 2, &redactor);
            assert_eq!(texts(&all), [("refused".to_owned(), None)], "what others say does not end it");
            assert!(gathering.is_due(now + wait));
            assert_eq!(texts(&gathering.take(now + wait, &redactor)), [pair(text, 10)]);
        }
    }
}
