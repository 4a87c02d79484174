//! Everything that there is beside the server: it stays when the server dies. Of several servers each has a machine of its own, and some of it
//! is the same for all.

use crate::clock::Clock;
use crate::fault::{Fault, Faults};
use crate::guest::Guest;
use crate::outage::Outage;
use crate::repository::Repository;
use crate::sync;
use crate::weather::{Flaw, Weather};
use fastrand::Rng;
use lamplight_domain::{Generation, SessionId, Timestamp};
use lamplight_engine::Engine;
use std::collections::BTreeMap;
use std::future::pending;
use std::ops::Range;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

/// Nothing of a turn that is stopped runs any more: section 11 of the founding design.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// What came to nothing is tried again after that at the latest.
pub(crate) const TRIED_AGAIN: Duration = Duration::from_secs(30);

pub(crate) struct Universe {
    pub(crate) clock: Clock,
    pub(crate) flaw: Option<Flaw>,
    chance: Arc<Mutex<Rng>>,
    weather: Arc<Mutex<Weather>>,
    crash: Mutex<Crash>,
    crashed: Notify,
    /// Whether the database cannot be reached.
    is_cut_off: watch::Sender<bool>,
    /// Of the model that all agents ask.
    pub(crate) model: Arc<Outage>,
    /// Of this machine's provider.
    pub(crate) provider: Outage,
    /// The last moment, so far, at which something stood in the way of what is in time otherwise.
    hindered_until: Mutex<Duration>,
    /// When this machine went on after it had stood still, or had not reached the database.
    back_at: Mutex<Option<Duration>>,
    pub(crate) repository: Arc<Mutex<Repository>>,
    /// Of each session that ever had one.
    pub(crate) sandboxes: Mutex<BTreeMap<SessionId, Sandboxes>>,
    /// What every agent process was told and has said, by session and process.
    pub(crate) agents: Arc<Mutex<BTreeMap<(SessionId, String), Conversation>>>,
    wrong: Arc<Mutex<Vec<String>>>,
    pub(crate) count: Arc<Mutex<Count>>,
    /// What of the world is at work in this life.
    tasks: Mutex<TaskTracker>,
    /// Of this life.
    engine: Mutex<Option<Engine>>,
    is_told: bool,
    /// Which of several machines this is.
    number: usize,
}

/// The sandboxes of one session.
#[derive(Default)]
pub(crate) struct Sandboxes {
    pub(crate) newest: Generation,
    /// Which had the files last.
    pub(crate) had: Option<Generation>,
    pub(crate) files: Arc<Mutex<Files>>,
    pub(crate) running: Option<Arc<Guest>>,
    /// Those that died, and were not destroyed.
    pub(crate) left_over: Vec<Generation>,
}

/// What is on a session's disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    /// The commit that the clone began with.
    pub(crate) base: Option<String>,
    pub(crate) content: BTreeMap<String, String>,
    /// Conversations that agents can load.
    pub(crate) conversations: Vec<String>,
    /// What an edit is to be unlike all before it.
    pub(crate) edits: u64,
}

/// What passed between us and one agent process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conversation {
    /// Lines, in order.
    pub(crate) told: Vec<Vec<u8>>,
    /// Words, in order.
    pub(crate) said: u64,
    /// How many there were when it ended a turn.
    pub(crate) said_until: BTreeMap<u32, u64>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) faults: Faults,
    /// Turns that were to end at once, and nothing was in their way.
    pub(crate) stops: usize,
}

#[derive(Debug, Default)]
struct Crash {
    /// Steps that are left to the server.
    after: Option<u32>,
    is_down: bool,
}

impl Universe {
    pub(crate) fn new(seed: u64, flaw: Option<Flaw>) -> Arc<Self> {
        let mut chance = Rng::with_seed(seed);
        let weather = Weather::by_chance(&mut chance);
        Arc::new(Self {
            clock: Clock::default(),
            flaw,
            chance: Arc::new(Mutex::new(chance)),
            weather: Arc::new(Mutex::new(weather)),
            crash: Mutex::default(),
            crashed: Notify::new(),
            is_cut_off: watch::Sender::new(false),
            model: Arc::default(),
            provider: Outage::default(),
            hindered_until: Mutex::default(),
            back_at: Mutex::default(),
            repository: Arc::new(Mutex::new(Repository::new())),
            sandboxes: Mutex::default(),
            agents: Arc::default(),
            wrong: Arc::default(),
            count: Arc::default(),
            tasks: Mutex::new(TaskTracker::new()),
            engine: Mutex::default(),
            is_told: std::env::var_os("LAMPLIGHT_STORY").is_some(),
            number: 0,
        })
    }

