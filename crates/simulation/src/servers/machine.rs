//! A machine and its server. What is on the machine stays when the server dies; other servers do not see it.
//!
//! ```text
//!        starts                    crashes, ends
//!  down ────────▶ up ───────────────────────────▶ down
//!                  ▲ │ stands still, with all that is on the machine
//!                  │ ▼
//!                 frozen
//! ```

use super::people::{Errand, People};
use crate::config::config;
use crate::disk::SimulatedDisk;
use crate::fault::Fault;
use crate::misfortune;
use crate::provider::SimulatedProvider;
use crate::universe::Universe;
use crate::weather::Weather;
use lamplight_engine::{Config, Engine};
use lamplight_store::{Store, Together};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// For a server that is told to end.
const SHUTDOWN: Duration = Duration::from_secs(120);

pub(super) struct Machine {
    number: usize,
    universe: Arc<Universe>,
    /// Of the whole world.
    dir: PathBuf,
    /// For sandboxes; 0 is no bound.
    places: u32,
    database: Together,
    state: State,
    /// Until then it is cut off from the database.
    cut_off_until: Option<Duration>,
}

enum State {
    /// Starts then.
    Down {
        until: Duration,
    },
    Up(Life),
    Frozen {
        life: Life,
        until: Duration,
    },
}

/// From one start of the server to its end.
struct Life {
    runtime: Runtime,
    /// It did not start, or has ended as it was told to.
    ended: Arc<Notify>,
    /// Cancelled when it is told to end: who asks then hears nothing.
    closing: CancellationToken,
}

impl Machine {
    pub(super) fn new(
        number: usize,
        universe: Arc<Universe>,
        (dir, places): (&Path, u32),
        database: Together,
    ) -> Self {
        let until = Duration::from_millis(universe.number(0..2_000));
        let (dir, state) = (dir.to_owned(), State::Down { until });
        Self { number, universe, dir, places, database, state, cut_off_until: None }
    }

    pub(super) fn number(&self) -> i64 {
        self.number as i64
    }

    pub(super) fn universe(&self) -> &Universe {
        &self.universe
    }

    /// Whatever there is of sandboxes.
    pub(super) fn sandboxes(&self) -> Vec<String> {
        let all = SimulatedProvider(Arc::clone(&self.universe)).all();
        all.iter().map(|listed| listed.handle.to_string()).collect()
    }

    /// Lives until that moment of the world, if it can.
    pub(super) fn live_until(&mut self, at: Duration) {
        self.enter();
        if self.cut_off_until.take_if(|until| *until <= at).is_some() {
            self.universe.cut_off(false);
            self.universe.is_back(at);
        }
        let state = std::mem::replace(&mut self.state, State::Down { until: at });
        self.state = match state {
            State::Down { until } if until > at => State::Down { until },
            State::Down { .. } => State::Up(self.start(at)),
            State::Frozen { life, until } if until > at => State::Frozen { life, until },
            State::Frozen { life, .. } => {
                // It finds that the time is gone.
                let gone = async {
                    let gone = at.saturating_sub(self.universe.clock.elapsed());
                    tokio::time::advance(gone).await;
                };
                self.universe.is_back(at);
                life.runtime.block_on(gone);
                State::Up(life)
            }
            State::Up(life) => self.go_on(life, at),
        };
    }

    /// This thread is this machine's from here on.
    fn enter(&self) {
        lamplight_engine::live_in(Arc::clone(&self.universe) as Arc<dyn lamplight_engine::World>);
    }

    fn start(&self, at: Duration) -> Life {
        let universe = &self.universe;
        universe.clock.go_on_at(at);
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without threads needs nothing");
        let ended = Arc::<Notify>::default();
        let data_dir = self.dir.join(format!("machine-{}", self.number));
        let config = Config {
            data_dir,
            servers_address: Some(format!("http://machine-{}", self.number)),
            ..config(&self.dir, self.places)
        };
        let database = (self.database.clone(), self.number());
        let starting = begin(Arc::clone(universe), config, database, Arc::clone(&ended));
        runtime.block_on(async {
            universe.begin_life();
            universe.tell(|| "the server starts".to_owned());
            universe.spawn(misfortune::strike(Arc::clone(universe)));
            universe.spawn(starting);
        });
        if universe.happens(universe.weather().crash) {
            universe.crash_after(universe.number(1..600) as u32);
        }
        Life { runtime, ended, closing: CancellationToken::new() }
    }

    fn go_on(&self, life: Life, at: Duration) -> State {
        let universe = &self.universe;
        let is_over = life.runtime.block_on(async {
            let end = universe.clock.instant(at);
            tokio::select! {
                biased;
                () = universe.crashed() => {
                    universe.struck(Fault::Crash);
                    true
                }
                () = life.ended.notified() => true,
                () = tokio::time::sleep_until(end) => false,
            }
        });
        if is_over { self.end(life, at) } else { State::Up(life) }
    }

