//! What must be so when everything has come to rest: section 11 of the founding design, as far as it is about what is simulated.

use crate::Told;
use crate::reader::Seen;
use crate::repository::{Commit, Repository};
use crate::universe::{Universe, lock};
use bytes::Bytes;
use lamplight_agent::Context;
use lamplight_domain::agent::AgentInput;
use lamplight_domain::event::Outcome;
use lamplight_domain::permission::Policy;
use lamplight_domain::session::Session;
use lamplight_domain::{Entry, Event, PromptId, Seq, SessionId, TurnNumber};
use lamplight_engine::{Engine, LogRange, SessionQuery};
use lamplight_sandbox::provider::inside;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What people were told is accepted.
#[derive(Default)]
pub(crate) struct Wanted(Vec<(SessionId, String)>);

impl Wanted {
    pub(crate) fn accepted(&mut self, session: &SessionId, text: &str) {
        self.0.push((session.clone(), text.to_owned()));
    }
}

/// All of it, of all sessions.
pub(crate) async fn all(
    universe: &Universe,
    engine: &Engine,
    sessions: &[SessionId],
    wanted: &Wanted,
    readers: &BTreeMap<SessionId, Seen>,
) -> Told {
    let count = *lock(&universe.count);
    let mut told = Told { stops: count.stops, faults: count.faults, ..Told::default() };
    let mut trace = DefaultHasher::new();
    for id in sessions {
        let frames = frames(universe, engine, id).await;
        let Some(entries) = entries(universe, id, &frames) else { continue };
        let log = Log { universe, id, entries: &entries };
        log.is_whole();
        log.is_what_is_shown(engine).await;
        if let Some(seen) = readers.get(id) {
            log.is_what_was_seen(seen, &frames);
        }
        log.agents_were_told_once();
        log.nothing_said_is_lost();
        log.every_prompt_has_an_end(engine, wanted).await;
        log.one_commit_for_a_turn();
        told.sessions += 1;
        told.entries += entries.len();
        told.turns += entries.iter().filter(|entry| matches!(entry.event, Event::TurnEnded { .. })).count();
        frames.hash(&mut trace);
    }
    let listed = engine.sessions(SessionQuery { limit: 100, ..SessionQuery::default() }).await;
    match listed {
        Ok(page) if page.items.len() == sessions.len() => {}
        Ok(page) => universe.wrong(format!(
            "there are {} sessions, and {} were asked for",
            page.items.len(),
            sessions.len()
        )),
        Err(error) => universe.wrong(format!("sessions cannot be listed: {error:#}")),
    }
    for ((session, process), conversation) in lock(&universe.agents).iter() {
        (session.as_str(), process, &conversation.told).hash(&mut trace);
    }
    told.trace = trace.finish();
    told
}

async fn frames(universe: &Universe, engine: &Engine, id: &SessionId) -> Vec<(u64, Bytes)> {
    let mut frames: Vec<(u64, Bytes)> = Vec::new();
    loop {
        let seq = Seq(frames.last().map_or(0, |(seq, _)| *seq));
        match engine.log(id, LogRange::After { seq, limit: 500 }).await {
            Ok(page) if page.entries.is_empty() => return frames,
            Ok(page) => frames.extend(page.entries.into_iter().map(|(seq, frame)| (seq.0, frame))),
            Err(error) => {
                universe.wrong(format!("the log of {id} cannot be read: {error:#}"));
                return frames;
            }
        }
    }
}

fn entries(universe: &Universe, id: &SessionId, frames: &[(u64, Bytes)]) -> Option<Vec<Entry>> {
    let parsed: Result<Vec<Entry>, _> =
        frames.iter().map(|(_, frame)| serde_json::from_slice(frame)).collect();
    match parsed {
        Ok(entries) => Some(entries),
        Err(error) => {
            universe.wrong(format!("an entry of {id} cannot be read: {error}"));
            None
        }
    }
}

struct Log<'a> {
    universe: &'a Universe,
    id: &'a SessionId,
    entries: &'a [Entry],
}

