//! Two servers on one PostgreSQL and one bucket, many sessions with real sandboxes and agents, and for a while everything is killed and cut.
//! Afterwards each prompt that was accepted was answered once, or a person was told; all that is counted adds up; nothing is left behind.
//!
//! `LAMPLIGHT_TORTURE_SESSIONS` and `LAMPLIGHT_TORTURE_SECONDS` ask for more: 200 and 600, by hand.

mod clients;
mod reckoning;
mod wire;

use crate::cluster::{self, Cluster};
use crate::seaweed::{BUCKET, LET_IN, Seaweed};
use crate::several::SHARED_KEY;
use crate::support::{PATIENCE, Place, Server, find_pid, sandbox_records};
use crate::usage::{PRICES, model};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::time::Instant;
use wire::Wire;

const SESSIONS: u64 = 8;
const SECONDS: u64 = 20;
/// Sandboxes of a server at a time: more would only wait for the processors.
const PLACES: &str = "6";
/// From one blow to the next, in milliseconds.
const BETWEEN_MS: std::ops::Range<u64> = 200..1500;
/// Until what was killed is started again; the long one is more than a lease.
const AWAY_MS: u64 = 1500;
const LONG_AWAY_MS: u64 = 13_000;

fn asked_for(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    Server,
    Guest,
    Agent,
    Database,
    Bucket,
    Connections,
}

/// What runs, and what is to be started again.
struct World {
    servers: [Seat; 2],
    database: Cluster,
    bucket: Seaweed,
    wires: Vec<Wire>,
    random: fastrand::Rng,
    told: BTreeMap<Blow, u32>,
}

enum Seat {
    Taken(Server),
    /// Until then.
    Empty(Place, Instant),
    /// While it changes.
    Between,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_each_prompt_is_answered_once_and_all_adds_up() {
    let Some(bucket) = Seaweed::start() else { return };
    let sessions = u32::try_from(asked_for("LAMPLIGHT_TORTURE_SESSIONS", SESSIONS)).unwrap();
    let length = Duration::from_secs(asked_for("LAMPLIGHT_TORTURE_SECONDS", SECONDS));
    let seed = asked_for("LAMPLIGHT_TORTURE_SEED", 7);
    let (base, _held, _asked) = model();
    let mut world = World::new(bucket, &base, seed).await;
    let bases = world.servers.each_ref().map(|seat| seat.server().base.clone());
    let repository = world.servers[0].server().place.repository();
    let begun = Instant::now();
    let clients = clients::begin(sessions, length, &bases, &repository);
    while begun.elapsed() < length {
        world.strike().await;
    }
    world.heal().await;
    let healed = Instant::now();
    let asked = tokio::time::timeout(PATIENCE, clients.join_all()).await.expect("all is asked in time");
    let [one, other] = world.servers.each_ref().map(Seat::server);
    let blows: Vec<String> =
        world.told.iter().map(|(blow, times)| format!("{times} × {blow:?}").to_lowercase()).collect();
    println!("{sessions} sessions, {} s, seed {seed}; blows: {}", length.as_secs(), blows.join(", "));
    reckoning::reckon(one, other, &asked).await;
    println!("all settled {:.1} s after the last blow", healed.elapsed().as_secs_f64());
}

impl Seat {
    fn server(&self) -> &Server {
        let Self::Taken(server) = self else { panic!("nobody serves here") };
        server
    }

    fn is_taken(&self) -> bool {
        matches!(self, Self::Taken(_))
    }
}

impl World {
    async fn new(bucket: Seaweed, model: &str, seed: u64) -> Self {
        let port = bucket.endpoint().rsplit_once(':').unwrap().1.parse().unwrap();
        let (to_bucket, port) = Wire::to_port(port).await;
        let mut one = Place::with(&format!(
            "[blobs]\nurl = 's3://{BUCKET}/ours'\nendpoint = 'http://127.0.0.1:{port}'\n\
             [models.openai]\nbase = '{model}/v1'\n{PRICES}"
        ));
        one.environment.extend(LET_IN);
        one.environment.extend([SHARED_KEY, ("LAMPLIGHT_QUEUE_SANDBOXES", PLACES)]);
        one.cluster = Some(Cluster::start());
        let mut other = one.beside();
        let database = one.cluster.take().unwrap();
        let mut wires = vec![to_bucket];
        for place in [&mut one, &mut other] {
            let directory = place.path("database");
            std::fs::create_dir(&directory).unwrap();
            wires.push(Wire::to_socket(database.socket(), &directory));
            // As long as the test.
            place.environment.push(("LAMPLIGHT_DATABASE", cluster::url(&directory).leak()));
        }
        let servers = [one, other].map(|place| Seat::Taken(Server::start_in(place)));
        let random = fastrand::Rng::with_seed(seed);
        Self { servers, database, bucket, wires, random, told: BTreeMap::new() }
    }

