//! What people do on it, in a browser.

use crate::content::{Issue, IssueEvent, Permission, person};
use crate::{FakeGitHub, conversation, now_s};
use serde_json::{Value, json};

impl FakeGitHub {
    /// Somebody with an account, and what they may do; `None` is nothing.
    pub fn know(&self, login: &str, permission: impl Into<Option<Permission>>) {
        self.shared.state().permissions.insert(login.to_owned(), permission.into());
    }

    /// The number that an account has for good.
    pub fn number_of(&self, login: &str) -> u64 {
        person(login)["id"].as_u64().unwrap_or_default()
    }

    /// What they may do with this repository, whatever they may with others; `None` is nothing.
    pub fn allow(&self, repository: &str, login: &str, permission: Option<Permission>) {
        self.shared.state().exceptions.insert((repository.to_owned(), login.to_owned()), permission);
    }

    /// From now on a branch is protected. The token of a person is an admin's and the App may pass by, so that both can push to it all the same.
    pub fn protect(&self, repository: &str, branch: &str) {
        self.shared.state().protected.insert((repository.to_owned(), branch.to_owned()));
    }

    /// The number of the new issue.
    pub async fn open_issue(&self, repository: &str, login: &str, title: &str, body: &str) -> u64 {
        let (number, told) = {
            let mut state = self.shared.state();
            let issue = Issue {
                repository: repository.to_owned(),
                number: state.next_number(repository),
                title: title.to_owned(),
                body: body.to_owned(),
                user: login.to_owned(),
                labels: Vec::new(),
                assignees: Vec::new(),
                created_s: now_s(),
                updated_s: now_s(),
            };
            let told = issue.told();
            let number = issue.number;
            state.issues.entry(repository.to_owned()).or_default().push(issue);
            (number, told)
        };
        let more = json!({ "sender": person(login) });
        self.shared.tell("issues", "opened", repository, Some(told), more).await;
        number
    }

    /// Tells that somebody has pushed to a branch, which was at `before`; that it is pushed is the caller's doing.
    pub async fn tell_of_push(&self, repository: &str, login: &str, branch: &str, before: &str) {
        let after = self.shared.tip_of(repository, branch).expect("there is such a branch");
        let more = json!({
            "ref": format!("refs/heads/{branch}"), "before": before, "after": after, "created": false, "deleted": false,
            "forced": false, "sender": person(login),
        });
        self.shared.tell("push", "", repository, None, more).await;
    }

    pub async fn label(&self, repository: &str, number: u64, login: &str, label: &str) {
        self.mark(repository, number, login, "labeled", label).await;
    }

    pub async fn assign(&self, repository: &str, number: u64, login: &str, assignee: &str) {
        self.mark(repository, number, login, "assigned", assignee).await;
    }

    async fn mark(&self, repository: &str, number: u64, login: &str, event: &'static str, about: &str) {
        let (told, value) = {
            let mut state = self.shared.state();
            let issues = state.issues.get_mut(repository).expect("there is such a repository with an issue");
            let issue =
                issues.iter_mut().find(|issue| issue.number == number).expect("there is such an issue");
            issue.updated_s = now_s();
            let (of, value) = match event {
                "labeled" => (&mut issue.labels, json!({ "label": { "id": 1, "name": about } })),
                _ => (&mut issue.assignees, json!({ "assignee": person(about) })),
            };
            of.push(about.to_owned());
            let told = issue.told();
            let id = state.next_id();
            let (repository, actor, about) = (repository.to_owned(), login.to_owned(), about.to_owned());
            state.events.push(IssueEvent { id, repository, number, event, actor, about, at_s: now_s() });
            (told, value)
        };
        let mut more = json!({ "sender": person(login) });
        if let (Some(more), Value::Object(value)) = (more.as_object_mut(), value) {
            more.extend(value);
        }
        self.shared.tell("issues", event, repository, Some(told), more).await;
    }

    /// The id of the new comment.
    pub async fn comment(&self, repository: &str, number: u64, login: &str, body: &str) -> u64 {
        let added = conversation::add(&mut self.shared.state(), repository, number, login, body.to_owned());
        let comment = added.expect("there is such an issue or pull request");
        self.shared.tell_of_comment(&comment).await;
        comment.id
    }

    /// What stands below an issue or pull request, as `login: text`.
    pub fn comments(&self, repository: &str, number: u64) -> Vec<String> {
        let state = self.shared.state();
        let of = state.comments.iter().filter(|one| one.repository == repository && one.number == number);
        of.map(|comment| format!("{}: {}", comment.user, comment.body)).collect()
    }

    /// Ids of what was said on it, in that order.
    pub fn comment_ids(&self, repository: &str, number: u64) -> Vec<u64> {
        let state = self.shared.state();
        let of = state.comments.iter().filter(|one| one.repository == repository && one.number == number);
        of.map(|comment| comment.id).collect()
    }

    /// A person's change of a comment.
    pub fn edit_comment(&self, id: u64, change: impl FnOnce(&str) -> String) {
        let mut state = self.shared.state();
        let comment = state.comments.iter_mut().find(|comment| comment.id == id);
        let comment = comment.expect("there is such a comment");
        comment.body = change(&comment.body);
    }

    /// All reactions, as `place content login`.
    pub fn reactions(&self) -> Vec<String> {
        let state = self.shared.state();
        state.reactions.iter().map(|(place, content, by)| format!("{place} {content} {by}")).collect()
    }
}
