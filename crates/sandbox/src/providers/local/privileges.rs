//! What PID 1 gives up, or forbids to all that come after it.

use super::identity::{Identity, KEEPER};
use super::masks::Settings;
use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use rustix::thread::{Gid, Uid};
use std::fs;
use std::io;
use std::os::fd::AsRawFd;

/// When memory is short, the kernel ends what is in a sandbox before it ends the server. Source: proc_pid_oom_score_adj(5).
pub(super) const OOM_SCORE: i32 = 500;

/// Namespaces of each kind, where sandboxes inside are allowed.
const NESTED_NAMESPACES: &str = "64";

/// Interfaces are down in a new network namespace, `lo` too. Source: netdevice(7).
pub(super) fn raise_loopback() -> io::Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: all of it are integers and arrays of integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[..2].copy_from_slice(&[b'l'.cast_signed(), b'o'.cast_signed()]);
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP).expect("a small flag");
    // SAFETY: the request outlives the call, and is what SIOCSIFFLAGS reads.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Any port may be listened on: there is nobody to keep them for. Source: ip(7).
pub(super) fn free_low_ports(settings: &Settings) -> io::Result<()> {
    settings.set("net/ipv4/ip_unprivileged_port_start", "0")
}

/// Leaves the session keyring of whoever started the server. Where that is refused (many containers do), so is every
/// other use of keyrings.
pub(super) fn leave_keyring() {
    // SAFETY: no pointer is read: the null name asks for a new keyring.
    unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<u8>()) };
}

pub(super) fn end_before_the_server() -> io::Result<()> {
    fs::write("/proc/self/oom_score_adj", OOM_SCORE.to_string())
}

/// A file that grows past its limit is an error to whoever writes it (EFBIG), and no reason to end. What is ignored stays so
/// in every process that comes from this one. Source: setrlimit(2), `RLIMIT_FSIZE`.
pub(super) fn ignore_file_limit() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// After entering the user namespace: its root in every field, and no group but, in a volume, the one that it keeps something back for.
pub(super) fn become_root_inside(in_volume: bool) -> io::Result<()> {
    let (user, group) = (Uid::ROOT, Gid::ROOT);
    // By that group the guest, which takes it from everybody that it starts, can say what an agent says whose disk is full.
    let keeper = [Gid::from_raw(KEEPER)];
    set_thread_groups(&keeper[..usize::from(in_volume)])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(())
}

/// A user namespace below ours would give capabilities over namespaces of its own, and with them most of the kernel's
/// attack surface. Agents are told not to use sandboxes of their own in here, unless a person wants them to: then there are
/// enough for a browser or a few agents, and no more. Source: namespaces(7), `/proc/sys/user`.
pub(super) fn limit_namespaces(settings: &Settings, nested_sandboxes: bool) -> io::Result<()> {
    if !nested_sandboxes {
        return settings.set("user/max_user_namespaces", "0");
    }
    ["user", "mnt", "net", "pid", "ipc", "uts", "cgroup"]
        .iter()
        .try_for_each(|kind| settings.set(&format!("user/max_{kind}_namespaces"), NESTED_NAMESPACES))
}

/// What root in a sandbox may do, with the session's own files and processes: what installing packages takes; and SETPCAP, by which
/// the guest takes all of it from the agent, and itself from who uses `sudo`. Nothing that
/// mounts, traces, makes devices, or touches the network or the kernel.
pub(super) const ROOT_INSIDE: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SETUID);

/// Gives up every capability that is not to be had inside, and every way to get one back. Whoever is not root has none: they go
/// with the user, and "no new privileges" is for good. Source: capabilities(7).
pub(super) fn give_up(identity: Identity) -> Result<()> {
    let (kept, locked) = match identity {
        Identity::Root { .. } => (ROOT_INSIDE, CapabilitiesSecureBits::empty()),
        Identity::User { .. } => (
            CapabilitySet::empty(),
            CapabilitiesSecureBits::NO_ROOT
                | CapabilitiesSecureBits::NO_ROOT_LOCKED
                | CapabilitiesSecureBits::NO_SETUID_FIXUP
                | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED,
        ),
    };
    for capability in (0..64).map(|number| CapabilitySet::from_bits_retain(1 << number)) {
        if kept.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The first that this kernel does not know.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error).context("empty the bounding set"),
        }
    }
    let locked = locked
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    set_capabilities_secure_bits(locked).context("lock the rules for capabilities")?;
    clear_ambient_capability_set().context("empty the ambient set")?;
    set_no_new_privs(true).context("forbid new privileges")?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: none })
        .context("give up capabilities")
}
