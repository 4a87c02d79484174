//! Using up what the machine has. Each attempt is bounded, so that a machine without limits survives it, and each needs a
//! sandbox of its own.

use crate::attempt::{Attempt, Needed, Stop, StoppedBy, Tried};
use crate::call::{NULL, call, fork, kill, rest, wait};
use crate::errno;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// Bounds: what is had by then has no limit that helps.
const PROCESSES: usize = 2000;
const MEMORY: u64 = 1536 * MIB;
const DISK: u64 = 1024 * MIB;
const IN_MEMORY_FILES: u64 = 768 * MIB;
const FILES: usize = 50_000;
const DESCRIPTORS: usize = 16_384;

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("start 2,000 processes", StoppedBy::Limit, |_| processes()),
    Attempt::new("start 2,000 threads", StoppedBy::Limit, |_| threads()),
    Attempt::new("use 1.5 GiB of memory", StoppedBy::Limit, |_| memory()),
    Attempt::new("use 1.5 GiB of memory in three processes", StoppedBy::Limit, |_| memory_in_processes()),
    Attempt::new("keep 1 GiB in System V segments", StoppedBy::Limit, |_| segments()),
    Attempt::new("keep 1 GiB in a file without a name (memfd)", StoppedBy::Limit, |_| nameless()),
    Attempt::new("fill /dev/shm", StoppedBy::Limit, |_| fill("/dev/shm", IN_MEMORY_FILES)),
    Attempt::new("fill the run-time directory", StoppedBy::Limit, |_| {
        fill("/run/user/1000", IN_MEMORY_FILES)
    }),
    Attempt::new("make 50,000 files in /dev/shm", StoppedBy::Limit, |_| files("/dev/shm")),
    Attempt::new("fill the disk from /workspace", StoppedBy::Limit, |_| fill("/workspace", DISK)),
    Attempt::new("fill the disk from /tmp", StoppedBy::Limit, |_| fill("/tmp", DISK)),
    Attempt::new("fill the disk from the home", StoppedBy::Limit, |_| fill("/home/agent", DISK)),
    Attempt::new("fill the disk from the guest's spool", StoppedBy::Limit, |_| {
        fill("/run/lamplight/spool", DISK)
    }),
    Attempt::new("fill the disk with a file that has no name", StoppedBy::Limit, |_| fill_without_name()),
    Attempt::new("make 50,000 files in /workspace", StoppedBy::Limit, |_| files("/workspace")),
    Attempt::new("open 16,384 files", StoppedBy::Limit, |_| descriptors()),
    Attempt::new("keep every processor busy", StoppedBy::Limit, |_| processors()),
];

fn processes() -> Tried {
    let mut children = Vec::new();
    let stopped = loop {
        if children.len() == PROCESSES {
            break None;
        }
        match fork(|| rest()) {
            Ok(child) => children.push(child),
            Err(error) => break Some(error),
        }
    };
    let count = children.len();
    for child in &children {
        let _ = kill(*child, libc::SIGKILL);
    }
    for child in children {
        let _ = wait(child);
    }
    outcome(stopped, &format!("{count} processes"))
}

fn threads() -> Tried {
    let (stop, mut made) = (std::sync::Arc::new(std::sync::Barrier::new(PROCESSES + 1)), 0);
    for _ in 0..PROCESSES {
        let stop = std::sync::Arc::clone(&stop);
        let thread = std::thread::Builder::new().stack_size(16 * 1024).spawn(move || stop.wait());
        match thread {
            Ok(_) => made += 1,
            Err(error) => return outcome(Some(error), &format!("{made} threads")),
        }
    }
    outcome(None, &format!("{made} threads"))
}

fn memory() -> Tried {
    in_child(|reached| touch(MEMORY, reached))
}

