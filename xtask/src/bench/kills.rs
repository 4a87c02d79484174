//! `kill -9` of the server at random moments of a session with a real process, of servers, launchers and guests among many sandboxes,
//! and pauses and checkpoints in the middle of the work: the tests of crates/server and crates/sandbox, with more rounds.

use super::Bench;
use super::process::now;
use super::table::Table;
use crate::command::output_of;
use crate::workspace::cargo;
use anyhow::{Context, Result, ensure};

const TEST: Test = Test {
    package: "lamplight-server",
    target: "it",
    name: "kills::a_server_killed_at_any_moment_loses_and_doubles_nothing",
    variable: "LAMPLIGHT_KILL_ROUNDS",
    rounds: 1_000,
};

/// What is tried a hundred times and more, and how often.
const MORE: [(&str, Test); 3] = [
    (
        "sandboxes, fifty at a time, with servers, launchers and guests killed",
        Test {
            package: "lamplight-sandbox",
            target: "local",
            name: "churn::nothing_is_left_of_many_sandboxes_whoever_was_killed",
            variable: "LAMPLIGHT_CHURN_SANDBOXES",
            rounds: 1_000,
        },
    ),
    (
        "pauses in the middle of a tool call",
        Test {
            package: "lamplight-server",
            target: "it",
            name: "pauses::a_turn_that_is_paused_in_a_tool_call_goes_on_and_ends_right_every_time",
            variable: "LAMPLIGHT_PAUSE_ROUNDS",
            rounds: 100,
        },
    ),
    (
        "turns kept between their calls, forked and taken back, every second with a killed server",
        Test {
            package: "lamplight-server",
            target: "it",
            name: "checkpoints::a_turn_that_is_kept_between_its_calls_goes_on_and_every_checkpoint_is_whole",
            variable: "LAMPLIGHT_CHECKPOINT_ROUNDS",
            rounds: 100,
        },
    ),
];

/// A test of ours, which does what it does as often as a variable says.
#[derive(Debug, Clone, Copy)]
struct Test {
    package: &'static str,
    target: &'static str,
    name: &'static str,
    variable: &'static str,
    rounds: u32,
}

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "1,000 kills",
        "The server is killed with SIGKILL at a random moment of a session of 0.6 s with an agent's process in a sandbox, and started again. The test fails unless each session ends \
         with its turn finished once, one commit, every word once, numbers without a gap, and nothing left behind. Where the log ended when the server died:",
        &["last boundary in the log", "kills", "longest until the work was committed"],
    );
    match said(bench, TEST) {
        Ok(said) => {
            let lines = said.lines().skip_while(|line| !line.contains(" kills;")).skip(1);
            let rows = lines.map_while(|line| {
                let mut words = line.split_whitespace();
                Some((
                    words.next()?,
                    [words.next()?, words.next()?, words.next().filter(|unit| *unit == "ms")?],
                ))
            });
            for (boundary, [kills, longest, unit]) in rows {
                table.row(boundary, Ok(vec![kills.to_owned(), format!("{longest} {unit}")]));
            }
        }
        Err(error) => table.row("all", Err(error)),
    }
    let mut more = Table::new(
        "A hundred times and more",
        "Each test fails unless nothing of a sandbox is left, every session ends right and no line of its work is missing or there twice.",
        &["what", "times", "all right", "took"],
    );
    for (what, test) in MORE {
        let start = now();
        let passed = said(bench, test).map(|_| format!("{} of {}", test.rounds, test.rounds));
        let took = format!("{:.0} s", start.elapsed().as_secs_f64());
        more.row(what, passed.map(|all| vec![test.rounds.to_string(), all, took]));
    }
    Ok(vec![table, more])
}

/// What the test prints, if it passes.
fn said(bench: &Bench, Test { package, target, name, variable, rounds }: Test) -> Result<String> {
    let mut test = cargo();
    test.env("PATH", &bench.path).env(variable, rounds.to_string());
    test.args(["test", "--quiet", "--locked", "--package", package, "--test", target, "--"]);
    let said = output_of(test.args(["--exact", "--nocapture", name])).context("the test does not pass")?;
    ensure!(said.contains("1 passed"), "there is no test {name}");
    Ok(said)
}
