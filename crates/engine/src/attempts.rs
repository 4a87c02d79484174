//! One task for several sessions, of which a person takes one.
//!
//! ```text
//! one request ─▶ all of them are drafted, or none is made ─▶ each is a session like any other, and knows the others
//! a person takes one ─▶ the choice is written down, and stays ─▶ each session is told: the one goes on, the others stop and end
//! ```
//! Who is told late, because its server was away or ended in between, is told by the next look: the choice is there until all are.

use crate::create;
use crate::engine::{Engine, Shared, closed, parse_view};
use crate::error::CommandError;
use crate::servers::Whereabouts;
use crate::{NewSession, clock, ids};
use lamplight_domain::session::{Command, Refusal, SessionView};
use lamplight_domain::{Attempts, Entry, Event, SessionId};
use lamplight_store::{Choice, ChoiceChange};
use std::sync::Arc;
use std::time::Duration;

/// From one look at what was chosen to the next.
const PERIOD: Duration = Duration::from_secs(5);
/// Choices of one look.
const CHOICES: usize = 100;
/// The end of a log in which the last message is looked for; entries, and characters of the message.
const LAST_ENTRIES: usize = 400;
const MESSAGE_CHARS: usize = 4_000;

/// What one attempt has of its own; `None` is as it is for all.
#[derive(Debug, Clone, Default)]
pub struct NewAttempt {
    pub agent: Option<String>,
    /// In that agent's words. Where only the agent is said, its own default.
    pub model: Option<String>,
}

/// How an attempt stands.
#[derive(Debug, Clone)]
pub struct AttemptNow {
    pub session: SessionView,
    /// Of its branch against its base; `None` where git cannot say.
    pub changed: Option<Changed>,
    /// What the agent said last.
    pub said: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changed {
    pub files: u32,
    pub insertions: u32,
    pub deletions: u32,
}

impl Engine {
    /// Gives one task to as many sessions as there are in `each`; gives the first. With a key and a fingerprint the same request again gives
    /// the same sessions, and makes those that an earlier one did not come to.
    pub async fn create_attempts(
        &self,
        once: Option<(&str, &str)>,
        new: NewSession,
        each: Vec<NewAttempt>,
    ) -> Result<SessionView, CommandError> {
        let shared = &self.shared;
        refuse_number(each.len(), shared.config.attempts)?;
        let mut first = match once {
            Some((key, fingerprint)) => match shared.store.recall(key, clock::now()).await? {
                Some(before) => Some(create::made_before(shared, before, fingerprint).await?),
                None => None,
            },
            None => None,
        };
        let known = first.as_ref().and_then(|first| first.attempts.as_ref());
        let sessions: Vec<SessionId> = match known {
            Some(attempts) => attempts.of.sessions.clone(),
            None => each.iter().map(|_| ids::session_id()).collect(),
        };
        let mut drafted = Vec::new();
        for ((number, id), own) in (1..).zip(&sessions).zip(each) {
            if first.is_some() && shared.store.summary(id).await?.is_some() {
                continue;
            }
            let attempts = Attempts { number, sessions: sessions.clone() };
            let (id, prompt) = (id.clone(), ids::prompt_id());
            drafted.push(create::draft(shared, id, prompt, own.of(&new), Some(attempts)).await?);
        }
        for drafted in drafted {
            let is_first = first.is_none();
            let made = create::keep(shared, drafted, once.filter(|_| is_first)).await?;
            if is_first && made.id != sessions[0] {
                // The same request was faster.
                return Ok(made);
            }
            first.get_or_insert(made);
        }
        first.ok_or(CommandError::NotFound)
    }

    /// Takes this attempt; the others stop and end. Again is fine; another one after it is refused.
    pub async fn take_attempt(&self, id: &SessionId, by: String) -> Result<SessionView, CommandError> {
        let (view, store) = (self.view(id).await?, &self.shared.store);
        let Attempts { sessions, .. } = &view.attempts.as_ref().ok_or(Refusal::NotAnAttempt)?.of;
        let Some(first) = sessions.first() else { return Err(Refusal::NotAnAttempt.into()) };
        if view.ended && store.choice(first).await?.is_none() {
            return Err(Refusal::Ended.into());
        }
        let (sessions, session) = (sessions.clone(), id.clone());
        let choice = Choice { sessions: sessions.clone(), session, by, at: clock::now() };
        store.change_choice(ChoiceChange::Make(choice)).await?;
        let choice = store.choice(first).await?.ok_or(CommandError::NotFound)?;
        if choice.session != *id {
            let of = Attempts { number: 0, sessions };
            let number = of.number_of(&choice.session).unwrap_or_default();
            return Err(Refusal::AttemptTaken { number, by: choice.by }.into());
        }
        self.tell_attempts(&choice).await?;
        self.view(id).await
    }

