//! People who ask whichever server they reach, and hear of it or not.

use crate::asking::{is_allowed, is_at_work, new_session};
use crate::check::Wanted;
use crate::fault::Fault;
use crate::reader::{self, Seen};
use crate::universe::{Universe, lock};
use lamplight_domain::SessionId;
use lamplight_domain::session::{Phase, SandboxState, SessionView};
use lamplight_engine::{CommandError, Engine, NewSession, Whereabouts};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Sessions of one run.
const MOST_SESSIONS: usize = 3;
const ADA: &str = "Ada";

pub(super) struct People {
    world: Arc<Universe>,
    repository: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sessions: BTreeMap<SessionId, Known>,
    wanted: Wanted,
    keys: BTreeMap<String, SessionId>,
    /// What was asked for and not answered, with its key.
    unanswered: Option<(String, NewSession)>,
    prompts: u64,
    /// On its way to another server.
    passed_on: Vec<PassedOn>,
    /// Servers that do not reach each other until then: the one that asks, and the one that is asked.
    apart: BTreeMap<(i64, i64), Duration>,
}

struct PassedOn {
    server: i64,
    /// When it arrives.
    at: Duration,
    errand: Errand,
}

/// What people know of a session.
#[derive(Default)]
struct Known {
    phase: Option<Phase>,
    sandbox: SandboxState,
    seen: Seen,
    /// Whoever follows it has this.
    following: Arc<tokio::sync::Mutex<()>>,
}

/// Something that somebody asks.
#[derive(Clone)]
pub(super) enum Errand {
    Create { key: String, new: Box<NewSession> },
    About { session: SessionId, what: What, is_passed_on: bool },
}

#[derive(Clone)]
pub(super) enum What {
    Prompt(String),
    Stop,
    Permit { yes: bool },
    RemoveFirst,
    Retry,
    Priority(i8),
    Pause,
    Resume,
    End,
    Look,
    Follow,
}

impl Errand {
    pub(super) fn about(session: &SessionId, what: What) -> Self {
        Self::About { session: session.clone(), what, is_passed_on: false }
    }

    /// What a prompt says is said once: nothing tells the second one from another that says the same.
    pub(super) fn may_come_twice(&self) -> bool {
        match self {
            Self::Create { .. } => true,
            Self::About { what: What::Prompt(_) | What::Look | What::Follow, .. } => false,
            Self::About {
                what:
                    What::Stop
                    | What::Permit { .. }
                    | What::RemoveFirst
                    | What::Retry
                    | What::Priority(_)
                    | What::Pause
                    | What::Resume
                    | What::End,
                ..
            } => true,
        }
    }
}

impl People {
    pub(super) fn new(world: Arc<Universe>, repository: PathBuf) -> Self {
        Self { world, repository, state: Mutex::default() }
    }

    pub(super) fn sessions(&self) -> Vec<SessionId> {
        lock(&self.state).sessions.keys().cloned().collect()
    }

    /// As each was seen last.
    pub(super) fn phases(&self) -> Vec<(SessionId, Option<Phase>)> {
        lock(&self.state).sessions.iter().map(|(id, known)| (id.clone(), known.phase)).collect()
    }

    /// Whether all were seen at rest, with nothing that is still to come to its end.
    pub(super) fn is_quiet(&self) -> bool {
        lock(&self.state).sessions.values().all(|known| {
            let has_ended = matches!(known.sandbox, SandboxState::None | SandboxState::Stopped);
            has_ended && known.phase.is_some_and(|phase| !is_at_work(phase))
        })
    }

    /// What was accepted, and what was seen of each session; at the end.
    pub(super) fn expect(&self) -> (Wanted, BTreeMap<SessionId, Seen>) {
        let mut state = lock(&self.state);
        let seen = state.sessions.iter().map(|(id, known)| (id.clone(), known.seen.clone())).collect();
        (std::mem::take(&mut state.wanted), seen)
    }

    /// What was asked at a server that does not have the session, and has come to the one that has it by now.
    pub(super) fn passed_on(&self, now: Duration) -> Vec<(i64, Errand)> {
        let mut state = lock(&self.state);
        let arrived = state.passed_on.extract_if(.., |passed_on| passed_on.at <= now);
        arrived.map(|passed_on| (passed_on.server, passed_on.errand)).collect()
    }

    /// To the server that has the session, if anything comes there from this one.
    fn pass_on(&self, from: i64, server: i64, errand: Errand) {
        let (mut state, mut at) = (lock(&self.state), self.world.clock.elapsed());
        let ways = (from, server);
        let odds = self.world.weather().between;
        if odds > 0 && state.apart.get(&ways).is_some_and(|until| at < *until) {
            return;
        }
        if self.world.happens(odds) {
            match self.world.number(0..3) {
                0 => {
                    self.world.struck(Fault::Apart);
                    state.apart.insert(ways, at + Duration::from_millis(self.world.number(1..30_000)));
                    return;
                }
                1 => {
                    self.world.struck(Fault::Delayed);
                    at += Duration::from_millis(self.world.number(1..40_000));
                }
                _ if errand.may_come_twice() => {
                    self.world.struck(Fault::Doubled);
                    state.passed_on.push(PassedOn { server, at, errand: errand.clone() });
                }
                _ => {}
            }
        }
        state.passed_on.push(PassedOn { server, at, errand });
    }

