//! Where a program waits for its disk: every such wait of this one ends here, SQLite's too, because the linker finds these functions before
//! the C library's. What is written is there for as long as the world lasts, so a wait is over at once; or it fails, and nobody knows what
//! is on the disk.

use libc::c_int;
use std::sync::atomic::{AtomicU8, Ordering};

static STATE: AtomicU8 = AtomicU8::new(WELL);

const WELL: u8 = 0;
const FAILS_NEXT: u8 = 1;
const HAS_FAILED: u8 = 2;

/// The next wait fails, and no other.
pub(crate) fn fail_once() {
    let _ = STATE.compare_exchange(WELL, FAILS_NEXT, Ordering::Relaxed, Ordering::Relaxed);
}

pub(crate) fn has_failed() -> bool {
    STATE.load(Ordering::Relaxed) == HAS_FAILED
}

/// From here on none fails; whether one has.
pub(crate) fn mend() -> bool {
    STATE.swap(WELL, Ordering::Relaxed) == HAS_FAILED
}

fn wait() -> c_int {
    if STATE.compare_exchange(FAILS_NEXT, HAS_FAILED, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        return 0;
    }
    // SAFETY: the location of this thread's errno is always valid.
    unsafe { *libc::__errno_location() = libc::EIO };
    -1
}

#[unsafe(no_mangle)]
extern "C" fn fsync(_fd: c_int) -> c_int {
    wait()
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(_fd: c_int) -> c_int {
    wait()
}
