//! The filter of system calls: an allow list, as a list of what to refuse forgets the next kernel's.
//!
//! What is not on the list answers `ENOSYS`, as on a kernel that does not have it, so that libraries fall back; what is known
//! and not given answers `EPERM`. A few are judged by their arguments. Being a process without capabilities, most of what is
//! refused would fail anyway: this makes it two walls. One program and written here, rather than by a crate: those that there
//! are know one answer for all that is not allowed, which takes a filter for each of ours.
//!
//! Source: seccomp(2). The kernel runs no program for calls that are allowed whatever their arguments (since Linux 5.11).

use super::system_calls::{ALLOWED, ALLOWED_HERE, ALLOWED_NEW, Call, NESTING, NEWER_MOUNTS, REFUSED};
use libc::{c_long, sock_filter};
use std::collections::BTreeMap;
use std::io;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// `AUDIT_ARCH_*` of linux/audit.h: a call by another architecture's numbers would pass by this list.
#[cfg(target_arch = "x86_64")]
const OWN: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const OWN: u32 = 0xc000_00b7;

/// On x86-64, numbers from here on are those of the x32 way of calling.
const X32: u32 = 0x4000_0000;

/// Every `CLONE_NEW*` of clone(2).
pub(super) const NAMESPACES: u32 = 0x7e02_0000;
/// `CLONE_NEWTIME`, which unshare(2) alone knows.
pub(super) const TIME_NAMESPACE: u32 = 0x80;

/// ICMP, TCP, UDP and ICMPv6; 0 lets the kernel choose. Others would load modules that few look at.
pub(super) const PROTOCOLS: &[u32] = &[0, 1, 6, 17, 58];

/// `NETLINK_ROUTE`: what interfaces and routes there are. Its neighbours configure firewalls and cryptography.
pub(super) const NETLINK_ROUTE: u32 = 0;

/// Requests that put words into the mouth of whoever sits at a terminal (TIOCSTI, TIOCLINUX), or have its line discipline
/// replaced by a driver that few look at (TIOCSETD).
pub(super) const TERMINAL: &[u32] = &[0x5412, 0x541c, 0x5423];

/// What programs ask of `personality`: Linux, its 32-bit form, both with the kernel's old version number, and what it is now.
pub(super) const PERSONALITIES: &[u32] = &[0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// What there is to choose about it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Filter {
    /// Whether programs inside may make sandboxes of their own.
    pub(super) nested_sandboxes: bool,
    /// Whether a cgroup counts what is kept in System V segments. Otherwise they are small, and the kernel has few of them.
    pub(super) counts_segments: bool,
}

