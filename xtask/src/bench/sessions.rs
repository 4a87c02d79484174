//! Sessions: how soon an agent speaks, what one costs when it sleeps and when it is followed, how soon a killed server has
//! its agents again.

use super::Bench;
use super::http;
use super::peers::{Lamplight, Peer, create, end, install_goose, until};
use super::process::{Running, now};
use super::table::{Table, ms, quantile, size};
use crate::command::output_of;
use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

const SESSIONS: usize = 20;
const REAL_SESSIONS: usize = 5;
const KILLS: usize = 20;
/// So many that what one takes can be told from what the server takes by chance.
const SLEEPING: u32 = 100_000;
const WOKEN: usize = 300;
/// Sessions whose sandbox and agent wait for what is said next, and some before that the server has done all of it once.
const OPEN: u32 = 200;
const OPEN_BEFORE: u32 = 20;
const FOLLOWERS: u32 = 1_000;
/// That are there before the first measure.
const FOLLOWERS_BEFORE: u32 = 20;
/// As many as a server takes.
const ALL_FOLLOWERS: u32 = 10_000;
/// Descriptors beside theirs.
const OTHER_FILES: u64 = 500;
/// Until memory that is given back is given back.
const SETTLED: Duration = Duration::from_secs(3);
/// An agent that says a word every few milliseconds for a minute.
const TALK: &str = "!stream 12000 5";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let mut times = Table::new(
        "Sessions, time",
        "Create: from the request to the agent's first byte in the log: sandbox, clone, agent started. Re-attached: from starting a new server after `kill -9` in the \
         middle of a turn to the first event in the log that the agent said after it. Woken: the first command to a session since the server was started, from the request to its answer, when it is on disk; \
         goal: 10 ms.",
        &["what", "p50", "slowest"],
    );
    times.row("create → first byte of the scripted agent", first_byte(bench, "scripted", SESSIONS));
    times.row("create → first byte of goose", first_byte(bench, "goose", REAL_SESSIONS));
    times.row("kill -9 → re-attached", reattached(bench));
    let asleep = Sleeping::new(bench);
    times.row(
        "a sleeping session woken by a command, of 100,000",
        asleep.as_ref().map_err(again).and_then(Sleeping::woken),
    );
    let mut memory = Table::new(
        "Sessions, memory of the server",
        "Proportional set size, as a difference, which is below nothing where the server happens to take less than before. Sleeping sessions are finished ones, real logs, listed once; open ones have a sandbox and an agent that wait, \
         which are not counted; followers are open WebSockets on one idle session, beside 20 that were there before.",
        &["what", "each", "goal", "server before", "server after"],
    );
    memory.row("100,000 sleeping sessions", asleep.as_ref().map_err(again).and_then(Sleeping::weighed));
    memory.row("200 open idle sessions", open(bench));
    for peer in [Peer::Lamplight, Peer::Workerd] {
        memory
            .row(&format!("1,000 open WebSockets, {}", peer.title()), followers(bench, peer, FOLLOWERS, ""));
    }
    memory.row("10,000 open WebSockets", followers(bench, Peer::Lamplight, ALL_FOLLOWERS, "80 MiB for all"));
    Ok(vec![times, memory])
}

fn first_byte(bench: &Bench, agent: &str, sessions: usize) -> Result<Vec<String>> {
    let lamplight = Lamplight::new(bench)?;
    if agent == "goose" {
        install_goose(&lamplight)?;
    }
    let running = lamplight.serve()?;
    let mut took = Vec::new();
    for _ in 0..sessions {
        let id = create(bench, &running.url, "!say hello", agent)?;
        let log = format!("{}/api/v1/sessions/{id}/log?after=0&limit=100", running.url);
        let start = now();
        let at = loop {
            let page = http::get(&log)?;
            let at = |kind: &str| {
                let entries = page["entries"].as_array()?;
                entries.iter().find(|entry| entry["event"]["type"] == kind)?["at"].as_f64()
            };
            if let (Some(created), Some(spoke)) = (at("session_created"), at("agent_initialized")) {
                break spoke - created;
            }
            ensure!(start.elapsed() < Duration::from_secs(30), "the agent says nothing");
            std::thread::sleep(Duration::from_millis(1));
        };
        took.push(at);
        end(&running.url, &id)?;
    }
    Ok(vec![ms(quantile(&mut took, 0.5)), ms(quantile(&mut took, 1.0))])
}

fn reattached(bench: &Bench) -> Result<Vec<String>> {
    let lamplight = Lamplight::new(bench)?;
    let mut running = lamplight.serve()?;
    let mut took = Vec::new();
    let mut id = String::new();
    for round in 0..KILLS {
        // One agent's minute is enough for some of them.
        if round % 5 == 0 {
            if !id.is_empty() {
                end(&running.url, &id)?;
            }
            id = create(bench, &running.url, TALK, "scripted")?;
        }
        let seq = until(&running.url, &id, "talking", |view| view["steps"].is_u64() && is_past(view, 20))?["last_seq"].as_u64();
        let seq = seq.context("a session has a last_seq")?;
        running.kill()?;
        let start = now();
        running = lamplight.serve()?;
        // What the old server had appended but not shown is at most its last few entries; the agent says more at once.
        until(&running.url, &id, "talking again", |view| {
            view["phase"] != "starting" && is_past(view, seq + 3)
        })?;
        took.push(start.elapsed().as_secs_f64() * 1e3);
    }
    end(&running.url, &id)?;
    Ok(vec![ms(quantile(&mut took, 0.5)), ms(quantile(&mut took, 1.0))])
}

