//! Events: how fast one reaches those who follow, and how many a second are on disk.

use super::Bench;
use super::peers::{Lamplight, Peer, create, end, until};
use super::postgres::Postgres;
use super::process::now;
use super::table::{Table, ms, quantile};
use crate::command::output_of;
use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Readers, how many events each of them waits for, and for how many milliseconds nothing happens after each.
const CASES: [(usize, usize, u64); 4] = [(1, 300, 1), (1, 300, 10), (100, 100, 1), (1_000, 60, 1)];
/// How often each program has its turn: the machine is another one from minute to minute.
const TURNS: usize = 3;
/// Messages that the flooding agent sends.
const FLOOD: u64 = 200_000;

/// From asking for an append to a reader's having read it.
pub(super) fn delivery(bench: &Bench) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "Delivery",
        "From sending an HTTP request that appends an event to a reader's having parsed it, one event after the other, over all readers. Lamplight, the \
         Durable Object and OpenCode have it on disk before; load and server share the processors, and readers put off their TCP acknowledgements. \
         The last row is no product but what this machine takes in these minutes: a thread reads the request, appends its body to a file, syncs it and writes to each reader. Each program has three turns, one after the other; told is the middle one of each number. \
         The next event follows 1 ms after everybody has read the one before; in the third and fourth column 10 ms after, as \
         all columns were before 2026-11-28: the two are not to be compared. Goals: p50 of 0.8 ms with one reader, 5 ms with 1,000; no pause was named with them.",
        &[
            "program",
            "1 reader p50",
            "p99",
            "1 reader after 10 ms p50",
            "p99",
            "100 readers p50",
            "p99",
            "1,000 readers p50",
            "p99",
        ],
    );
    let peers: Vec<Peer> = Peer::ALL.into_iter().chain([Peer::Floor]).collect();
    let turns: Vec<Vec<_>> =
        (0..TURNS).map(|_| peers.iter().map(|peer| delivered(bench, *peer)).collect()).collect();
    for (place, peer) in peers.iter().enumerate() {
        let of_one: Result<Vec<_>, _> = turns.iter().map(|turn| turn[place].as_ref()).collect();
        table.row(peer.title(), of_one.map(|turns| middle(&turns)).map_err(|error| anyhow!("{error:#}")));
    }
    Ok(vec![table])
}

/// Half of the events, and 99 of 100, took at most so long, in milliseconds; for each case.
type Times = [[f64; 2]; CASES.len()];

/// Of the turns the one in the middle, for each number by itself.
fn middle(turns: &[&Times]) -> Vec<String> {
    let of_all = |column: usize| turns.iter().map(|turn| turn.as_flattened()[column]).collect::<Vec<_>>();
    (0..CASES.len() * 2).map(|column| ms(quantile(&mut of_all(column), 0.5))).collect()
}

fn delivered(bench: &Bench, peer: Peer) -> Result<Times> {
    let running = peer.start(bench)?;
    let session = peer.session(bench, &running)?;
    let mut times = Times::default();
    for ((readers, events, pause_ms), times) in CASES.into_iter().zip(&mut times) {
        let mut load = Command::new(bench.example("load"));
        load.args(["deliver", peer.name(), &running.url, &session]);
        load.args([readers.to_string(), events.to_string(), pause_ms.to_string()]);
        let report: Value = serde_json::from_str(&output_of(&mut load)?)?;
        let number = |key: &str| report[key].as_f64().context("the load reports numbers");
        *times = [number("p50_ms")?, number("p99_ms")?];
    }
    if peer == Peer::Lamplight {
        end(&running.url, &session)?;
    }
    Ok(times)
}

