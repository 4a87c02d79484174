//! Each seed in a process of its own, which begins with the memory that this one has now. So the same seed is the same run: what a run
//! before left in memory that is everybody's (tokio counts its runtimes, and draws numbers from that) is not there; and one that hangs,
//! or takes the process with it, is told as what was found.
//!
//! Tables of the standard library are hashed with bytes of the kernel's, which would order them otherwise each time. It asks for them by a
//! symbol that a program may define itself, which this one does.

use crate::{Fault, Faults, Told};
use std::io::{Read, Write};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A run that takes longer hangs; seconds.
const LONGEST_SECONDS: u32 = 120;

/// Of memory, at a time.
const PIECE_BYTES: i32 = 8 << 20;

/// One seed, and what is put in on purpose.
#[derive(Debug, Clone, Copy)]
pub struct Seed {
    pub seed: u64,
    pub flaw: Option<crate::Flaw>,
}

/// Panics of this process, also of those tasks whose end nobody looks at.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A seed that runs, in a process of its own.
pub struct Running {
    child: libc::pid_t,
    answer: std::io::PipeReader,
}

/// What came of the seed in `dir`; an error is what was found.
pub fn isolated(seed: Seed, dir: &Path) -> Result<Told, String> {
    Running::begin(seed, dir)?.end()
}

impl Running {
    /// Runs the seed in `dir`, where nothing else is while it does.
    pub fn begin(seed: Seed, dir: &Path) -> Result<Self, String> {
        let (answer, writer) = std::io::pipe().map_err(|error| format!("no pipe: {error}"))?;
        // SAFETY: the child goes on with this thread alone, and leaves by `_exit`: it neither returns to whoever called nor unwinds into them.
        match unsafe { libc::fork() } {
            -1 => Err(format!("no process: {}", std::io::Error::last_os_error())),
            0 => {
                drop(answer);
                run(seed, dir, writer);
                // SAFETY: ends this process, and nothing else.
                unsafe { libc::_exit(0) }
            }
            child => Ok(Self { child, answer }),
        }
    }

    /// Waits for what comes of it; an error is what was found.
    pub fn end(mut self) -> Result<Told, String> {
        let mut answer = String::new();
        let read = self.answer.read_to_string(&mut answer);
        let mut status = 0;
        // SAFETY: waits for the child that this was made with.
        unsafe { libc::waitpid(self.child, &raw mut status, 0) };
        read.map_err(|error| format!("no answer: {error}"))?;
        parse(&answer).unwrap_or_else(|| Err(format!("it ended with status {status} and no answer")))
    }
}

fn run(seed: Seed, dir: &Path, mut writer: std::io::PipeWriter) {
    // SAFETY: ends this process when it takes too long; and its memory is asked for in large pieces, of which another thread's are no other
    // than this one's.
    unsafe {
        libc::alarm(LONGEST_SECONDS);
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TOP_PAD, PIECE_BYTES);
    }
    std::panic::set_hook(Box::new(|panic| {
        PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string());
    }));
    let dir = dir.to_owned();
    // A thread of its own has drawn nothing yet.
    let thread = std::thread::Builder::new()
        .stack_size(8 << 20)
        .spawn(move || std::panic::catch_unwind(AssertUnwindSafe(|| crate::run(seed.seed, seed.flaw, &dir))));
    let told = thread.ok().and_then(|thread| thread.join().ok()).and_then(Result::ok);
    let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
    let answer = match told {
        Some(Ok(told)) if panics.is_empty() => {
            let Told { trace, sessions, entries, turns, stops, faults } = told;
            let faults: Vec<String> = faults.all().map(|(_, times)| times.to_string()).collect();
            format!("told {trace} {sessions} {entries} {turns} {stops} {}", faults.join(" "))
        }
        Some(Err(found)) => format!("found {found}\n{panics}"),
        Some(Ok(_)) | None => format!("found {panics}"),
    };
    let _ = writer.write_all(answer.as_bytes());
}

fn parse(answer: &str) -> Option<Result<Told, String>> {
    if let Some(found) = answer.strip_prefix("found ") {
        return Some(Err(found.to_owned()));
    }
    let mut numbers = answer.strip_prefix("told ")?.split(' ');
    let trace = numbers.next()?.parse().ok()?;
    let mut count = || numbers.next()?.parse().ok();
    let [sessions, entries, turns, stops] = [count()?, count()?, count()?, count()?];
    let mut faults = Faults::default();
    for fault in Fault::ALL {
        faults.add(fault, count()?);
    }
    Some(Ok(Told { trace, sessions, entries, turns, stops, faults }))
}

/// Takes the place of the C library's in programs with a simulation, for the tables of the standard library alone: the same bytes each time.
///
/// # Safety
/// `buffer` has room for `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    for at in 0..length {
        // SAFETY: as the caller promises.
        unsafe { buffer.add(at).write((at as u8).wrapping_mul(167).wrapping_add(13)) };
    }
    length as isize
}
