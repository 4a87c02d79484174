//! The filter, run as the kernel runs it.

use super::*;

/// What the kernel would decide about a call.
fn decide(nested: bool, architecture: u32, number: c_long, arguments: [u64; 3]) -> u32 {
    decide_by(Filter { nested_sandboxes: nested, counts_segments: true }, architecture, number, arguments)
}

/// By our own way of calling: nothing when it is made, otherwise the number of the error.
pub(in super::super) fn decide_here(filter: Filter, number: c_long, arguments: [u64; 3]) -> Result<(), i32> {
    match decide_by(filter, OWN, number, arguments) {
        ALLOW => Ok(()),
        refused => Err((refused & !libc::SECCOMP_RET_ERRNO).cast_signed()),
    }
}

fn decide_by(filter: Filter, architecture: u32, number: c_long, arguments: [u64; 3]) -> u32 {
    let program = program(filter);
    let word = |offset: u32| {
        let half = |value: u64, high: bool| {
            u32::try_from(if high { value >> 32 } else { value & 0xffff_ffff }).unwrap()
        };
        match offset {
            NUMBER => u32::try_from(number).unwrap(),
            ARCHITECTURE => architecture,
            _ => half(arguments[(offset as usize - 16) / 8], offset % 8 == 4),
        }
    };
    let (mut at, mut loaded) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        let jump = |taken: bool| usize::from(if taken { jt } else { jf });
        at += 1;
        match u32::from(code) {
            code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => loaded = word(k),
            code if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K => at += jump(loaded == k),
            code if code == libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K => at += jump(loaded >= k),
            code if code == libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K => at += jump(loaded > k),
            code if code == libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K => at += jump(loaded & k != 0),
            code if code == libc::BPF_RET | libc::BPF_K => return k,
            code => panic!("an instruction that the filter does not use: {code}"),
        }
    }
}

#[test]
fn calls_are_allowed_by_name_and_judged_by_arguments() {
    let check = |number, arguments, wanted| {
        assert_eq!(decide(false, OWN, number, arguments), wanted, "{number} {arguments:?}");
    };
    let (unix, inet, netlink) = (1, 2, 16);
    check(libc::SYS_read, [0, 0, 0], ALLOW);
    check(libc::SYS_execve, [0, 0, 0], ALLOW);
    check(libc::SYS_memfd_create, [0, 0, 0], ALLOW);
    check(libc::SYS_ptrace, [16, 1, 0], errno(libc::EPERM));
    check(libc::SYS_mount, [0, 0, 0], errno(libc::EPERM));
    check(libc::SYS_clone3, [0, 0, 0], errno(libc::ENOSYS));
    check(libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0], ALLOW);
    check(libc::SYS_clone, [libc::CLONE_NEWUSER as u64, 0, 0], errno(libc::EPERM));
    check(libc::SYS_unshare, [libc::CLONE_FILES as u64, 0, 0], ALLOW);
    check(libc::SYS_unshare, [libc::CLONE_NEWNS as u64, 0, 0], errno(libc::EPERM));
    check(libc::SYS_unshare, [u64::from(TIME_NAMESPACE), 0, 0], errno(libc::EPERM));
    check(libc::SYS_socket, [unix, 1, 0], ALLOW);
    check(libc::SYS_socket, [inet, 1, 6], ALLOW);
    check(libc::SYS_socket, [10, 2, 17], ALLOW);
    check(libc::SYS_socket, [inet, 5, 132], errno(libc::EPROTONOSUPPORT));
    check(libc::SYS_socket, [netlink, 3, 0], ALLOW);
    check(libc::SYS_socket, [netlink, 3, 12], errno(libc::EPROTONOSUPPORT));
    check(libc::SYS_socket, [40, 1, 0], errno(libc::EAFNOSUPPORT));
    check(libc::SYS_socket, [38, 5, 0], errno(libc::EAFNOSUPPORT));
    check(libc::SYS_socketpair, [unix, 1, 0], ALLOW);
    check(libc::SYS_socketpair, [30, 1, 0], errno(libc::EAFNOSUPPORT));
    check(libc::SYS_ioctl, [0, 0x5401, 0], ALLOW);
    // The kernel reads 32 bits, whatever is above them.
    check(libc::SYS_ioctl, [0, 0x1_0000_5412, 0], errno(libc::EPERM));
    check(libc::SYS_personality, [0xffff_ffff, 0, 0], ALLOW);
    check(libc::SYS_personality, [0x4_0000, 0, 0], errno(libc::EPERM));
    check(libc::SYS_prlimit64, [0, 7, 0x7fff_0000_0000], ALLOW);
    check(libc::SYS_prlimit64, [1, 7, 0], ALLOW);
    check(libc::SYS_prlimit64, [1, 7, 0x7fff_0000_0000], errno(libc::EPERM));
    check(libc::SYS_prlimit64, [1, 7, 0x7fff_1234], errno(libc::EPERM));
    check(libc::SYS_fallocate, [3, 0, 0], errno(libc::EOPNOTSUPP));
    check(libc::SYS_fallocate, [3, 1, 0], errno(libc::EOPNOTSUPP));
    check(libc::SYS_fallocate, [3, 3, 0], ALLOW);
    check(libc::SYS_setpriority, [0, 0, 10], ALLOW);
    check(libc::SYS_setpriority, [0, 1, 10], errno(libc::EPERM));
    check(libc::SYS_setpriority, [1, 1, 10], errno(libc::EPERM));
    check(libc::SYS_setpriority, [2, 0, 10], errno(libc::EPERM));
    check(libc::SYS_ioprio_set, [3, 1000, 0], errno(libc::EPERM));
    check(libc::SYS_sched_setaffinity, [0, 8, 0], ALLOW);
    check(libc::SYS_sched_setaffinity, [1, 8, 0], errno(libc::EPERM));
    check(libc::SYS_shmget, [0, 1 << 40, 0], ALLOW);
    // Numbers that no kernel has yet, or that nobody asked for.
    for number in [400, 470, 512, 999, 0x3fff_ffff] {
        check(number, [0, 0, 0], errno(libc::ENOSYS));
    }
}