/// How many a second, by the store alone and from an agent's pipe.
pub(super) fn durable(bench: &Bench) -> Result<Vec<Table>> {
    let directory = bench.fresh("store")?;
    let on_sqlite = appended(bench, &directory, None)?;
    let on_postgres = Postgres::start(&bench.fresh("postgres")?)
        .and_then(|postgres| appended(bench, &directory, Some(&postgres.url)));
    let store = beside(&on_sqlite, on_postgres);
    let mut pipe = Table::new(
        "Durable events, from an agent's pipe",
        "An agent in a sandbox says as many messages as it can: through its pipe, the guest, the link, the reader of ACP and the actor into the log. Each is an \
         event that is on disk; small ones that follow one another may share an entry. Goals: 15,000 a second, later 100,000.",
        &["what", "messages/s", "log entries/s", "from first to last"],
    );
    pipe.row("one agent, SQLite", flood(bench, &[]));
    let on_postgres = Postgres::start(&bench.fresh("postgres")?)
        .and_then(|postgres| flood(bench, &[("LAMPLIGHT_DATABASE", &postgres.url)]));
    pipe.row("one agent, PostgreSQL", on_postgres);
    Ok(vec![store, pipe])
}

/// A load and what came of it: events a second, and how long until one is acknowledged.
struct Rate {
    name: String,
    columns: [String; 3],
}

fn appended(bench: &Bench, directory: &Path, database: Option<&str>) -> Result<Vec<Rate>> {
    let mut example = Command::new(bench.example("append_rate"));
    example.arg("--dir").arg(directory);
    if let Some(url) = database {
        example.args(["--postgres", url]);
    }
    let report: Value = serde_json::from_str(&output_of(&mut example)?)?;
    let rates = report["rates"].as_array().context("the example reports rates")?;
    Ok(rates.iter().map(rate).collect())
}

fn rate(rate: &Value) -> Rate {
    let wait = |key: &str| rate["ack_ms"][key].as_f64().map(ms).unwrap_or_default();
    let events = rate["events_per_second"].as_f64().unwrap_or_default();
    Rate {
        name: format!("{} × {}", rate["writers"], rate["events_per_append"]),
        columns: [format!("{events:.0}"), wait("p50"), wait("p99")],
    }
}

/// One table for both, or with the reason why there is no PostgreSQL.
fn beside(on_sqlite: &[Rate], on_postgres: Result<Vec<Rate>>) -> Table {
    let mut table = Table::new(
        "Durable events, the store alone",
        "Each writer is a session that waits for its append before the next; with every append its summary, with one event in eight a text for search. \
         Events of 350 bytes. SQLite and PostgreSQL have their files on the same disk, and PostgreSQL its settings as they come, behind a Unix socket.",
        &[
            "writers × events an append",
            "SQLite: events/s",
            "acknowledged p50",
            "p99",
            "PostgreSQL: events/s",
            "acknowledged p50",
            "p99",
        ],
    );
    let (other, why) = match on_postgres {
        Ok(rates) => (rates, String::new()),
        Err(error) => (Vec::new(), format!("failed: {error:#}").replace(['\n', '|'], " ")),
    };
    for (n, rate) in on_sqlite.iter().enumerate() {
        let missing = || [why.clone(), String::new(), String::new()];
        let more = other.get(n).map_or_else(missing, |rate| rate.columns.clone());
        table.row(&rate.name, Ok([&rate.columns[..], &more[..]].concat()));
    }
    table
}

fn flood(bench: &Bench, variables: &[(&str, &str)]) -> Result<Vec<String>> {
    let running = Lamplight::new(bench)?.serve_with(variables)?;
    let id = create(bench, &running.url, &format!("!stream {FLOOD} 0"), "scripted")?;
    let begun = until(&running.url, &id, "executing", |view| view["turn_started_at"].is_string())?;
    let start = now();
    let done = until(&running.url, &id, "done", |view| view["phase"] == "done")?;
    let seconds = start.elapsed().as_secs_f64();
    let entries =
        done["last_seq"].as_u64().unwrap_or_default() - begun["last_seq"].as_u64().unwrap_or_default();
    end(&running.url, &id)?;
    let rate = |count: u64| format!("{:.0}", count as f64 / seconds);
    Ok(vec![rate(FLOOD), rate(entries), format!("{seconds:.1} s")])
}
