//! Reviews of pull requests, and what programs say of a commit.
//!
//! Source: docs.github.com, "REST API endpoints for pull request reviews", "… review comments", "… check runs".

use crate::content::{Content, moment, person};
use crate::conversation::listed;
use crate::pulls::page;
use crate::rest::Caller;
use crate::{FakeGitHub, Shared, invalid, now_s, problem};
use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub(crate) struct Review {
    id: u64,
    repository: String,
    number: u64,
    user: String,
    body: String,
    state: &'static str,
    at_s: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct ReviewComment {
    id: u64,
    review: u64,
    repository: String,
    number: u64,
    user: String,
    body: String,
    path: String,
    line: u64,
    reply_to: Option<u64>,
    at_s: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct CheckRun {
    repository: String,
    commit: String,
    name: String,
    /// `None` while it runs.
    conclusion: Option<String>,
    summary: String,
}

impl Review {
    fn new(state: &mut Content, repository: &str, number: u64, user: &str, body: &str) -> Self {
        let (id, repository, user, body) =
            (state.next_id(), repository.to_owned(), user.to_owned(), body.to_owned());
        let review = Self { id, repository, number, user, body, state: "COMMENTED", at_s: now_s() };
        state.reviews.push(review.clone());
        review
    }

    fn told(&self) -> Value {
        json!({
            "id": self.id, "user": person(&self.user), "body": self.body, "state": self.state,
            "html_url": format!("https://github.example/{}/pull/{}#pullrequestreview-{}", self.repository, self.number, self.id),
            "submitted_at": moment(self.at_s),
        })
    }
}

impl ReviewComment {
    fn new(
        state: &mut Content,
        of: &Review,
        (path, line): (&str, u64),
        body: &str,
        reply_to: Option<u64>,
    ) -> Self {
        let comment = Self {
            id: state.next_id(),
            review: of.id,
            repository: of.repository.clone(),
            number: of.number,
            user: of.user.clone(),
            body: body.to_owned(),
            path: path.to_owned(),
            line,
            reply_to,
            at_s: of.at_s,
        };
        state.review_comments.push(comment.clone());
        comment
    }

    fn told(&self) -> Value {
        let mut told = json!({
            "id": self.id, "pull_request_review_id": self.review, "user": person(&self.user), "body": self.body,
            "path": self.path, "line": self.line, "side": "RIGHT", "diff_hunk": format!("@@ -0,0 +{} @@\n+as it is", self.line),
            "pull_request_url": format!("https://api.github.example/repos/{}/pulls/{}", self.repository, self.number),
            "created_at": moment(self.at_s), "updated_at": moment(self.at_s),
        });
        if let (Some(told), Some(to)) = (told.as_object_mut(), self.reply_to) {
            told.insert("in_reply_to_id".to_owned(), to.into());
        }
        told
    }
}

impl Content {
    pub(crate) fn has_remark(&self, id: &str) -> bool {
        self.review_comments.iter().any(|one| one.id.to_string() == id)
    }
}

impl FakeGitHub {
    /// A person submits a review: a summary, which may be empty, and comments at lines of files. Gives the comments' ids.
    pub async fn review(
        &self,
        repository: &str,
        number: u64,
        login: &str,
        body: &str,
        comments: &[(&str, u64, &str)],
    ) -> Vec<u64> {
        let (review, comments) = {
            let mut state = self.shared.state();
            let review = Review::new(&mut state, repository, number, login, body);
            let new = |(path, line, body): &(&str, u64, &str)| {
                ReviewComment::new(&mut state, &review, (path, *line), body, None)
            };
            let comments: Vec<_> = comments.iter().map(new).collect();
            state.touch(repository, number);
            (review, comments)
        };
        self.tell_of_review(&review, &comments).await;
        comments.iter().map(|comment| comment.id).collect()
    }

    /// A person answers in the thread of this comment, which is a review of its own as well. Gives the answer's id.
    pub async fn reply(&self, repository: &str, to: u64, login: &str, body: &str) -> u64 {
        let (review, reply) = {
            let mut state = self.shared.state();
            let to = state.review_comments.iter().find(|one| one.id == to).cloned();
            let to = to.expect("there is such a comment");
            let review = Review::new(&mut state, repository, to.number, login, "");
            let first = to.reply_to.unwrap_or(to.id);
            let reply = ReviewComment::new(&mut state, &review, (&to.path, to.line), body, Some(first));
            state.touch(repository, to.number);
            (review, reply)
        };
        self.tell_of_review(&review, std::slice::from_ref(&reply)).await;
        reply.id
    }

    /// Each of it is a delivery.
    async fn tell_of_review(&self, review: &Review, comments: &[ReviewComment]) {
        let Review { repository, number, user, .. } = review;
        let pull = self.shared.state().pull(repository, *number).map(crate::pulls::Pull::told);
        let more = json!({ "review": review.told(), "pull_request": pull, "sender": person(user) });
        self.shared.tell("pull_request_review", "submitted", repository, None, more).await;
        for comment in comments {
            let more = json!({ "comment": comment.told(), "pull_request": pull, "sender": person(user) });
            self.shared.tell("pull_request_review_comment", "created", repository, None, more).await;
        }
    }

    /// What a program says of the newest commit of a pull request; without a conclusion it is still at it.
    pub async fn check(
        &self,
        repository: &str,
        commit: &str,
        name: &str,
        conclusion: Option<&str>,
        summary: &str,
    ) {
        {
            let mut state = self.shared.state();
            state.checks.retain(|check| check.commit != commit || check.name != name);
            state.checks.push(CheckRun {
                repository: repository.to_owned(),
                commit: commit.to_owned(),
                name: name.to_owned(),
                conclusion: conclusion.map(str::to_owned),
                summary: summary.to_owned(),
            });
        }
        let action = if conclusion.is_some() { "completed" } else { "created" };
        let run = json!({
            "name": name, "head_sha": commit, "conclusion": conclusion,
            "status": if conclusion.is_some() { "completed" } else { "in_progress" },
            "check_suite": { "head_branch": self.shared.branch_at(repository, commit) },
        });
        let more = json!({ "check_run": run, "sender": person("ci[bot]") });
        self.shared.tell("check_run", action, repository, None, more).await;
    }

    /// Answers in the thread of a review comment, as `login: text`.
    pub fn replies(&self, comment: u64) -> Vec<String> {
        let state = self.shared.state();
        let of = state.review_comments.iter().filter(|one| one.reply_to == Some(comment));
        of.map(|reply| format!("{}: {}", reply.user, reply.body)).collect()
    }
}

pub(crate) fn reviews(shared: &Shared, repository: &str, number: &str, query: Option<&str>) -> Response {
    let state = shared.state();
    let is_of = |review: &&Review| review.repository == repository && review.number.to_string() == number;
    page(state.reviews.iter().filter(is_of).map(Review::told).collect(), query)
}

pub(crate) fn comments(shared: &Shared, repository: &str, number: &str, query: Option<&str>) -> Response {
    let state = shared.state();
    let is_of = |one: &&ReviewComment| one.repository == repository && one.number.to_string() == number;
    page(state.review_comments.iter().filter(is_of).map(ReviewComment::told).collect(), query)
}

/// Of all pull requests of a repository.
pub(crate) fn all_comments(shared: &Shared, repository: &str, query: Option<&str>) -> Response {
    let state = shared.state();
    let comments = state.review_comments.iter().filter(|one| one.repository == repository);
    listed(comments.map(ReviewComment::told).collect(), query)
}

pub(crate) fn reply(shared: &Shared, caller: &Caller, repository: &str, to: &str, body: &Bytes) -> Response {
    #[derive(Deserialize)]
    struct Text {
        #[serde(default)]
        body: String,
    }
    let Ok(Text { body }) = serde_json::from_slice::<Text>(body) else {
        return problem(StatusCode::BAD_REQUEST, "Problems parsing JSON");
    };
    if body.trim().is_empty() {
        return invalid("PullRequestReviewComment", "body", "missing_field");
    }
    let login = caller.login(shared);
    let mut state = shared.state();
    let is_it = |one: &&ReviewComment| one.repository == repository && one.id.to_string() == to;
    let Some(to) = state.review_comments.iter().find(is_it).cloned() else {
        return problem(StatusCode::NOT_FOUND, "Not Found");
    };
    if to.reply_to.is_some() {
        return invalid("PullRequestReviewComment", "in_reply_to", "invalid");
    }
    let id = state.next_id();
    let reply = ReviewComment { id, user: login, body, reply_to: Some(to.id), at_s: now_s(), ..to };
    state.review_comments.push(reply.clone());
    state.touch(repository, reply.number);
    (StatusCode::CREATED, Json(reply.told())).into_response()
}

pub(crate) fn check_runs(shared: &Shared, repository: &str, commit: &str) -> Response {
    let state = shared.state();
    let of = state.checks.iter().filter(|check| check.repository == repository && check.commit == commit);
    let all: Vec<Value> = of
        .map(|check| {
            json!({
                "id": 1, "name": check.name, "head_sha": check.commit, "conclusion": check.conclusion,
                "status": if check.conclusion.is_some() { "completed" } else { "in_progress" },
                "output": { "title": check.name, "summary": check.summary },
            })
        })
        .collect();
    Json(json!({ "total_count": all.len(), "check_runs": all })).into_response()
}
