//! A seam under the store: every fsync of this test program passes here, SQLite's too, because the linker finds these
//! functions before the C library's.

use libc::c_int;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What becomes of an fsync.
pub(crate) enum Verdict {
    Through,
    /// It fails with this error number, and nothing is synced.
    Fail(c_int),
}

type Hook = Arc<dyn Fn(&Path) -> Verdict + Send + Sync>;

static HOOK: Mutex<Option<Hook>> = Mutex::new(None);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// While this lives, fsyncs of files under its directory are judged.
pub(crate) struct Judged(#[expect(dead_code, reason = "held for its Drop")] MutexGuard<'static, ()>);

pub(crate) fn judge(dir: &Path, hook: impl Fn(&Path) -> Verdict + Send + Sync + 'static) -> Judged {
    let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = dir.canonicalize().unwrap();
    let hook = move |path: &Path| if path.starts_with(&dir) { hook(path) } else { Verdict::Through };
    *HOOK.lock().unwrap() = Some(Arc::new(hook));
    Judged(alone)
}

impl Drop for Judged {
    fn drop(&mut self) {
        *HOOK.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn sync(fd: c_int, call: libc::c_long) -> c_int {
    let hook = HOOK.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let verdict = hook.map_or(Verdict::Through, |hook| hook(&path(fd).unwrap_or_default()));
    match verdict {
        // SAFETY: fsync and fdatasync take a file descriptor, valid or not, and touch no memory of ours.
        Verdict::Through => unsafe { libc::syscall(call, fd) as c_int },
        Verdict::Fail(number) => {
            // SAFETY: the location of this thread's errno is always valid.
            unsafe { *libc::__errno_location() = number };
            -1
        }
    }
}

fn path(fd: c_int) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{fd}"))
}

#[unsafe(no_mangle)]
extern "C" fn fsync(fd: c_int) -> c_int {
    sync(fd, libc::SYS_fsync)
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync(fd, libc::SYS_fdatasync)
}
