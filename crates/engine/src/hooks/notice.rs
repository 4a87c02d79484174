//! What hooks are told of: which entries of a log, and in which words. It is no more than what lists show of a session, and what happened.

use crate::engine::Shared;
use lamplight_domain::event::{Commit, Guard, Outcome};
use lamplight_domain::session::{Phase, Session, SessionView};
use lamplight_domain::{
    Entry, Event, FailureClass, PullRequest, Seq, SessionId, Side, Timestamp, TurnNumber,
};
use lamplight_store::NoticeRow;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// What a hook can be told of. A word that was sent once means the same for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// The session waits for a sandbox.
    SessionQueued,
    /// The agent begins with a prompt.
    TurnStarted,
    /// The agent asks for leave, or a question, and waits for a person.
    PersonNeeded,
    /// The agent came to the end of a prompt, or a person stopped it.
    TurnEnded,
    TurnFailed,
    /// A guard or a budget stopped it.
    TurnTripped,
    WorkCommitted,
    PullRequestPublished,
}

/// It is the word for none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchNotice;

impl NoticeKind {
    pub const ALL: [Self; 8] = [
        Self::SessionQueued,
        Self::TurnStarted,
        Self::PersonNeeded,
        Self::TurnEnded,
        Self::TurnFailed,
        Self::TurnTripped,
        Self::WorkCommitted,
        Self::PullRequestPublished,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionQueued => "session.queued",
            Self::TurnStarted => "turn.started",
            Self::PersonNeeded => "person.needed",
            Self::TurnEnded => "turn.ended",
            Self::TurnFailed => "turn.failed",
            Self::TurnTripped => "turn.tripped",
            Self::WorkCommitted => "work.committed",
            Self::PullRequestPublished => "pull_request.published",
        }
    }

    /// All of them, for who has to choose.
    pub fn all_in_words() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NoticeKind {
    type Err = NoSuchNotice;

    fn from_str(text: &str) -> Result<Self, NoSuchNotice> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(NoSuchNotice)
    }
}

/// As it is sent: the payload that the Standard Webhooks specification recommends.
#[derive(Serialize)]
struct Notice<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    /// When it happened.
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    session_id: &'a SessionId,
    title: &'a str,
    repository: &'a str,
    branch: &'a str,
    person: &'a str,
    status: Phase,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    turn: TurnNumber,
    /// Of the entry that tells it; later ones of the session have larger ones.
    seq: Seq,
    /// The session's page.
    link: String,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    Queued { queue_position: u32, estimated_wait_seconds: u64 },
    Asked { asks: &'static str },
    Ended { result: &'static str },
    Failed { side: Side, class: FailureClass, detail: &'a str },
    Tripped { guard: Guard, detail: &'a str },
    Committed { commit: &'a Commit },
    Published { pull_request: &'a PullRequest },
    NoMore {},
}

/// What of entries hooks are told; `session` is what they made of it.
pub(crate) fn notices(
    shared: &Shared,
    session: &Session,
    view: &SessionView,
    entries: &[Entry],
) -> Vec<NoticeRow> {
    let told = entries.iter().filter_map(|entry| {
        let (kind, what) = match &entry.event {
            Event::SandboxQueued { .. } => {
                (NoticeKind::SessionQueued, queued(shared, session, view, entry.at))
            }
            event => told(event, entries)?,
        };
        Some(row(&shared.hooks.address, view, entry, kind, what))
    });
    told.collect()
}

fn queued(shared: &Shared, session: &Session, view: &SessionView, at: Timestamp) -> What<'static> {
    match shared.queue.expected(&view.id, session, at) {
        Some(entry) => What::Queued {
            queue_position: entry.position,
            estimated_wait_seconds: entry.estimated_wait_ms.div_ceil(1000),
        },
        // It was let in with the same entries.
        None => What::NoMore {},
    }
}

/// `among` are those that are written with it: of what is over at once nobody needs to hear that it began.
fn told<'a>(event: &'a Event, among: &[Entry]) -> Option<(NoticeKind, What<'a>)> {
    let is_over = |ends: &dyn Fn(&Event) -> bool| among.iter().any(|entry| ends(&entry.event));
    let told = match event {
        Event::TurnStarted { turn, attempt: 1, .. }
            if !is_over(&|other| matches!(other, Event::TurnEnded { turn: ended, .. } if ended == turn)) =>
        {
            (NoticeKind::TurnStarted, What::NoMore {})
        }
        Event::PermissionAsked { request, .. }
            if !is_over(
                &|other| matches!(other, Event::PermissionAnswered { request: answered, .. } if answered == request),
            ) =>
        {
            (NoticeKind::PersonNeeded, What::Asked { asks: "permission" })
        }
        Event::QuestionAsked(asked)
            if !is_over(
                &|other| matches!(other, Event::QuestionAnswered(answered) if answered.request == asked.request),
            ) =>
        {
            (NoticeKind::PersonNeeded, What::Asked { asks: "question" })
        }
        Event::TurnEnded { outcome, .. } => match outcome {
            Outcome::Completed { .. } => (NoticeKind::TurnEnded, What::Ended { result: "completed" }),
            Outcome::Stopped { .. } => (NoticeKind::TurnEnded, What::Ended { result: "stopped" }),
            Outcome::Tripped { guard, detail } => {
                (NoticeKind::TurnTripped, What::Tripped { guard: *guard, detail })
            }
            Outcome::Failed { failure } => (
                NoticeKind::TurnFailed,
                What::Failed { side: failure.side, class: failure.class, detail: &failure.message },
            ),
        },
        Event::WorkNotCommitted { failure, .. } => (
            NoticeKind::TurnFailed,
            What::Failed { side: failure.side, class: failure.class, detail: &failure.message },
        ),
        Event::WorkCommitted { commit: Some(commit), .. } => {
            (NoticeKind::WorkCommitted, What::Committed { commit })
        }
        Event::PullRequestPublished { pull_request, .. } => {
            (NoticeKind::PullRequestPublished, What::Published { pull_request })
        }
        _ => return None,
    };
    Some(told)
}

fn row(address: &str, view: &SessionView, entry: &Entry, kind: NoticeKind, what: What<'_>) -> NoticeRow {
    let data = Data {
        session_id: &view.id,
        title: &view.title,
        repository: &view.repository,
        branch: &view.branch,
        person: &view.person.name,
        status: view.phase,
        reason: view.reason.as_deref(),
        turn: view.turn,
        seq: entry.seq,
        link: format!("{address}/sessions/{}", view.id),
        what,
    };
    let notice = Notice { kind: kind.as_str(), timestamp: rfc3339(entry.at), data };
    let body = serde_json::to_string(&notice).expect("a notice is strings and numbers");
    NoticeRow { seq: entry.seq, kind: kind.as_str().to_owned(), body }
}

/// What a hook is told to see whether it hears.
pub(super) fn test_body(address: &str, hook: &str, at: Timestamp) -> String {
    let timestamp = rfc3339(at);
    serde_json::json!({
        "type": "hook.test",
        "timestamp": timestamp,
        "data": { "hook_id": hook, "link": format!("{address}/settings/hooks") },
    })
    .to_string()
}

/// In UTC, to the millisecond.
fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map(|moment| format!("{moment:.3}")).unwrap_or_default()
}
