//! From decided events to durable entries that readers have seen.

use super::Reply;
use crate::CommandError;
use crate::audit;
use crate::engine::Shared;
use crate::failures;
use crate::hooks;
use crate::hub::Hub;
use bytes::Bytes;
use lamplight_domain::session::{Refusal, Session, SessionView};
use lamplight_domain::{Entry, Event, Redactor, Seq, SessionId, SessionSpec, Timestamp};
use lamplight_store::{Append, AppendError, AuditEntry, NoticeRow, Remembered, SummaryRow, UsageRow};
use std::time::Duration;
use tokio::time::Instant;

/// How long an actor waits before it tries a full disk, or a database that is away, again.
pub(crate) const STORE_WAIT: Duration = Duration::from_secs(1);

/// An event with the amount of agent output that it accounts for.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub event: Event,
    pub read: Option<u64>,
}

impl From<Event> for Fact {
    fn from(event: Event) -> Self {
        Self { event, read: None }
    }
}

/// What lists and hooks are told of entries.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    summary: SummaryRow,
    notices: Vec<NoticeRow>,
}

impl Told {
    /// Of a session about which nothing was decided yet: what follows from its first entries is still to be seen, by whoever wakes it.
    pub(crate) fn undecided(self) -> Self {
        Self { summary: SummaryRow { open: true, ..self.summary }, ..self }
    }
}

/// What is written with entries that somebody asked for.
#[derive(Debug, Default)]
pub(crate) struct AskedFor {
    pub once: Option<Remembered>,
    pub audited: Vec<AuditEntry>,
}

/// `session` is what the entries have made of it, and `view` how that looks.
pub(crate) fn told(shared: &Shared, session: &Session, view: &SessionView, entries: &[Entry]) -> Told {
    Told { summary: summary(session, view), notices: hooks::notices(shared, session, view, entries) }
}

/// Entries that follow `last`, all of the same moment. There is no other way into a log, so no secret comes into one.
pub(crate) fn entries(
    redactor: &Redactor,
    last: Seq,
    at: Timestamp,
    facts: impl IntoIterator<Item = (Event, Option<u64>)>,
) -> Vec<Entry> {
    let mut seq = last;
    facts
        .into_iter()
        .map(|(event, read)| {
            seq = seq.next();
            Entry { seq, at, read, event: redactor.event(event) }
        })
        .collect()
}

/// Appends entries and shows them to readers; when this returns, they are on disk.
pub(crate) async fn append(
    shared: &Shared,
    hub: &Hub,
    (id, spec): (&SessionId, &SessionSpec),
    entries: &[Entry],
    told: Option<Told>,
    asked: AskedFor,
) -> Result<(), AppendError> {
    let Some(first) = entries.first() else { return Ok(()) };
    let (summary, notices) = told.map(|told| (told.summary, told.notices)).unzip();
    let notices = notices.unwrap_or_default();
    let is_news = !notices.is_empty();
    let frames: Vec<(Seq, Bytes)> = entries.iter().map(|entry| (entry.seq, encode(entry))).collect();
    let redactor = shared.config.redaction.now();
    let append = Append {
        session: id.clone(),
        expected_last: Seq(first.seq.0 - 1),
        at: first.at,
        entries: frames.iter().map(|(_, frame)| frame.clone()).collect(),
        summary,
        text: entries.iter().filter_map(|entry| Some((entry.seq, searchable(&entry.event)?))).collect(),
        usage: entries.iter().filter_map(|entry| used(spec, entry)).collect(),
        notices,
        once: asked.once,
        audited: asked.audited.into_iter().map(|entry| audit::clean(&redactor, entry)).collect(),
    };
    let begun = Instant::now();
    let appended = shared.store.append(append).await;
    note_whether_it_takes(shared, appended.as_ref().err());
    appended?;
    shared.metrics.saw(entries, begun.elapsed());
    failures::tell(id, entries);
    hub.publish(&frames);
    shared.traces.saw(id, entries);
    if is_news {
        shared.hooks.news.notify_one();
    }
    Ok(())
}

fn note_whether_it_takes(shared: &Shared, error: Option<&AppendError>) {
    let why = error.filter(|error| matches!(error, AppendError::StorageFull | AppendError::Unreachable(_)));
    shared.refused_by_store.send_if_modified(|refused| {
        let is_news = refused.is_some() != why.is_some();
        *refused = why.cloned();
        is_news
    });
}

