//! One run: what people do, when the server ends and starts again, and that everything comes to rest when nothing goes wrong any more.

use crate::Told;
use crate::asking::{is_allowed, is_at_work, new_session};
use crate::check::{self, Wanted};
use crate::config::config;
use crate::disk::SimulatedDisk;
use crate::fault::Fault;
use crate::misfortune;
use crate::provider::SimulatedProvider;
use crate::reader::{self, Seen};
use crate::sync;
use crate::universe::Universe;
use crate::weather::Flaw;
use lamplight_domain::SessionId;
use lamplight_domain::session::{SandboxState, SessionView};
use lamplight_engine::{CommandError, Engine, NewSession};
use lamplight_store::Store;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Sessions of one run.
const MOST_SESSIONS: usize = 3;
/// Until everything has come to rest after the last thing that was asked: longer than any wait that a session has, by a clock that was set
/// from an hour before what is right to an hour behind it.
pub(crate) const REST: Duration = Duration::from_secs(3 * 60 * 60);
/// After that an effect that had come to nothing before is done: it is tried again every 30 s at least.
const LAST: Duration = Duration::from_secs(45);
/// For a server that is told to end.
const SHUTDOWN: Duration = Duration::from_secs(120);

/// Runs the seed with one server; an error is what was found.
pub(crate) fn run(seed: u64, flaw: Option<Flaw>, dir: &Path) -> Result<Told, String> {
    let universe = Universe::new(seed, flaw);
    lamplight_engine::live_in(Arc::clone(&universe) as Arc<dyn lamplight_engine::World>);
    let mut story = Story::new(Arc::clone(&universe), dir);
    loop {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        let end = runtime.block_on(story.life());
        runtime.block_on(async { universe.end_life() });
        drop(runtime);
        let found = universe.found();
        match (found.first(), end) {
            (Some(_), _) => return Err(found.join("\n")),
            (None, End::Crashed) => universe.struck(Fault::Crash),
            (None, End::Ended) => {}
            (None, End::Told(told)) => return Ok(told),
        }
    }
}

enum End {
    Crashed,
    /// As it was told to.
    Ended,
    Told(Told),
}

struct Story {
    universe: Arc<Universe>,
    dir: PathBuf,
    repository: PathBuf,
    /// Places for sandboxes; 0 is no bound.
    places: u32,
    acts: u64,
    lives: u32,
    prompts: u64,
    /// What was asked for and not answered, with its key.
    unanswered: Option<(String, NewSession)>,
    keys: BTreeMap<String, SessionId>,
    sessions: Vec<SessionId>,
    readers: BTreeMap<SessionId, Seen>,
    wanted: Wanted,
}

impl Story {
    fn new(universe: Arc<Universe>, dir: &Path) -> Self {
        let repository = dir.join("repository");
        Self {
            dir: dir.to_owned(),
            repository,
            places: universe.number(0..3) as u32,
            acts: universe.number(4..22),
            lives: 0,
            prompts: 0,
            unanswered: None,
            keys: BTreeMap::new(),
            sessions: Vec::new(),
            readers: BTreeMap::new(),
            wanted: Wanted::default(),
            universe,
        }
    }

    /// From one start of the server to its end.
    async fn life(&mut self) -> End {
        let universe = Arc::clone(&self.universe);
        universe.begin_life();
        universe.tell(|| format!("life {}", self.lives));
        universe.spawn(misfortune::strike(Arc::clone(&universe)));
        if self.lives > 0 {
            sleep(Duration::from_millis(universe.number(0..5_000))).await;
        }
        self.lives += 1;
        let weather = universe.weather();
        if universe.happens(weather.crash) {
            universe.crash_after(universe.number(1..400) as u32);
        }
        let crashed = Arc::clone(&universe);
        tokio::select! {
            biased;
            () = crashed.crashed() => End::Crashed,
            end = self.live() => end,
        }
    }

