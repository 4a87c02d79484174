//! A real process is killed with SIGKILL while sixty-four sessions append: what it acknowledged is there afterwards.
//!
//! `LAMPLIGHT_KILL_ROUNDS` changes how often; 50 by default.

use crate::support::*;
use crate::sync::{Verdict, judge};
use lamplight_store::Store;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const SESSIONS: u64 = 64;
/// Names the directory to a process that is to append until it dies.
const DIR: &str = "LAMPLIGHT_KILL_DIR";
/// The n-th fsync after which that process kills itself; before it, when negative.
const AT_SYNC: &str = "LAMPLIGHT_KILL_AT_SYNC";

/// This same test, in a process of its own, with `DIR` set.
struct Appender(Child);

impl Appender {
    fn start(test: &str, dir: &Path, at_sync: i64) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(DIR, dir)
            .env(AT_SYNC, at_sync.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Kills it after so many acknowledgements, or when it ends by itself; gives what it acknowledged.
    fn kill_after(mut self, acknowledgements: u64) -> ([u64; SESSIONS as usize], ExitStatus) {
        let mut acknowledged = [0; SESSIONS as usize];
        if acknowledgements == 0 {
            self.0.kill().unwrap();
        }
        let lines = BufReader::new(self.0.stderr.take().unwrap()).lines();
        for (count, line) in (1..).zip(lines) {
            let line = line.unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            let ["acknowledged", n, last] = words[..] else { panic!("the appender said {line}") };
            acknowledged[n.parse::<usize>().unwrap()] = last.parse().unwrap();
            if count == acknowledgements {
                self.0.kill().unwrap();
            }
        }
        (acknowledged, self.0.wait().unwrap())
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // Both do nothing when it is gone, which it is unless this test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// In the process that is killed: never comes back.
fn append_until_killed(dir: &Path, at_sync: i64) {
    let syncs = AtomicU64::new(0);
    let _judged = judge(dir, move |_| {
        if syncs.fetch_add(1, Ordering::Relaxed) + 1 == at_sync.unsigned_abs() {
            // SAFETY: sends a signal to this process; no memory is involved.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
        Verdict::Through
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(dir).unwrap();
        let mut tasks = JoinSet::new();
        for n in 0..SESSIONS {
            let store = store.clone();
            tasks.spawn(async move {
                let s = session(n);
                let mut last = store.last_seq(&s).await.unwrap().0;
                loop {
                    let append = full_append(&s, last, fastrand::u64(1..=10));
                    last = store.append(append).await.unwrap().last.0;
                    // One write of less than a pipe's atomic size.
                    std::io::stderr().write_all(format!("acknowledged {n} {last}\n").as_bytes()).unwrap();
                }
            });
        }
        tasks.join_all().await;
    });
}

fn asked_to_append() -> bool {
    let Some(dir) = std::env::var_os(DIR) else { return false };
    append_until_killed(dir.as_ref(), std::env::var(AT_SYNC).unwrap().parse().unwrap());
    true
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if asked_to_append() {
        return;
    }
    let rounds: u64 = std::env::var("LAMPLIGHT_KILL_ROUNDS").map_or(50, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut checked = [0; SESSIONS as usize];
    let (mut slowest, mut events) = (Duration::ZERO, 0);
    for round in 0..rounds {
        let appender = Appender::start("kill::what_was_acknowledged_survives_kill_9", dir.path(), 0);
        // Every tenth is killed while it starts.
        let moment = if round % 10 == 9 { 0 } else { fastrand::u64(1..800) };
        let (acknowledged, _) = appender.kill_after(moment);
        let (lasts, time) = survived(dir.path(), &acknowledged, &checked);
        slowest = slowest.max(time);
        checked = lasts;
        events = checked.iter().sum();
    }
    survived(dir.path(), &checked, &[0; SESSIONS as usize]);
    check_database(dir.path());
    println!("{rounds} kills, {events} events, none lost; opened again in {slowest:?} at most");
}

#[test]
fn what_was_acknowledged_survives_a_kill_at_every_fsync() {
    if asked_to_append() {
        return;
    }
    for at in (1..=20).flat_map(|at| [-at, at]) {
        let dir = tempfile::tempdir().unwrap();
        let test = "kill::what_was_acknowledged_survives_a_kill_at_every_fsync";
        let (acknowledged, status) = Appender::start(test, dir.path(), at).kill_after(u64::MAX);
        assert!(!status.success(), "it never came to fsync {at}");
        survived(dir.path(), &acknowledged, &[0; SESSIONS as usize]);
        check_database(dir.path());
    }
}

/// Opens what the dead process left; gives the ends of the logs and how long opening took.
fn survived(
    dir: &Path,
    acknowledged: &[u64; SESSIONS as usize],
    checked: &[u64; SESSIONS as usize],
) -> ([u64; SESSIONS as usize], Duration) {
    let started = now();
    let store = Store::open(dir).unwrap();
    let time = started.elapsed();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut lasts = [0; SESSIONS as usize];
    runtime.block_on(async {
        for n in 0..SESSIONS as usize {
            let s = session(n as u64);
            lasts[n] = check_survived(&store, &s, acknowledged[n].max(checked[n]), checked[n]).await;
        }
        store.close().await;
    });
    (lasts, time)
}

#[expect(clippy::disallowed_methods, reason = "this test measures how long opening takes")]
fn now() -> Instant {
    Instant::now()
}
