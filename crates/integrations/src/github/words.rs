//! What people say and do on GitHub when they mean us.

use super::occurrence::{Occurrence, What};

/// The words that are configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// A label that is put on an issue.
    pub label: String,
    /// What a text begins a request with, `@lamplight`.
    pub mention: String,
    /// The user that issues are assigned to; `None` is nobody.
    pub assignee: Option<String>,
}

/// What is wanted of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Work on the issue.
    Begin,
    /// Work on the issue, or go on, with what the text says.
    Say(String),
    Stop,
}

impl Words {
    /// `None` where nobody means us.
    pub fn call(&self, occurrence: &Occurrence) -> Option<Call> {
        let begin = |means_us: bool| means_us.then_some(Call::Begin);
        match &occurrence.what {
            What::Labelled { label } => {
                begin(label.eq_ignore_ascii_case(&self.label) && !occurrence.is_pull_request)
            }
            What::Assigned { assignee } => {
                let ours = self.assignee.as_ref().is_some_and(|ours| ours.eq_ignore_ascii_case(assignee));
                begin(ours && !occurrence.is_pull_request)
            }
            What::Opened { text } => begin(self.request(text).is_some()),
            What::Commented { text, .. } | What::Reviewed { text, .. } | What::Remarked { text, .. } => {
                let request = self.request(text)?;
                Some(if is_stop(request) { Call::Stop } else { Call::Say(text.clone()) })
            }
        }
    }

    /// Whether somebody means us by a text.
    pub fn is_request(&self, text: &str) -> bool {
        self.request(text).is_some()
    }

    /// Whether a text is the request to stop.
    pub fn is_stop(&self, text: &str) -> bool {
        self.request(text).is_some_and(is_stop)
    }

    /// What stands behind the first mention: not in a quotation or in code, and not as a part of another word.
    fn request<'a>(&self, text: &'a str) -> Option<&'a str> {
        let (mut in_code, mut start) = (false, 0);
        for line in text.split_inclusive('\n') {
            let bare = line.trim_start();
            let is_fence = bare.starts_with("```") || bare.starts_with("~~~");
            in_code ^= is_fence;
            if !is_fence
                && !in_code
                && !bare.starts_with('>')
                && let Some(end) = self.end_of_mention(line)
            {
                return Some(&text[start + end..]);
            }
            start += line.len();
        }
        None
    }

    fn end_of_mention(&self, line: &str) -> Option<usize> {
        let lower = line.to_ascii_lowercase();
        let mention = self.mention.to_ascii_lowercase();
        let is_part = |c: char| c.is_alphanumeric() || "-_/`@".contains(c);
        lower.match_indices(&mention).map(|(at, _)| (at, at + mention.len())).find_map(|(at, end)| {
            let is_whole = !line[..at].chars().next_back().is_some_and(is_part)
                && !line[end..].chars().next().is_some_and(is_part);
            let ticks = line[..at].matches('`').count();
            (is_whole && ticks.is_multiple_of(2)).then_some(end)
        })
    }
}

fn is_stop(request: &str) -> bool {
    request.trim().trim_end_matches(['.', '!']).eq_ignore_ascii_case("stop")
}

#[cfg(test)]
mod tests {
    use super::super::Author;
    use super::*;

    fn said(text: &str) -> Option<Call> {
        let words = Words { label: "lamplight".to_owned(), mention: "@lamplight".to_owned(), assignee: None };
        let by = Author { login: "ada".to_owned(), id: 1, is_bot: false };
        let what = What::Commented { comment: 1, text: text.to_owned() };
        let repository = "acme/api".to_owned();
        words.call(&Occurrence { repository, number: 1, is_pull_request: false, by, at: 0, what })
    }

    #[test]
    fn a_mention_is_a_word_of_the_persons_own() {
        let meant = [
            "@lamplight fix this",
            "Hello @Lamplight, fix this",
            "One\n\n@lamplight: two",
            "`a` @lamplight `b`",
            "> quoted\n@lamplight yes",
            "```\ncode\n```\n@lamplight yes",
            "@lamplight stop that nonsense",
        ];
        for text in meant {
            assert_eq!(said(text), Some(Call::Say(text.to_owned())), "{text}");
        }
        let not_meant = [
            "lamplight fix this",
            "mail@lamplight",
            "@lamplight-bot",
            "@lamplight/team",
            "> @lamplight fix this",
            "`@lamplight stop`",
            "say `x @lamplight y` there",
            "```\n@lamplight fix\n```",
            "",
        ];
        for text in not_meant {
            assert_eq!(said(text), None, "{text}");
        }
        for text in ["@lamplight stop", "@lamplight  STOP!\n", "Please, @lamplight stop."] {
            assert_eq!(said(text), Some(Call::Stop), "{text}");
        }
    }
}
