//! The page in a real browser: how much it is, how soon it can be used, how soon it shows what arrives, what it holds on to.

use super::Bench;
use super::http;
use super::peers::{Lamplight, create_with, end, until};
use super::table::{Table, ms, size};
use crate::command::output_of;
use crate::missing;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::process::Command;

/// Turns of the long session, and the steps of each.
const TURNS: u32 = 11;
const STEPS: u32 = 50;
/// Tool calls of a step; each is two entries of the log.
const CALLS: u32 = 46;
const LISTED: u32 = 10_000;
const PROGRAM: &str = "web/e2e/bench.mjs";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "Page",
        "In headless Chromium without a GPU, which shares the processors with the server. Transferred: everything but the answers of the API, compressed as \
         the server sends it, of a session's page. Ready: from the navigation's start to a frame that shows the end of the log and the box to write in, with \
         nothing cached. Painted: from the arrival of an entry in the browser to the end of the frame that shows it, in the long session. Echoed: from the key's own time to the end of the frame that shows what the shell in the sandbox made of it. Heap: after a \
         garbage collection.",
        &["what", "goal", "measured", "95 of 100, or slowest"],
    );
    let session = session(bench).and_then(|report| rows(&report));
    let list = list(bench).and_then(|report| list_rows(&report));
    for (what, rows) in [("a session", session), ("the list", list)] {
        match rows {
            Ok(rows) => rows.into_iter().for_each(|(name, numbers)| table.row(&name, Ok(numbers))),
            Err(error) => table.row(what, Err(error)),
        }
    }
    Ok(vec![table])
}

fn session(bench: &Bench) -> Result<Value> {
    let running = Lamplight::new(bench)?.serve()?;
    let limits = json!({ "steps": 1_000_000, "identical_calls": 1_000_000 });
    let long = create_with(bench, &running.url, &turn(1), "scripted", &limits)?;
    done(&running.url, &long, 1)?;
    for number in 2..=TURNS {
        let path = format!("{}/api/v1/sessions/{long}/prompts", running.url);
        http::post(&path, &json!({ "text": turn(number) }))?;
        done(&running.url, &long, number)?;
    }
    let live = create_with(bench, &running.url, "!say Ready", "scripted", &limits)?;
    done(&running.url, &live, 1)?;
    let report = browser(bench, &[&running.url, &long, &live])?;
    for id in [&long, &live] {
        end(&running.url, id)?;
    }
    Ok(report)
}

/// Many sessions that sleep: real logs, copied.
fn list(bench: &Bench) -> Result<Value> {
    let lamplight = Lamplight::new(bench)?;
    let running = lamplight.serve()?;
    let id = create_with(bench, &running.url, "Write down what a list costs", "scripted", &json!({}))?;
    done(&running.url, &id, 1)?;
    end(&running.url, &id)?;
    until(&running.url, &id, "ended", |view| view["ended"] == true)?;
    drop(running);
    let mut copies = Command::new(bench.example("copies"));
    output_of(copies.arg(lamplight.directory().join("data")).arg(&id).arg(LISTED.to_string()))?;
    browser(bench, &[&lamplight.serve()?.url])
}

fn browser(bench: &Bench, arguments: &[&str]) -> Result<Value> {
    let chromium = missing::chromium().context("there is no chromium; apt-get install -y chromium")?;
    let mut node = Command::new("node");
    node.current_dir(bench.workspace.web()).env("PATH", &bench.path).env("CHROMIUM", chromium);
    let said = output_of(node.arg(bench.workspace.root.join(PROGRAM)).args(arguments))?;
    let Some(report) = said.lines().last() else { bail!("the browser reported nothing") };
    serde_json::from_str(report).context("read what the browser reported")
}

/// Some 4,700 entries of an agent that talks and calls tools.
fn turn(number: u32) -> String {
    let mut prompt =
        format!("Turn {number} of a long session\n!think Where was I\n!plan Look; Change; Test\n");
    for step in 1..=STEPS {
        prompt +=
            &format!("!say Step {step} of turn {number}: I look at **part {step}** and run its tests.\n");
        prompt += &format!("!call {CALLS} shell cargo test part-{number}-{step}\n");
    }
    prompt
}

fn done(url: &str, id: &str, turn: u32) -> Result<()> {
    until(url, id, "done", |view| view["phase"] == "done" && view["turn"] == turn).map(drop)
}

type Row = (String, Vec<String>);

fn row(name: String, goal: &str, one: String, other: String) -> Row {
    (name, vec![goal.into(), one, other])
}

fn list_rows(report: &Value) -> Result<Vec<Row>> {
    let number = |key: &str| report[key].as_f64().with_context(|| format!("the browser reports {key}"));
    let (ready, slowest) = (ms(number("ready_ms")?), ms(number("ready_slowest_ms")?));
    let (frame, late) = (ms(number("frame_p50_ms")?), ms(number("frame_p95_ms")?));
    let rate = number("frames_a_second")?;
    Ok(vec![
        row(format!("list of {LISTED} sessions, ready"), "≤ 1 s", ready, slowest),
        row(
            format!("all {} rows of it fetched", number("rows")?),
            "",
            ms(number("all_loaded_ms")?),
            String::new(),
        ),
        row(format!("a frame while they scroll by, {rate:.0} a second"), "≤ 16.7 ms", frame, late),
    ])
}

fn rows(report: &Value) -> Result<Vec<Row>> {
    let number = |key: &str| report[key].as_f64().with_context(|| format!("the browser reports {key}"));
    let entries = number("entries")?;
    let followed = number("followed")?;
    Ok(vec![
        row("transferred".into(), "≤ 250 KiB", size(number("transferred_kib")?), String::new()),
        row(
            format!("ready, of {entries} entries"),
            "≤ 1 s",
            ms(number("ready_ms")?),
            ms(number("ready_slowest_ms")?),
        ),
        row(
            format!("painted, {} times", number("paints")?),
            "≤ 50 ms, 95 of 100",
            ms(number("paint_p50_ms")?),
            ms(number("paint_p95_ms")?),
        ),
        row(
            format!("a key in a terminal echoed, {} times", number("echoes")?),
            "≤ 30 ms, 95 of 100",
            ms(number("echo_p50_ms")?),
            ms(number("echo_p95_ms")?),
        ),
        row(format!("all {entries} entries fetched"), "", ms(number("all_loaded_ms")?), String::new()),
        row(
            format!("a frame while all of them scroll by, {:.0} a second", number("frames_a_second")?),
            "≤ 16.7 ms",
            ms(number("frame_p50_ms")?),
            ms(number("frame_p95_ms")?),
        ),
        row(
            format!("heap after {followed} entries in {:.0} s", number("followed_s")?),
            "≤ 150 MiB",
            size(number("heap_kib")?),
            String::new(),
        ),
        row("heap with all of these fetched again".into(), "", size(number("heap_all_kib")?), String::new()),
    ])
}