fn is_past(view: &Value, seq: u64) -> bool {
    view["last_seq"].as_u64().is_some_and(|last| last > seq)
}

/// A store with many finished sessions; nobody serves it.
struct Sleeping {
    lamplight: Lamplight,
    /// What a server with one of them takes.
    before: f64,
}

impl Sleeping {
    fn new(bench: &Bench) -> Result<Self> {
        let lamplight = Lamplight::new(bench)?;
        let running = lamplight.serve()?;
        let id = create(bench, &running.url, "Write down what a sleeping session costs", "scripted")?;
        until(&running.url, &id, "done", |view| view["phase"] == "done")?;
        end(&running.url, &id)?;
        until(&running.url, &id, "ended", |view| view["ended"] == true)?;
        // Until its sandbox is gone too, and that is written down.
        std::thread::sleep(SETTLED);
        drop(running);
        let before = weigh(&lamplight.serve()?)?;
        let mut copies = Command::new(bench.example("copies"));
        output_of(copies.arg(lamplight.directory().join("data")).arg(&id).arg(SLEEPING.to_string()))?;
        Ok(Self { lamplight, before })
    }

    fn weighed(&self) -> Result<Vec<String>> {
        let after = weigh(&self.lamplight.serve()?)?;
        Ok(difference(self.before, after, SLEEPING, "64 B"))
    }

    fn woken(&self) -> Result<Vec<String>> {
        let running = self.lamplight.serve()?;
        let mut took = Vec::new();
        // Spread over all of them, each once.
        for number in (0..SLEEPING).step_by(SLEEPING as usize / WOKEN) {
            let url = format!("{}/api/v1/sessions/01K{number:023}/archive", running.url);
            let start = now();
            http::post(&url, &json!({}))?;
            took.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok(vec![ms(quantile(&mut took, 0.5)), ms(quantile(&mut took, 1.0))])
    }
}

fn weigh(running: &Running) -> Result<f64> {
    http::get(&format!("{}/api/v1/sessions?limit=50", running.url))?;
    std::thread::sleep(SETTLED);
    running.pss()
}

fn open(bench: &Bench) -> Result<Vec<String>> {
    let variables = [("LAMPLIGHT_QUEUE_SANDBOXES", "0"), ("LAMPLIGHT_QUEUE_SANDBOXES_PER_PERSON", "0")];
    let running = Lamplight::new(bench)?.serve_with(&variables)?;
    let mut all = Vec::new();
    let mut add = |count: u32| {
        for _ in 0..count {
            let id = create(bench, &running.url, "!say hello", "scripted")?;
            until(&running.url, &id, "done", |view| view["phase"] == "done")?;
            all.push(id);
        }
        std::thread::sleep(SETTLED);
        anyhow::Ok(running.own_pss())
    };
    let (before, after) = (add(OPEN_BEFORE)?, add(OPEN)?);
    for id in &all {
        end(&running.url, id)?;
    }
    Ok(difference(before, after, OPEN, "4 KiB"))
}

fn followers(bench: &Bench, peer: Peer, count: u32, goal: &str) -> Result<Vec<String>> {
    allow_files(u64::from(count) + OTHER_FILES)?;
    let running = peer.start(bench)?;
    let session = peer.session(bench, &running)?;
    let follow = |count: u32| {
        let mut load = Command::new(bench.example("load"));
        load.args(["idle", peer.name(), &running.url, &session, &count.to_string()]);
        let mut load = load.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut said = String::new();
        BufReader::new(load.stdout.take().context("read what the load says")?).read_line(&mut said)?;
        std::thread::sleep(SETTLED);
        anyhow::Ok(load)
    };
    // The code that serves them comes into memory with the first.
    let few = follow(FOLLOWERS_BEFORE)?;
    let before = running.pss()?;
    let many = follow(count)?;
    let after = running.pss()?;
    for mut load in [few, many] {
        drop(load.stdin.take());
        ensure!(load.wait()?.success(), "a reader was sent away");
    }
    if peer == Peer::Lamplight {
        end(&running.url, &session)?;
    }
    Ok(difference(before, after, count, goal))
}

/// So many open files, to each program that is started from here on.
fn allow_files(count: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let is_enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= count);
    if is_enough(limit.current) {
        return Ok(());
    }
    ensure!(
        is_enough(limit.maximum),
        "{count} open files are needed, and no more than {:?} allowed",
        limit.maximum
    );
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(count), ..limit })?)
}

fn difference(before: f64, after: f64, count: u32, goal: &str) -> Vec<String> {
    let each = (after - before) / f64::from(count);
    let each = if each.abs() < 1.0 { format!("{:.0} B", each * 1024.0) } else { size(each) };
    vec![each, goal.to_owned(), size(before), size(after)]
}

/// An error that is told in two places.
fn again(error: &anyhow::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