fn memory_in_processes() -> Tried {
    const PARTS: u64 = 3;
    in_child(|reached| {
        let child =
            || fork(|| touch(MEMORY / PARTS, reached).map_or_else(|_| crate::call::exit(1), |()| rest()));
        let children = (0..PARTS).map(|_| child()).collect::<io::Result<Vec<_>>>()?;
        // Each either has it all and rests, or ends.
        while reached.load(Ordering::Relaxed) < MEMORY {
            let mut status = 0;
            // SAFETY: the status outlives the call.
            if unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } > 0 {
                return Err(io::Error::from_raw_os_error(libc::ENOMEM));
            }
            std::thread::yield_now();
        }
        for child in children {
            kill(child, libc::SIGKILL)?;
            wait(child)?;
        }
        Ok(())
    })
}

/// Does it in a process that may be ended for it; `reached` is shared with it, and in bytes.
fn in_child(work: impl FnOnce(&AtomicU64) -> io::Result<()>) -> Tried {
    let shared = map(size_of::<AtomicU64>(), libc::MAP_SHARED).needed("memory to share")?.cast::<AtomicU64>();
    // SAFETY: mapped above, zero and so a valid number, and never unmapped.
    let reached = unsafe { &*shared };
    let child = fork(|| {
        let done = work(reached);
        crate::call::exit(done.map_or_else(|error| error.raw_os_error().unwrap_or(1), |()| 0))
    })
    .needed("a process")?;
    let status = wait(child).needed("its end")?;
    let had = format!("{} MiB", reached.load(Ordering::Relaxed) / MIB);
    match status {
        0 => Ok(had),
        status if libc::WIFSIGNALED(status) => Err(Stop::Limit(format!("killed at {had}"))),
        status => Err(Stop::Limit(format!("{} at {had}", errno::name(libc::WEXITSTATUS(status))))),
    }
}

fn touch(bytes: u64, reached: &AtomicU64) -> io::Result<()> {
    const PIECE: usize = 8 * MIB as usize;
    for _ in 0..bytes / PIECE as u64 {
        map(PIECE, libc::MAP_PRIVATE | libc::MAP_POPULATE)?;
        reached.fetch_add(PIECE as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// New memory, of zeros.
fn map(size: usize, flags: i32) -> io::Result<*mut libc::c_void> {
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at a place that the kernel chooses.
    let place = unsafe { libc::mmap(std::ptr::null_mut(), size, rights, flags | libc::MAP_ANONYMOUS, -1, 0) };
    if place == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(place) }
}

/// Large ones, and where those are not to be had, as many small ones as it takes.
fn segments() -> Tried {
    const LARGE: u64 = 64 * MIB;
    const SMALL: u64 = MIB / 16;
    in_child(|reached| match segments_of(LARGE, reached) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => segments_of(SMALL, reached),
        done => done,
    })
}

fn segments_of(piece: u64, reached: &AtomicU64) -> io::Result<()> {
    /// Not in the libc crate. Source: madvise(2), since Linux 5.14.
    const MADV_POPULATE_WRITE: i32 = 23;
    for _ in 0..DISK / piece {
        let arguments = [libc::IPC_PRIVATE.into(), piece.into(), (libc::IPC_CREAT | 0o600).into()];
        let segment = call(libc::SYS_shmget, &arguments)?;
        let place = call(libc::SYS_shmat, &[segment.into(), NULL, 0.into()])?;
        // Gone with the last process that has it.
        call(libc::SYS_shmctl, &[segment.into(), libc::IPC_RMID.into(), NULL])?;
        call(libc::SYS_madvise, &[place.into(), piece.into(), MADV_POPULATE_WRITE.into()])?;
        reached.fetch_add(piece, Ordering::Relaxed);
    }
    Ok(())
}

fn nameless() -> Tried {
    in_child(|reached| {
        let file = rustix::fs::memfd_create("escape", rustix::fs::MemfdFlags::empty())?;
        allocate(&file.into(), DISK, |bytes| reached.store(bytes, Ordering::Relaxed))
    })
}

/// Takes space there in several files, as one may be limited by itself, and gives it back.
fn fill(directory: &str, bytes: u64) -> Tried {
    const FILE: u64 = 64 * MIB;
    let directory = Path::new(directory).join("filled");
    fs::create_dir(&directory).needed("a directory")?;
    let mut had = 0;
    let mut take = |number: u64| {
        let file = File::create(directory.join(number.to_string()))?;
        let before = had;
        allocate(&file, FILE, |bytes| had = before + bytes)
    };
    let stopped = (0..bytes / FILE).try_for_each(&mut take).err();
    let _ = fs::remove_dir_all(directory);
    outcome(stopped, &format!("{} MiB", had / MIB))
}

/// Several, as one may be limited by itself; removed before they are written to, so that nobody finds them in a directory.
fn fill_without_name() -> Tried {
    const FILE: u64 = 64 * MIB;
    let (path, mut open, mut had) = (Path::new("/workspace/nameless"), Vec::new(), 0);
    let mut take = || {
        let file = File::create(path)?;
        fs::remove_file(path)?;
        let before = had;
        allocate(&file, FILE, |bytes| had = before + bytes)?;
        open.push(file);
        Ok(())
    };
    let stopped = (0..DISK / FILE).try_for_each(|_| take()).err();
    outcome(stopped, &format!("{} MiB", had / MIB))
}

/// By the quickest way that there is: taking space without writing to it, or else writing.
fn allocate(file: &File, bytes: u64, mut had: impl FnMut(u64)) -> io::Result<()> {
    const PIECE: u64 = 16 * MIB;
    for at in (0..bytes).step_by(PIECE as usize) {
        match call(libc::SYS_fallocate, &[file.as_raw_fd().into(), 0.into(), at.into(), PIECE.into()]) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                (&*file).write_all(&vec![0; PIECE as usize])?;
            }
            done => drop(done?),
        }
        had(at + PIECE);
    }
    Ok(())
}

