//! Other processes: the host's, and PID 1, which is the guest.

use super::look::{read, readable, writable};
use crate::attempt::{Attempt, Needed, REFUSED, Stop, StoppedBy, Tried, beyond, found};
use crate::call::{NULL, at, call, descriptor, kill};
use crate::facts::Facts;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};

/// A process that is not there, or not ours to touch.
const NOT_OURS: StoppedBy =
    StoppedBy::Errors("no such process, or a refusal", &[libc::ESRCH, libc::EPERM, libc::ENOSYS]);

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("see a process of the host", StoppedBy::Absence, |facts| found(seen(facts))),
    Attempt::new("signal a process of the host", NOT_OURS, |facts| {
        its_number(facts)?;
        kill(facts.neighbour_pid, 0)?;
        Ok("may be signalled".into())
    }),
    Attempt::new("trace a process of the host", NOT_OURS, |facts| {
        its_number(facts)?;
        trace(facts.neighbour_pid)
    }),
    Attempt::new("trace PID 1", REFUSED, |_| trace(1)),
    Attempt::new("read the memory of PID 1 by a call", REFUSED, |_| memory(libc::SYS_process_vm_readv)),
    Attempt::new("write the memory of PID 1 by a call", REFUSED, |_| memory(libc::SYS_process_vm_writev)),
    Attempt::new("compare descriptors with PID 1", REFUSED, |_| {
        let own = std::process::id();
        let order = call(libc::SYS_kcmp, &[own.into(), 1.into(), 0.into(), 0.into(), 0.into()])?;
        Ok(format!("told their order: {order}"))
    }),
    Attempt::new("take a descriptor of PID 1", REFUSED, |_| {
        let first = first_process()?;
        let taken = descriptor(libc::SYS_pidfd_getfd, &[first.as_raw_fd().into(), 1.into(), 0.into()])?;
        Ok(format!("took {}", taken.as_raw_fd()))
    }),
    Attempt::new("have the memory of PID 1 paged out", REFUSED, |_| {
        const MADV_COLD: i32 = 20;
        let first = first_process()?;
        let arguments = [first.as_raw_fd().into(), NULL, 0.into(), MADV_COLD.into(), 0.into()];
        beyond(call(libc::SYS_process_madvise, &arguments), &[])
    }),
    Attempt::new("learn where the memory of PID 1 is", REFUSED, |_| {
        beyond(call(libc::SYS_move_pages, &[1.into(), 0.into(), NULL, NULL, NULL, 0.into()]), &[])
    }),
    Attempt::new("learn which locks PID 1 holds", REFUSED, |_| {
        let (mut head, mut length) = (0_u64, 0_u64);
        beyond(call(libc::SYS_get_robust_list, &[1.into(), at(&mut head), at(&mut length)]), &[])
    }),
    Attempt::new("change the limits of PID 1", REFUSED, |_| limits_of_first()),
    Attempt::new("change the priority of PID 1", REFUSED, |_| {
        // The kernel reports 20 minus the priority here.
        let now = 20
            - call(libc::SYS_getpriority, &[libc::PRIO_PROCESS.into(), 1.into()]).needed("its priority")?;
        call(libc::SYS_setpriority, &[libc::PRIO_PROCESS.into(), 1.into(), now.into()])?;
        Ok("set it to what it was".into())
    }),
    Attempt::new("read /proc/1/mem", REFUSED, |_| readable("/proc/1/mem")),
    Attempt::new("read /proc/1/environ", REFUSED, |_| read("/proc/1/environ")),
    Attempt::new("read /proc/1/maps", REFUSED, |_| read("/proc/1/maps")),
    Attempt::new("read /proc/1/stack", REFUSED, |_| read("/proc/1/stack")),
    Attempt::new("open a descriptor of PID 1 in /proc/1/fd", REFUSED, |_| {
        let count = fs::read_dir("/proc/1/fd")?.count();
        Ok(format!("{count} descriptors"))
    }),
    Attempt::new("go through /proc/1/root", REFUSED, |_| readable("/proc/1/root/etc")),
    Attempt::new("go through /proc/1/cwd", REFUSED, |_| readable("/proc/1/cwd/.")),
    Attempt::new("overwrite the program of PID 1 by /proc/1/exe", REFUSED, |_| busy(writable("/proc/1/exe"))),
    Attempt::new("be spared when memory is short", REFUSED, |_| {
        fs::write("/proc/self/oom_score_adj", "0")?;
        Ok("lowered its own score to 0".into())
    }),
    Attempt::new("run at real-time priority", REFUSED, |_| {
        let mut priority = 1_i32;
        call(libc::SYS_sched_setscheduler, &[0.into(), libc::SCHED_FIFO.into(), at(&mut priority)])?;
        Ok("runs before everybody else".into())
    }),
    Attempt::new("be preferred by the scheduler", REFUSED, |_| {
        call(libc::SYS_setpriority, &[libc::PRIO_PROCESS.into(), 0.into(), (-20).into()])?;
        Ok("nice value -20".into())
    }),
    Attempt::new("be preferred on disks", REFUSED, |_| {
        /// Class "real time", level 0, for this process. Source: ioprio_set(2).
        const REAL_TIME: i32 = 1 << 13;
        call(libc::SYS_ioprio_set, &[1.into(), 0.into(), REAL_TIME.into()])?;
        Ok("real-time class".into())
    }),
];

fn seen(facts: &Facts) -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.filter_map(|process| {
        let name = fs::read_to_string(process.path().join("comm")).ok()?;
        (name.trim_end() == facts.neighbour).then(|| process.path().display().to_string())
    });
    names.collect()
}

/// That its number, seen from here, is not that of somebody else.
fn its_number(facts: &Facts) -> Result<(), Stop> {
    let name = fs::read_to_string(format!("/proc/{}/comm", facts.neighbour_pid)).unwrap_or_default();
    if name.trim_end() == facts.neighbour { Ok(()) } else { Err(Stop::Error(libc::ESRCH)) }
}

/// Without stopping it; the end of this process is the end of the tracing.
fn trace(process: i32) -> Tried {
    call(libc::SYS_ptrace, &[libc::PTRACE_SEIZE.into(), process.into(), NULL, NULL])?;
    Ok("attached".into())
}

/// Of an address that nobody has.
fn memory(number: libc::c_long) -> Tried {
    let mut here = 0_u64;
    let mut local = libc::iovec { iov_base: (&raw mut here).cast(), iov_len: 8 };
    let mut remote = libc::iovec { iov_base: std::ptr::without_provenance_mut(8), iov_len: 8 };
    let arguments = [1.into(), at(&mut local), 1.into(), at(&mut remote), 1.into(), 0.into()];
    beyond(call(number, &arguments), &[libc::EFAULT])
}

fn first_process() -> Result<OwnedFd, Stop> {
    descriptor(libc::SYS_pidfd_open, &[1.into(), 0.into()]).needed("name PID 1")
}

/// Sets what is set already.
fn limits_of_first() -> Tried {
    let mut limits = [0_u64; 2];
    let which = libc::RLIMIT_NOFILE;
    call(libc::SYS_prlimit64, &[1.into(), which.into(), NULL, at(&mut limits)])?;
    call(libc::SYS_prlimit64, &[1.into(), which.into(), at(&mut limits), NULL])?;
    Ok("set them to what they were".into())
}

/// A program that runs is busy; what can be opened otherwise can be overwritten as soon as it ends.
pub(super) fn busy(tried: Tried) -> Tried {
    match tried {
        Err(Stop::Error(libc::ETXTBSY)) => Ok("it is only busy while it runs".into()),
        other => other,
    }
}
