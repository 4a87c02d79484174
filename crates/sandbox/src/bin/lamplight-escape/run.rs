//! Each attempt in a process of its own, which may hang, die or be left without anything: one line of JSON comes of it
//! in any case.

use crate::attempt::{Attempt, Needed, Stop, Tried, Verdict};
use crate::call::{exit, fork, kill, wait};
use crate::facts::Facts;
use crate::rooms::{ROOMS, Room};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::Serialize;
use std::fs;
use std::io::{self, PipeReader, Read, Write};
use std::sync::OnceLock;

/// An attempt that takes longer has hung, and so did not succeed; none is meant to.
const PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// Descriptors above the standard three that were open when this program started.
static INHERITED: OnceLock<Vec<i32>> = OnceLock::new();

#[derive(Serialize)]
struct Listed<'a> {
    room: &'a str,
    name: &'a str,
    stopped_by: String,
    /// Whether it needs a sandbox of its own, as it may use up all that this one has.
    alone: bool,
}

#[derive(Serialize)]
struct Made<'a> {
    name: &'a str,
    verdict: Verdict,
    detail: String,
}

pub(crate) fn remember_descriptors() -> io::Result<()> {
    let mut open: Vec<i32> = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        // The listing's own descriptor is closed by now, or names this directory.
        let entry = entry?;
        let is_listing = fs::read_link(entry.path()).is_ok_and(|to| to.ends_with("fd"));
        if !is_listing && let Ok(number) = entry.file_name().to_string_lossy().parse() {
            open.push(number);
        }
    }
    open.retain(|number| *number > 2);
    INHERITED.set(open).map_err(|_| io::Error::other("descriptors were remembered before"))
}

pub(crate) fn inherited() -> &'static [i32] {
    INHERITED.get().map_or(&[], Vec::as_slice)
}

pub(crate) fn list() -> anyhow::Result<()> {
    for Room { name: room, alone, attempts } in ROOMS {
        for attempt in *attempts {
            let stopped_by = attempt.stopped_by.to_string();
            say(&Listed { room, name: attempt.name, stopped_by, alone: *alone })?;
        }
    }
    Ok(())
}

/// In place of names.
pub(crate) const ALL: &str = "--all";

/// Makes those named; without any name all that do not need a sandbox of their own.
pub(crate) fn chosen(facts: &Facts, names: &[&str]) -> anyhow::Result<()> {
    let chosen = ROOMS.iter().flat_map(|room| room.attempts.iter().map(move |attempt| (room, attempt)));
    for (_, attempt) in chosen.filter(|(room, attempt)| match names {
        [] => !room.alone,
        [ALL] => true,
        names => names.contains(&attempt.name),
    }) {
        one(facts, attempt)?;
    }
    Ok(())
}

fn one(facts: &Facts, attempt: &Attempt) -> anyhow::Result<()> {
    let (verdict, detail) = attempt.judge(&make(facts, attempt));
    say(&Made { name: attempt.name, verdict, detail })
}

fn make(facts: &Facts, attempt: &Attempt) -> Tried {
    let (reader, mut writer) = io::pipe().needed("a pipe")?;
    let child = fork(|| {
        // Whatever it starts can be ended with it.
        let _ = rustix::process::setsid();
        let said = serde_json::to_vec(&(attempt.run)(facts)).unwrap_or_default();
        let _ = writer.write_all(&said);
        exit(0)
    })
    .needed("a process for the attempt")?;
    drop(writer);
    let heard = hear(reader, child);
    let _ = kill(-child, libc::SIGKILL);
    let status = wait(child).needed("wait for the attempt")?;
    let ended_by = |signal| libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == signal;
    match heard? {
        Some(tried) => tried,
        None if ended_by(libc::SIGSYS) => Err(Stop::Error(libc::ENOSYS)),
        None if ended_by(libc::SIGKILL) => Err(Stop::Limit("killed".into())),
        None => Err(Stop::Broken(format!("it ended with status {status:#x}"))),
    }
}

/// `None`: it ended without a word. What it started may hold the pipe open, so that only its own end says so.
fn hear(mut reader: PipeReader, child: i32) -> Result<Option<Tried>, Stop> {
    let child = Pid::from_raw(child).ok_or_else(|| Stop::Broken("no process".into()))?;
    let child =
        pidfd_open(child, PidfdFlags::empty()).map_err(io::Error::from).needed("watch the attempt")?;
    let mut said = Vec::new();
    loop {
        let mut both = [PollFd::new(&reader, PollFlags::IN), PollFd::new(&child, PollFlags::IN)];
        let ready = rustix::io::retry_on_intr(|| poll(&mut both, Some(&PATIENCE)));
        if ready.map_err(io::Error::from).needed("wait for the attempt")? == 0 {
            return Err(Stop::Broken("it hung".into()));
        }
        if !both[0].revents().contains(PollFlags::IN) {
            return Ok(None);
        }
        let mut piece = [0; 4096];
        let length = reader.read(&mut piece).needed("hear from the attempt")?;
        said.extend_from_slice(&piece[..length]);
        if let Ok(tried) = serde_json::from_slice(&said) {
            return Ok(Some(tried));
        }
    }
}

fn say(what: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(what)?;
    line.push('\n');
    Ok(io::stdout().write_all(line.as_bytes())?)
}