#[test]
fn segments_that_nobody_counts_are_small() {
    let check = |size: u64, wanted| {
        assert_eq!(decide_by(Filter::default(), OWN, libc::SYS_shmget, [0, size, 0]), wanted, "{size}");
    };
    check(0, ALLOW);
    check(64 * 1024, ALLOW);
    check(64 * 1024 + 1, errno(libc::EINVAL));
    check(1 << 32, errno(libc::EINVAL));
}

#[test]
fn other_ways_of_calling_do_not_exist() {
    /// i386.
    const OTHER: u32 = 0x4000_0003;
    assert_eq!(decide(false, OTHER, libc::SYS_read, [0, 0, 0]), errno(libc::ENOSYS));
    assert_eq!(decide(false, OWN, libc::SYS_read + c_long::from(X32), [0, 0, 0]), errno(libc::ENOSYS));
}

#[test]
fn sandboxes_of_ones_own_need_leave() {
    let check = |number, wanted| assert_eq!(decide(true, OWN, number, [u64::from(NAMESPACES), 0, 0]), wanted);
    check(libc::SYS_clone, ALLOW);
    check(libc::SYS_unshare, ALLOW);
    check(libc::SYS_mount, ALLOW);
    check(libc::SYS_pivot_root, ALLOW);
    check(libc::SYS_clone3, errno(libc::ENOSYS));
    check(libc::SYS_fsopen, errno(libc::ENOSYS));
    check(libc::SYS_move_mount, errno(libc::ENOSYS));
    check(libc::SYS_bpf, errno(libc::EPERM));
    assert_eq!(decide(false, OWN, libc::SYS_fsopen, [0, 0, 0]), errno(libc::EPERM));
}

/// The kernel's own cache of decisions takes these shapes only.
#[test]
fn the_program_is_short() {
    assert!(program(Filter::default()).len() < 512, "{}", program(Filter::default()).len());
}
