//! Stories from seeds. `LAMPLIGHT_SEEDS` is how many, `LAMPLIGHT_SEED` the first; with the first alone it is only that one, and
//! `LAMPLIGHT_STORY=1` prints what happens in it.

use lamplight_simulation::{Fault, Flaw, Running, Seed, Told, isolated};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::TempDir;

/// Where nobody says otherwise. `cargo xtask test` has many more run, in a build that is fast.
const SEEDS: u64 = 40;
/// In so many each kind of fault happens.
const MANY: u64 = 300;

#[test]
fn nothing_is_lost_whatever_goes_wrong() {
    let stage = Stage::new();
    let first: Option<u64> = variable("LAMPLIGHT_SEED");
    let seeds = variable("LAMPLIGHT_SEEDS").unwrap_or(if first.is_some() { 1 } else { SEEDS });
    let (mut all, mut failed) = (Told::default(), Vec::new());
    let begun = now();
    // Some more than there are processors, so that a long story keeps none of them idle.
    let most = 4 * std::thread::available_parallelism().map_or(1, usize::from);
    let (mut running, mut next) = (VecDeque::new(), 0..seeds);
    loop {
        while running.len() < most
            && let Some(n) = next.next()
        {
            let seed = first.unwrap_or(0) + n;
            running.push_back((seed, stage.begin(n as usize % most, seed)));
        }
        let Some((seed, story)) = running.pop_front() else { break };
        match story.and_then(Running::end) {
            Ok(told) => add(&mut all, &told),
            Err(found) => {
                println!("seed {seed}: {found}");
                failed.push(seed);
            }
        }
    }
    println!("{seeds} seeds in {:.1} s: {all:?}", begun.elapsed().as_secs_f64());
    if let Some(seed) = failed.first() {
        panic!(
            "{} of {seeds} seeds fail: {failed:?}; LAMPLIGHT_SEED={seed} LAMPLIGHT_STORY=1 cargo nextest run -p lamplight-simulation \
             nothing_is_lost --no-capture runs one alone, and tells what happens in it",
            failed.len()
        );
    }
    if seeds >= MANY {
        for fault in Fault::ALL {
            assert!(all.faults.of(fault) > 0, "{fault:?} happens: {all:?}");
        }
        assert!(all.stops > 0, "turns are to end at once, and are looked at: {all:?}");
    }
}

#[test]
fn a_seed_is_the_same_run_each_time() {
    let stage = Stage::new();
    let first: u64 = variable("LAMPLIGHT_SEED").unwrap_or(0);
    for seed in first..first + 20 {
        assert_eq!(stage.run(seed, None), stage.run(seed, None), "seed {seed}");
    }
}

#[test]
fn what_is_put_in_on_purpose_is_found() {
    let stage = Stage::new();
    for (flaw, words) in [
        (Flaw::LosesAcknowledgements, "comes at a time at which it must not"),
        (Flaw::ForgetsOutput, "comes where"),
        (Flaw::SkipsAnEntry, "a reader saw"),
        (Flaw::LeavesSandboxes, "there still is"),
        (Flaw::CommitsTwice, "the commit of turn"),
        (Flaw::EndsLate, "was to end, and 5s later its agent works on it"),
        (Flaw::EndsNothing, "has ended, and its agent works on it"),
    ] {
        let found = (0..200).find_map(|seed| {
            let found = stage.run(seed, Some(flaw)).err()?;
            found.contains(words).then_some((seed, found))
        });
        let Some((seed, found)) = found else { panic!("no seed finds {flaw:?} by what is {words:?}") };
        println!("{flaw:?} is found by seed {seed}: {}", found.lines().next().unwrap_or_default());
    }
}

/// The database of a new installation, of which every seed gets a copy.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        // Where nothing is written to a disk that is real: a thousand stories write much.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.unwrap();
        drop(lamplight_store::Store::open(&folder.path().join("new")).unwrap());
        Self { folder }
    }

    fn run(&self, seed: u64, flaw: Option<Flaw>) -> Result<Told, String> {
        isolated(Seed { seed, flaw }, &self.place(0))
    }

    /// In the place of that number, where the story before has ended.
    fn begin(&self, place: usize, seed: u64) -> Result<Running, String> {
        Running::begin(Seed { seed, flaw: None }, &self.place(place))
    }

    /// A folder with nothing but a copy.
    fn place(&self, number: usize) -> PathBuf {
        let dir = self.folder.path().join(format!("seed-{number:03}"));
        if dir.exists() {
            std::fs::remove_dir_all(&dir).unwrap();
        }
        for folder in ["data", "repository", "tools"] {
            std::fs::create_dir_all(dir.join(folder)).unwrap();
        }
        let database = "lamplight.db";
        std::fs::copy(self.folder.path().join("new").join(database), dir.join("data").join(database))
            .unwrap();
        dir
    }
}

fn add(all: &mut Told, told: &Told) {
    all.sessions += told.sessions;
    all.entries += told.entries;
    all.turns += told.turns;
    all.stops += told.stops;
    told.faults.all().for_each(|(fault, times)| all.faults.add(fault, times));
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "tests measure")]
fn now() -> Instant {
    Instant::now()
}
