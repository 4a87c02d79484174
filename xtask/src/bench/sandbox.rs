//! A sandbox: made, answering, gone; beside bubblewrap, which does less.

use super::Bench;
use super::process::now;
use super::table::{Table, ms, quantile};
use crate::command::output_of;
use anyhow::{Context, Result};
use std::process::{Command, Stdio};

const COUNT: usize = 40;
/// bubblewrap with as many namespaces and no writable files of a session's own; nothing answers in it but its exit.
const BWRAP: [&str; 16] = [
    "--unshare-all",
    "--die-with-parent",
    "--new-session",
    "--ro-bind",
    "/usr",
    "/usr",
    "--symlink",
    "usr/bin",
    "/bin",
    "--symlink",
    "usr/lib",
    "/lib",
    "--symlink",
    "usr/lib64",
    "/lib64",
    "/bin/true",
];

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "Sandbox",
        "Lamplight: create → our guest inside has answered over the link, and then destroy → every process and file of it is gone. bwrap: a program in \
         as many namespaces has run and ended; no seccomp filter, no files of its own, no guest. spawn: the same program without any of it.",
        &["what", "p50", "p90"],
    );
    match ours(bench) {
        Ok(rows) => rows.into_iter().for_each(|(name, numbers)| table.row(&name, Ok(numbers))),
        Err(error) => table.row("Lamplight", Err(error)),
    }
    let mut bwrap = Command::new("bwrap");
    bwrap.args(BWRAP);
    table.row("bwrap /bin/true", repeat(&mut bwrap));
    table.row("spawn /bin/true", repeat(&mut Command::new("/bin/true")));
    Ok(vec![table])
}

/// The example prints lines such as `create → guest answers: p50 5.02 ms, p90 5.91 ms`.
fn ours(bench: &Bench) -> Result<Vec<(String, Vec<String>)>> {
    let mut example = Command::new(bench.example("create_to_answer"));
    example.arg(bench.program("lamplight-launch")).arg(bench.fresh("sandboxes")?).arg(COUNT.to_string());
    let said = output_of(&mut example)?;
    let row = |line: &str| {
        let (name, numbers) = line.split_once(": ").context("the example printed something else")?;
        let numbers = numbers.split(", ").filter_map(|number| Some(number.split_once(' ')?.1));
        Ok((format!("Lamplight, {name}"), numbers.map(ToOwned::to_owned).collect()))
    };
    said.lines().map(row).collect()
}

fn repeat(command: &mut Command) -> Result<Vec<String>> {
    command.stdin(Stdio::null());
    output_of(command)?;
    let mut took = Vec::new();
    for _ in 0..COUNT {
        let start = now();
        command.status()?;
        took.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(vec![ms(quantile(&mut took, 0.5)), ms(quantile(&mut took, 0.9))])
}
