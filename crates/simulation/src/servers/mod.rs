//! One run with several servers: each on a machine of its own with its own sandboxes, all on one database, which keeps leases and fences as
//! they are on PostgreSQL.
//!
//! ```text
//!  people ──▶ any server ── is the session here? ── no ──▶ the server that has it, at the next turn
//!                  │ lease, claims, appends with a fence
//!                  ▼
//!              database: there for all, or cut off for one
//! ```
//! Each server has a runtime with a clock of its own, and they live in turns: each for a piece of time, by chance a millisecond or some
//! hundred. So one may die at any step while the others go on, be frozen and find the time gone when it goes on, and start again late.

mod machine;
mod people;

use crate::Told;
use crate::check;
use crate::fault::Fault;
use crate::story::{REST, look};
use crate::universe::Universe;
use crate::weather::{Flaw, Weather};
use lamplight_engine::Whereabouts;
use lamplight_store::Together;
use machine::Machine;
use people::{Errand, People, What};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// After that an effect that had come to nothing before is done, and a sandbox that nobody claims is found.
const LAST: Duration = Duration::from_secs(65);
/// What servers that had lost one another know again after nothing went wrong for so long: who has which session.
const SETTLED: Duration = Duration::from_secs(90);
/// Turns for one fault of a whole server, where it is the weather for it.
const TURNS_PER_FAULT: u32 = 12;

/// Runs the seed in `dir`; an error is what was found.
pub(crate) fn run(seed: u64, flaw: Option<Flaw>, dir: &Path) -> Result<Told, String> {
    let mut story = Story::new(Universe::new(seed, flaw), dir)?;
    story.go_on()?;
    story.rest()?;
    story.judge()
}

struct Story {
    /// What is the same for all machines; its clock is the database's.
    world: Arc<Universe>,
    machines: Vec<Machine>,
    people: Arc<People>,
    at: Duration,
}

impl Story {
    fn new(world: Arc<Universe>, dir: &Path) -> Result<Self, String> {
        let clock = Arc::clone(&world);
        let database = Together::open(&dir.join("data"), Arc::new(move || clock.clock.wall().0));
        let database = database.map_err(|error| format!("there is no database: {error:#}"))?;
        let places = world.number(0..3) as u32;
        let machines = (1..=world.number(2..4) as usize)
            .map(|number| Machine::new(number, world.at_machine(number), (dir, places), database.clone()));
        let machines = machines.collect();
        let people = Arc::new(People::new(Arc::clone(&world), dir.join("repository")));
        Ok(Self { world, machines, people, at: Duration::ZERO })
    }

    /// What people do, while things go wrong.
    fn go_on(&mut self) -> Result<(), String> {
        let mut acts = self.world.number(6..26);
        let mut next = Duration::from_secs(1);
        while acts > 0 {
            self.turn()?;
            if self.world.happens(self.world.weather().crash / TURNS_PER_FAULT) {
                let one = self.one();
                self.machines[one].suffer(self.at);
            }
            if self.at >= next {
                acts -= 1;
                let one = self.one();
                let errand = self.people.think_of();
                if errand.may_come_twice() && self.world.happens(self.world.weather().doubled) {
                    self.world.struck(Fault::Doubled);
                    let other = self.one();
                    self.machines[other].ask(&self.people, errand.clone());
                }
                self.machines[one].ask(&self.people, errand);
                let ms = match self.world.number(0..12) {
                    0 => self.world.number(1..40_000),
                    1..5 => self.world.number(1..6_000),
                    _ => self.world.number(1..600),
                };
                next = self.at + Duration::from_millis(ms);
            }
        }
        Ok(())
    }

    fn one(&self) -> usize {
        self.world.number(0..self.machines.len() as u64) as usize
    }

    /// A piece of time, in which each machine lives, one after the other.
    fn turn(&mut self) -> Result<(), String> {
        let ms = match self.world.number(0..4) {
            0 => self.world.number(1..12),
            _ if self.world.weather() == Weather::CALM => self.world.number(200..900),
            _ => self.world.number(40..400),
        };
        self.at += Duration::from_millis(ms);
        self.world.clock.go_on_at(self.at);
        let first = self.one();
        let (before, from) = self.machines.split_at_mut(first);
        for machine in from.iter_mut().chain(before) {
            machine.live_until(self.at);
        }
        for (server, errand) in self.people.passed_on(self.at) {
            if let Some(machine) = self.machines.iter().find(|machine| machine.number() == server) {
                machine.ask(&self.people, errand);
            }
        }
        let found = self.world.found();
        if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
    }

    fn wait(&mut self, how_long: Duration) -> Result<(), String> {
        let end = self.at + how_long;
        while self.at < end {
            self.turn()?;
        }
        Ok(())
    }

    /// Nothing goes wrong any more, and nobody asks for anything but what was not answered.
    fn rest(&mut self) -> Result<(), String> {
        self.world.clear_up();
        self.machines.iter_mut().for_each(|machine| machine.clear_up(self.at));
        self.world.tell(|| "nothing goes wrong any more".to_owned());
        let since = self.at;
        loop {
            self.wait(look(self.at - since))?;
            let rested = self.at - since;
            if rested > SETTLED {
                self.has_one_sandbox_each();
            }
            if self.rests() {
                self.wait(LAST)?;
                if self.rests() {
                    return Ok(());
                }
            }
            if rested > REST {
                let left: Vec<_> = self.machines.iter().flat_map(Machine::sandboxes).collect();
                let phases = self.people.phases();
                self.world
                    .wrong(format!("after {} min there still is {left:?}, {phases:?}", REST.as_secs() / 60));
            }
        }
    }

    /// Whether nothing is to be done, as far as anybody has seen, and nothing is left anywhere.
    fn rests(&mut self) -> bool {
        self.is_quiet() && self.machines.iter().all(|machine| machine.sandboxes().is_empty())
    }

    /// Asks for what is still to be asked for; whether all sessions rest.
    fn is_quiet(&mut self) -> bool {
        let asks = self.people.to_settle();
        let is_quiet = asks.is_empty();
        for errand in asks {
            let one = self.one();
            self.machines[one].ask(&self.people, errand);
        }
        for session in self.people.sessions() {
            let one = self.one();
            self.machines[one].ask(&self.people, Errand::about(&session, What::Look));
        }
        is_quiet && self.people.is_quiet()
    }

    fn has_one_sandbox_each(&self) {
        for session in self.people.sessions() {
            let with = self.machines.iter().filter(|machine| machine.universe().guest(&session).is_some());
            let with: Vec<i64> = with.map(Machine::number).collect();
            if with.len() > 1 {
                self.world.wrong(format!("{session} has sandboxes on machines {with:?}"));
            }
        }
    }

    /// All that has to be so.
    fn judge(self) -> Result<Told, String> {
        let sessions = self.people.sessions();
        for session in &sessions {
            let here = |machine: &&Machine| {
                machine.answer(async |engine| engine.whereabouts(session).await) == Some(Whereabouts::Here)
            };
            let here: Vec<i64> = self.machines.iter().filter(here).map(Machine::number).collect();
            if here.len() != 1 {
                self.world.wrong(format!("{session} is at servers {here:?}"));
            }
        }
        let machine = &self.machines[0];
        let (wanted, readers) = self.people.expect();
        let told = machine.answer(async |engine| {
            check::all(machine.universe(), engine, &sessions, &wanted, &readers).await
        });
        let found = self.world.found();
        match told {
            Some(told) if found.is_empty() => Ok(told),
            Some(_) => Err(found.join("\n")),
            None => Err("no server is there at the end".to_owned()),
        }
    }
}
