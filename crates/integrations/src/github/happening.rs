//! Something that happened on GitHub, for whoever waits for such things. Nobody has to be meant by it; what is asked of us is an
//! [`Occurrence`].
//!
//! Source: docs.github.com, "Webhook events and payloads": `push`, `check_run`, `issues`, `pull_request`.

use super::User;
use super::occurrence::{Author, Occurrence, What};
use super::review::has_failed;
use serde::{Deserialize, Serialize};

/// A label that somebody puts on an issue is the same one for so long, in milliseconds.
const SAME_MS: u64 = 60 * 1000;
/// Of a branch, in the name of what was pushed.
const BRANCHES: &str = "refs/heads/";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// `owner/name`.
    pub repository: String,
    /// `None` of what programs find.
    pub by: Option<Author>,
    pub what: Happened,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happened {
    /// `commit` is the newest of the branch now, `before` was it.
    Pushed {
        branch: String,
        before: String,
        commit: String,
    },
    IssueOpened {
        number: u64,
    },
    /// At about this moment, in milliseconds since 1970: a label can be put there again.
    IssueLabelled {
        number: u64,
        label: String,
        at: i64,
    },
    PullRequestOpened {
        number: u64,
    },
    /// One of those of this commit.
    ChecksFailed {
        branch: String,
        commit: String,
    },
}

impl Happening {
    /// `None` where it is nothing that anybody waits for.
    pub fn of(occurrence: &Occurrence) -> Option<Self> {
        let Occurrence { repository, number, is_pull_request, by, at, what } = occurrence;
        let (number, at) = (*number, *at);
        let what = match (what, is_pull_request) {
            (What::Opened { .. }, false) => Happened::IssueOpened { number },
            (What::Opened { .. }, true) => Happened::PullRequestOpened { number },
            (What::Labelled { label }, false) => Happened::IssueLabelled { number, label: label.clone(), at },
            (What::Labelled { .. }, true)
            | (
                What::Assigned { .. }
                | What::Commented { .. }
                | What::Reviewed { .. }
                | What::Remarked { .. },
                _,
            ) => {
                return None;
            }
        };
        Some(Self { repository: repository.clone(), by: Some(by.clone()), what })
    }

    /// What a delivery says that is no occurrence.
    pub fn parse(event: &str, body: &[u8]) -> Option<Self> {
        match event {
            "push" => serde_json::from_slice::<Push>(body).ok()?.happening(),
            "check_run" => serde_json::from_slice::<Check>(body).ok()?.happening(),
            _ => None,
        }
    }

    /// Whether it is the same as one that has another key: of a label a webhook says when the issue was changed last, and looking when it was
    /// put there.
    pub fn is_told_again(&self, before: &Self) -> bool {
        let Happened::IssueLabelled { number, label, at } = &self.what else { return false };
        let Happened::IssueLabelled { number: of, label: known, at: then } = &before.what else {
            return false;
        };
        let is_theirs = self.by.as_ref().map(|by| by.id) == before.by.as_ref().map(|by| by.id);
        let is_there = self.repository.eq_ignore_ascii_case(&before.repository) && number == of;
        is_there && is_theirs && label.to_lowercase() == known.to_lowercase() && at.abs_diff(*then) < SAME_MS
    }

