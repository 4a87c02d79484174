//! Brings GitHub up to what is so: the branch and its pull request, and the one comment. It takes no input but a hint where to look, and every
//! look is complete.

use super::work::Trouble;
use super::{answering, status};
use crate::Engine;
use crate::engine::closed;
use crate::error::CommandError;
use crate::pull_request::told_checks;
use futures::StreamExt as _;
use lamplight_domain::session::SessionView;
use lamplight_domain::{PullRequest, SessionId};
use lamplight_integrations::{GitHub, GitHubError};
use lamplight_store::{ForgeChange, Thread};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// From a change to the look at it; what changes meanwhile is told with it.
const GATHER: Duration = Duration::from_secs(2);
/// From one look at everything to the next.
const PERIOD: Duration = Duration::from_secs(60);
/// Issues that are looked at, those begun last.
const THREADS: usize = 500;
/// That are looked at the same time.
const AT_ONCE: usize = 4;
/// Tries to publish one commit; then a person has to look.
const TRIES: u32 = 5;

/// For a branch to be published before others are looked at; what takes longer, as large files do, goes on beside.
const WAIT: Duration = Duration::from_secs(10);

/// What is known of publishing, by session.
#[derive(Default)]
struct Publishing {
    /// Tries, with the commit that they are of.
    tries: Mutex<HashMap<SessionId, (String, u32)>>,
    under_way: Mutex<HashMap<SessionId, UnderWay>>,
}

/// `None` where the server ended before.
type UnderWay = JoinHandle<Option<Result<PullRequest, CommandError>>>;

/// What to look at.
enum Hint {
    All,
    Some(HashSet<SessionId>),
}

pub(super) async fn run(engine: Engine) {
    let mut closing = engine.shared.closing();
    let mut changes = engine.changes();
    let publishing = Publishing::default();
    let mut hint = Hint::All;
    loop {
        tokio::select! {
            () = look(&engine, hint, &publishing) => {}
            () = closed(&mut closing) => return,
        }
        let Some(forge) = &engine.shared.forge else { return };
        hint = tokio::select! {
            () = closed(&mut closing) => return,
            () = tokio::time::sleep(PERIOD) => Hint::All,
            () = forge.tell.notified() => Hint::All,
            change = changes.recv() => match change {
                Ok(summary) => Hint::Some(HashSet::from([summary.id.clone()])),
                Err(RecvError::Lagged(_)) => Hint::All,
                Err(RecvError::Closed) => return,
            },
        };
        tokio::select! {
            () = tokio::time::sleep(GATHER) => {}
            () = closed(&mut closing) => return,
        }
        loop {
            match (changes.try_recv(), &mut hint) {
                (Ok(summary), Hint::Some(sessions)) => drop(sessions.insert(summary.id.clone())),
                (Ok(_), Hint::All) => {}
                (Err(tokio::sync::broadcast::error::TryRecvError::Lagged(_)), _) => hint = Hint::All,
                (Err(_), _) => break,
            }
        }
    }
}

async fn look(engine: &Engine, hint: Hint, publishing: &Publishing) {
    let store = &engine.shared.store;
    let threads = match hint {
        Hint::All => store.threads(THREADS).await.unwrap_or_default(),
        Hint::Some(sessions) => {
            let mut found = Vec::new();
            for session in sessions {
                found.extend(store.thread_of(&session).await.ok().flatten());
            }
            found
        }
    };
    futures::stream::iter(threads)
        .for_each_concurrent(AT_ONCE, |thread| look_at(engine, thread, publishing))
        .await;
}

async fn look_at(engine: &Engine, mut thread: Thread, publishing: &Publishing) {
    let (Some(forge), Some(github)) = (&engine.shared.forge, &engine.shared.github) else { return };
    if !engine.shared.is_done_here(&thread.session).await {
        return;
    }
    let mut view = match engine.shared.store.summary(&thread.session).await {
        Ok(Some(row)) => match crate::engine::parse_view(&row.body) {
            Ok(view) => Some(view),
            Err(_) => return,
        },
        Ok(None) => None,
        Err(_) => return,
    };
    if let Some(seen) = &mut view {
        publish(engine, &mut thread, seen, publishing).await;
    }
    if let Err(Trouble::Passing(why) | Trouble::Lasting(why)) = answering::answer(engine, &thread).await {
        tracing::warn!(session.id = %thread.session, why, "what was remarked on GitHub could not be answered");
    }
    let text = match (&view, &thread.problem) {
        (Some(view), _) => status::now(view, &thread, &forge.config),
        (None, Some(problem)) => status::failed(&thread, &forge.config, problem),
        (None, None) => return,
    };
    if let Err(error) = tell(engine, github, &thread, text).await {
        tracing::warn!(session.id = %thread.session, %error, "the comment on GitHub could not be brought up to date");
    }
}

