//! A pull request that somebody else opened, and on which a session is asked for: its branch becomes the session's. What the session commits goes
//! there, beside what others push, and nothing of theirs is replaced.
//!
//! What begins it may be said in a review. Then all of that review that is meant for us is in the first prompt, and is answered where it stands;
//! what is said later is taken up by `reviewing`, from the marks on that are written here.

use super::remarks::{self, Said};
use super::work::{Trouble, Work};
use super::{mirror, prompt, reviewing, status};
use crate::Engine;
use lamplight_domain::SessionId;
use lamplight_domain::session::SessionView;
use lamplight_integrations::github::{PullRequest, Review, ReviewComment, What};
use lamplight_integrations::{GitHub, GitHubError, Repository};
use lamplight_store::{
    ForgeChange, PAGE_SESSIONS, Remark, ReplyOwed, ReviewChange, Reviewed, SessionQuery, Thread,
};
use std::path::Path;

/// What a session is begun on.
pub(super) enum Ground {
    /// The work starts from the default branch.
    Issue,
    /// Its branch becomes the session's.
    PullRequest(Box<PullRequest>),
    /// Nothing is done, for this reason.
    Nothing(String),
}

impl Work<'_> {
    pub(super) async fn ground(&self) -> Result<Ground, Trouble> {
        if !self.occurrence.is_pull_request {
            return Ok(Ground::Issue);
        }
        let pull = self.github.pull_request(&self.repository, self.occurrence.number).await?;
        if let Some(why) = why_nothing(self.github, &self.repository, &pull).await? {
            return Ok(Ground::Nothing(why.to_owned()));
        }
        if let Some(session) = self.worked_on_by(&pull).await? {
            let link = format!("{}/sessions/{session}", self.forge.config.address);
            return Ok(Ground::Nothing(format!(
                "[a session]({link}) that was not begun here works on its branch. Prompt it there."
            )));
        }
        Ok(Ground::PullRequest(Box::new(pull)))
    }

    /// Why nothing more is run for somebody's pull request that a session works on.
    pub(super) async fn nothing_more(&self, thread: &Thread) -> Result<Option<&'static str>, Trouble> {
        if !thread.is_pull_request() {
            return Ok(None);
        }
        let pull = self.github.pull_request(&self.repository, thread.number).await?;
        Ok(why_nothing(self.github, &self.repository, &pull).await?)
    }

    /// One that has not ended, and was begun by hand: its pull request, or its branch in the mirror.
    async fn worked_on_by(&self, pull: &PullRequest) -> Result<Option<SessionId>, Trouble> {
        let (shared, name) = (&self.engine.shared, self.repository.to_string());
        let mirror = mirror::path_of(&shared.config.data_dir, &self.repository);
        let works_on_it = |view: &SessionView| {
            let is_shown = view.pull_request.as_ref().is_some_and(|shown| {
                shown.number == pull.number && shown.repository.eq_ignore_ascii_case(&name)
            });
            let is_its_branch = view.branch == pull.head.branch && mirror == Path::new(&view.repository);
            !view.ended && (is_shown || is_its_branch)
        };
        // What is archived may live.
        for archived in [false, true] {
            let mut cursor = None;
            loop {
                let query =
                    SessionQuery { limit: PAGE_SESSIONS, archived, cursor, ..SessionQuery::default() };
                let page = shared.store.sessions(query).await?;
                let mut views = page.items.iter().filter_map(|row| crate::engine::parse_view(&row.body).ok());
                if let Some(view) = views.find(works_on_it) {
                    return Ok(Some(view.id));
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(None)
    }

    /// Sessions that work on it no more: its own, and the newest of its branch, which may be on another pull request, if it has ended.
    pub(super) async fn over(
        &self,
        before: Option<Thread>,
        branch: Option<&str>,
    ) -> Result<Vec<SessionId>, Trouble> {
        let mut over: Vec<_> = before.into_iter().map(|before| before.session).collect();
        let Some(branch) = branch else { return Ok(over) };
        let name = self.repository.to_string().to_lowercase();
        if let Some(newest) = self.engine.shared.store.thread_of_branch(&name, branch).await? {
            let view = self.session(&newest.session).await?;
            if view.map_or(newest.problem.is_some(), |view| view.ended) {
                over.push(newest.session);
            }
        }
        Ok(over)
    }

    /// Says so where it was asked.
    pub(super) async fn refuse(&self, why: String) -> Result<String, Trouble> {
        let (repository, number) = (&self.repository, self.occurrence.number);
        let mark = status::answer_mark(self.about());
        let text = status::refused(&mark, &why);
        match self.occurrence.what {
            What::Remarked { comment, .. } => {
                let all = self.github.review_comments(repository, number).await?;
                let thread = all.iter().find(|one| one.id == comment).map_or(comment, ReviewComment::thread);
                self.github.reply_once(repository, number, thread, &mark, &text).await?;
            }
            What::Labelled { .. }
            | What::Assigned { .. }
            | What::Opened { .. }
            | What::Commented { .. }
            | What::Reviewed { .. } => {
                self.github.comment_once(repository, number, &mark, &text, false).await?;
            }
        }
        Ok(why)
    }

    /// What is asked for in the review that the session is begun by, if it is one. The answers are owed from here on, and what was there before
    /// is behind the marks.
    pub(super) async fn asked(&self, thread: &Thread) -> Result<Vec<Said>, Trouble> {
        let (reviews, comments) = self.reviews().await?;
        let said = self.said_with_it(&reviews, &comments);
        let until = self.occurrence.at.max(thread.begun_at.0);
        let is_seen = |id: u64, at: Option<i64>| {
            at.is_some_and(|at| at <= until) || said.iter().any(|one| one.id == id)
        };
        let seen = reviews.iter().filter(|one| is_seen(one.id, one.at_ms())).map(|one| one.id);
        let review = seen.max().unwrap_or_default();
        let seen = comments.iter().filter(|one| is_seen(one.id, one.at_ms())).map(|one| one.id);
        let comment = seen.max().unwrap_or_default();
        let prompt = self.prompt_id();
        let replies = if said.is_empty() {
            // In the conversation: all that is said last answers it.
            vec![ReplyOwed { about: self.about(), thread: 0, prompt, number: 1 }]
        } else {
            remarks::owed(&said, &prompt)
        };
        let reviewed = Some(Reviewed { review, comment, ..Reviewed::default() });
        let change = ReviewChange::Read { session: thread.session.clone(), reviewed, remark: None, replies };
        self.engine.shared.store.forge(ForgeChange::Review(Box::new(change))).await?;
        Ok(said)
    }

    async fn reviews(&self) -> Result<(Vec<Review>, Vec<ReviewComment>), Trouble> {
        let (repository, number) = (&self.repository, self.occurrence.number);
        let reviews = self.github.reviews(repository, number).await?;
        Ok((reviews, self.github.review_comments(repository, number).await?))
    }

    /// All of the review that this was said in, as far as it means us; nothing where it was said elsewhere.
    fn said_with_it(&self, reviews: &[Review], comments: &[ReviewComment]) -> Vec<Said> {
        let Some(here) = self.said_here(comments) else { return Vec::new() };
        let summaries = reviews.iter().cloned().map(Said::summary);
        let lines = comments.iter().map(|comment| Said::at_line(comment, comments));
        let words = &self.forge.config.words;
        let is_of_it = |one: &Said| {
            let is_said = one.says_something() && !words.is_stop(&one.text);
            is_said && here.review.is_some() && one.review == here.review && one.by == here.by
        };
        let mut said: Vec<_> = summaries.chain(lines).filter(is_of_it).collect();
        remarks::meant(words, &mut said);
        if said.is_empty() { vec![here] } else { said }
    }

    /// What this is about, where it is said of changes: as it stands there, or as it was told where it is not found there.
    fn said_here(&self, comments: &[ReviewComment]) -> Option<Said> {
        let (id, thread, text) = match &self.occurrence.what {
            What::Reviewed { review, text } => (*review, 0, text),
            What::Remarked { comment, text } => (*comment, *comment, text),
            What::Labelled { .. } | What::Assigned { .. } | What::Opened { .. } | What::Commented { .. } => {
                return None;
            }
        };
        let found = comments.iter().find(|one| thread != 0 && one.id == id);
        Some(found.map_or_else(
            || Said {
                id,
                thread,
                review: (thread == 0).then_some(id),
                by: self.occurrence.by.login.clone(),
                place: "of the changes".to_owned(),
                context: String::new(),
                text: text.clone(),
            },
            |comment| Said::at_line(comment, comments),
        ))
    }

    /// What is said of the changes to a session that there is, `reviewing` takes up with all else that is said there. What was there before the
    /// session began is behind its marks: it is said here, unless it is owed an answer or has one.
    pub(super) async fn hear(&self, thread: &Thread, id: u64) -> Result<String, Trouble> {
        self.react("eyes").await?;
        let store = &self.engine.shared.store;
        let reviewed = store.reviewed(&thread.session).await?;
        let is_summary = matches!(self.occurrence.what, What::Reviewed { .. });
        let seen = if is_summary { reviewed.review } else { reviewed.comment };
        let is_looked_at = thread.pull_request.is_none_or(|looked_at| looked_at == self.occurrence.number);
        let nothing = self.nothing_more(thread).await?;
        if is_looked_at && id > seen && nothing.is_none() {
            self.forge.hint(&thread.repository);
            return Ok("its pull request is looked at".to_owned());
        }
        // In this order: what is not owed any more is there to be found.
        let owed = store.replies_owed(&thread.session).await?;
        let (reviews, comments) = self.reviews().await?;
        let mut said = self.said_with_it(&reviews, &comments);
        let conversation = self.github.comments(&self.repository, self.occurrence.number).await?;
        let texts = conversation.iter().map(|one| &one.body).chain(comments.iter().map(|one| &one.body));
        let texts: Vec<_> = texts.flatten().collect();
        said.retain(|one| {
            let mark = status::answer_mark(one.id);
            !owed.iter().any(|owed| owed.about == one.id) && !texts.iter().any(|text| text.contains(&mark))
        });
        if let Some(why) = nothing.filter(|_| !said.is_empty()) {
            return self.refuse(why.to_owned()).await;
        }
        if !said.is_empty() {
            let (prompt, by) = (self.prompt_id(), self.occurrence.by.login.clone());
            let text = prompt::reviewed(&self.repository, self.occurrence.number, &said, &prompt);
            let replies = remarks::owed(&said, &prompt);
            let (session, remark) = (thread.session.clone(), Some(Remark { prompt, text, by }));
            let change = ReviewChange::Read { session, reviewed: None, remark, replies };
            store.forge(ForgeChange::Review(Box::new(change))).await?;
        }
        reviewing::say_remarks(self.engine, &thread.session).await?;
        Ok("the session was told".to_owned())
    }
}

/// Why nothing is pushed to its branch, so that nothing is run for it either.
pub(super) async fn why_nothing(
    github: &GitHub,
    repository: &Repository,
    pull: &PullRequest,
) -> Result<Option<&'static str>, GitHubError> {
    if pull.merged {
        return Ok(Some("this pull request is merged. Ask on an issue instead."));
    }
    if pull.state != "open" {
        return Ok(Some("this pull request is closed. Reopen it, or ask on an issue instead."));
    }
    if !pull.is_of(repository) {
        return Ok(Some(
            "this pull request comes from a fork, and this server does not push to its branch. Ask on an issue instead, or push the branch \
             to this repository.",
        ));
    }
    if pull.head.branch == github.facts(repository).await?.default_branch {
        return Ok(Some("its branch is the default branch of this repository, to which nothing is pushed."));
    }
    if github.is_protected(repository, &pull.head.branch).await? {
        return Ok(Some(
            "its branch is protected, so that not everybody who may ask may push to it. Ask on an issue instead.",
        ));
    }
    Ok(None)
}

/// What others have pushed is there for the next turn, where that goes without anybody. Where it does not, publishing says why.
pub(super) async fn catch_up(engine: &Engine, thread: &Thread, by: &str) {
    let Some(github) = &engine.shared.github else { return };
    let Some(repository) = github.repository(&thread.repository) else { return };
    let caught_up = async {
        let view = engine.view(&thread.session).await?;
        engine.with_what_is_there(view, github, &repository, thread.number, by.to_owned()).await
    };
    if let Err(error) = caught_up.await {
        tracing::info!(session.id = %thread.session, %error, "what was pushed to a pull request is not taken up yet");
    }
}
