//! Many: sessions, entries, sandboxes and readers, and how soon the server is there for all of them.

use super::Bench;
use super::http;
use super::peers::{Lamplight, Peer, create, end, until};
use super::postgres::Postgres;
use super::process::{Running, free_port, now};
use super::table::{Table, ms, quantile, size};
use crate::command::output_of;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// Copies of one finished session, and prompts that it has answered: together a million entries.
const SESSIONS: u32 = 10_000;
const PROMPTS: usize = 3;
/// Tool calls of one of them, within what a turn may have.
const CALLS: usize = 20;
/// Of a list.
const LISTED: u32 = 100_000;
const STARTS: usize = 10;
const ASKED: usize = 300;
const LIVE: usize = 100;
/// How far behind a reader is that comes back, and how often one does.
const BEHIND: u64 = 500;
const RETURNS: usize = 100;
const STORM: usize = 5_000;
/// Over HTTP, and how many times each of them sends what it sends at once.
const CONNECTIONS: usize = 64;
const ROUNDS: usize = 25;
/// Of those who wait for the disk with each.
const SLOW_ROUNDS: usize = 4;
const FAILOVERS: usize = 3;
/// Sessions that wait for a sandbox, and those that are begun before and behind them.
const WAITING: usize = 2_000;
const BEGUN: usize = 100;
/// Servers on one database have it in common.
const SHARED_KEY: (&str, &str) =
    ("LAMPLIGHT_SECRETS_KEY", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
/// For memory that is given back to be given back, and for what ends to have ended.
const SETTLED: Duration = Duration::from_secs(3);
/// For all agents to be heard of again.
const TAKEN_BACK: Duration = Duration::from_secs(120);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "Scale",
        "On SQLite, but for the failover. The store has 10,000 finished sessions, real logs copied under new ids, with about a million entries; the list is over 100,000. Taken back: from starting a new server after `kill -9` until each of 100 \
         agents, each in its sandbox, has said something more. A storm: readers that all come back to a server that has just been started again, until each has read an event that was appended after them. Events over HTTP: a request each, \
         64 ahead of their answers on each of 64 connections. Begun: from the request for a session that has to wait for a sandbox to its answer. Failover: from `kill -9` of the server that has a session in the middle of a turn until another one on the same database shows its next event. \
         Beside it, in the same run and as a ratio of ours: a Durable Object on workerd, whose database is empty and whose readers have all there is; and where a line is named, a thread that reads a request, \
         appends its body to a file, syncs it and answers.",
        &["what", "p50", "slowest, or p99", "goal", "beside it"],
    );
    let many = Many::new(bench)?;
    table.row("start → ready", many.starts(bench));
    table.row("memory after the start", many.weighed(bench));
    table.row("a sleeping session's view", many.woken());
    table.row("kill -9 → serving, with 100 live sandboxes", many.killed(bench));
    table.row("a reader that comes back 500 events behind", behind(bench));
    table.row("a storm of 5,000 readers", storm(bench));
    table.row("durable events a second over HTTP, one session", posted(bench));
    table.row("the same on PostgreSQL", posted_to_postgres(bench));
    table.row("failover to another server, on PostgreSQL", failed_over(bench));
    table.row("a page of 50 of 100,000 sessions", Listed::new(bench)?.pages());
    table.row("a session begun behind 2,000 that wait", begun(bench));
    Ok(vec![table])
}

/// A store with many sessions; nobody serves it.
struct Many {
    lamplight: Lamplight,
    entries: u64,
}

impl Many {
    fn new(bench: &Bench) -> Result<Self> {
        let (lamplight, id) = finished(bench, PROMPTS)?;
        let entries = copy(bench, &lamplight, &id, SESSIONS)?;
        Ok(Self { lamplight, entries })
    }

    fn starts(&self, bench: &Bench) -> Result<Vec<String>> {
        let mut took = started(|| self.lamplight.serve())?;
        let with = format!("50 ms with {} entries", self.entries);
        let half = quantile(&mut took, 0.5);
        let theirs = started(|| Peer::Workerd.start(bench)).map(|mut took| quantile(&mut took, 0.5));
        Ok(vec![ms(half), ms(quantile(&mut took, 1.0)), with, beside("Durable Object", theirs, half, ms)])
    }