/// The branch as it is now, if it is not there yet.
async fn publish(engine: &Engine, thread: &mut Thread, view: &mut SessionView, publishing: &Publishing) {
    let Some(head) = view.commits.last().map(|commit| commit.commit.id.clone()) else { return };
    let checked = told_checks(view, &head);
    let is_shown =
        view.pull_request.as_ref().is_some_and(|shown| shown.head == head && shown.checked == checked);
    if is_shown {
        publishing.under_way().remove(&thread.session);
        is_there(engine, thread).await;
    } else if thread.problem_at.as_ref() != Some(&head) {
        match publishing.publish(engine, &thread.session).await {
            Some(Ok(shown)) => {
                view.pull_request = Some(shown);
                is_there(engine, thread).await;
            }
            Some(Err(error)) => not_published(engine, thread, head, error, publishing).await,
            None => {}
        }
    }
    let Some(number) = view.pull_request.as_ref().map(|shown| shown.number) else { return };
    if thread.pull_request != Some(number) {
        let change = ForgeChange::PullRequest { session: thread.session.clone(), number };
        if let Err(error) = engine.shared.store.forge(change).await {
            tracing::warn!(session.id = %thread.session, %error, "a pull request's number could not be written down");
        }
    }
}

/// What kept another commit from being there does not matter any more.
async fn is_there(engine: &Engine, thread: &mut Thread) {
    if thread.problem_at.take().is_none() {
        return;
    }
    thread.problem = None;
    let change = ForgeChange::Problem { session: thread.session.clone(), problem: None, at: None };
    if let Err(error) = engine.shared.store.forge(change).await {
        tracing::warn!(session.id = %thread.session, %error, "it could not be written down that a problem is over");
    }
}

impl Publishing {
    /// What came of it; `None` while it goes on. Then another look learns of it.
    async fn publish(
        &self,
        engine: &Engine,
        session: &SessionId,
    ) -> Option<Result<PullRequest, CommandError>> {
        let begun = self.under_way().remove(session);
        let begin = || engine.shared.tasks.spawn(publish_beside(engine.clone(), session.clone()));
        let mut publishing = begun.unwrap_or_else(begin);
        match timeout(WAIT, &mut publishing).await {
            Ok(done) => done.unwrap_or_else(|panic| Some(Err(CommandError::Failed(panic.into())))),
            Err(_) => {
                let mut under_way = self.under_way();
                if under_way.len() > THREADS {
                    under_way.retain(|_, publishing| !publishing.is_finished());
                }
                under_way.insert(session.clone(), publishing);
                None
            }
        }
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<SessionId, UnderWay>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn publish_beside(engine: Engine, session: SessionId) -> Option<Result<PullRequest, CommandError>> {
    let mut closing = engine.shared.closing();
    tokio::select! {
        published = engine.publish(&session, "Lamplight".to_owned()) => Some(published),
        () = closed(&mut closing) => None,
    }
}

async fn not_published(
    engine: &Engine,
    thread: &mut Thread,
    head: String,
    error: CommandError,
    publishing: &Publishing,
) {
    tracing::warn!(session.id = %thread.session, %error, "the branch could not be published");
    // A turn that runs is over some time, and then its commit is published.
    if matches!(error, CommandError::Refused(_))
        || matches!(error.code(), "github_limited" | "github_unreachable")
    {
        return;
    }
    let count = {
        let mut tries = publishing.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() > THREADS {
            tries.clear();
        }
        let of = tries.entry(thread.session.clone()).or_insert_with(|| (head.clone(), 0));
        *of = if of.0 == head { (head.clone(), of.1 + 1) } else { (head.clone(), 1) };
        of.1
    };
    let is_for_a_person = matches!(
        error.code(),
        "branch_diverged" | "branch_protected" | "merge_conflict" | "pull_request_closed"
    );
    if count < TRIES && !is_for_a_person {
        return;
    }
    thread.problem = Some(match &error {
        CommandError::Invalid { message, what_to_do, .. } if is_for_a_person => {
            format!("{message}. {what_to_do}")
        }
        other => other.to_string(),
    });
    let (session, problem) = (thread.session.clone(), thread.problem.clone());
    let change = ForgeChange::Problem { session, problem, at: Some(head) };
    if let Err(error) = engine.shared.store.forge(change).await {
        tracing::warn!(session.id = %thread.session, %error, "a problem could not be written down");
    }
}

async fn tell(engine: &Engine, github: &GitHub, thread: &Thread, text: String) -> Result<(), CommandError> {
    let (Some(comment), false) = (thread.comment, thread.told == text) else { return Ok(()) };
    let Some(repository) = github.repository(&thread.repository) else { return Ok(()) };
    match github.edit_comment(&repository, comment, &text).await {
        // Somebody removed it, and does not want another.
        Ok(()) | Err(GitHubError::NotFound { .. }) => {}
        Err(error) => return Err(crate::pull_request::in_words(error)),
    }
    let change = ForgeChange::Told { session: thread.session.clone(), told: text };
    engine.shared.store.forge(change).await?;
    Ok(())
}