    /// How all attempts stand that this one is among, in their order, without those that were never begun.
    pub async fn attempts(&self, id: &SessionId) -> Result<Vec<AttemptNow>, CommandError> {
        let attempts = self.view(id).await?.attempts.ok_or(Refusal::NotAnAttempt)?;
        let mut all = Vec::new();
        for id in &attempts.of.sessions {
            let session = match self.view(id).await {
                Err(CommandError::NotFound) => continue,
                view => view?,
            };
            let (changed, said) = (self.changed(&session).await, self.said_last(&session).await?);
            all.push(AttemptNow { session, changed, said });
        }
        Ok(all)
    }

    async fn changed(&self, session: &SessionView) -> Option<Changed> {
        match &session.commits[..] {
            [] => Some(Changed::default()),
            [only] => {
                let commit = &only.commit;
                let (files, insertions, deletions) = (commit.files, commit.insertions, commit.deletions);
                Some(Changed { files, insertions, deletions })
            }
            _ => {
                let diff = self.diff(&session.id, None).await.ok()?;
                let files = u32::try_from(diff.files.len()).unwrap_or(u32::MAX);
                let insertions = diff.files.iter().map(|file| file.insertions).sum();
                let deletions = diff.files.iter().map(|file| file.deletions).sum();
                Some(Changed { files, insertions, deletions })
            }
        }
    }

    pub(crate) async fn said_last(&self, session: &SessionView) -> Result<String, CommandError> {
        let end = session.last_seq.next();
        let (mut said, mut is_over) = (String::new(), false);
        for (_, bytes) in self.shared.store.read_before(&session.id, end, LAST_ENTRIES).await? {
            match serde_json::from_slice::<Entry>(&bytes).map(|entry| entry.event) {
                Ok(Event::AgentSpoke { text, .. }) => {
                    if std::mem::take(&mut is_over) {
                        said.clear();
                    }
                    said.push_str(&text);
                }
                Ok(Event::ToolCalled { .. } | Event::TurnStarted { .. }) => is_over = true,
                Ok(_) | Err(_) => {}
            }
        }
        Ok(said.chars().take(MESSAGE_CHARS).collect())
    }

    /// Tells those sessions of a choice that are here and have not been told. Whoever is elsewhere is told there.
    async fn tell_attempts(&self, choice: &Choice) -> Result<(), CommandError> {
        let store = &self.shared.store;
        let mut is_settled = true;
        for id in &choice.sessions {
            let Some(row) = store.summary(id).await? else { continue };
            let view = parse_view(&row.body)?;
            if view.attempts.is_none_or(|attempts| attempts.taken.is_some()) {
                continue;
            }
            if self.whereabouts(id).await != Whereabouts::Here {
                is_settled = false;
                continue;
            }
            let command = Command::TakeAttempt { session: choice.session.clone(), by: choice.by.clone() };
            if let Err(error) = self.command(id, command).await {
                tracing::warn!(session.id = %id, %error, "an attempt does not hear that one was taken; the next look tells it again");
                is_settled = false;
            }
        }
        if let (true, Some(first)) = (is_settled, choice.sessions.first()) {
            store.change_choice(ChoiceChange::Settle { attempts: first.clone() }).await?;
        }
        Ok(())
    }
}

impl NewAttempt {
    fn of(self, new: &NewSession) -> NewSession {
        let of_all = new.model.clone().filter(|_| self.agent.is_none());
        let (agent, model) = (self.agent.or_else(|| new.agent.clone()), self.model.or(of_all));
        NewSession { agent, model, ..new.clone() }
    }
}

fn refuse_number(asked: usize, most: u32) -> Result<(), CommandError> {
    if (2..=most as usize).contains(&asked) {
        return Ok(());
    }
    let (message, what_to_do) = match most {
        0 | 1 => ("one task is given to one session here".to_owned(), "set attempts.most higher"),
        _ => (
            format!("one task can be given to 2 to {most} sessions at once, not to {asked}"),
            "ask for another number, or set attempts.most higher",
        ),
    };
    Err(CommandError::invalid("attempts_out_of_bounds", message, what_to_do))
}

/// Tells, for as long as the engine runs, whoever has not heard of a choice. It takes no input: every look is complete.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut closing = shared.closing();
    let engine = Engine { shared };
    loop {
        if engine.shared.servers.is_held()
            && let Err(error) = look(&engine).await
        {
            tracing::warn!(%error, "attempts could not be told which one was taken; the next look tries again");
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = closed(&mut closing) => return,
        }
    }
}

async fn look(engine: &Engine) -> Result<(), CommandError> {
    for choice in engine.shared.store.unsettled_choices(CHOICES).await? {
        engine.tell_attempts(&choice).await?;
    }
    Ok(())
}
