//! What it was measured on.

use crate::command::output_of;
use anyhow::Result;
use std::process::Command;

/// The head of the document: when, where and how.
pub(super) fn heading() -> Result<String> {
    let [date, commit, load] = now()?;
    let kernel = output_of(Command::new("uname").arg("-sr"))?;
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let processors = std::thread::available_parallelism()?;
    let memory = read("/proc/meminfo");
    let memory = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default();
    Ok(format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench` on {} at {}, with the release build: {processors} processors ({}), {} GiB, \
         {}, load before the run {}.\n\
         Programs and load share these processors. Compare within this page only: another run is another sitting.\n",
        date,
        commit,
        cpu.trim_start_matches([' ', '\t', ':']),
        memory >> 20,
        kernel.trim(),
        load,
    ))
}

/// What tables begin with that were measured later than the document.
pub(super) fn sitting() -> Result<String> {
    let [date, commit, load] = now()?;
    Ok(format!("Measured by itself on {date} at {commit}, load before the run {load}."))
}

/// Date, commit and load.
fn now() -> Result<[String; 3]> {
    let date = output_of(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?;
    let commit = output_of(Command::new("git").args(["rev-parse", "--short=9", "HEAD"]))?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    Ok([date.trim().to_owned(), commit.trim().to_owned(), load])
}
