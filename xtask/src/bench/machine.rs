//! What it was measured on.

use crate::command::output_of;
use anyhow::Result;
use std::process::Command;

/// The head of the document: when, where and how.
pub(super) fn heading() -> Result<String> {
    let date = output_of(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?;
    let commit = output_of(Command::new("git").args(["rev-parse", "--short=9", "HEAD"]))?;
    let kernel = output_of(Command::new("uname").arg("-sr"))?;
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let processors = std::thread::available_parallelism()?;
    let memory = read("/proc/meminfo");
    let memory = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default();
    let load = read("/proc/loadavg");
    Ok(format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench` on {} at {}, with the release build: {processors} processors ({}), {} GiB, \
         {}, load before the run {}.\n\
         Programs and load share these processors. Compare within this page only: another run is another sitting.\n",
        date.trim(),
        commit.trim(),
        cpu.trim_start_matches([' ', '\t', ':']),
        memory >> 20,
        kernel.trim(),
        load.split(' ').next().unwrap_or_default(),
    ))
}
