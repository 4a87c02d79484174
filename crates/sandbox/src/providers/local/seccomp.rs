//! System calls that no agent needs and that have been the way out of many a sandbox, refused; everything else is left to
//! the kernel's own checks. Being a process without capabilities, most of these would fail anyway: this makes it two walls.
//!
//! A list of what is refused, not yet of what is allowed. Source: seccomp(2); the list is that of the OCI default profile's
//! refusals, with what reference measurements found open beside it (AF_VSOCK, io_uring).

use anyhow::{Context, Result};
use libc::{c_long, sock_filter};
use std::io;

/// Offsets in `struct seccomp_data`; arguments are 64 bits wide and little-endian on both architectures.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;
const SECOND_ARGUMENT: u32 = 24;

/// `AUDIT_ARCH_*` of linux/audit.h: a call by another architecture's numbers would pass by this list.
#[cfg(target_arch = "x86_64")]
const OWN: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const OWN: u32 = 0xc000_00b7;

/// On x86-64, numbers from here on are those of the x32 way of calling.
const X32: u32 = 0x4000_0000;

const REFUSED: &[c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_memfd_secret,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// The only kinds of sockets: AF_VSOCK would reach the hypervisor past every network namespace.
const SOCKETS: &[i32] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Requests that put words into the mouth of whoever sits at a terminal. TIOCLINUX is not in the libc crate.
const TERMINAL: &[u32] = &[0x5412, 0x541c];

/// Filters this process and all that come from it. It must have no new privileges already.
pub(super) fn filter() -> Result<()> {
    let program = program();
    let length = u16::try_from(program.len()).context("the filter is too long")?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the program outlives the call, and its length is right.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()).context("filter system calls"),
    }
}

fn program() -> Vec<sock_filter> {
    let mut program = vec![load(ARCHITECTURE), skip_if(OWN, 1), refuse(libc::ENOSYS)];
    program.extend([load(NUMBER), skip_if_below(X32, 1), refuse(libc::ENOSYS)]);
    for number in REFUSED {
        program.extend([skip_unless(small(*number), 1), refuse(libc::EPERM)]);
    }
    program.extend(judged(libc::SYS_socket, FIRST_ARGUMENT, {
        let known = SOCKETS.iter().flat_map(|family| [skip_unless(family.cast_unsigned(), 1), allow()]);
        known.chain([refuse(libc::EAFNOSUPPORT)]).collect()
    }));
    program.extend(judged(libc::SYS_ioctl, SECOND_ARGUMENT, {
        let refused = TERMINAL.iter().flat_map(|request| [skip_unless(*request, 1), refuse(libc::EPERM)]);
        refused.chain([allow()]).collect()
    }));
    program.push(allow());
    program
}

/// What is decided about one call by one of its arguments; every way through `rules` ends in a decision.
fn judged(number: c_long, argument: u32, rules: Vec<sock_filter>) -> Vec<sock_filter> {
    let length = u8::try_from(rules.len() + 1).expect("a handful of rules");
    [skip_unless(small(number), length), load(argument)].into_iter().chain(rules).collect()
}

fn small(number: c_long) -> u32 {
    u32::try_from(number).expect("system calls have small numbers")
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

fn allow() -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0)
}

fn refuse(errno: i32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno.cast_unsigned(), 0, 0)
}

fn statement(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: u16::try_from(code).expect("codes have 16 bits"), jt, jf, k }
}
