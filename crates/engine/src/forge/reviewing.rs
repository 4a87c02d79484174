//! Back from the pull request: what people say of the changes, checks that fail and conflicts with the base become prompts, and what the agent
//! says to them becomes answers where they were said.
//!
//! Nothing is taken from what GitHub sends but a hint where to look. A look reads what is behind the marks, writes down in one step what is to be
//! said, what is to be answered and where the next look goes on, and only then says it: whatever dies in between is found by the next look.

use super::remarks::{self, Said};
use super::work::Trouble;
use super::{Forge, answering, mirror, prompt, pulls, status};
use crate::engine::closed;
use crate::{Engine, ids};
use lamplight_domain::session::{Command, Phase, SessionView};
use lamplight_domain::{CheckState, Checked, SessionId, Verdict};
use lamplight_integrations::github::{CheckRun, PullRequest, Review, User};
use lamplight_integrations::{GitHub, Repository};
use lamplight_store::{ForgeChange, Remark, ReplyOwed, ReviewChange, Reviewed, Thread};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// From a hint to the look: what is said within it is one prompt.
const GATHER: Duration = Duration::from_secs(2);
/// From one look at everything to the next where GitHub sends hints, and how many looks at the repositories go by where it does not.
const PERIOD: Duration = Duration::from_secs(300);
const POLLS: u32 = 6;
/// Pull requests that are looked at, of those begun last.
const THREADS: usize = 200;
/// Prompts that nobody asked for, one after the other; then a person is asked.
const ROUNDS: u32 = 2;
/// Looks at whether a branch can be merged, which GitHub finds out beside.
const MERGE_LOOKS: usize = 4;
const MERGE_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(engine: Engine) {
    let mut closing = engine.shared.closing();
    let Some(forge) = &engine.shared.forge else { return };
    let period = forge.config.poll.filter(|_| forge.config.webhook_secret.is_none());
    let period = period.map_or(PERIOD, |poll| poll * POLLS);
    let mut hinted = None;
    loop {
        tokio::select! {
            () = look_at_all(&engine, hinted.as_ref()) => {}
            () = closed(&mut closing) => return,
        }
        hinted = tokio::select! {
            () = closed(&mut closing) => return,
            () = tokio::time::sleep(period) => None,
            () = forge.reviews.notified() => {
                tokio::time::sleep(GATHER).await;
                Some(forge.take_hints())
            }
        };
    }
}

/// At those of the repositories that something was heard of; without any, at all.
async fn look_at_all(engine: &Engine, hinted: Option<&HashSet<String>>) {
    let threads = engine.shared.store.threads(THREADS).await.unwrap_or_default();
    let is_meant = |thread: &&Thread| {
        thread.pull_request.is_some() && hinted.is_none_or(|names| names.contains(&thread.repository))
    };
    for thread in threads.iter().filter(is_meant) {
        match look_at(engine, thread).await {
            Ok(()) => {}
            Err(Trouble::Passing(why) | Trouble::Lasting(why)) => {
                tracing::warn!(session.id = %thread.session, why, "a pull request could not be looked at");
            }
        }
    }
}

struct Look<'a> {
    engine: &'a Engine,
    forge: &'a Forge,
    github: &'a GitHub,
    repository: Repository,
    thread: &'a Thread,
    number: u64,
    view: SessionView,
    writers: HashMap<String, bool>,
}

async fn look_at(engine: &Engine, thread: &Thread) -> Result<(), Trouble> {
    let (Some(forge), Some(github)) = (&engine.shared.forge, &engine.shared.github) else { return Ok(()) };
    let Some(number) = thread.pull_request else { return Ok(()) };
    if !engine.shared.is_done_here(&thread.session).await {
        return Ok(());
    }
    let Some(repository) = github.repository(&thread.repository) else { return Ok(()) };
    let Some(row) = engine.shared.store.summary(&thread.session).await? else { return Ok(()) };
    let view = crate::engine::parse_view(&row.body)?;
    if view.ended {
        return Ok(());
    }
    let writers = HashMap::new();
    let mut look = Look { engine, forge, github, repository, thread, number, view, writers };
    say_remarks(engine, &thread.session).await?;
    if !look.at_reviews().await? {
        look.at_checks().await?;
    }
    Ok(())
}

