//! A server as a sandbox cloud, by E2B's own JavaScript SDK over loopback.

use super::Bench;
use super::gateway_peers;
use super::peers::Lamplight;
use super::table::{Table, ms};
use crate::command::{output_of, run};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

const PROGRAM: &str = "crates/server/tests/e2b/bench.mjs";
/// The SDK, as the tests pin it.
const SDK: &str = "crates/server/tests/e2b/js-newest";

/// A sandbox cloud, without a limit for one person.
const CLOUD: [(&str, &str); 2] =
    [("LAMPLIGHT_E2B_ENABLED", "true"), ("LAMPLIGHT_QUEUE_SANDBOXES_PER_PERSON", "0")];

/// Of each thing that is measured, unless the environment says fewer; and how many clients there are at once.
const TIMES: &str = "50";
const AT_ONCE: &str = "4";
const TIMES_VARIABLE: &str = "LAMPLIGHT_BENCH_TIMES";

/// What is measured one after the other: its name in the report, what it is, and the goal.
const SINGLE: [(&str, &str, &str); 9] = [
    ("first_output", "a sandbox made, to the first output of a command in it", "≤ 40 ms"),
    ("command", "a command, there and back (bash -l)", "≤ 3 ms"),
    ("command_in_sh", "the same with output", ""),
    ("small_write", "a small file written", ""),
    ("small_read", "a small file read", ""),
    ("pause", "paused, in memory", ""),
    ("resume", "resumed, to the end of a command", ""),
    ("snapshot", "a snapshot of one that runs", ""),
    ("fork", "a fork", ""),
];

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "E2B",
        "By E2B's JavaScript SDK, unmodified, from the same machine over HTTP/1.1; the client has the same processors. Beside it nginx, which serves the same file from the same disk to the same client, \
         and takes it by PUT. Sustained: made, asked for a command, and killed.",
        &["what", "goal", "half", "99 of 100"],
    );
    match report(bench).and_then(|report| rows(&report)) {
        Ok(rows) => rows.into_iter().for_each(|(name, numbers)| table.row(&name, Ok(numbers))),
        Err(error) => table.row("all of it", Err(error)),
    }
    Ok(vec![table])
}

fn report(bench: &Bench) -> Result<Value> {
    let running = Lamplight::new(bench)?.serve_with(&CLOUD)?;
    let nginx = gateway_peers::nginx_of_files(bench)?;
    let times = std::env::var(TIMES_VARIABLE).unwrap_or_else(|_| TIMES.to_owned());
    let mut node = Command::new("node");
    node.env("PATH", &bench.path).env("E2B_API_KEY", "e2b_0123456789abcdef");
    node.env("E2B_API_URL", &running.url).env("E2B_SANDBOX_URL", &running.url);
    node.arg(bench.workspace.root.join(PROGRAM)).arg(sdk(bench)?);
    let said = output_of(node.args([&nginx.url, &times, AT_ONCE]))?;
    serde_json::from_str(said.lines().last().unwrap_or_default()).context("read what the SDK reported")
}

/// Installed on first use.
fn sdk(bench: &Bench) -> Result<PathBuf> {
    let directory = bench.fresh("e2b-sdk")?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(bench.workspace.root.join(SDK).join(file), directory.join(file))?;
    }
    let mut npm = Command::new("npm");
    npm.env("PATH", &bench.path).current_dir(&directory);
    run(npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    Ok(directory)
}

fn rows(report: &Value) -> Result<Vec<(String, Vec<String>)>> {
    let number = |name: &str, which: &str| {
        report[name][which].as_f64().with_context(|| format!("{which} of {name} is missing in the report"))
    };
    let mut rows = Vec::new();
    for (name, what, goal) in SINGLE {
        let numbers = vec![goal.to_owned(), ms(number(name, "p50")?), ms(number(name, "p99")?)];
        rows.push((what.to_owned(), numbers));
    }
    for (way, done) in [("write", "written"), ("read", "read")] {
        let (ours, theirs) =
            (number(&format!("file_{way}"), "p50")?, number(&format!("nginx_{way}"), "p50")?);
        let share = format!("{:.2} of nginx ({theirs:.0} MiB/s)", ours / theirs);
        rows.push((
            format!("a file of 100 MiB {done}"),
            vec!["≥ 0.5 of nginx".into(), format!("{ours:.0} MiB/s"), share],
        ));
    }
    let sustained = report["sustained"].as_f64().context("the report has no rate")?;
    rows.push((
        format!("sandboxes a second, by {AT_ONCE} clients at once"),
        vec![String::new(), format!("{sustained:.1}"), String::new()],
    ));
    Ok(rows)
}