    /// The same however often it is told in the same way, and of nothing else.
    pub fn key(&self) -> String {
        let repository = self.repository.to_lowercase();
        match &self.what {
            Happened::Pushed { branch, before, commit } => {
                format!("{repository}/pushed/{branch}/{before}/{commit}")
            }
            Happened::IssueOpened { number } => format!("{repository}/issues/{number}/opened"),
            // GitHub tells of seconds: of two people within one, the first may be somebody who is not heard.
            Happened::IssueLabelled { number, label, at } => {
                let by = self.by.as_ref().map_or(0, |by| by.id);
                format!("{repository}/issues/{number}/labelled/{}/{at}/{by}", label.to_lowercase())
            }
            Happened::PullRequestOpened { number } => format!("{repository}/pulls/{number}/opened"),
            Happened::ChecksFailed { branch, commit } => format!("{repository}/checks/{branch}/{commit}"),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Named {
    full_name: String,
}

#[derive(Debug, Deserialize)]
struct Push {
    #[serde(rename = "ref")]
    reference: String,
    before: String,
    after: String,
    #[serde(default)]
    deleted: bool,
    repository: Named,
    sender: User,
}

impl Push {
    fn happening(self) -> Option<Happening> {
        let branch = self.reference.strip_prefix(BRANCHES)?.to_owned();
        if self.deleted || !is_commit(&self.before) || !is_commit(&self.after) {
            return None;
        }
        let what = Happened::Pushed { branch, before: self.before, commit: self.after };
        Some(Happening { repository: self.repository.full_name, by: Some(self.sender.into()), what })
    }
}

#[derive(Debug, Deserialize)]
struct Check {
    action: String,
    check_run: Run,
    repository: Named,
}

#[derive(Debug, Deserialize)]
struct Run {
    head_sha: String,
    #[serde(default)]
    conclusion: Option<String>,
    check_suite: Suite,
}

#[derive(Debug, Deserialize)]
struct Suite {
    /// Of a fork's branch it may have a fork's name.
    #[serde(default)]
    head_branch: Option<String>,
}

impl Check {
    fn happening(self) -> Option<Happening> {
        let Self { action, check_run: Run { head_sha: commit, conclusion, check_suite }, repository } = self;
        if action != "completed" || !has_failed(conclusion.as_deref()) || !is_commit(&commit) {
            return None;
        }
        let what = Happened::ChecksFailed { branch: check_suite.head_branch?, commit };
        Some(Happening { repository: repository.full_name, by: None, what })
    }
}

/// It is given to git.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn told(event: &str, body: &str) -> Option<String> {
        let body = body.replace("COMMIT", COMMIT);
        Happening::parse(event, body.as_bytes()).map(|happening| happening.key())
    }

    #[test]
    fn a_push_to_a_branch_is_one_and_nothing_else_is() {
        let push = |reference: &str, after: &str, more: &str| {
            let body = format!(
                r#"{{"ref": "{reference}", "before": "COMMIT", "after": "{after}", "repository": {{"full_name": "Acme/api"}},
                    "sender": {{"login": "ada", "id": 1, "type": "User"}}{more}}}"#
            );
            told("push", &body)
        };
        let expected = format!("acme/api/pushed/feature/x/{COMMIT}/{COMMIT}");
        assert_eq!(push("refs/heads/feature/x", "COMMIT", ""), Some(expected));
        assert_eq!(push("refs/tags/v1", "COMMIT", ""), None);
        assert_eq!(push("refs/heads/main", "COMMIT", r#", "deleted": true"#), None);
        assert_eq!(push("refs/heads/main", "--upload-pack=x", ""), None);
        assert_eq!(told("push", "{"), None);
    }

    #[test]
    fn two_people_put_a_label_there_within_a_second() {
        let by = |id: u64, label: &str| {
            let what = Happened::IssueLabelled { number: 7, label: label.to_owned(), at: 5000 };
            let by = Some(Author { login: format!("person-{id}"), id, is_bot: false });
            Happening { repository: "acme/api".to_owned(), by, what }
        };
        assert_eq!(by(1, "Bug").key(), by(1, "bug").key());
        assert_ne!(by(1, "bug").key(), by(2, "bug").key());
        assert!(by(1, "Bug").is_told_again(&by(1, "bug")) && !by(1, "bug").is_told_again(&by(2, "bug")));
    }

    #[test]
    fn a_check_has_failed_when_it_is_over_and_says_so() {
        let check = |action: &str, conclusion: &str, branch: &str| {
            let body = format!(
                r#"{{"action": "{action}", "repository": {{"full_name": "acme/api"}},
                    "check_run": {{"head_sha": "COMMIT", "conclusion": {conclusion}, "check_suite": {{"head_branch": {branch}}}}}}}"#
            );
            told("check_run", &body)
        };
        let expected = Some(format!("acme/api/checks/main/{COMMIT}"));
        assert_eq!(check("completed", r#""failure""#, r#""main""#), expected);
        assert_eq!(check("completed", r#""timed_out""#, r#""main""#), expected);
        assert_eq!(check("completed", r#""success""#, r#""main""#), None);
        assert_eq!(check("created", "null", r#""main""#), None);
        assert_eq!(check("completed", r#""failure""#, "null"), None);
    }
}