/// What was written down to be said, and was not yet.
pub(super) async fn say_remarks(engine: &Engine, session: &SessionId) -> Result<(), Trouble> {
    let store = &engine.shared.store;
    for Remark { prompt, text, by } in store.remarks(session).await? {
        if !answering::was_said(engine, session, &prompt).await? {
            if let Some(thread) = store.thread_of(session).await?.filter(Thread::is_pull_request) {
                pulls::catch_up(engine, &thread, &by).await;
            }
            let command = Command::Prompt { prompt: prompt.clone(), text, by, attachments: Vec::new() };
            match engine.command(session, command).await.map_err(Trouble::from) {
                Ok(_) => {}
                Err(Trouble::Passing(why)) => return Err(Trouble::Passing(why)),
                Err(Trouble::Lasting(why)) => {
                    let (session, problem) = (session.clone(), Some(why));
                    store.forge(ForgeChange::Problem { session, problem, at: None }).await?;
                }
            }
        }
        store.forge(ForgeChange::Review(Box::new(ReviewChange::Said { prompt }))).await?;
    }
    Ok(())
}

impl Look<'_> {
    /// Whether something new is said to the session.
    async fn at_reviews(&mut self) -> Result<bool, Trouble> {
        let before = self.engine.shared.store.reviewed(&self.thread.session).await?;
        let reviews = self.github.reviews(&self.repository, self.number).await?;
        let comments = self.github.review_comments(&self.repository, self.number).await?;
        let newest = |ids: &mut dyn Iterator<Item = u64>, before: u64| ids.fold(before, u64::max);
        let reviewed = Reviewed {
            review: newest(&mut reviews.iter().map(|review| review.id), before.review),
            comment: newest(&mut comments.iter().map(|comment| comment.id), before.comment),
            ..before.clone()
        };
        let mut said = Vec::new();
        for review in reviews.into_iter().filter(|review| review.id > before.review) {
            let (is_request, user) = (self.is_request(&review), review.user.clone());
            let one = Said::summary(review);
            if is_request && one.says_something() && self.may_ask(user.as_ref()).await? {
                said.push(one);
            }
        }
        for comment in comments.iter().filter(|comment| comment.id > before.comment) {
            let one = Said::at_line(comment, &comments);
            if one.says_something() && self.may_ask(comment.user.as_ref()).await? {
                said.push(one);
            }
        }
        // What stops it is a delivery, and done as one.
        let words = &self.forge.config.words;
        said.retain(|one| !words.is_stop(&one.text));
        if self.thread.is_pull_request() {
            remarks::meant(words, &mut said);
        }
        if said.is_empty() || self.is_over().await? {
            // Where it is over, each is answered with why, as the delivery that it is.
            if reviewed != before {
                self.read(reviewed, None, Vec::new()).await?;
            }
            return Ok(false);
        }
        let prompt = ids::prompt_id();
        let text = prompt::reviewed(&self.repository, self.number, &said, &prompt);
        let by = said.first().map(|one| one.by.clone()).unwrap_or_default();
        let replies = remarks::owed(&said, &prompt);
        let reviewed = Reviewed { rounds: 0, ..reviewed };
        self.read(reviewed, Some(Remark { prompt: prompt.clone(), text, by }), replies).await?;
        say_remarks(self.engine, &self.thread.session).await?;
        Ok(true)
    }

    /// It is somebody's, and nothing is run for it any more.
    async fn is_over(&self) -> Result<bool, Trouble> {
        if !self.thread.is_pull_request() {
            return Ok(false);
        }
        let pull = self.github.pull_request(&self.repository, self.number).await?;
        Ok(pulls::why_nothing(self.github, &self.repository, &pull).await?.is_some())
    }

    /// Once all programs are through with the newest commit, and nobody works on another.
    async fn at_checks(&self) -> Result<(), Trouble> {
        let head = self.view.commits.last().map(|commit| commit.commit.id.clone());
        let Some(head) = head else { return Ok(()) };
        let before = self.engine.shared.store.reviewed(&self.thread.session).await?;
        if self.view.phase == Phase::Stuck && before.asked_at.as_ref() != Some(&head) {
            return self.own_checks_failed(&head, before).await;
        }
        if self.view.phase != Phase::Done || !self.view.queued.is_empty() {
            return Ok(());
        }
        let is_told = before.told_at.as_ref() == Some(&head) || before.asked_at.as_ref() == Some(&head);
        if is_told {
            return Ok(());
        }
        let pull = self.pull_request().await?;
        if pull.state != "open" || pull.head.sha != head {
            return Ok(());
        }
        let checks = match self.github.checks(&self.repository, &head).await {
            Ok(checks) => checks,
            // An App that was not given this right works without it.
            Err(error) if !error.passes() => {
                tracing::info!(repository = %self.repository, %error, "checks cannot be read");
                Vec::new()
            }
            Err(error) => return Err(error.into()),
        };
        let conflicts = pull.mergeable == Some(false);
        let failed: Vec<_> = checks.iter().filter(|check| check.has_failed()).collect();
        if !conflicts && (failed.is_empty() || !checks.iter().all(CheckRun::is_done)) {
            return Ok(());
        }
        // On top of another session's work: what that has not published is not merged into this, and what is on GitHub is not fetched over it.
        let (shared, base) = (&self.engine.shared, &pull.base.branch);
        let is_stacked = conflicts && mirror::is_worked_on(shared, &self.repository, base).await?;
        if before.rounds >= ROUNDS || is_stacked {
            let names: Vec<_> = failed.iter().map(|check| check.name.as_str()).collect();
            return self.ask_a_person(&head, before, conflicts, &names).await;
        }
        let prompt = ids::prompt_id();
        let text = if conflicts {
            mirror::bring(shared, self.github, &self.repository, base).await?;
            prompt::conflict(&self.repository, self.number, base)
        } else {
            prompt::failed(&self.repository, self.number, &head, &failed, &prompt)
        };
        let by = if conflicts { "a conflict" } else { "failed checks" }.to_owned();
        let reviewed = Reviewed { told_at: Some(head), rounds: before.rounds + 1, ..before };
        self.read(reviewed, Some(Remark { prompt, text, by }), Vec::new()).await?;
        say_remarks(self.engine, &self.thread.session).await
    }

    /// Where the agent could not repair what the repository's own checks say, and is not asked to any more.
    async fn own_checks_failed(&self, head: &str, before: Reviewed) -> Result<(), Trouble> {
        let failed = match self.view.checked.as_ref().filter(|checked| checked.commit == head) {
            Some(Checked { state: CheckState::Ended { verdict: Verdict::Failed, commands, .. }, .. }) => {
                commands.iter().filter(|command| !command.has_passed()).map(|command| command.command.trim())
            }
            Some(_) | None => return Ok(()),
        };
        self.ask_a_person(head, before, false, &failed.collect::<Vec<_>>()).await
    }

    async fn ask_a_person(
        &self,
        head: &str,
        before: Reviewed,
        conflicts: bool,
        names: &[&str],
    ) -> Result<(), Trouble> {
        let mark = status::ask_mark(head);
        let text = status::ask(&mark, &self.view.person.name, conflicts, names, &self.forge.config.words);
        self.github.comment_once(&self.repository, self.number, &mark, &text, false).await?;
        self.read(Reviewed { asked_at: Some(head.to_owned()), ..before }, None, Vec::new()).await
    }

    /// GitHub finds out whether it can be merged when somebody asks, and tells the next who does.
    async fn pull_request(&self) -> Result<PullRequest, Trouble> {
        let mut pull = self.github.pull_request(&self.repository, self.number).await?;
        for _ in 1..MERGE_LOOKS {
            if pull.mergeable.is_some() || pull.state != "open" {
                break;
            }
            tokio::time::sleep(MERGE_PAUSE).await;
            pull = self.github.pull_request(&self.repository, self.number).await?;
        }
        Ok(pull)
    }

    async fn read(
        &self,
        reviewed: Reviewed,
        remark: Option<Remark>,
        replies: Vec<ReplyOwed>,
    ) -> Result<(), Trouble> {
        let session = self.thread.session.clone();
        let change = ReviewChange::Read { session, reviewed: Some(reviewed), remark, replies };
        self.engine.shared.store.forge(ForgeChange::Review(Box::new(change))).await?;
        Ok(())
    }

    /// People who may push may.
    async fn may_ask(&mut self, by: Option<&User>) -> Result<bool, Trouble> {
        let Some(by) = by.filter(|by| by.kind == "User") else { return Ok(false) };
        if let Some(may) = self.writers.get(&by.login) {
            return Ok(*may);
        }
        let may = self.github.may_write(&self.repository, &by.login).await?;
        self.writers.insert(by.login.clone(), may);
        Ok(may)
    }

    /// An approval is none, unless it means us, and what was taken back is none any more.
    fn is_request(&self, review: &Review) -> bool {
        match review.state.as_str() {
            "COMMENTED" | "CHANGES_REQUESTED" => true,
            "APPROVED" => self.forge.config.words.is_request(review.body.as_deref().unwrap_or_default()),
            _ => false,
        }
    }
}