fn files(directory: &str) -> Tried {
    let directory = Path::new(directory).join("many");
    fs::create_dir(&directory).needed("a directory")?;
    let mut made = 0;
    let stopped = loop {
        if made == FILES {
            break None;
        }
        match File::create(directory.join(made.to_string())) {
            Ok(_) => made += 1,
            Err(error) => break Some(error),
        }
    };
    let _ = fs::remove_dir_all(directory);
    outcome(stopped, &format!("{made} files"))
}

fn descriptors() -> Tried {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let limit = rustix::process::Rlimit { current: most, maximum: most };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
    let file = File::open("/dev/null").needed("a file")?;
    let mut open = Vec::new();
    let stopped = loop {
        if open.len() == DESCRIPTORS {
            break None;
        }
        match file.try_clone() {
            Ok(one) => open.push(one),
            Err(error) => break Some(error),
        }
    };
    let count = open.len();
    drop(open);
    outcome(stopped, &format!("{count} descriptors"))
}

/// More processes than processors, for a while; how much of the machine they had.
fn processors() -> Tried {
    const WHILE: Duration = Duration::from_millis(400);
    /// More than this share of one processor for each that there is, is no limit.
    const SHARE: f64 = 0.75;
    let processors = std::thread::available_parallelism().needed("the number of processors")?.get();
    let busy = || {
        fork(|| {
            // Each a session: the kernel shares a processor among sessions before it does among processes.
            let _ = rustix::process::setsid();
            let until = now() + WHILE;
            while now() < until {}
        })
    };
    let start = now();
    let children = (0..processors * 4).map(|_| busy()).collect::<io::Result<Vec<_>>>().needed("processes")?;
    for child in children {
        wait(child).needed("a process's end")?;
    }
    let passed = now() - start;
    // SAFETY: all fields are integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes what outlives the call.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let used = (seconds(usage.ru_utime) + seconds(usage.ru_stime)) / passed.as_secs_f64();
    let words = format!("{used:.2} of {processors} processors");
    if used < SHARE { Err(Stop::Limit(words)) } else { Ok(words) }
}

fn outcome(stopped: Option<io::Error>, had: &str) -> Tried {
    match stopped {
        None => Ok(had.to_owned()),
        Some(error) => {
            let why = error.raw_os_error().map_or_else(|| error.to_string(), errno::name);
            Err(Stop::Limit(format!("{why} at {had}")))
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is measured here is how much of the machine's time was had"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