    /// Whatever somebody wants next.
    pub(super) fn think_of(&self) -> Errand {
        let mut state = lock(&self.state);
        let count = state.sessions.len() as u64;
        let wants_more = state.sessions.len() < MOST_SESSIONS && self.world.happens(150);
        if state.unanswered.is_some() || count == 0 || wants_more {
            return self.create(&mut state);
        }
        let nth = self.world.number(0..count) as usize;
        let session = state.sessions.keys().nth(nth).cloned().expect("it is one of them");
        let what = match self.world.number(0..24) {
            0..8 => What::Prompt(text(&mut state)),
            8..10 => What::Stop,
            10..13 => What::Permit { yes: self.world.happens(700) },
            13 => What::RemoveFirst,
            14 => What::Retry,
            15 => What::Priority(self.world.number(0..9) as i8),
            16 => What::Pause,
            17 | 18 => What::Resume,
            19 if self.world.happens(300) => What::End,
            19 | 20 => What::Look,
            _ => What::Follow,
        };
        Errand::about(&session, what)
    }

    /// Under a key, and again under the same one when there was no answer.
    fn create(&self, state: &mut State) -> Errand {
        if state.unanswered.is_none() {
            let key = format!("key-{}", state.keys.len() + 1);
            let new = new_session(&self.world, &self.repository, text(state));
            state.unanswered = Some((key, new));
        }
        let (key, new) = state.unanswered.clone().expect("it was just asked for");
        Errand::Create { key, new: Box::new(new) }
    }

    /// What is still to be asked for before all can be at rest.
    pub(super) fn to_settle(&self) -> Vec<Errand> {
        let mut state = lock(&self.state);
        if state.unanswered.is_some() {
            return vec![self.create(&mut state)];
        }
        let waits = |known: &Known| known.phase == Some(Phase::WaitingForYou);
        let asked = state.sessions.iter().filter(|(_, known)| waits(known));
        asked.map(|(session, _)| Errand::about(session, What::Permit { yes: true })).collect()
    }

    /// Asks this server, which passes it on where the session is another's.
    pub(super) async fn ask(self: Arc<Self>, at: Arc<Universe>, engine: Engine, errand: Errand) {
        match errand {
            Errand::Create { key, new } => self.made(&engine, key, *new).await,
            Errand::About { session, what, is_passed_on: false } => {
                match engine.whereabouts(&session).await {
                    Whereabouts::Here => self.done(&at, &engine, &session, what).await,
                    Whereabouts::At { server, .. } => {
                        let errand = Errand::About { session, what, is_passed_on: true };
                        self.pass_on(at.machine(), server, errand);
                    }
                }
            }
            Errand::About { session, what, is_passed_on: true } => {
                self.done(&at, &engine, &session, what).await;
            }
        }
    }

    async fn made(&self, engine: &Engine, key: String, new: NewSession) {
        let text = new.prompt.clone();
        match engine.create_once(&key, "the same", new).await {
            Ok(view) => {
                let mut state = lock(&self.state);
                if state.unanswered.as_ref().is_some_and(|(asked, _)| *asked == key) {
                    state.unanswered = None;
                }
                match state.keys.insert(key.clone(), view.id.clone()) {
                    None => {
                        state.wanted.accepted(&view.id, &text);
                        state.sessions.insert(view.id, Known::default());
                    }
                    Some(before) if before != view.id => {
                        self.world.wrong(format!("{key} made {before} and {}", view.id));
                    }
                    Some(_) => {}
                }
            }
            Err(error) => self.refused(&error),
        }
    }

    async fn done(&self, at: &Arc<Universe>, engine: &Engine, session: &SessionId, what: What) {
        let by = ADA.to_owned();
        let answer = match what {
            What::Prompt(text) => {
                match engine.prompt(session, text.clone(), Vec::new(), by, None).await {
                    Ok(_) => lock(&self.state).wanted.accepted(session, &text),
                    Err(error) => self.refused(&error),
                }
                return;
            }
            What::Follow => return self.follow(at, engine, session).await,
            What::Permit { yes } => match engine.view(session).await {
                Ok(SessionView { permission: Some(open), .. }) => {
                    engine.answer(session, open.request, yes.then(|| "yes".to_owned()), by).await
                }
                other => other,
            },
            What::RemoveFirst => match engine.view(session).await {
                Ok(view) => match view.queued.first() {
                    Some(queued) => engine.remove_prompt(session, &queued.prompt, by).await,
                    None => Ok(view),
                },
                other => other,
            },
            What::Stop => engine.stop(session, by).await,
            What::Retry => engine.retry(session, by).await,
            What::Priority(priority) => engine.set_priority(session, priority, by).await,
            What::Pause => engine.pause(session, by).await,
            What::Resume => engine.resume(session, by).await,
            What::End => engine.end(session, by).await,
            What::Look => engine.view(session).await,
        };
        match answer {
            Ok(view) => {
                if let Some(known) = lock(&self.state).sessions.get_mut(session) {
                    (known.phase, known.sandbox) = (Some(view.phase), view.sandbox_state);
                }
            }
            Err(error) => self.refused(&error),
        }
    }

    /// One reader, wherever it is let in.
    async fn follow(&self, at: &Arc<Universe>, engine: &Engine, session: &SessionId) {
        let known = lock(&self.state)
            .sessions
            .get(session)
            .map(|known| (known.seen.clone(), Arc::clone(&known.following)));
        let Some((seen, following)) = known else { return };
        if let Ok(_alone) = following.try_lock() {
            reader::visit(at, engine, session, &seen).await;
        }
    }

    fn refused(&self, error: &CommandError) {
        let is_of_several = matches!(
            error,
            CommandError::Unreachable(_) | CommandError::StorageUnavailable(_) | CommandError::Moved
        );
        if !is_of_several && !is_allowed(error) {
            self.world.wrong(format!("somebody is told {error:#}"));
        }
    }
}

/// Unlike every other.
fn text(state: &mut State) -> String {
    state.prompts += 1;
    format!("task {}", state.prompts)
}