    /// Everything that runs of the server is dropped, wherever it waits.
    fn end(&self, life: Life, at: Duration) -> State {
        life.runtime.block_on(async { self.universe.end_life() });
        drop(life);
        let is_long = self.universe.happens(250) && self.universe.weather() != Weather::CALM;
        let ms = if is_long { self.universe.number(8_000..60_000) } else { self.universe.number(1..9_000) };
        State::Down { until: at + Duration::from_millis(ms) }
    }

    /// Something that happens to a whole server.
    pub(super) fn suffer(&mut self, at: Duration) {
        let chance = Arc::clone(&self.universe);
        let until = at + Duration::from_millis(chance.number(500..25_000));
        let state = std::mem::replace(&mut self.state, State::Down { until });
        let life = match state {
            State::Up(life) => life,
            State::Down { .. } | State::Frozen { .. } => return self.state = state,
        };
        match chance.number(0..9) {
            0..3 => {
                chance.crash_after(chance.number(1..200) as u32);
                self.state = State::Up(life);
            }
            3 => {
                self.shut_down(&life);
                self.state = State::Up(life);
            }
            4 | 5 => {
                self.strike(&life, Fault::Partition, "the machine stands still");
                self.state = State::Frozen { life, until };
            }
            6 | 7 => {
                self.strike(&life, Fault::Partition, "the machine is cut off from the database");
                chance.hinder_until(until);
                chance.cut_off(true);
                self.cut_off_until = Some(until);
                self.state = State::Up(life);
            }
            _ => {
                self.strike(&life, Fault::Crash, "the machine loses its power");
                self.state = self.end(life, at);
                misfortune::lose_all(&chance);
            }
        }
    }

    fn tell(&self, life: &Life, what: &str) {
        let _there = life.runtime.enter();
        self.universe.tell(|| what.to_owned());
    }

    fn strike(&self, life: &Life, fault: Fault, what: &str) {
        let _there = life.runtime.enter();
        self.universe.struck(fault);
        self.universe.hinder();
        self.universe.tell(|| what.to_owned());
    }

    fn shut_down(&self, life: &Life) {
        let Some(engine) = self.universe.engine() else { return };
        self.tell(life, "the server is told to end");
        life.closing.cancel();
        let (universe, ended) = (Arc::clone(&self.universe), Arc::clone(&life.ended));
        life.runtime.spawn(async move {
            if tokio::time::timeout(SHUTDOWN, engine.shutdown()).await.is_err() {
                universe.wrong("the server does not end when it is told to");
            }
            ended.notify_one();
        });
    }

    /// From here on nothing goes wrong, and the server is there.
    pub(super) fn clear_up(&mut self, at: Duration) {
        self.universe.clear_up();
        self.universe.cut_off(false);
        if self.cut_off_until.take().is_some() {
            self.universe.is_back(at);
        }
        if let State::Down { until } | State::Frozen { until, .. } = &mut self.state {
            *until = at;
        }
    }

    /// Somebody asks this server, and never hears of it where it is not there.
    pub(super) fn ask(&self, people: &Arc<People>, errand: Errand) {
        let State::Up(life) = &self.state else { return };
        let Some(engine) = self.universe.engine() else { return };
        let asked = Arc::clone(people).ask(Arc::clone(&self.universe), engine, errand);
        drop(life.runtime.spawn(life.closing.clone().run_until_cancelled_owned(asked)));
    }

    /// What this server answers, if it is there.
    pub(super) fn answer<T>(&self, ask: impl AsyncFnOnce(&Engine) -> T) -> Option<T> {
        let State::Up(life) = &self.state else { return None };
        let engine = self.universe.engine()?;
        self.enter();
        Some(life.runtime.block_on(ask(&engine)))
    }
}

/// Starts the server; where it cannot be, its process ends and is started again.
async fn begin(
    universe: Arc<Universe>,
    config: Config,
    (database, number): (Together, i64),
    ended: Arc<Notify>,
) {
    let disk = Arc::new(SimulatedDisk::new(Arc::clone(&universe)));
    let provider = Arc::new(SimulatedProvider(Arc::clone(&universe)));
    // What went wrong before may still be what ends it.
    let has_to = universe.weather() == Weather::CALM;
    let started = async {
        let store = Store::open_together(&config.data_dir, &database, number, disk)?;
        anyhow::Ok(Engine::start(config, store, provider).await?)
    };
    match started.await {
        Ok(engine) => universe.started(engine),
        Err(error) => {
            universe.tell(|| format!("the server does not start: {error:#}"));
            if has_to {
                universe.wrong(format!("the server does not start: {error:#}"));
            }
            ended.notify_one();
        }
    }
}
