//! The limits that nobody holds for us, and so called soft: what a session takes of the disk, and the memory of a sandbox without
//! a cgroup. Looked at several times a second.
//!
//! ```text
//!  within ──more than the limit──▶ full: no file of any process inside may grow (EFBIG); deleting and reading go on
//!     ▲                             │
//!     └────────── within again ─────┘ ── a quarter over the limit, and growing ──▶ ended; its files stay
//! ```
//! A file system's own counts tell how much was written at all, which bounds what a session can have written: asking for them is one
//! call, and a session's files are walked only when that could have brought it to its limit. Then it is held, where it can be, so that
//! it does not grow meanwhile. Nothing inside can take space faster than by writing (see `fallocate` in `seccomp`).

use super::breach;
use super::disk::{GenerationDir, Sandboxes};
use super::hold::Held;
use super::limits;
use super::memory;
use super::processes::inside;
use super::record::Record;
use super::usage::{self, Sizes, Uncounted, Use};
use super::volume;
use lamplight_domain::SessionId;
use lamplight_domain::sandbox::Wall;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two looks, depending on how soon a session could be at its limit.
const SOONEST: Duration = Duration::from_millis(50);
const LATEST: Duration = Duration::from_secs(1);

/// What is written in a second at the most: into memory, as what is on its way to a disk counts as well.
const A_SECOND: Use = Use { bytes: 4 << 30, files: 200_000 };

/// After this, and longer for one with many files, a session is walked again that is full, or that may be; and much later whatever the
/// file system says, as somebody else may have freed what it wrote. No walk takes a tenth of the time that passes until the next.
const AGAIN: Duration = Duration::from_secs(1);
const FORGET: Duration = Duration::from_secs(60);
const EACH_FILE: Duration = Duration::from_micros(50);

/// In sixteenths of the limit: written by anybody, it makes one who is near its limit be walked at once.
const STEP: u64 = 1;
/// Ended at this much: nothing inside can have got there by mistake.
const END: u64 = 20;

/// The `breach` of the limit on disk.
pub(super) const FULL: &str = "disk-full";

/// Looks for as long as it lives.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    sandboxes: Sandboxes,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<SessionId, Known>,
    /// What the file system said last.
    counts: Option<Use>,
}

impl Watch {
    pub(super) fn start(sandboxes: Sandboxes) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let shared = Arc::new(Shared { sandboxes, state: Mutex::default() });
        let ours = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("disk-watch".into()).spawn(move || watch(&ours, &woken))?;
        Ok(Self { shared, wake: Some(wake), thread: Some(thread) })
    }

    /// From now on this session is watched too.
    pub(super) fn begin(&self, session: &SessionId) {
        self.shared.state().known.insert(session.clone(), Known::default());
        // With a wake-up waiting already, another changes nothing.
        let _ = self.wake.as_ref().map(|wake| wake.try_send(()));
    }

    /// In bytes, as of the last walk; `None` before the first.
    pub(super) fn taken(&self, session: &SessionId) -> Option<u64> {
        self.shared.state().known.get(session)?.walked.map(|walked| walked.taken.bytes)
    }

    /// Whether a session is within its limit now, with the copy of its files that was just made. Walks them only when it may not be.
    pub(super) fn is_within(&self, session: &SessionId, copy: &Copied) -> io::Result<bool> {
        let mut state = self.shared.state();
        state.catch_up(counts(&self.shared.sandboxes.0)?, Duration::ZERO);
        if state.known.get(session).is_some_and(|known| known.is_surely_within(copy)) {
            return Ok(true);
        }
        drop(state);
        let Some((_, record, limit)) = running(&self.shared.sandboxes, session)? else { return Ok(true) };
        match usage::of_session(&self.shared.sandboxes, session, &record, &mut Sizes::new()) {
            Ok(taken) => Ok(!taken.exceeds(limit)),
            Err(Uncounted::Bottomless) => Ok(false),
            Err(Uncounted::Io(error)) => Err(error),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.wake.take());
        // It panics for nobody to see; there is nothing to be done about it here.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that run and that nobody told of: they were started before this server was.
    fn discover(&self) -> io::Result<()> {
        for session in self.sandboxes.sessions()? {
            if running(&self.sandboxes, &session)?.is_some() {
                self.state().known.entry(session).or_default();
            }
        }
        Ok(())
    }
}