    async fn live(&mut self) -> End {
        let engine = match self.start().await {
            Ok(engine) => engine,
            Err(error) => {
                self.universe.wrong(format!("the server does not start: {error:#}"));
                return End::Ended;
            }
        };
        for session in &self.sessions {
            self.read(&engine, session);
        }
        while self.acts > 0 {
            self.acts -= 1;
            let ms = match self.universe.number(0..12) {
                0 => self.universe.number(1..40_000),
                1..5 => self.universe.number(1..6_000),
                _ => self.universe.number(1..600),
            };
            sleep(Duration::from_millis(ms)).await;
            if self.universe.happens(self.universe.weather().crash) {
                if self.universe.happens(700) {
                    self.universe.crash_after(self.universe.number(1..200) as u32);
                } else {
                    self.shut_down(&engine).await;
                    return End::Ended;
                }
            }
            if self.is_to_start_again(700) {
                self.shut_down(&engine).await;
                return End::Ended;
            }
            self.act_with_patience(&engine).await;
        }
        if self.is_to_start_again(1000) {
            self.shut_down(&engine).await;
            return End::Ended;
        }
        self.rest(&engine).await;
        let told = check::all(&self.universe, &engine, &self.sessions, &self.wanted, &self.readers).await;
        self.shut_down(&engine).await;
        End::Told(told)
    }

    /// Somebody sees that the store has failed for good, so many in thousand times.
    fn is_to_start_again(&self, odds: u32) -> bool {
        sync::has_failed() && self.universe.happens(odds)
    }

    async fn start(&self) -> anyhow::Result<Engine> {
        let config = config(&self.dir, self.places);
        let disk = Arc::new(SimulatedDisk::new(Arc::clone(&self.universe)));
        let store = Store::open_in_place(&config.data_dir, disk)?;
        let provider = Arc::new(SimulatedProvider(Arc::clone(&self.universe)));
        let engine = Engine::start(config, store, provider).await?;
        self.universe.started(engine.clone());
        Ok(engine)
    }

    async fn shut_down(&self, engine: &Engine) {
        if timeout(SHUTDOWN, engine.shutdown()).await.is_err() {
            self.universe.wrong("the server does not end when it is told to");
        }
    }

    fn read(&self, engine: &Engine, session: &SessionId) {
        let Some(seen) = self.readers.get(session) else { return };
        let (universe, engine) = (Arc::clone(&self.universe), engine.clone());
        self.universe.spawn(reader::follow(universe, engine, session.clone(), seen.clone()));
    }

    /// Somebody does something, and may leave before there is an answer.
    async fn act_with_patience(&mut self, engine: &Engine) {
        let leaves = self.universe.happens(self.universe.weather().late);
        let patience = leaves.then(|| Duration::from_millis(self.universe.number(1..500)));
        match patience {
            Some(patience) => drop(timeout(patience, self.act(engine)).await),
            None => self.act(engine).await,
        }
    }

    /// Somebody does something.
    async fn act(&mut self, engine: &Engine) {
        if self.unanswered.is_some() || self.sessions.is_empty() {
            return self.create(engine).await;
        }
        let session = self.sessions[self.universe.number(0..self.sessions.len() as u64) as usize].clone();
        match self.universe.number(0..23) {
            0..3 if self.sessions.len() < MOST_SESSIONS => self.create(engine).await,
            0..9 => self.prompt(engine, &session).await,
            what => {
                self.ask(engine, &session, what).await;
                if self.is_doubled() {
                    self.ask(engine, &session, what).await;
                }
            }
        }
    }

    /// Whether a request is doubled on its way.
    fn is_doubled(&self) -> bool {
        let is_doubled = self.universe.happens(self.universe.weather().doubled);
        if is_doubled {
            self.universe.struck(Fault::Doubled);
        }
        is_doubled
    }

    /// Something that may come twice.
    async fn ask(&self, engine: &Engine, session: &SessionId, what: u64) {
        let (session, by) = (session.clone(), "Ada".to_owned());
        match what {
            20 => self.heard(engine.pause(&session, by).await),
            21 | 22 => self.heard(engine.resume(&session, by).await),
            9..12 => self.heard(engine.stop(&session, by).await),
            12..15 => self.permit(engine, &session).await,
            15 => {
                let waiting = engine.view(&session).await.ok().and_then(|view| view.queued.first().cloned());
                if let Some(queued) = waiting {
                    self.heard(engine.remove_prompt(&session, &queued.prompt, by).await);
                }
            }
            16 => self.heard(engine.retry(&session, by).await),
            17 => {
                let priority = (self.acts % 9) as i8;
                self.heard(engine.set_priority(&session, priority, by).await);
            }
            18 if self.universe.happens(300) => self.heard(engine.end(&session, by).await),
            _ => {
                if let Err(error) = engine.view(&session).await
                    && !sync::has_failed()
                {
                    self.universe.wrong(format!("{session} cannot be looked at: {error:#}"));
                }
            }
        }
    }

