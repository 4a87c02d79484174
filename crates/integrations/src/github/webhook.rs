//! What GitHub sends by itself: is it GitHub's, and what does it say?
//!
//! Source: docs.github.com, "Validating webhook deliveries", "Webhook events and payloads". Most of a payload is not needed here, and any part
//! of it may be missing in a version of GitHub that is not this one: what cannot be read is not meant for us.

use super::User;
use super::occurrence::{Author, Occurrence, What, cut};
use ring::hmac;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// What deliveries are signed with: while one secret is replaced by another, either.
#[derive(Clone)]
pub struct WebhookSecret(Vec<hmac::Key>);

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

impl WebhookSecret {
    /// One a line.
    pub fn new(secrets: &str) -> Self {
        let key = |secret: &str| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self(secrets.lines().map(key).collect())
    }

    /// Whether this is the signature of exactly these bytes, as `X-Hub-Signature-256` has it: `sha256=` and hexadecimal digits. Takes as long
    /// for a wrong one as for the right one.
    pub fn has_signed(&self, body: &[u8], signature: &str) -> bool {
        let digits = signature.strip_prefix("sha256=").and_then(unhex);
        let is_of = |tag: &[u8]| self.0.iter().filter(|key| hmac::verify(key, body, tag).is_ok()).count() > 0;
        digits.is_some_and(|tag| is_of(&tag))
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::try_from(digit(&pair[0])? * 16 + digit(&pair[1])?).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

/// The body is no JSON object, although whoever signed it has the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is no JSON object")]
pub struct NoDelivery;

#[derive(Debug, Deserialize)]
struct Payload {
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    repository: Option<Named>,
    #[serde(default)]
    sender: Option<User>,
    #[serde(default)]
    issue: Option<IssuePart>,
    /// A pull request has what an issue has.
    #[serde(default, rename = "pull_request")]
    pull: Option<IssuePart>,
    #[serde(default)]
    comment: Option<CommentPart>,
    #[serde(default)]
    review: Option<ReviewPart>,
    #[serde(default)]
    label: Option<Label>,
    #[serde(default)]
    assignee: Option<User>,
}

#[derive(Debug, Deserialize)]
struct Hint {
    #[serde(default)]
    action: String,
    #[serde(default)]
    repository: Option<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    full_name: String,
}

#[derive(Debug, Deserialize)]
struct Label {
    name: String,
}

#[derive(Debug, Deserialize)]
struct IssuePart {
    number: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    created_at: Option<jiff::Timestamp>,
    #[serde(default)]
    updated_at: Option<jiff::Timestamp>,
    #[serde(default)]
    pull_request: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct CommentPart {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    created_at: Option<jiff::Timestamp>,
}

#[derive(Debug, Deserialize)]
struct ReviewPart {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    submitted_at: Option<jiff::Timestamp>,
}

/// What a delivery says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Occurrence(Occurrence),
    /// Something about pull requests of this repository, for whoever looks at them; and what somebody wrote, where that is what it was.
    Hint {
        repository: String,
        remark: Option<Occurrence>,
    },
}

/// Events that say where to look.
const HINTS: [&str; 4] = ["pull_request_review", "pull_request_review_comment", "check_run", "check_suite"];

/// What a delivery of this event says; `None` where it is nothing that could be meant for us.
pub fn parse(event: &str, body: &[u8]) -> Result<Option<Told>, NoDelivery> {
    if HINTS.contains(&event) {
        return match serde_json::from_slice::<Hint>(body) {
            Ok(Hint { action, .. }) if event.starts_with("check_") && action != "completed" => Ok(None),
            Ok(Hint { repository, .. }) => {
                let remark = remark(event, body);
                Ok(repository.map(|repository| Told::Hint { repository: repository.full_name, remark }))
            }
            Err(error) if error.is_data() => Ok(None),
            Err(_) => Err(NoDelivery),
        };
    }
    if !matches!(event, "issues" | "issue_comment" | "pull_request") {
        return match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => Ok(None),
            Some(_) | None => Err(NoDelivery),
        };
    }
    match serde_json::from_slice::<Payload>(body) {
        Ok(payload) => Ok(payload.occurrence(event).map(Told::Occurrence)),
        Err(error) if error.is_data() => {
            tracing::warn!(event, %error, "a delivery of GitHub's is not as expected and is ignored");
            Ok(None)
        }
        Err(_) => Err(NoDelivery),
    }
}

/// Where it cannot be read, whoever looks finds it all the same, if there is a session.
fn remark(event: &str, body: &[u8]) -> Option<Occurrence> {
    let is_of_person = event.starts_with("pull_request_review");
    let payload = is_of_person.then(|| serde_json::from_slice::<Payload>(body))?;
    payload.ok()?.occurrence(event)
}

impl Payload {
    fn occurrence(self, event: &str) -> Option<Occurrence> {
        let is_pull_request =
            self.pull.is_some() || self.issue.as_ref().is_some_and(|issue| issue.pull_request.is_some());
        let (issue, repository) = (self.issue.or(self.pull)?, self.repository?.full_name);
        let number = issue.number;
        let all = |by: User, at: Option<jiff::Timestamp>, what| {
            let at = at.map_or(0, jiff::Timestamp::as_millisecond);
            Some(Occurrence { repository, number, is_pull_request, by: Author::from(by), at, what })
        };
        match (event, self.action?.as_str()) {
            ("issues", "labeled") => {
                all(self.sender?, issue.updated_at, What::Labelled { label: self.label?.name })
            }
            ("issues", "assigned") => {
                all(self.sender?, issue.updated_at, What::Assigned { assignee: self.assignee?.login })
            }
            ("issues" | "pull_request", "opened") => {
                all(issue.user?, issue.created_at, What::Opened { text: cut(issue.body) })
            }
            ("issue_comment", "created") => {
                let CommentPart { id: comment, body, user, created_at } = self.comment?;
                all(user?, created_at, What::Commented { comment, text: cut(body) })
            }
            ("pull_request_review", "submitted") => {
                let ReviewPart { id: review, body, user, submitted_at } = self.review?;
                all(user?, submitted_at, What::Reviewed { review, text: cut(body) })
            }
            ("pull_request_review_comment", "created") => {
                let CommentPart { id: comment, body, user, created_at } = self.comment?;
                all(user?, created_at, What::Remarked { comment, text: cut(body) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_bytes_are_signed() {
        // Source: docs.github.com, "Validating webhook deliveries", "Testing the webhook payload validation".
        let secret = WebhookSecret::new("It's a Secret to Everybody");
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(secret.has_signed(b"Hello, World!", signature));
        assert!(secret.has_signed(b"Hello, World!", &signature.to_uppercase().replace("SHA", "sha")));
        let wrong = [
            signature.replace("757", "758"),
            signature.replace("sha256=", "sha1="),
            signature.trim_start_matches("sha256=").to_owned(),
            signature[..signature.len() - 2].to_owned(),
            format!("{signature}0"),
            "sha256=".to_owned(),
            String::new(),
        ];
        for signature in wrong {
            assert!(!secret.has_signed(b"Hello, World!", &signature), "{signature}");
        }
        assert!(!secret.has_signed(b"Hello, World.", signature));
    }

    #[test]
    fn what_is_not_for_us_or_not_as_expected_is_ignored() {
        let ignored = [
            ("ping", r#"{"zen": "Keep it logically awesome."}"#),
            ("star", " {"),
            ("issues", r#"{"action": "labeled"}"#),
            ("issues", r#"{"action": "labeled", "issue": {"number": "one"}}"#),
            (
                "issue_comment",
                r#"{"action": "edited", "issue": {"number": 1}, "repository": {"full_name": "a/b"}}"#,
            ),
        ];
        for (event, body) in ignored {
            assert_eq!(parse(event, body.as_bytes()), Ok(None), "{event} {body}");
        }
        for (event, body) in [("issues", "{"), ("issues", ""), ("ping", "payload=%7B"), ("star", "")] {
            assert_eq!(parse(event, body.as_bytes()), Err(NoDelivery), "{event} {body}");
        }
    }

    #[test]
    fn what_somebody_says_of_changes_says_where_to_look_as_well() {
        let told = |event: &str, more: &str| {
            let body = format!(
                r#"{{"action": "{more}, "repository": {{"full_name": "a/b"}}, "pull_request": {{"number": 7, "draft": true}}}}"#
            );
            match parse(event, body.as_bytes()) {
                Ok(Some(Told::Hint { repository, remark })) => {
                    assert_eq!(repository, "a/b");
                    remark.map(|remark| (remark.number, remark.is_pull_request, remark.by.login, remark.what))
                }
                other => panic!("{other:?}"),
            }
        };
        let by = r#""user": {"login": "bob", "id": 1, "type": "User"}"#;
        let review = format!(r#"submitted", "review": {{"id": 3, "body": "Yes", {by}}}"#);
        let what = What::Reviewed { review: 3, text: "Yes".to_owned() };
        assert_eq!(told("pull_request_review", &review), Some((7, true, "bob".to_owned(), what)));
        let remark = format!(r#"created", "comment": {{"id": 4, "body": "No", {by}}}"#);
        let what = What::Remarked { comment: 4, text: "No".to_owned() };
        assert_eq!(told("pull_request_review_comment", &remark), Some((7, true, "bob".to_owned(), what)));
        for (event, more) in [
            ("pull_request_review", review.replace("submitted", "edited")),
            ("pull_request_review", r#"submitted", "review": {"id": "three"}"#.to_owned()),
            ("pull_request_review_comment", remark.replace("created", "deleted")),
            ("check_run", r#"completed""#.to_owned()),
        ] {
            assert_eq!(told(event, &more), None, "{event} {more}");
        }
    }
}
