//! What there is on it.

use crate::apps::{App, Minted, Ordered};
use crate::faults::Fault;
use crate::hooks::{Delivery, Hook};
use crate::large_files::LargeFile;
use crate::now_s;
use crate::pulls::Pull;
use crate::reviews::{CheckRun, Review, ReviewComment};
use crate::sign_in::{Code, UserToken};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a person may do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    Read,
    Triage,
    Write,
    Maintain,
    Admin,
}

#[derive(Debug, Default)]
pub(crate) struct Content {
    /// By `owner/name`, as all of these.
    pub(crate) pulls: BTreeMap<String, Vec<Pull>>,
    pub(crate) issues: BTreeMap<String, Vec<Issue>>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) events: Vec<IssueEvent>,
    pub(crate) reviews: Vec<Review>,
    pub(crate) review_comments: Vec<ReviewComment>,
    pub(crate) checks: Vec<CheckRun>,
    /// `place content by`, each once.
    pub(crate) reactions: Vec<(String, String, String)>,
    /// Repositories and branches of theirs that not everybody may push to who may push there.
    pub(crate) protected: BTreeSet<(String, String)>,
    /// `base..head` of which is known whether they can be merged.
    pub(crate) merges_known: BTreeSet<String>,
    /// By login: everybody with an account, and what they may do with every repository.
    pub(crate) permissions: BTreeMap<String, Option<Permission>>,
    /// By repository and login, where it is something else there; `None` is nothing.
    pub(crate) exceptions: BTreeMap<(String, String), Option<Permission>>,
    pub(crate) faults: Vec<Fault>,
    /// `METHOD /path` of all that was asked.
    pub(crate) requests: Vec<String>,
    pub(crate) without_drafts: bool,
    pub(crate) without_filters: bool,
    pub(crate) app: Option<App>,
    pub(crate) minted: Vec<Minted>,
    pub(crate) ordered: Vec<Ordered>,
    pub(crate) hook: Option<Hook>,
    pub(crate) deliveries: Vec<Delivery>,
    /// Of the webhook of the App that was made last.
    pub(crate) made_secret: Option<String>,
    /// Bodies that GraphQL was asked with.
    pub(crate) graphql: Vec<Value>,
    pub(crate) large_files: Vec<LargeFile>,
    pub(crate) codes: Vec<Code>,
    pub(crate) users: Vec<UserToken>,
    /// Login and organisation.
    pub(crate) members: Vec<(String, String)>,
    last_id: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub(crate) repository: String,
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) user: String,
    pub(crate) labels: Vec<String>,
    pub(crate) assignees: Vec<String>,
    pub(crate) created_s: u64,
    pub(crate) updated_s: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Comment {
    pub(crate) id: u64,
    pub(crate) repository: String,
    pub(crate) number: u64,
    pub(crate) is_on_pull: bool,
    pub(crate) body: String,
    pub(crate) user: String,
    pub(crate) created_s: u64,
    pub(crate) updated_s: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct IssueEvent {
    pub(crate) id: u64,
    pub(crate) repository: String,
    pub(crate) number: u64,
    pub(crate) event: &'static str,
    pub(crate) actor: String,
    pub(crate) about: String,
    pub(crate) at_s: u64,
}

impl Permission {
    /// In the words of the old field, and of the new one.
    pub(crate) fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Read => ("read", "read"),
            Self::Triage => ("read", "triage"),
            Self::Write => ("write", "write"),
            Self::Maintain => ("write", "maintain"),
            Self::Admin => ("admin", "admin"),
        }
    }
}

impl Content {
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        1_000_000 + self.last_id
    }

    /// `None` of whoever may not see it.
    pub(crate) fn permission(&self, repository: &str, login: &str) -> Option<Permission> {
        let exception = self.exceptions.get(&(repository.to_owned(), login.to_owned()));
        exception.copied().unwrap_or_else(|| self.permissions.get(login).copied().flatten())
    }

    /// Issues and pull requests of a repository are counted together.
    pub(crate) fn next_number(&self, repository: &str) -> u64 {
        let issues = self.issues.get(repository).into_iter().flatten().map(|issue| issue.number);
        let pulls = self.pulls.get(repository).into_iter().flatten().map(|pull| pull.number);
        1 + issues.chain(pulls).max().unwrap_or(0)
    }

    pub(crate) fn issue(&self, repository: &str, number: u64) -> Option<&Issue> {
        self.issues.get(repository)?.iter().find(|issue| issue.number == number)
    }

    pub(crate) fn pull(&self, repository: &str, number: u64) -> Option<&Pull> {
        self.pulls.get(repository)?.iter().find(|pull| pull.number == number)
    }

    /// An issue, or a pull request as one.
    pub(crate) fn told_issue(&self, repository: &str, number: u64) -> Option<Value> {
        match (self.issue(repository, number), self.pull(repository, number)) {
            (Some(issue), _) => Some(issue.told()),
            (None, Some(pull)) => Some(pull.told_as_issue()),
            (None, None) => None,
        }
    }

    pub(crate) fn touch(&mut self, repository: &str, number: u64) {
        let issues = self.issues.get_mut(repository).into_iter().flatten();
        if let Some(issue) = issues.into_iter().find(|issue| issue.number == number) {
            issue.updated_s = now_s();
        }
        let pulls = self.pulls.get_mut(repository).into_iter().flatten();
        if let Some(pull) = pulls.into_iter().find(|pull| pull.number == number) {
            pull.updated_s = now_s();
        }
    }
}

impl Issue {
    pub(crate) fn told(&self) -> Value {
        let label = |name: &String| json!({ "id": 1, "name": name, "color": "ededed" });
        json!({
            "id": 2_000_000 + self.number,
            "number": self.number,
            "html_url": format!("https://github.example/{}/issues/{}", self.repository, self.number),
            "title": self.title,
            "body": self.body,
            "state": "open",
            "user": person(&self.user),
            "labels": self.labels.iter().map(label).collect::<Vec<_>>(),
            "assignees": self.assignees.iter().map(|login| person(login)).collect::<Vec<_>>(),
            "created_at": moment(self.created_s),
            "updated_at": moment(self.updated_s),
        })
    }
}

impl Comment {
    pub(crate) fn told(&self) -> Value {
        let kind = if self.is_on_pull { "pull" } else { "issues" };
        let Self { repository, number, id, .. } = self;
        json!({
            "id": id,
            "html_url": format!("https://github.example/{repository}/{kind}/{number}#issuecomment-{id}"),
            "issue_url": format!("https://api.github.example/repos/{repository}/issues/{number}"),
            "body": self.body,
            "user": person(&self.user),
            "created_at": moment(self.created_s),
            "updated_at": moment(self.updated_s),
        })
    }
}

/// A user, or an App where the name says so.
pub(crate) fn person(login: &str) -> Value {
    let id = login.bytes().fold(7_u64, |id, byte| (id * 31 + u64::from(byte)) % 10_000_000);
    let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
    json!({ "login": login, "id": id, "type": kind, "site_admin": false })
}

/// As `2026-01-31T12:00:00Z`. Source of the arithmetic: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
pub(crate) fn moment(at_s: u64) -> String {
    let (days, rest) = (at_s / 86_400 + 719_468, at_s % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) =
        (day_of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn moments_are_those_of_the_calendar() {
        let all = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
        ];
        for (at_s, text) in all {
            assert_eq!(super::moment(at_s), text);
        }
    }
}