    /// Under a key, and again under the same one when there was no answer.
    async fn create(&mut self, engine: &Engine) {
        if self.unanswered.is_none() {
            let key = format!("key-{}", self.keys.len() + 1);
            let text = self.text();
            let new = new_session(&self.universe, &self.repository, text);
            self.unanswered = Some((key, new));
        }
        let Some((key, new)) = self.unanswered.clone() else { return };
        match engine.create_once(&key, "the same", new.clone()).await {
            Ok(view) => {
                self.unanswered = None;
                self.wanted.accepted(&view.id, &new.prompt);
                self.made(engine, key.clone(), view.id.clone());
                if self.is_doubled()
                    && let Ok(again) = engine.create_once(&key, "the same", new).await
                    && again.id != view.id
                {
                    self.universe.wrong(format!("{key} made {} and {}", view.id, again.id));
                }
            }
            Err(CommandError::StorageFull | CommandError::Busy) => {}
            Err(_) if sync::has_failed() => {}
            Err(error) => {
                self.universe.wrong(format!("a session is not made: {error:#}"));
            }
        }
    }

    fn made(&mut self, engine: &Engine, key: String, id: SessionId) {
        self.keys.insert(key, id.clone());
        self.sessions.push(id.clone());
        if self.universe.happens(700) {
            self.readers.insert(id.clone(), Seen::default());
            self.read(engine, &id);
        }
    }

    /// Unlike every other.
    fn text(&mut self) -> String {
        self.prompts += 1;
        format!("task {}", self.prompts)
    }

    async fn prompt(&mut self, engine: &Engine, session: &SessionId) {
        let text = self.text();
        match engine.prompt(session, text.clone(), Vec::new(), "Ada".to_owned(), None).await {
            Ok(_) => self.wanted.accepted(session, &text),
            Err(error) => self.refused(error),
        }
    }

    async fn permit(&self, engine: &Engine, session: &SessionId) {
        let Ok(view) = engine.view(session).await else { return };
        if let Some(open) = view.permission {
            let option = self.universe.happens(700).then(|| "yes".to_owned());
            self.heard(engine.answer(session, open.request, option, "Ada".to_owned()).await);
        }
    }

    fn heard(&self, answer: Result<SessionView, CommandError>) {
        if let Err(error) = answer {
            self.refused(error);
        }
    }

    fn refused(&self, error: CommandError) {
        if !is_allowed(&error) && !sync::has_failed() {
            self.universe.wrong(format!("somebody is told {error:#}"));
        }
    }

    /// Nothing goes wrong any more, and nobody asks for anything. What was not answered is asked once more.
    async fn rest(&mut self, engine: &Engine) {
        let universe = Arc::clone(&self.universe);
        universe.clear_up();
        universe.tell(|| "nothing goes wrong any more".to_owned());
        if self.unanswered.is_some() {
            self.create(engine).await;
        }
        for session in &self.sessions {
            self.heard(engine.resume(session, "Ada".to_owned()).await);
        }
        let provider = SimulatedProvider(Arc::clone(&universe));
        let settled = async {
            let begun = universe.clock.elapsed();
            loop {
                sleep(look(universe.clock.elapsed() - begun)).await;
                let mut is_quiet = true;
                for session in &self.sessions {
                    self.permit(engine, session).await;
                    is_quiet &= engine.view(session).await.is_ok_and(|view| {
                        // What is lost while nothing is asked of it is missed when it is to be paused, by a clock that may have been set back.
                        let has_ended =
                            matches!(view.sandbox_state, SandboxState::None | SandboxState::Stopped);
                        has_ended && !is_at_work(view.phase)
                    });
                }
                if is_quiet && provider.all().is_empty() {
                    return;
                }
            }
        };
        let rested = timeout(REST, settled).await;
        sleep(LAST).await;
        if rested.is_err() {
            let mut left: Vec<_> = provider.all().iter().map(|listed| listed.handle.to_string()).collect();
            for session in &self.sessions {
                left.extend(engine.view(session).await.map(|view| format!("{session} is {:?}", view.phase)));
            }
            universe.wrong(format!("after {} min there still is {left:?}", REST.as_secs() / 60));
        }
    }
}

/// From one look whether everything has come to rest to the next, where that has taken so long: often, until only the clock is waited for.
pub(crate) fn look(rested: Duration) -> Duration {
    Duration::from_secs(if rested < Duration::from_secs(10 * 60) { 5 } else { 60 })
}