/// Filters this process and all that come from it. It must have no new privileges already.
pub(super) fn filter(filter: Filter) -> io::Result<()> {
    let program = program(filter);
    let length = u16::try_from(program.len()).expect("a few hundred instructions");
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the program outlives the call, and its length is right.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn program(Filter { nested_sandboxes, counts_segments }: Filter) -> Vec<sock_filter> {
    let mut program = vec![load(ARCHITECTURE), skip_if(OWN, 1), refuse(libc::ENOSYS)];
    program.extend([load(NUMBER), skip_if_below(X32, 1), refuse(libc::ENOSYS)]);
    program.extend(judged(libc::SYS_socket, socket()));
    program.extend(judged(libc::SYS_socketpair, {
        vec![
            load_argument(0),
            skip_unless(libc::AF_UNIX.cast_unsigned(), 1),
            allow(),
            refuse(libc::EAFNOSUPPORT),
        ]
    }));
    program.extend(judged(libc::SYS_ioctl, {
        let refused = TERMINAL.iter().flat_map(|request| [skip_unless(*request, 1), refuse(libc::EPERM)]);
        [load_argument(1)].into_iter().chain(refused).chain([allow()]).collect()
    }));
    program.extend(judged(libc::SYS_personality, {
        let known = PERSONALITIES.iter().flat_map(|known| [skip_unless(*known, 1), allow()]);
        [load_argument(0)].into_iter().chain(known).chain([refuse(libc::EPERM)]).collect()
    }));
    program.extend(judged(libc::SYS_prlimit64, prlimit()));
    program.extend(judged(libc::SYS_fallocate, fallocate()));
    for (call, whose, all_of_a_user) in PRIORITIES {
        program.extend(judged(call.number, priority(whose, all_of_a_user)));
    }
    if !counts_segments {
        program.extend(judged(libc::SYS_shmget, segment()));
    }
    if !nested_sandboxes {
        for (call, flags) in [(libc::SYS_clone, NAMESPACES), (libc::SYS_unshare, NAMESPACES | TIME_NAMESPACE)]
        {
            program.extend(judged(
                call,
                vec![load_argument(0), skip_unless_any(flags, 1), refuse(libc::EPERM), allow()],
            ));
        }
    }
    program.extend(by_number(&decisions(nested_sandboxes)));
    program
}

/// What is decided by the number alone. What is not here does not exist, `clone3` among it: its flags lie in memory, where
/// no filter can read them, and libraries fall back to `clone`.
fn decisions(nested_sandboxes: bool) -> BTreeMap<u32, u32> {
    let every = |calls: &[Call], decision| {
        calls.iter().map(|call| (small(call.number), decision)).collect::<Vec<_>>()
    };
    let mut decisions: BTreeMap<u32, u32> =
        [ALLOWED, ALLOWED_HERE, ALLOWED_NEW].into_iter().flat_map(|calls| every(calls, ALLOW)).collect();
    decisions.extend(every(REFUSED, errno(libc::EPERM)));
    let nesting = if nested_sandboxes { ALLOW } else { errno(libc::EPERM) };
    decisions.extend(every(NESTING, nesting));
    match nested_sandboxes {
        true => decisions.extend([libc::SYS_clone, libc::SYS_unshare].map(|number| (small(number), ALLOW))),
        false => decisions.extend(every(NEWER_MOUNTS, errno(libc::EPERM))),
    }
    decisions
}

/// Neighbouring numbers with one decision are one comparison.
fn by_number(decisions: &BTreeMap<u32, u32>) -> Vec<sock_filter> {
    let last = decisions.last_key_value().map_or(0, |(number, _)| *number);
    let absent = errno(libc::ENOSYS);
    let of = |number: u32| decisions.get(&number).copied().unwrap_or(absent);
    let mut program = Vec::new();
    for number in 0..=last {
        if number == last || of(number) != of(number + 1) {
            program.extend([skip_if_above(number, 1), give(of(number))]);
        }
    }
    program.push(give(absent));
    program
}

/// By family, and by protocol where a family has many. AF_VSOCK would reach the hypervisor past every network namespace.
fn socket() -> Vec<sock_filter> {
    const INTERNET: [u32; 2] = [libc::AF_INET.cast_unsigned(), libc::AF_INET6.cast_unsigned()];
    let unix = [load_argument(0), skip_unless(libc::AF_UNIX.cast_unsigned(), 1), allow()];
    let netlink = [load_argument(2), skip_unless(NETLINK_ROUTE, 1), allow(), refuse(libc::EPROTONOSUPPORT)];
    let internet = PROTOCOLS.iter().flat_map(|known| [skip_unless(*known, 1), allow()]);
    let internet: Vec<_> =
        [load_argument(2)].into_iter().chain(internet).chain([refuse(libc::EPROTONOSUPPORT)]).collect();
    let length = |part: &[sock_filter]| u8::try_from(part.len()).expect("a handful of rules");
    unix.into_iter()
        .chain([skip_unless(libc::AF_NETLINK.cast_unsigned(), length(&netlink))])
        .chain(netlink)
        .chain([skip_if(INTERNET[0], 2), skip_if(INTERNET[1], 1), refuse(libc::EAFNOSUPPORT)])
        .chain(internet)
        .collect()
}

/// One's own limits, and reading those of others: the guest has the same user, and is not to be limited from inside.
fn prlimit() -> Vec<sock_filter> {
    vec![
        load_argument(0),
        skip_unless(0, 1),
        allow(),
        load_argument(2),
        skip_unless(0, 3),
        load(argument(2) + 4),
        skip_unless(0, 1),
        allow(),
        refuse(libc::EPERM),
    ]
}

/// Only giving back: space that is taken without being written is had faster than anybody can look. Libraries write zeros instead, as
/// they do on a file system that cannot do it.
fn fallocate() -> Vec<sock_filter> {
    vec![load_argument(1), skip_unless(GIVES_BACK, 1), allow(), refuse(libc::EOPNOTSUPP)]
}

/// What fallocate(2) is asked to do when it gives back.
pub(super) const GIVES_BACK: u32 = (libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE).cast_unsigned();

/// The largest System V segment that nobody counts.
pub(super) const SEGMENT_BYTES: u32 = 64 * 1024;

/// Calls that change how a process is scheduled: which argument says whose, and which value of the first means all of a user's.
pub(super) const PRIORITIES: [(Call, u32, Option<u32>); 6] = [
    (Call::new("SYS_setpriority", libc::SYS_setpriority), 1, Some(libc::PRIO_USER)),
    // `IOPRIO_WHO_USER`. Source: ioprio_set(2).
    (Call::new("SYS_ioprio_set", libc::SYS_ioprio_set), 1, Some(3)),
    (Call::new("SYS_sched_setaffinity", libc::SYS_sched_setaffinity), 0, None),
    (Call::new("SYS_sched_setattr", libc::SYS_sched_setattr), 0, None),
    (Call::new("SYS_sched_setparam", libc::SYS_sched_setparam), 0, None),
    (Call::new("SYS_sched_setscheduler", libc::SYS_sched_setscheduler), 0, None),
];

/// Not of PID 1, nor of the group that it leads, nor of all of a user's: to the kernel the guest may be the same user.
fn priority(whose: u32, all_of_a_user: Option<u32>) -> Vec<sock_filter> {
    let user = all_of_a_user
        .map(|all| vec![load_argument(0), skip_unless(all, 1), refuse(libc::EPERM)])
        .unwrap_or_default();
    let first = [load_argument(whose), skip_unless(1, 1), refuse(libc::EPERM), allow()];
    user.into_iter().chain(first).collect()
}

/// As if the kernel's limit on one segment (shmmax) were lower; of segments there are at most 4,096 (shmmni), which makes as much as
/// `/dev/shm` holds. Source: shmget(2).
fn segment() -> Vec<sock_filter> {
    vec![
        load(argument(1) + 4),
        skip_if(0, 1),
        refuse(libc::EINVAL),
        load_argument(1),
        skip_if_above(SEGMENT_BYTES, 1),
        allow(),
        refuse(libc::EINVAL),
    ]
}

/// What is decided about one call by its arguments; every way through `rules` ends in a decision.
fn judged(number: c_long, rules: Vec<sock_filter>) -> Vec<sock_filter> {
    let length = u8::try_from(rules.len()).expect("a handful of rules");
    [skip_unless(small(number), length)].into_iter().chain(rules).collect()
}

fn small(number: c_long) -> u32 {
    u32::try_from(number).expect("system calls have small numbers")
}

/// The lower half of an argument: 64 bits wide, little-endian on both architectures. Where the kernel reads an `int`, that
/// is all that there is.
fn load_argument(number: u32) -> sock_filter {
    load(argument(number))
}

fn argument(number: u32) -> u32 {
    16 + 8 * number
}

fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

/// Skips `count` instructions when what was loaded is `value`.
fn skip_if(value: u32, count: u8) -> sock_filter {
    statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, count, 0)
}

fn skip_unless(value: u32, count: u8) -> sock_filter {
    statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, 0, count)
}

fn skip_if_below(value: u32, count: u8) -> sock_filter {
    statement(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, value, 0, count)
}

fn skip_if_above(value: u32, count: u8) -> sock_filter {
    statement(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K, value, count, 0)
}

fn skip_unless_any(bits: u32, count: u8) -> sock_filter {
    statement(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, bits, 0, count)
}

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number.cast_unsigned()
}

fn allow() -> sock_filter {
    give(ALLOW)
}

fn refuse(number: i32) -> sock_filter {
    give(errno(number))
}

fn give(decision: u32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, decision, 0, 0)
}

fn statement(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: u16::try_from(code).expect("codes have 16 bits"), jt, jf, k }
}

#[cfg(test)]
#[path = "seccomp_tests.rs"]
pub(super) mod tests;