    fn weighed(&self, bench: &Bench) -> Result<Vec<String>> {
        let weigh = |running: Running| {
            std::thread::sleep(SETTLED);
            running.pss()
        };
        let ours = weigh(self.lamplight.serve()?)?;
        let theirs = Peer::Workerd.start(bench).and_then(weigh);
        Ok(vec![size(ours), String::new(), "12 MiB".to_owned(), beside("Durable Object", theirs, ours, size)])
    }

    fn woken(&self) -> Result<Vec<String>> {
        let running = self.lamplight.serve()?;
        let mut took = Vec::new();
        // Spread over all of them, each once.
        for number in (0..SESSIONS).step_by(SESSIONS as usize / ASKED) {
            let url = format!("{}/api/v1/sessions/01K{number:023}", running.url);
            let start = now();
            http::get(&url)?;
            took.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok(vec![
            ms(quantile(&mut took, 0.5)),
            ms(quantile(&mut took, 0.99)),
            "10 ms".to_owned(),
            String::new(),
        ])
    }

    fn killed(&self, bench: &Bench) -> Result<Vec<String>> {
        let variables = [("LAMPLIGHT_QUEUE_SANDBOXES", "0"), ("LAMPLIGHT_QUEUE_SANDBOXES_PER_PERSON", "0")];
        let running = self.lamplight.serve_with(&variables)?;
        let mut live = Vec::new();
        for _ in 0..LIVE {
            live.push(create(bench, &running.url, "!stream 100000 200", "scripted")?);
        }
        for id in &live {
            until(&running.url, id, "talking", is_at_work)?;
        }
        let last = live.iter().map(|id| last_seq(&running, id)).collect::<Result<Vec<_>>>()?;
        running.kill()?;
        let start = now();
        let running = self.lamplight.serve_with(&variables)?;
        let ready = running.ready;
        for (id, last) in live.iter().zip(last) {
            // What the old server had appended but nobody had read is at most its last entries.
            while last_seq(&running, id)? < last + 3 {
                ensure!(start.elapsed() < TAKEN_BACK, "session {id} is not heard of");
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let all = start.elapsed();
        for id in &live {
            end(&running.url, id)?;
        }
        let back = format!("all back after {:.1} s", all.as_secs_f64());
        Ok(vec![ms(ready.as_secs_f64() * 1e3), back, "50 ms, 5 s".to_owned(), String::new()])
    }
}

/// How long each start takes, in milliseconds, but for the first.
fn started(start: impl Fn() -> Result<Running>) -> Result<Vec<f64>> {
    start()?;
    (0..STARTS).map(|_| Ok(start()?.ready.as_secs_f64() * 1e3)).collect()
}

/// What somebody else takes, and how that stands to ours.
fn beside(who: &str, theirs: Result<f64>, ours: f64, unit: fn(f64) -> String) -> String {
    match theirs {
        Ok(theirs) => format!("{who} {} ({:.2} ×)", unit(theirs), theirs / ours),
        Err(error) => format!("{who} not run: {error:#}").replace(['\n', '|'], " "),
    }
}

struct Listed(Lamplight);

impl Listed {
    fn new(bench: &Bench) -> Result<Self> {
        let (lamplight, id) = finished(bench, 1)?;
        copy(bench, &lamplight, &id, LISTED)?;
        Ok(Self(lamplight))
    }

    fn pages(&self) -> Result<Vec<String>> {
        let running = self.0.serve()?;
        let (mut took, mut before) = (Vec::new(), String::new());
        for _ in 0..ASKED {
            let start = now();
            let page = http::get(&format!("{}/api/v1/sessions?limit=50{before}", running.url))?;
            took.push(start.elapsed().as_secs_f64() * 1e3);
            let next = page["next_cursor"].as_str().context("there is another page")?;
            before = format!("&cursor={next}");
        }
        Ok(vec![
            ms(quantile(&mut took, 0.5)),
            ms(quantile(&mut took, 0.99)),
            "50 ms".to_owned(),
            String::new(),
        ])
    }
}

fn begun(bench: &Bench) -> Result<Vec<String>> {
    let running = Lamplight::new(bench)?.serve_with(&[("LAMPLIGHT_QUEUE_SANDBOXES", "1")])?;
    let first = create(bench, &running.url, "!hang", "scripted")?;
    until(&running.url, &first, "at work", is_at_work)?;
    let repository = http::get(&format!("{}/api/v1/sessions/{first}", running.url))?["repository"].take();
    let asked = json!({ "repository": repository, "prompt": "!say hello", "agent": "scripted" });
    let begin = |sessions: usize| {
        let mut took = Vec::new();
        for _ in 0..sessions {
            let start = now();
            http::post(&format!("{}/api/v1/sessions", running.url), &asked)?;
            took.push(start.elapsed().as_secs_f64() * 1e3);
        }
        anyhow::Ok(took)
    };
    let mut before = begin(BEGUN)?;
    begin(WAITING)?;
    let mut behind = begin(BEGUN)?;
    end(&running.url, &first)?;
    let alone = format!("where {BEGUN} wait {}", ms(quantile(&mut before, 0.5)));
    Ok(vec![ms(quantile(&mut behind, 0.5)), ms(quantile(&mut behind, 0.99)), String::new(), alone])
}

fn behind(bench: &Bench) -> Result<Vec<String>> {
    let (lamplight, id) = finished(bench, 12)?;
    let running = lamplight.serve()?;
    let last = last_seq(&running, &id)?;
    ensure!(last > BEHIND, "the log has {last} entries");
    let report = load(bench, &["behind", &running.url, &id, &BEHIND.to_string(), &RETURNS.to_string()])?;
    let number = |key: &str| report[key].as_f64().map(ms).context("the load reports numbers");
    Ok(vec![number("p50_ms")?, number("p99_ms")?, "5 ms".to_owned(), String::new()])
}

fn storm(bench: &Bench) -> Result<Vec<String>> {
    let lamplight = Lamplight::new(bench)?;
    let port = free_port()?;
    let running = lamplight.serve_on(port)?;
    let id = create(bench, &running.url, "!hang", "scripted")?;
    until(&running.url, &id, "at work", is_at_work)?;
    running.kill()?;
    let running = lamplight.serve_on(port)?;
    let took = stormed(bench, Peer::Lamplight, &running, &id)?;
    end(&running.url, &id)?;
    drop(running);
    let theirs = Peer::Workerd.start(bench).and_then(|running| stormed(bench, Peer::Workerd, &running, ""));
    Ok(vec![ms(took), String::new(), "5 s".to_owned(), beside("Durable Object", theirs, took, ms)])
}

fn stormed(bench: &Bench, peer: Peer, running: &Running, session: &str) -> Result<f64> {
    let report = load(bench, &["storm", peer.name(), &running.url, session, &STORM.to_string()])?;
    report["all_ms"].as_f64().context("the load reports a number")
}

fn posted(bench: &Bench) -> Result<Vec<String>> {
    let lamplight = Lamplight::new(bench)?;
    let rate = posted_to(bench, &lamplight.serve()?)?;
    let other = |peer: Peer| appended(bench, peer, &peer.start(bench)?, "", SLOW_ROUNDS);
    let others = [
        beside("Durable Object", other(Peer::Workerd), rate, a_second),
        beside("a line", other(Peer::Floor), rate, a_second),
    ];
    Ok(vec![a_second(rate), String::new(), a_second(25_000.0), others.join("; ")])
}

fn posted_to_postgres(bench: &Bench) -> Result<Vec<String>> {
    let postgres = Postgres::start(&bench.fresh("postgres")?)?;
    let lamplight = Lamplight::new(bench)?;
    let running = lamplight.serve_with(&[("LAMPLIGHT_DATABASE", postgres.url.as_str()), SHARED_KEY])?;
    let rate = posted_to(bench, &running)?;
    Ok(vec![a_second(rate), String::new(), a_second(25_000.0), String::new()])
}

fn posted_to(bench: &Bench, running: &Running) -> Result<f64> {
    let id = create(bench, &running.url, "!hang", "scripted")?;
    until(&running.url, &id, "at work", is_at_work)?;
    let rate = appended(bench, Peer::Lamplight, running, &id, ROUNDS)?;
    end(&running.url, &id)?;
    Ok(rate)
}

fn appended(bench: &Bench, peer: Peer, running: &Running, session: &str, rounds: usize) -> Result<f64> {
    let counts = [CONNECTIONS.to_string(), rounds.to_string()];
    let report = load(bench, &["append", peer.name(), &running.url, session, &counts[0], &counts[1]])?;
    report["events_per_second"].as_f64().context("the load reports a number")
}

fn a_second(rate: f64) -> String {
    format!("{rate:.0}/s")
}

fn failed_over(bench: &Bench) -> Result<Vec<String>> {
    let postgres = Postgres::start(&bench.fresh("postgres")?)?;
    let variables = [("LAMPLIGHT_DATABASE", postgres.url.as_str()), SHARED_KEY];
    let (one, other) = (Lamplight::new(bench)?, Lamplight::new(bench)?);
    let there = other.serve_with(&variables)?;
    let mut took = Vec::new();
    for _ in 0..FAILOVERS {
        let here = one.serve_with(&variables)?;
        let id = create(bench, &here.url, "!stream 100000 50", "scripted")?;
        until(&here.url, &id, "talking", is_at_work)?;
        here.kill()?;
        let start = now();
        // Nobody appends to it before another server has it.
        let last = last_seq(&there, &id)?;
        // While it changes hands it may be refused.
        while last_seq(&there, &id).unwrap_or(last) == last {
            ensure!(start.elapsed() < TAKEN_BACK, "session {id} is not heard of");
            std::thread::sleep(Duration::from_millis(20));
        }
        took.push(start.elapsed().as_secs_f64() * 1e3);
        // It ends what it still has of it.
        let _again = one.serve_with(&variables)?;
        end(&there.url, &id)?;
        std::thread::sleep(SETTLED);
    }
    Ok(vec![ms(quantile(&mut took, 0.5)), ms(quantile(&mut took, 1.0)), "15 s".to_owned(), String::new()])
}

fn load(bench: &Bench, arguments: &[&str]) -> Result<Value> {
    let mut load = Command::new(bench.example("load"));
    Ok(serde_json::from_str(&output_of(load.args(arguments))?)?)
}

/// A session that has answered so many prompts and has ended; nobody serves it any more.
fn finished(bench: &Bench, prompts: usize) -> Result<(Lamplight, String)> {
    let lamplight = Lamplight::new(bench)?;
    let running = lamplight.serve()?;
    // Each another one: a guard stops whoever repeats a call.
    let prompt: String = (0..CALLS).map(|call| format!("!run echo {call}\n")).collect();
    let id = create(bench, &running.url, &prompt, "scripted")?;
    let answered = |turns: usize| {
        until(&running.url, &id, "done", |view| view["phase"] == "done" && view["turn"] == turns)
    };
    answered(1)?;
    for turn in 2..=prompts {
        let url = format!("{}/api/v1/sessions/{id}/prompts", running.url);
        http::post(&url, &serde_json::json!({ "text": prompt }))?;
        answered(turn)?;
    }
    end(&running.url, &id)?;
    until(&running.url, &id, "ended", |view| view["ended"] == true)?;
    // Until its sandbox is gone too, and that is written down, whoever starts the server has something to do.
    std::thread::sleep(SETTLED);
    Ok((lamplight, id))
}

fn is_at_work(view: &Value) -> bool {
    view["phase"] == "executing" || view["phase"] == "planning"
}

/// How many entries all copies have.
fn copy(bench: &Bench, lamplight: &Lamplight, id: &str, count: u32) -> Result<u64> {
    let last = last_seq(&lamplight.serve()?, id)?;
    let mut copies = Command::new(bench.example("copies"));
    output_of(copies.arg(lamplight.directory().join("data")).arg(id).arg(count.to_string()))?;
    Ok(last * u64::from(count))
}

fn last_seq(running: &Running, id: &str) -> Result<u64> {
    let view = http::get(&format!("{}/api/v1/sessions/{id}", running.url))?;
    view["last_seq"].as_u64().context("a session has a last_seq")
}