/// Like [`append`], for what must not be refused: waits while the disk is full or the database away, so that the agent waits with it.
pub(super) async fn append_when_it_can_be(
    shared: &Shared,
    hub: &Hub,
    (id, spec): (&SessionId, &SessionSpec),
    entries: &[Entry],
    told: Option<Told>,
) -> Result<(), CommandError> {
    loop {
        match append(shared, hub, (id, spec), entries, told.clone(), AskedFor::default()).await {
            Err(_) if !shared.servers.is_held() => return Err(CommandError::Moved),
            Err(AppendError::StorageFull) => {
                tracing::warn!(session.id = %id, "the disk is full; the session waits for space");
                tokio::time::sleep(STORE_WAIT).await;
            }
            Err(AppendError::Unreachable(why)) => {
                tracing::warn!(session.id = %id, "the session waits for the database: {why}");
                tokio::time::sleep(STORE_WAIT).await;
            }
            other => return Ok(other?),
        }
    }
}

/// Nothing of it was decided, then. The error is why the session cannot go on.
pub(super) fn not_written(
    error: &AppendError,
    answers: Vec<(Reply, Result<SessionView, Refusal>)>,
) -> Result<(), CommandError> {
    for (reply, _) in answers {
        let _ = reply.send(Err(error.clone().into()));
    }
    match error {
        // Of what was done before for the same key its caller looks for the answer.
        AppendError::StorageFull | AppendError::Unreachable(_) | AppendError::Repeated(_) => Ok(()),
        AppendError::Fenced => Err(CommandError::Moved),
        AppendError::Conflict { .. }
        | AppendError::Quarantined(_)
        | AppendError::Refused(_)
        | AppendError::Failed(_) => Err(CommandError::Busy),
    }
}

/// Whether lists may show something else after this.
pub(super) fn changes_the_list(event: &Event) -> bool {
    !matches!(
        event,
        Event::AgentSpoke { .. }
            | Event::AgentThought { .. }
            | Event::PlanChanged { .. }
            | Event::ContextMeasured { .. }
            | Event::AgentSent { .. }
            | Event::AgentLogged { .. }
            | Event::InputQueued { .. }
            | Event::TerminalOpened { .. }
            | Event::SandboxUsed { .. }
    )
}

fn encode(entry: &Entry) -> Bytes {
    serde_json::to_vec(entry).expect("an entry is strings, numbers and JSON values").into()
}

/// What people may look for.
fn searchable(event: &Event) -> Option<String> {
    match event {
        Event::SessionCreated { spec } => Some(spec.title.clone()),
        Event::PromptQueued { text, .. }
        | Event::PromptEdited { text, .. }
        | Event::AgentSpoke { text, .. } => Some(text.clone()),
        Event::ToolCalled { call, .. } => call.title.clone(),
        Event::QuestionAsked(asked) => Some(asked.question.message.clone()),
        _ => None,
    }
}

/// What the store sums up.
fn used(spec: &SessionSpec, entry: &Entry) -> Option<UsageRow> {
    let Event::TokensUsed { model, tokens, cost_micros, priced_by, is_estimated, .. } = &entry.event else {
        return None;
    };
    Some(UsageRow {
        seq: entry.seq,
        at: entry.at,
        person: spec.person.name.clone(),
        repository: spec.repository.clone(),
        model: model.clone(),
        tokens: *tokens,
        cost_micros: *cost_micros,
        priced_by: priced_by.clone(),
        is_estimated: *is_estimated,
    })
}

/// The session as lists show it, from its view. `open` sessions are woken when the server starts.
fn summary(session: &Session, view: &SessionView) -> SummaryRow {
    SummaryRow {
        id: view.id.clone(),
        created_at: view.created_at,
        updated_at: view.updated_at,
        last_seq: view.last_seq,
        phase: phase_word(view),
        title: view.title.clone(),
        repository: view.repository.clone(),
        agent: view.agent.clone(),
        open: !is_quiet(session, view.updated_at),
        person: view.person.name.clone(),
        archived: view.archived,
        dead: view.dead,
        body: serde_json::to_string(view).expect("a view is strings, numbers and JSON values"),
    }
}

fn phase_word(view: &SessionView) -> String {
    match serde_json::to_value(view.phase) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Nothing was owed at the last decision and nothing waits, so the actor may sleep.
pub(super) fn is_quiet(session: &Session, last: Timestamp) -> bool {
    session.owed(last).is_empty() && session.next_deadline(last).is_none()
}