    /// The same world, as it is at another machine.
    pub(crate) fn at_machine(&self, number: usize) -> Arc<Self> {
        Arc::new(Self {
            clock: Clock::default(),
            flaw: self.flaw,
            chance: Arc::clone(&self.chance),
            weather: Arc::clone(&self.weather),
            crash: Mutex::default(),
            crashed: Notify::new(),
            is_cut_off: watch::Sender::new(false),
            model: Arc::clone(&self.model),
            provider: Outage::default(),
            hindered_until: Mutex::default(),
            back_at: Mutex::default(),
            repository: Arc::clone(&self.repository),
            sandboxes: Mutex::default(),
            agents: Arc::clone(&self.agents),
            wrong: Arc::clone(&self.wrong),
            count: Arc::clone(&self.count),
            tasks: Mutex::new(TaskTracker::new()),
            engine: Mutex::default(),
            is_told: self.is_told,
            number,
        })
    }

    /// The number of this machine, where there are several.
    pub(crate) fn machine(&self) -> i64 {
        self.number as i64
    }

    /// There is one server.
    pub(crate) fn is_alone(&self) -> bool {
        self.number == 0
    }

    /// Cuts this machine off from the database, or not any more.
    pub(crate) fn cut_off(&self, is_cut_off: bool) {
        self.is_cut_off.send_replace(is_cut_off);
    }

    pub(crate) async fn database_is_there(&self) {
        // The sender is here.
        let _ = self.is_cut_off.subscribe().wait_for(|is_cut_off| !is_cut_off).await;
    }

    pub(crate) fn weather(&self) -> Weather {
        *lock(&self.weather)
    }

    /// From here on nothing goes wrong.
    pub(crate) fn clear_up(&self) {
        *lock(&self.weather) = Weather::CALM;
        lock(&self.crash).after = None;
        sync::mend();
    }

    pub(crate) fn number(&self, range: Range<u64>) -> u64 {
        lock(&self.chance).u64(range)
    }

