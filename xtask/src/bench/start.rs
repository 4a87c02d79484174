//! From starting a program to its first answer, and what it weighs when nobody asks it anything.

use super::Bench;
use super::peers::Peer;
use super::table::{Table, ms, quantile, size};
use anyhow::Result;
use std::time::Duration;

const STARTS: usize = 15;
/// Programs of seconds are started less often.
const SLOW_STARTS: usize = 3;
const SLOW: Duration = Duration::from_secs(1);
/// Until what happens after the first answer is over.
const SETTLED: Duration = Duration::from_secs(3);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "Start and idle memory",
        "From `spawn` to the first answer over HTTP, with an empty database, median; processor time until then; then proportional set size of \
         the process and its children after three seconds. Lamplight has the page inside. Goals: 25 ms, 20 MiB.",
        &["program", "ready", "slowest", "processor time", "idle memory", "program file"],
    );
    for peer in Peer::ALL {
        table.row(peer.title(), row(bench, peer));
    }
    Ok(vec![table])
}

fn row(bench: &Bench, peer: Peer) -> Result<Vec<String>> {
    // Not measured: the first start fetches what is missing, and fills the page cache.
    peer.start(bench)?;
    let (mut ready, mut cpu) = (Vec::new(), Vec::new());
    loop {
        let running = peer.start(bench)?;
        ready.push(running.ready.as_secs_f64() * 1e3);
        cpu.push(running.cpu_ms()?);
        let enough = if running.ready > SLOW { SLOW_STARTS } else { STARTS };
        if ready.len() < enough {
            continue;
        }
        std::thread::sleep(SETTLED);
        let file = peer.file(bench)?.metadata()?.len();
        return Ok(vec![
            ms(quantile(&mut ready, 0.5)),
            ms(quantile(&mut ready, 1.0)),
            ms(quantile(&mut cpu, 0.5)),
            size(running.pss()?),
            size(file as f64 / 1024.0),
        ]);
    }
}