impl Log<'_> {
    fn wrong(&self, what: impl std::fmt::Display) {
        self.universe.wrong(format!("{}: {what}", self.id));
    }

    fn is_whole(&self) {
        let seqs = self.entries.iter().map(|entry| entry.seq.0);
        if !seqs.eq(1..=self.entries.len() as u64) {
            self.wrong("its entries are not numbered one after the other");
        }
    }

    /// Replaying the log gives the live state, and nothing is owed any more.
    async fn is_what_is_shown(&self, engine: &Engine) {
        let Ok(shown) = engine.view(self.id).await else { return self.wrong("it cannot be looked at") };
        let Some(session) = Session::replay(self.entries) else { return self.wrong("it has no beginning") };
        let replayed = session.view(self.id.clone());
        if serde_json::to_string(&replayed).ok() != serde_json::to_string(&shown).ok() {
            self.wrong(format_args!("the log says {replayed:?}, and shown is {shown:?}"));
        }
        let now = self.universe.clock.wall();
        let (owed, waits) = (session.owed(now), session.next_deadline(now));
        if !owed.is_empty() || waits.is_some() {
            self.wrong(format_args!("it is not at rest: {owed:?}, {waits:?}, {:?}", session.phase()));
        }
    }

    /// Whoever left and came back has seen everything once, in order; also what a server showed that crashed after it.
    fn is_what_was_seen(&self, seen: &Seen, frames: &[(u64, Bytes)]) {
        let seen = lock(&seen.0);
        let seen = seen.iter().map(|(seq, frame)| (seq.0, frame));
        for (at, (there, (seq, frame))) in
            frames.iter().map(|(seq, frame)| (*seq, frame)).zip(seen).enumerate()
        {
            if there != (seq, frame) {
                return self.wrong(format_args!("a reader saw {seq} as entry {}: {frame:?}", at + 1));
            }
        }
    }

    /// Each process was told what the log says it is told: from the first message on, in order, each once.
    fn agents_were_told_once(&self) {
        let Some(Event::SessionCreated { spec }) = self.entries.first().map(|entry| &entry.event) else {
            return;
        };
        let context = Context {
            cwd: inside::WORKSPACE.to_owned(),
            home: inside::HOME.to_owned(),
            images: BTreeMap::new(),
            questions: spec.permissions == Policy::Ask,
        };
        let mut logged: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for entry in self.entries {
            if let Event::InputQueued { run, n, input } = &entry.event {
                let all = logged.entry(format!("agent-{run}")).or_default();
                all.push(lamplight_agent::render(input, &context));
                if all.len() as u64 != *n {
                    self.wrong(format_args!("message {n} of run {run} is its {}th", all.len()));
                }
            }
        }
        for ((_, process), conversation) in
            lock(&self.universe.agents).iter().filter(|((id, _), _)| id == self.id)
        {
            let logged = logged.get(process).map_or(&[][..], Vec::as_slice);
            if !logged.starts_with(&conversation.told) {
                let text = |lines: &[Vec<u8>]| -> Vec<String> {
                    lines.iter().map(|line| String::from_utf8_lossy(line).trim().to_owned()).collect()
                };
                self.wrong(format_args!(
                    "{process} was told {:#?}, and the log says {:#?}",
                    text(&conversation.told),
                    text(logged)
                ));
            }
        }
    }

    /// What an agent says is in the log once and in order; all of it where its turn came to its end.
    fn nothing_said_is_lost(&self) {
        let mut next: BTreeMap<String, u64> = BTreeMap::new();
        let mut process = String::new();
        for entry in self.entries {
            let text = match &entry.event {
                Event::AgentSpoke { text, .. } => text,
                Event::AgentRequested { run, .. } => {
                    process = format!("agent-{run}");
                    continue;
                }
                Event::TurnEnded { turn, outcome: Outcome::Completed { .. } } => {
                    let agents = lock(&self.universe.agents);
                    let conversation = agents.get(&(self.id.clone(), process.clone()));
                    let said = conversation.and_then(|told| told.said_until.get(&turn.0)).copied();
                    let logged = next.get(&process).copied().unwrap_or(0);
                    if said != Some(logged) {
                        self.wrong(format_args!("at the end of turn {turn} {process} had said {said:?} words, and {logged} are in the log"));
                    }
                    continue;
                }
                _ => continue,
            };
            for word in text.split(['<', '>']).filter(|word| !word.is_empty()) {
                let Some((speaker, number)) = word.rsplit_once('.') else {
                    return self.wrong(format_args!("nobody said {word}"));
                };
                let expected = next.entry(speaker.to_owned()).or_default();
                if number.parse() != Ok(*expected) {
                    return self.wrong(format_args!("{word} comes where {speaker}.{expected} should"));
                }
                *expected += 1;
            }
        }
    }

    /// What was accepted is in the log; and there it was told to the agent, or people are told why not.
    async fn every_prompt_has_an_end(&self, engine: &Engine, wanted: &Wanted) {
        let mut texts: BTreeMap<PromptId, String> = BTreeMap::new();
        let mut turns: BTreeMap<PromptId, TurnNumber> = BTreeMap::new();
        let mut told: BTreeMap<TurnNumber, u32> = BTreeMap::new();
        let mut ended: BTreeMap<TurnNumber, &Outcome> = BTreeMap::new();
        let mut removed = Vec::new();
        for entry in self.entries {
            match &entry.event {
                Event::PromptQueued { prompt, text, .. } => drop(texts.insert(prompt.clone(), text.clone())),
                Event::PromptRemoved { prompt, .. } => removed.push(prompt.clone()),
                Event::TurnStarted { turn, prompt, .. } => drop(turns.insert(prompt.clone(), *turn)),
                Event::InputQueued { input: AgentInput::Prompt { turn, .. }, .. } => {
                    *told.entry(*turn).or_default() += 1;
                }
                Event::TurnEnded { turn, outcome } => {
                    let before = ended.insert(*turn, outcome);
                    if before.is_some() {
                        self.wrong(format_args!("turn {turn} ends twice"));
                    }
                }
                _ => {}
            }
        }
        for (_, text) in wanted.0.iter().filter(|(session, _)| session == self.id) {
            if !texts.values().any(|known| known == text) {
                self.wrong(format_args!("{text:?} was accepted, and is not in the log"));
            }
        }
        let Ok(view) = engine.view(self.id).await else { return };
        for (prompt, text) in &texts {
            let waits = view.queued.iter().any(|queued| queued.prompt == *prompt);
            match turns.get(prompt) {
                Some(turn) => match ended.get(turn) {
                    Some(Outcome::Completed { .. }) if !told.contains_key(turn) => {
                        self.wrong(format_args!("turn {turn} was completed, and nobody was told {text:?}"));
                    }
                    Some(_) => {}
                    None => self.wrong(format_args!("turn {turn} of {text:?} has no end")),
                },
                // Whoever waits behind a turn that failed is shown so, and may say something.
                None if removed.contains(prompt) || waits => {}
                None => self.wrong(format_args!("nobody knows what became of {text:?}")),
            }
        }
    }

    /// The branch has one commit for each turn that changed something, one on the other, and ends where the log says.
    fn one_commit_for_a_turn(&self) {
        let mut parent = None;
        let mut last = None;
        let mut turns = Vec::new();
        let mut uncertain = false;
        let mut branch = "";
        for entry in self.entries {
            match &entry.event {
                Event::SessionCreated { spec } => branch = &spec.branch,
                Event::WorkspacePrepared { base_commit, .. } if parent.is_none() => {
                    parent = Some(base_commit.clone());
                }
                Event::WorkNotCommitted { .. } => uncertain = true,
                Event::WorkCommitted { turn, commit: Some(commit) } => {
                    if turns.contains(turn) {
                        self.wrong(format_args!("turn {turn} has two commits"));
                    }
                    turns.push(*turn);
                    let repository = lock(&self.universe.repository);
                    match repository.commits.get(&commit.id) {
                        Some(made) if made.parent == parent => self.goes_on(*turn, made, &repository),
                        Some(made) => self.wrong(format_args!(
                            "the commit of turn {turn} is on {:?}, and not on {parent:?}",
                            made.parent
                        )),
                        None => self.wrong(format_args!("the commit of turn {turn} is nowhere")),
                    }
                    parent = Some(commit.id.clone());
                    last = Some(commit.id.clone());
                }
                _ => {}
            }
        }
        let there = lock(&self.universe.repository).branches.get(branch).cloned();
        if there != last && !uncertain {
            self.wrong(format_args!("its branch ends at {there:?}, and the log says {last:?}"));
        }
    }

    /// Agents only add: whatever was committed before is in what is committed.
    fn goes_on(&self, turn: TurnNumber, made: &Commit, repository: &Repository) {
        let before = made.parent.as_ref().and_then(|parent| repository.commits.get(parent));
        for (name, text) in before.iter().flat_map(|before| &before.content) {
            if !made.content.get(name).is_some_and(|now| now.starts_with(text)) {
                self.wrong(format_args!("the commit of turn {turn} undoes what was in {name}"));
            }
        }
    }
}