    /// So many in thousand times.
    pub(crate) fn happens(&self, odds: u32) -> bool {
        odds > 0 && lock(&self.chance).u32(0..1000) < odds
    }

    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        lock(&self.chance).fill(bytes);
    }

    /// Something between the server and the world takes its time. Where the server crashes, it does so here, and whoever waits never comes
    /// back.
    pub(crate) async fn step(&self) {
        if self.is_over() {
            pending::<()>().await;
        }
        let late = self.happens(self.weather().late);
        let ms = match late {
            true => self.number(50..8_000),
            false if self.happens(300) => self.number(1..40),
            false => 0,
        };
        if late {
            self.hinder_until(self.clock.elapsed() + Duration::from_millis(ms));
        }
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            if self.is_over() {
                pending::<()>().await;
            }
        }
    }

    /// Whether the server is down, which it may be from this step on.
    fn is_over(&self) -> bool {
        let mut crash = lock(&self.crash);
        if let Some(after) = &mut crash.after {
            *after = after.saturating_sub(1);
            if *after == 0 {
                crash.after = None;
                crash.is_down = true;
                self.crashed.notify_one();
            }
        }
        crash.is_down
    }

    /// The server has so many steps left.
    pub(crate) fn crash_after(&self, steps: u32) {
        lock(&self.crash).after = Some(steps.max(1));
    }

    /// Resolves when the server is down.
    pub(crate) async fn crashed(&self) {
        self.crashed.notified().await;
    }

    /// A server starts, on a runtime of its own; what went on without it goes on.
    pub(crate) fn begin_life(self: &Arc<Self>) {
        self.clock.begin_life();
        self.hinder();
        if sync::mend() {
            self.struck(Fault::FailedSync);
        }
        *lock(&self.crash) = Crash::default();
        *lock(&self.tasks) = TaskTracker::new();
        let running: Vec<_> =
            lock(&self.sandboxes).values().filter_map(|sandboxes| sandboxes.running.clone()).collect();
        running.iter().for_each(|guest| guest.go_on());
    }

    /// The server has started.
    pub(crate) fn started(&self, engine: Engine) {
        *lock(&self.engine) = Some(engine);
    }

    /// Of this life, once it has started.
    pub(crate) fn engine(&self) -> Option<Engine> {
        lock(&self.engine).clone()
    }

    /// Everything that ran on the runtime is dropped next.
    pub(crate) fn end_life(&self) {
        self.clock.end_life();
        *lock(&self.engine) = None;
    }

    /// Runs something of the world for as long as this life.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        lock(&self.tasks).spawn(work);
    }

    /// Something goes wrong.
    pub(crate) fn struck(&self, fault: Fault) {
        self.tell(|| format!("{fault:?}"));
        lock(&self.count).faults.add(fault, 1);
    }

    /// So far something stands in the way of what is in time otherwise.
    pub(crate) fn hinder_until(&self, at: Duration) {
        let mut until = lock(&self.hindered_until);
        *until = (*until).max(at);
    }

    /// Something stood in its way.
    pub(crate) fn hinder(&self) {
        self.hinder_until(self.clock.elapsed());
    }

    /// It may have been away for longer than its server had its sessions.
    pub(crate) fn is_back(&self, at: Duration) {
        *lock(&self.back_at) = Some(at);
    }

    /// A person or a limit has ended this turn: nothing of it runs. What another server ended while this machine was away does, until the
    /// server here has found out.
    pub(crate) fn has_ended(&self, session: &SessionId, turn: u32) {
        let is_just_back = lock(&self.back_at).is_some_and(|at| self.clock.elapsed() <= at + STOPS_WITHIN);
        if self.works(session, turn) && !is_just_back {
            self.wrong(format!("turn {turn} of {session} has ended, and its agent works on it"));
        }
    }

    /// This turn is to end, because a person or a limit says so: soon nothing of it runs, once nothing stands in the way any more. Of several
    /// servers one that something stood in the way of may have to find out first whose the session is.
    pub(crate) fn has_to_end(self: &Arc<Self>, session: &SessionId, turn: u32) {
        let (universe, session) = (Arc::clone(self), session.clone());
        self.spawn(async move {
            let mut patience = Duration::ZERO;
            while universe.works(&session, turn) {
                let since = universe.clock.elapsed();
                tokio::time::sleep(STOPS_WITHIN).await;
                if sync::has_failed() || *lock(&universe.hindered_until) + patience >= since {
                    if !universe.is_alone() {
                        return;
                    }
                    patience = TRIED_AGAIN;
                    continue;
                }
                lock(&universe.count).stops += 1;
                if universe.works(&session, turn) {
                    return universe.wrong(format!(
                        "turn {turn} of {session} was to end, and {STOPS_WITHIN:?} later its agent works on it"
                    ));
                }
            }
        });
    }

    /// Whether an agent here works on that turn of the session.
    pub(crate) fn works(&self, session: &SessionId, turn: u32) -> bool {
        self.guest(session).and_then(|guest| guest.turn()) == Some(turn)
    }

    /// Something is so that must never be.
    pub(crate) fn wrong(&self, what: impl Into<String>) {
        let what = what.into();
        self.tell(|| format!("WRONG: {what}"));
        lock(&self.wrong).push(what);
    }

    pub(crate) fn found(&self) -> Vec<String> {
        lock(&self.wrong).clone()
    }

    /// A line for whoever reads what happened in one run.
    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        if self.is_told {
            let machine = if self.number == 0 { String::new() } else { format!("[{}] ", self.number) };
            eprintln!("{:>10.3} {machine}{}", self.clock.elapsed().as_secs_f64(), line());
        }
    }

    /// The guest that runs for a session.
    pub(crate) fn guest(&self, session: &SessionId) -> Option<Arc<Guest>> {
        lock(&self.sandboxes).get(session)?.running.clone()
    }
}

impl lamplight_engine::World for Universe {
    fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    fn fill(&self, bytes: &mut [u8]) {
        self.fill(bytes);
    }

    fn git(&self, repository: &Path, arguments: &[&str]) -> Output {
        match lock(&self.repository).answer(repository, arguments) {
            Some(output) => output,
            None => {
                self.wrong(format!("the machine's git does not know {arguments:?}"));
                crate::repository::output(128, "")
            }
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