impl State {
    fn catch_up(&mut self, now: Use, passed: Duration) {
        let written = self.counts.replace(now).map_or(Use::NONE, |before| now.less(before));
        for known in self.known.values_mut() {
            known.written = known.written + written;
            known.passed += passed;
        }
    }
}

fn watch(shared: &Shared, woken: &Receiver<()>) {
    let mut sizes = Sizes::new();
    let mut since_discovery = FORGET;
    loop {
        if since_discovery >= FORGET {
            since_discovery = Duration::ZERO;
            if let Err(error) = shared.discover() {
                tracing::warn!(%error, "sandboxes could not be looked for");
            }
        }
        let wait = shared.state().known.values().map(Known::wait).min().unwrap_or(FORGET);
        let started = now();
        if woken.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        let passed = started.elapsed();
        since_discovery += passed;
        if let Err(error) = look(shared, passed, &mut sizes) {
            tracing::warn!(%error, "what sandboxes take could not be looked at");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long it waited is for nobody to decide by but this watch")]
fn now() -> Instant {
    Instant::now()
}

/// A copy of a session's files.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub(super) taken: Use,
    /// Not only of what was changed since the copy before.
    pub(super) is_of_all: bool,
}

/// What is known of a session from one look to the next.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// Of the last walk; nothing before the first.
    walked: Option<Walked>,
    /// By anybody, since.
    written: Use,
    passed: Duration,
    /// Its memory has to be looked at as well.
    memory_bytes: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Walked {
    taken: Use,
    limit: Use,
    /// Where it was when it was kept from growing.
    full_at: Option<Use>,
}

/// What has to be done about one now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    Walk,
    /// It may be over its limit, and go on.
    HoldAndWalk,
}

impl Known {
    fn due(&self) -> Due {
        let Some(Walked { taken, limit, full_at }) = self.walked else {
            // Not in the moment in which somebody waits for it.
            return if self.passed >= SOONEST { Due::Walk } else { Due::Nothing };
        };
        let files = u32::try_from(taken.files).unwrap_or(u32::MAX);
        let since = |least: Duration| self.passed >= least.saturating_add(EACH_FILE.saturating_mul(files));
        let is_near = (taken + self.written).exceeds(limit);
        if is_near && self.written.exceeds(limit.less(taken).each(limit.sixteenths(STEP), u64::max)) {
            Due::HoldAndWalk
        } else if since(FORGET) || since(AGAIN) && (is_near || full_at.is_some()) {
            Due::Walk
        } else {
            Due::Nothing
        }
    }

    /// What the copy takes was written, and what it is a copy of is there, whatever somebody else freed in that moment.
    fn is_surely_within(&self, copy: &Copied) -> bool {
        let copied_from = if copy.is_of_all { copy.taken } else { Use::NONE };
        let with = |taken: Use| taken.each(copied_from, u64::max) + self.written.each(copy.taken, u64::max);
        self.walked.is_some_and(|walked| !with(walked.taken).exceeds(walked.limit))
    }

    /// Until it could be over its limit.
    fn wait(&self) -> Duration {
        let Some(Walked { taken, limit, .. }) = self.walked else { return SOONEST };
        if self.memory_bytes.is_some() {
            return SOONEST;
        }
        let room = limit.less(taken + self.written);
        let seconds = |room: u64, a_second: u64| Duration::from_millis(room.saturating_mul(1000) / a_second);
        let soonest =
            seconds(room.bytes / 1024, A_SECOND.bytes / 1024).min(seconds(room.files, A_SECOND.files));
        soonest.clamp(SOONEST, LATEST)
    }
}

fn look(shared: &Shared, passed: Duration, sizes: &mut Sizes) -> io::Result<()> {
    let now = counts(&shared.sandboxes.0)?;
    let sessions: Vec<SessionId> = {
        let mut state = shared.state();
        state.catch_up(now, passed);
        let is_due = |known: &Known| known.memory_bytes.is_some() || known.due() != Due::Nothing;
        state.known.iter().filter(|(_, known)| is_due(known)).map(|(session, _)| session.clone()).collect()
    };
    for session in sessions {
        let Some(known) = shared.state().known.get(&session).copied() else { continue };
        // One that cannot be looked at keeps nobody else from being.
        match look_at(shared, &session, known, sizes) {
            Ok(Some(now)) => drop(shared.state().known.insert(session, now)),
            Ok(None) => drop(shared.state().known.remove(&session)),
            Err(error) => {
                tracing::warn!(session.id = %session, %error, "what a sandbox takes could not be looked at");
            }
        }
    }
    Ok(())
}

/// `None` when nothing of it runs.
fn look_at(
    shared: &Shared,
    session: &SessionId,
    known: Known,
    sizes: &mut Sizes,
) -> io::Result<Option<Known>> {
    let Some((here, record, limit)) = running(&shared.sandboxes, session)? else { return Ok(None) };
    let memory_bytes = memory::soft_limit(&record);
    if let Some(bytes) = memory_bytes {
        memory::look(&here, &record, bytes)?;
    }
    let folder = shared.sandboxes.session(session);
    if let Some(bytes) = folder.volume().taken()? {
        // The kernel holds it to its limit; what is left is to tell.
        volume::note_full(&folder, &here, &record)?;
        let walked = Some(Walked { taken: Use { bytes, files: 0 }, limit, full_at: None });
        return Ok(Some(Known { walked, memory_bytes, ..Known::default() }));
    }
    let due = known.due();
    if due == Due::Nothing {
        return Ok(Some(Known { memory_bytes, ..known }));
    }
    let _held = if due == Due::HoldAndWalk { Held::hold(&here, &record)? } else { None };
    let taken = match usage::of_session(&shared.sandboxes, session, &record, sizes) {
        Ok(taken) => taken,
        Err(Uncounted::Io(error)) => return Err(error),
        Err(error @ Uncounted::Bottomless) => {
            tracing::warn!(session.id = %session, %error, "a sandbox is ended for what it made of the disk");
            breach::begin(&here.0.join(FULL))?;
            record.end()?;
            return Ok(None);
        }
    };
    let full = here.0.join(FULL);
    let full_at = known.walked.map_or_else(|| breach::lasts(&full).then_some(taken), |walked| walked.full_at);
    let (full_at, action) = judge(full_at, taken, limit);
    match action {
        Action::Nothing => {}
        Action::Stop => {
            let_grow(&record, 0, limit.bytes);
            breach::begin(&full)?;
        }
        Action::Free => {
            let_grow(&record, limit.bytes, limit.bytes);
            breach::end(&full)?;
        }
        Action::End => {
            record.end()?;
            return Ok(None);
        }
    }
    let walked = Some(Walked { taken, limit, full_at });
    Ok(Some(Known { walked, memory_bytes, ..Known::default() }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Nothing,
    Stop,
    Free,
    End,
}

/// What a session's having taken this much means, and where it is kept from growing from now on, if it is.
fn judge(full_at: Option<Use>, taken: Use, limit: Use) -> (Option<Use>, Action) {
    match (taken.exceeds(limit), full_at) {
        (false, None) => (None, Action::Nothing),
        (false, Some(_)) => (None, Action::Free),
        (true, None) => (Some(taken), Action::Stop),
        (true, Some(at)) => {
            let end = limit.sixteenths(END).each(at + limit.sixteenths(STEP), u64::max);
            // Each time: what somebody inside raised is lowered again.
            (Some(at), if taken.exceeds(end) { Action::End } else { Action::Stop })
        }
    }
}

/// The current sandbox of a session, and its limit on disk; `None` when it does not run, or has none.
fn running(sandboxes: &Sandboxes, session: &SessionId) -> io::Result<Option<(GenerationDir, Record, Use)>> {
    let folder = sandboxes.session(session);
    let Some(generation) = folder.generations()?.pop() else { return Ok(None) };
    let here = folder.generation(generation);
    let Some(record) = here.record()?.filter(|record| record.ready) else { return Ok(None) };
    let Some(bytes) = record.limit(Wall::Disk) else { return Ok(None) };
    let limit = Use { bytes, files: limits::files(bytes) };
    Ok(record.runs()?.then_some((here, record, limit)))
}

/// Sets how large the files of every process in a sandbox may become, but of PID 1, whose own are bounded. The hard limit
/// stays what it is, so that the other can be raised again without any right.
fn let_grow(record: &Record, bytes: u64, limit: u64) {
    for process in inside(record).into_iter().skip(1) {
        let to = Rlimit { current: Some(bytes), maximum: Some(limit) };
        let _ = prlimit(Pid::from_raw(process), Resource::Fsize, to);
    }
}

/// What a file system says is in use. One without a fixed number of files may say nothing of those.
fn counts(at: &Path) -> io::Result<Use> {
    let all = rustix::fs::statvfs(at)?;
    Ok(Use {
        bytes: all.f_blocks.saturating_sub(all.f_bfree).saturating_mul(all.f_frsize),
        files: all.f_files.saturating_sub(all.f_ffree),
    })
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