    async fn strike(&mut self) {
        tokio::time::sleep(Duration::from_millis(self.random.u64(BETWEEN_MS))).await;
        self.fill_seats(Instant::now()).await;
        let blow = match self.random.u32(0..12) {
            0..4 => Blow::Server,
            4..6 => Blow::Guest,
            6..8 => Blow::Agent,
            8 => Blow::Database,
            9 => Blow::Bucket,
            _ => Blow::Connections,
        };
        let away = Duration::from_millis(self.random.u64(0..AWAY_MS));
        let struck = match blow {
            Blow::Server => self.kill_server(away),
            Blow::Guest => self.kill_inside(false),
            Blow::Agent => self.kill_inside(true),
            Blow::Database => {
                self.database.crash();
                tokio::time::sleep(away).await;
                self.database.go_on();
                true
            }
            Blow::Bucket => {
                self.bucket.crash();
                tokio::time::sleep(away).await;
                self.bucket.go_on();
                true
            }
            Blow::Connections => {
                let wire = self.random.usize(0..self.wires.len());
                self.wires[wire].cut();
                true
            }
        };
        *self.told.entry(blow).or_default() += u32::from(struck);
    }

    /// One of them, if that leaves one more to be killed or not.
    fn kill_server(&mut self, away: Duration) -> bool {
        let away = if self.random.u32(0..4) == 0 { Duration::from_millis(LONG_AWAY_MS) } else { away };
        let seat = self.random.usize(0..2);
        match std::mem::replace(&mut self.servers[seat], Seat::Between) {
            Seat::Taken(server) => {
                server.signal("KILL");
                self.servers[seat] = Seat::Empty(server.ended().1, Instant::now() + away);
                true
            }
            empty => {
                self.servers[seat] = empty;
                false
            }
        }
    }

    /// The first process of a sandbox, which is its guest, or one that the guest has started.
    fn kill_inside(&mut self, agent: bool) -> bool {
        let records = self.servers.iter().flat_map(|seat| match seat {
            Seat::Taken(server) => sandbox_records(&server.place.path("data/sandboxes")),
            Seat::Empty(place, _) => sandbox_records(&place.path("data/sandboxes")),
            Seat::Between => Vec::new(),
        });
        let guests: Vec<u64> = records.filter_map(|record| pid(&record)).collect();
        let Some(guest) = self.random.choice(&guests) else { return false };
        let children = || {
            let list = std::fs::read_to_string(format!("/proc/{guest}/task/{guest}/children"));
            list.unwrap_or_default().split_whitespace().next().map(str::to_owned)
        };
        let victim = if agent { children() } else { Some(guest.to_string()) };
        let Some(victim) = victim else { return false };
        Command::new("kill").args(["-KILL", &victim]).output().unwrap().status.success()
    }

    /// Starts again what is due.
    async fn fill_seats(&mut self, now: Instant) {
        for seat in &mut self.servers {
            *seat = match std::mem::replace(seat, Seat::Between) {
                Seat::Empty(place, until) if until <= now => match Server::try_start(place, &["serve"]) {
                    Ok(server) => Seat::Taken(server),
                    Err(place) => Seat::Empty(*place, until),
                },
                other => other,
            };
        }
    }

    async fn heal(&mut self) {
        let whole = async {
            while !self.servers.iter().all(Seat::is_taken) {
                self.fill_seats(Instant::now() + Duration::from_millis(LONG_AWAY_MS)).await;
            }
        };
        tokio::time::timeout(PATIENCE, whole).await.expect("all serve again");
    }
}

fn pid(record: &Path) -> Option<u64> {
    let record: Value = serde_json::from_slice(&std::fs::read(record).ok()?).ok()?;
    find_pid(&record)
}
