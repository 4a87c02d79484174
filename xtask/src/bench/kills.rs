//! `kill -9` of the server at random moments of a session with a real process: the test of crates/server, with more rounds.

use super::Bench;
use super::table::Table;
use crate::command::output_of;
use crate::workspace::cargo;
use anyhow::{Context, Result};

const ROUNDS: u32 = 200;
const TEST: &str = "kills::a_server_killed_at_any_moment_loses_and_doubles_nothing";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "200 kills",
        "The server is killed with SIGKILL at a random moment of a session of 0.6 s with an agent's process in a sandbox, and started again. The test fails unless each session ends \
         with its turn finished once, one commit, every word once, numbers without a gap, and nothing left behind. Where the log ended when the server died:",
        &["last boundary in the log", "kills", "longest until the work was committed"],
    );
    match said(bench) {
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
    Ok(vec![table])
}

/// What the test prints, if it passes.
fn said(bench: &Bench) -> Result<String> {
    let mut test = cargo();
    test.env("PATH", &bench.path).env("LAMPLIGHT_KILL_ROUNDS", ROUNDS.to_string());
    test.args(["test", "--quiet", "--locked", "--package", "lamplight-server", "--test", "it", "--"]);
    output_of(test.args(["--exact", "--nocapture", TEST])).context("the test does not pass")
}
