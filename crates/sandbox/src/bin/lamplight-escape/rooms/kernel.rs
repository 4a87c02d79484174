//! System calls that change the machine, or that have often been the way into the kernel.

use crate::attempt::{Attempt, REFUSED, Stop, StoppedBy, Tried, beyond, found};
use crate::call::{NULL, at, call, descriptor};
use std::fs;
use std::os::fd::AsRawFd;

/// Refused before anything is looked at: each of these is reached by wrong arguments after the rights were checked.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("load a program into the kernel (bpf)", REFUSED, |_| {
        /// Makes an array of one entry. Source: bpf(2).
        const MAP_CREATE: i32 = 0;
        let mut array = [2_u32, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let size = size_of_val(&array);
        let map = descriptor(libc::SYS_bpf, &[MAP_CREATE.into(), at(&mut array), size.into()])?;
        Ok(format!("made map {}", map.as_raw_fd()))
    }),
    Attempt::new("have calls made by the kernel (io_uring)", REFUSED, |_| {
        let mut parameters = [0_u8; 120];
        let ring = descriptor(libc::SYS_io_uring_setup, &[1.into(), at(&mut parameters)])?;
        Ok(format!("made ring {}", ring.as_raw_fd()))
    }),
    Attempt::new("stop the kernel in the middle of a copy (userfaultfd)", REFUSED, |_| {
        /// Faults of user space only, which is allowed to everybody. Source: userfaultfd(2).
        const USER_MODE_ONLY: i32 = 1;
        let faults = descriptor(libc::SYS_userfaultfd, &[USER_MODE_ONLY.into()])?;
        Ok(format!("got descriptor {}", faults.as_raw_fd()))
    }),
    Attempt::new("measure with the processor's counters (perf_event_open)", REFUSED, |_| {
        // A software clock of this process, user space only. Source: perf_event_open(2).
        const EXCLUDE_KERNEL_AND_HYPERVISOR: u64 = 0b110_0000;
        let mut attributes = [0_u64; 16];
        attributes[0] = 1 | (128 << 32);
        attributes[5] = EXCLUDE_KERNEL_AND_HYPERVISOR;
        let arguments = [at(&mut attributes), 0.into(), (-1).into(), (-1).into(), 0.into()];
        let counter = descriptor(libc::SYS_perf_event_open, &arguments)?;
        Ok(format!("got counter {}", counter.as_raw_fd()))
    }),
    Attempt::new("hide memory from the kernel (memfd_secret)", REFUSED, |_| {
        let hidden = descriptor(libc::SYS_memfd_secret, &[0.into()])?;
        Ok(format!("got descriptor {}", hidden.as_raw_fd()))
    }),
    Attempt::new("be asked before others open files (fanotify)", REFUSED, |_| {
        const CLASS_CONTENT: i32 = 4;
        let watch = descriptor(libc::SYS_fanotify_init, &[CLASS_CONTENT.into(), 0.into()])?;
        Ok(format!("got descriptor {}", watch.as_raw_fd()))
    }),
    Attempt::new("load a module (init_module)", REFUSED, |_| {
        beyond(call(libc::SYS_init_module, &[NULL, 0.into(), c"".into()]), &[libc::ENOEXEC, libc::EFAULT])
    }),
    Attempt::new("load a module (finit_module)", REFUSED, |_| {
        beyond(call(libc::SYS_finit_module, &[(-1).into(), c"".into(), 0.into()]), &[libc::EBADF])
    }),
    Attempt::new("remove a module", REFUSED, |_| {
        let arguments = [c"lamplight_none".into(), libc::O_NONBLOCK.into()];
        beyond(call(libc::SYS_delete_module, &arguments), &[libc::ENOENT])
    }),
    Attempt::new("start another kernel (kexec_load)", REFUSED, |_| {
        let wrong = 0xffff;
        beyond(call(libc::SYS_kexec_load, &[0.into(), 0.into(), NULL, wrong.into()]), &[libc::EINVAL])
    }),
    Attempt::new("start another kernel (kexec_file_load)", REFUSED, |_| {
        let arguments = [(-1).into(), (-1).into(), 0.into(), NULL, 0xdead.into()];
        beyond(call(libc::SYS_kexec_file_load, &arguments), &[libc::EINVAL, libc::EBADF])
    }),
    Attempt::new("restart the machine (reboot)", REFUSED, |_| {
        beyond(call(libc::SYS_reboot, &[0.into(), 0.into(), 0.into(), NULL]), &[libc::EINVAL])
    }),
    Attempt::new("add swap", REFUSED, |_| {
        beyond(call(libc::SYS_swapon, &[c"/nowhere".into(), 0.into()]), &[libc::ENOENT])
    }),
    Attempt::new("take swap away", REFUSED, |_| {
        beyond(call(libc::SYS_swapoff, &[c"/nowhere".into()]), &[libc::ENOENT])
    }),
    Attempt::new("have every process written down (acct)", REFUSED, |_| {
        beyond(call(libc::SYS_acct, &[c"/nowhere".into()]), &[libc::ENOENT])
    }),
    Attempt::new("set the clock", REFUSED, |_| beyond(call(libc::SYS_settimeofday, &[NULL, NULL]), &[])),
    Attempt::new("tune the clock", REFUSED, |_| {
        /// With a tick of no length, which is refused after the right to set one was checked.
        const ADJ_TICK: u32 = 0x4000;
        // SAFETY: all fields are integers.
        let mut tuning: libc::timex = unsafe { std::mem::zeroed() };
        tuning.modes = ADJ_TICK;
        beyond(call(libc::SYS_adjtimex, &[at(&mut tuning)]), &[libc::EINVAL])
    }),
    Attempt::new("read the kernel's log (syslog)", REFUSED, |_| {
        const READ_ALL: i32 = 3;
        let mut log = [0_u8; 64];
        beyond(call(libc::SYS_syslog, &[READ_ALL.into(), at(&mut log), 64.into()]), &[])
    }),
    Attempt::new("set the host name", REFUSED, |_| {
        beyond(call(libc::SYS_sethostname, &[c"other".into(), 5.into()]), &[])
    }),
    Attempt::new("set the domain name", REFUSED, |_| {
        beyond(call(libc::SYS_setdomainname, &[c"other".into(), 5.into()]), &[])
    }),
    Attempt::new("hang up the terminal (vhangup)", REFUSED, |_| beyond(call(libc::SYS_vhangup, &[]), &[])),
    #[cfg(target_arch = "x86_64")]
    Attempt::new("use the machine's ports (iopl)", REFUSED, |_| {
        beyond(call(libc::SYS_iopl, &[3.into()]), &[])
    }),
    #[cfg(target_arch = "x86_64")]
    Attempt::new("use the machine's ports (ioperm)", REFUSED, |_| {
        beyond(call(libc::SYS_ioperm, &[0x80.into(), 1.into(), 1.into()]), &[])
    }),
    #[cfg(target_arch = "x86_64")]
    Attempt::new("call by the numbers of x32", REFUSED, |_| {
        /// Source: `__X32_SYSCALL_BIT` of asm/unistd.h.
        const X32: libc::c_long = 0x4000_0000;
        beyond(call(X32 | libc::SYS_getpid, &[]), &[])
    }),
    #[cfg(target_arch = "x86_64")]
    Attempt::new("call by the numbers of 32-bit programs (int 0x80)", REFUSED, |_| by_interrupt()),
    Attempt::new("run without a filter of system calls", StoppedBy::Absence, |_| unfiltered()),
];

/// What `/proc/self/status` says about seccomp: 2 is a filter.
fn unfiltered() -> Tried {
    let status = fs::read_to_string("/proc/self/status")?;
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:")).map(str::trim);
    match mode {
        None => Err(Stop::Broken("the kernel does not say".into())),
        Some("2") => Err(Stop::Nothing("it is filtered".into())),
        Some(mode) => found(vec![format!("mode {mode}")]),
    }
}

/// `getpid`, as a program of 1995 would. A kernel without such programs ends this one.
#[cfg(target_arch = "x86_64")]
fn by_interrupt() -> Tried {
    const GETPID: i64 = 20;
    let mut answer = GETPID;
    // SAFETY: the call takes no argument and touches no memory; the registers that it changes are named.
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") answer, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    if answer > 0 {
        return Ok(format!("returned {answer}"));
    }
    Err(Stop::Error(i32::try_from(-answer).unwrap_or(libc::ENOSYS)))
}
